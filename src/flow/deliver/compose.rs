//! What a step says: from what was claimed to the message as the receiver wants it.
//!
//! Nothing here sends or keeps anything.

use crate::config::{Config, Flavor, Thread};
use crate::model::notification::Notification;
use crate::model::problem::Problem;
use crate::rules::digest::Step;
use crate::rules::render::{self, Card, Interactivity, RenderContext, ResolvedMention};
use crate::slack::{blocks, direct_message, legacy};
use crate::store::{Claimed, Lane, Work};
use serde_json::Value;

/// The message and how many of the claimed notifications it tells of; and why a template was not used.
pub(super) fn compose(
    claimed: &Claimed,
    config: &Config,
    flavor: Flavor,
    now: i64,
    mentions: &[ResolvedMention],
    outage: Option<&str>,
) -> ((Value, usize), Option<String>) {
    let said: Vec<&Notification> = claimed.said.iter().map(|said| &said.notification).collect();
    let note = claimed.said.iter().rev().find_map(|said| said.note.as_deref());
    let all = said.len();
    let reach = reach(config, &claimed.lane.integration);
    let facts = |notification: &Notification| {
        let core = config.cores.iter().find(|core| core.name == notification.core);
        let oldest = said.iter().map(|notification| notification.time).min();
        let post = claimed.post.id;
        RenderContext { now, core, style: &config.message, mentions, note, oldest, outage, interactivity: reach, post }
    };
    let is_plain = claimed.post.is_plain;
    if let [Notification { letter: Some(letter), .. }] = said.as_slice() {
        let message = match flavor {
            Flavor::Slack => plain_if(is_plain, direct_message::message(letter, note, mentions, reach)),
            Flavor::Mattermost | Flavor::RocketChat | Flavor::Discord => legacy::direct_message(letter, note),
        };
        return ((message, all), None);
    }
    let mut complaint = None;
    let message = match &claimed.work {
        Work::Post(problem) | Work::Update(problem) => {
            let card = render::problem_card(problem, &facts(&problem.latest));
            complaint.clone_from(&card.template_error);
            let is_threaded = config.message.thread != Thread::Off;
            let told = if is_threaded && blocks::overflows(&card) { 0 } else { all };
            (dress(&card, flavor, is_plain), told)
        }
        Work::Say(problem) => {
            let card = render::combined_card(problem, &said, &facts(&problem.latest));
            complaint.clone_from(&card.template_error);
            (dress(&card, flavor, is_plain), all)
        }
        Work::Reply(_) => reply(&said, config, &facts, is_plain, mentions),
        Work::Digest(Step::Lines, _) => {
            let lines: Vec<_> = said.iter().map(|notification| render::line(notification, config)).collect();
            let (message, told) = blocks::lines(&lines, mentions);
            (plain_if(is_plain, message), told)
        }
        Work::Digest(Step::Close | Step::Settle, tally) => {
            (blocks::sentence(render::Tone::Good, &render::closing(tally)), all)
        }
        Work::Digest(Step::Head | Step::Edit, tally) => {
            let (message, _) = blocks::digest(&render::digest(tally, config, note, (reach, claimed.post.id)), mentions);
            (plain_if(is_plain, message), all)
        }
        Work::List(tally) => {
            let list = render::list(tally, &said, config, note);
            match flavor {
                Flavor::Slack => {
                    let (message, told) = blocks::digest(&list, mentions);
                    (plain_if(is_plain, message), told)
                }
                Flavor::Mattermost | Flavor::RocketChat | Flavor::Discord => legacy::digest(&list, flavor, mentions),
            }
        }
    };
    (message, complaint)
}

/// What a click on a message of this integration can do: something only where a listener would hear of it.
pub(crate) fn reach(config: &Config, integration: &str) -> Interactivity {
    let Some(integration) = config.integrations.iter().find(|found| found.name == integration) else {
        return Interactivity::Nothing;
    };
    let socket = integration.app_token.is_some() && config.listen.socket_mode;
    let is_heard =
        socket || (!integration.signing_secrets.is_empty() && config.listen.address(&config.integrations).is_some());
    match integration.interactive {
        Some(false) => Interactivity::Nothing,
        None if !is_heard => Interactivity::Nothing,
        _ if integration.flavor != Flavor::Slack || !integration.acts => Interactivity::Nothing,
        _ if integration.is_bot() => Interactivity::Forms,
        // Nobody can be told from a guest there: a button that only refuses is none.
        _ if !config.access.guests => Interactivity::Nothing,
        _ => Interactivity::Buttons,
    }
}

/// The reply in a problem's thread: one notification in full, several as lines.
fn reply<'a>(
    said: &[&'a Notification],
    config: &Config,
    facts: &dyn Fn(&Notification) -> RenderContext<'a>,
    is_plain: bool,
    mentions: &[ResolvedMention],
) -> (Value, usize) {
    let (message, told) = match said {
        [one] => (blocks::reply(&render::card(one, &facts(one))), 1),
        several => {
            let lines: Vec<_> = several.iter().map(|notification| render::line(notification, config)).collect();
            blocks::lines(&lines, mentions)
        }
    };
    (plain_if(is_plain, message), told)
}

fn plain_if(is_plain: bool, message: Value) -> Value {
    if is_plain { blocks::without_blocks(message) } else { message }
}

/// A single notification as the receiver wants it.
pub(crate) fn message(
    notification: &Notification,
    config: &Config,
    flavor: Flavor,
    now: i64,
    note: Option<&str>,
) -> Value {
    let core = config.cores.iter().find(|core| core.name == notification.core);
    let facts = RenderContext { note, ..RenderContext::bare(&config.message, core, now) };
    dress(&render::card(notification, &facts), flavor, false)
}

/// The message that takes a clicked one's place where messages can't be edited otherwise.
pub(crate) fn replacement(problem: &Problem, config: &Config, lane: &Lane, post: i64) -> Value {
    let latest = &problem.latest;
    let core = config.cores.iter().find(|core| core.name == latest.core);
    let facts = RenderContext {
        interactivity: reach(config, &lane.integration),
        post,
        ..RenderContext::bare(&config.message, core, latest.time)
    };
    blocks::message(&render::problem_card(problem, &facts))
}

fn dress(card: &Card, flavor: Flavor, is_plain: bool) -> Value {
    match flavor {
        Flavor::Slack if is_plain => blocks::plain(card),
        Flavor::Slack => blocks::message(card),
        Flavor::Mattermost | Flavor::RocketChat | Flavor::Discord => legacy::message(card, flavor),
    }
}

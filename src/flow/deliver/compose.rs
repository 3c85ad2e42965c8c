//! From a claimed step to the message as the receiver expects it.
//!
//! Nothing here sends or keeps anything.

use crate::config::{Config, Flavor, Thread};
use crate::model::incoming::DirectMessage;
use crate::model::notification::Notification;
use crate::model::problem::Problem;
use crate::rules::digest::DigestStep;
use crate::rules::render::cause::Cause;
use crate::rules::render::memory::Earlier;
use crate::rules::render::{self, Card, Interactivity, RenderContext, ResolvedMention};
use crate::slack::{blocks, direct_message, legacy};
use crate::store::{Claimed, DeliveryQueue, Work};
use serde_json::Value;

/// Everything beside the claimed step that a message depends on.
#[derive(Clone, Copy)]
pub(super) struct Composer<'a> {
    pub(super) config: &'a Config,
    pub(super) flavor: Flavor,
    /// Unix seconds.
    pub(super) now: i64,
    pub(super) mentions: &'a [ResolvedMention],
    /// Why the integration failed lately.
    pub(super) outage: Option<&'a str>,
    /// How it went before, of the problem of a card.
    pub(super) earlier: Option<&'a Earlier>,
    /// What it hangs below, of the problem of a card.
    pub(super) cause: Option<&'a Cause>,
}

/// A message ready to be sent.
pub(super) struct Composed {
    pub(super) message: Value,
    /// How many of the claimed notifications it covers.
    pub(super) covered: usize,
    /// Why a template was not used.
    pub(super) template_error: Option<String>,
}

impl Composed {
    fn new((message, covered): (Value, usize)) -> Self {
        Self { message, covered, template_error: None }
    }
}

impl<'a> Composer<'a> {
    pub(super) fn compose(self, claimed: &'a Claimed) -> Composed {
        let all = claimed.queued.len();
        match &claimed.work {
            Work::DirectMessage(message) => Composed::new((self.direct_message(claimed, message), all)),
            Work::Post(problem) | Work::Update(problem) => {
                let card = render::problem_card(problem, &self.context(claimed, &problem.latest));
                let is_threaded = self.config.message.thread != Thread::Off;
                let covered = if is_threaded && blocks::overflows(&card) { 0 } else { all };
                self.card(claimed, card, covered)
            }
            Work::PostOnce(problem) => {
                let notifications = claimed.notifications();
                let context = self.context(claimed, &problem.latest);
                self.card(claimed, render::combined_card(problem, &notifications, &context), all)
            }
            Work::Reply(_) => Composed::new(self.reply(claimed)),
            Work::Digest(step, stats) => match step {
                DigestStep::Lines => {
                    let notifications = claimed.notifications();
                    let lines: Vec<_> = notifications.iter().map(|one| render::line(one, self.config)).collect();
                    let (message, covered) = blocks::lines(&lines, self.mentions);
                    Composed::new((plain_if(claimed.message.is_plain, message), covered))
                }
                DigestStep::Close | DigestStep::MarkShown => {
                    Composed::new((blocks::sentence(render::Tone::Good, &render::closing(stats)), all))
                }
                DigestStep::Post | DigestStep::Edit => {
                    let interactivity = interactivity(self.config, &claimed.queue.integration);
                    let context = (interactivity, claimed.message.id.number());
                    let digest = render::digest(stats, self.config, annotation(claimed), context);
                    let (message, _) = blocks::digest(&digest, self.mentions);
                    Composed::new((plain_if(claimed.message.is_plain, message), all))
                }
            },
            Work::List(stats) => {
                let list = render::list(stats, &claimed.notifications(), self.config, annotation(claimed));
                Composed::new(match self.flavor {
                    Flavor::Slack => {
                        let (message, covered) = blocks::digest(&list, self.mentions);
                        (plain_if(claimed.message.is_plain, message), covered)
                    }
                    Flavor::Mattermost | Flavor::RocketChat | Flavor::Discord => {
                        legacy::digest(&list, self.flavor, self.mentions)
                    }
                })
            }
        }
    }

    fn context(self, claimed: &'a Claimed, notification: &Notification) -> RenderContext<'a> {
        // With a curve added the message is as late as it was.
        let now = if claimed.is_only_a_curve() { claimed.edited / 1000 } else { self.now };
        RenderContext {
            now,
            core: self.config.cores.iter().find(|core| core.name == notification.core),
            style: &self.config.message,
            mentions: self.mentions,
            annotation: annotation(claimed),
            oldest: claimed.queued.iter().map(|queued| queued.incoming.time()).min(),
            outage: self.outage,
            interactivity: interactivity(self.config, &claimed.queue.integration),
            post: claimed.message.id.number(),
            earlier: self.earlier,
            cause: self.cause,
            asks_verdict: self.config.weekly.is_some(),
        }
    }

    fn card(self, claimed: &Claimed, card: Card, covered: usize) -> Composed {
        let message = to_payload(&card, self.flavor, claimed.message.is_plain);
        Composed { message, covered, template_error: card.template_error }
    }

    fn direct_message(self, claimed: &Claimed, message: &DirectMessage) -> Value {
        let annotation = annotation(claimed);
        match self.flavor {
            Flavor::Slack => {
                let interactivity = interactivity(self.config, &claimed.queue.integration);
                plain_if(
                    claimed.message.is_plain,
                    direct_message::message(message, annotation, self.mentions, interactivity),
                )
            }
            Flavor::Mattermost | Flavor::RocketChat | Flavor::Discord => legacy::direct_message(message, annotation),
        }
    }

    /// The reply in a problem's thread: one notification in full, several as lines. Also how many of them it covers.
    fn reply(self, claimed: &'a Claimed) -> (Value, usize) {
        let notifications = claimed.notifications();
        let (message, covered) = match notifications.as_slice() {
            [one] => (blocks::reply(&render::card(one, &self.context(claimed, one))), 1),
            several => {
                let lines: Vec<_> = several.iter().map(|one| render::line(one, self.config)).collect();
                blocks::lines(&lines, self.mentions)
            }
        };
        (plain_if(claimed.message.is_plain, message), covered)
    }
}

/// The newest annotation of the claimed deliveries.
fn annotation(claimed: &Claimed) -> Option<&str> {
    claimed.queued.iter().rev().find_map(|queued| queued.annotation.as_deref())
}

/// What people can do by a click on a message of this integration: nothing unless a listener receives it.
pub(crate) fn interactivity(config: &Config, integration: &str) -> Interactivity {
    let Some(integration) = config.integrations.iter().find(|found| found.name == integration) else {
        return Interactivity::Nothing;
    };
    let socket = integration.app_token.is_some() && config.listen.socket_mode;
    let is_received =
        socket || (!integration.signing_secrets.is_empty() && config.listen.address(&config.integrations).is_some());
    match integration.interactive {
        Some(false) => Interactivity::Nothing,
        None if !is_received => Interactivity::Nothing,
        _ if integration.flavor != Flavor::Slack || !integration.acts => Interactivity::Nothing,
        _ if integration.is_bot() => Interactivity::Forms,
        // Guests can't be told from others there: each button would only refuse.
        _ if !config.access.guests => Interactivity::Nothing,
        _ => Interactivity::Buttons,
    }
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
    annotation: Option<&str>,
) -> Value {
    let core = config.cores.iter().find(|core| core.name == notification.core);
    let context = RenderContext { annotation, ..RenderContext::bare(&config.message, core, now) };
    to_payload(&render::card(notification, &context), flavor, false)
}

/// The message that replaces a clicked one where messages can't be edited otherwise.
pub(crate) fn replacement(
    problem: &Problem,
    config: &Config,
    queue: &DeliveryQueue,
    (post, earlier): (i64, Option<&Earlier>),
) -> Value {
    let latest = &problem.latest;
    let core = config.cores.iter().find(|core| core.name == latest.core);
    let context = RenderContext {
        interactivity: interactivity(config, &queue.integration),
        post,
        earlier,
        ..RenderContext::bare(&config.message, core, latest.time)
    };
    blocks::message(&render::problem_card(problem, &context))
}

fn to_payload(card: &Card, flavor: Flavor, is_plain: bool) -> Value {
    match flavor {
        Flavor::Slack if is_plain => blocks::plain(card),
        Flavor::Slack => blocks::message(card),
        Flavor::Mattermost | Flavor::RocketChat | Flavor::Discord => legacy::message(card, flavor),
    }
}

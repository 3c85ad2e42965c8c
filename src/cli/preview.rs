//! `ackbell preview`, and `notify --dry-run`: what would be sent, and where, without sending it.

use super::args::{NotifyArgs, PreviewArgs};
use super::{Exit, Output, load, terminal};
use crate::config::{Config, Route};
use crate::flow::{curves, deliver};
use crate::model::notification::{Fields, Notification};
use crate::monitoring::details::{Details, UsedVars};
use crate::rules::render::{self, Interactivity, RenderContext};
use crate::rules::route;
use crate::slack::blocks;
use crate::store::Store;
use crate::system::clock;
use crate::system::environment::Environment;
use serde_json::{Value, json};
use std::fs::File;
use std::io::Write;
use std::path::Path;

pub(super) fn run(args: &PreviewArgs, path: Option<&Path>, env: &Environment, out: &mut Output) -> Exit {
    let config = match load(path, env, out) {
        Ok(config) => config,
        Err(exit) => return exit,
    };
    let subscriptions = subscriptions(&config);
    let NotifyArgs { fields, from_env, .. } = args.notify.clone();
    let fields = if from_env { fields.over(Fields::from_environment(env)) } else { fields };
    let all = fields.is_empty();
    let shown = if fields.is_empty() {
        render::samples()
    } else {
        let given = fields.into_notification(clock::wall_ms() / 1000);
        vec![(String::new(), with_details(&given, &config, &subscriptions))]
    };
    if let Some(file) = &args.html {
        return page(shown, &config, all, (file, args.opened.as_ref()), out);
    }
    let look = match (args.json, args.link) {
        (true, _) => Look::Json,
        (false, true) => Look::Link,
        (false, false) => Look::Terminal,
    };
    for (name, notification) in shown {
        if !name.is_empty() && look != Look::Json {
            out.line(&format!("── {name}"));
        }
        show(&notification, &config, look, out);
        if args.explain {
            explain(&notification, &config, &subscriptions, env, out);
        }
    }
    if all {
        show_problem_cards(&config, look, out);
    }
    Exit::Done
}

/// The messages of an app with a bot token: one per problem that is edited, and one for a storm.
fn show_problem_cards(config: &Config, look: Look, out: &mut Output) {
    for (name, problem) in render::problem_samples() {
        let core = config.cores.first();
        let card = render::problem_card(&problem, &RenderContext::bare(&config.message, core, problem.latest.time));
        if look != Look::Json {
            out.line(&format!("── {name}"));
        }
        out.line(&look.of(&blocks::message(&card), || terminal::preview(&card, out.colours, out.width)));
    }
    let digest = render::digest(&render::storm(), config, None, (Interactivity::Nothing, 0));
    if look != Look::Json {
        out.line("── storm");
    }
    out.line(&look.of(&blocks::digest(&digest, &[]).0, || terminal::digest(&digest, out.colours, out.width)));
}

/// How a message is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    Terminal,
    Json,
    /// Opens it in Slack's Block Kit Builder, where it can be changed and sent to oneself.
    Link,
}

impl Look {
    fn of(self, message: &Value, terminal: impl FnOnce() -> String) -> String {
        match self {
            Self::Terminal => terminal(),
            Self::Json => pretty(message),
            Self::Link => {
                let shown = json!({ "blocks": message["blocks"], "attachments": message["attachments"] });
                format!("https://app.slack.com/block-kit-builder/#{}", render::links::encode(&shown.to_string()))
            }
        }
    }
}

/// The same as a web page, drawn as the sandbox draws its channels: no network is needed to look at it.
fn page(
    shown: Vec<(String, Notification)>,
    config: &Config,
    all: bool,
    (file, opened): (&Path, Option<&File>),
    out: &mut Output,
) -> Exit {
    let row = |name: &str, message: Value| json!({ "name": name, "message": message });
    let mut rows: Vec<Value> =
        shown.into_iter().map(|(name, notification)| row(&name, message(&notification, config))).collect();
    if all {
        let interactivity = config
            .integrations
            .first()
            .map_or(Interactivity::Nothing, |first| deliver::interactivity(config, &first.name));
        for (name, problem) in render::problem_samples() {
            let facts = RenderContext {
                interactivity,
                ..RenderContext::bare(&config.message, config.cores.first(), problem.latest.time)
            };
            rows.push(row(&name, blocks::message(&render::problem_card(&problem, &facts))));
        }
        let digest = render::digest(&render::storm(), config, None, (interactivity, 0));
        rows.push(row("storm", blocks::digest(&digest, &[]).0));
    }
    let document = ackbell_sandbox::preview_page(&Value::from(rows));
    if file == Path::new("-") {
        out.line(&document);
        return Exit::Done;
    }
    let written = match opened {
        Some(mut opened) => opened.set_len(0).and_then(|()| opened.write_all(document.as_bytes())),
        None => std::fs::write(file, document),
    };
    match written {
        Ok(()) => Exit::Done,
        Err(e) => {
            out.error(&format!(
                "can't write {}: {e}; choose another file, or leave it out to print the page",
                file.display()
            ));
            Exit::CantWrite
        }
    }
}

/// The message that the first integration would get of this notification.
fn message(notification: &Notification, config: &Config) -> Value {
    let mut notification = notification.clone();
    deliver::complete(&mut notification, config);
    crate::monitoring::objects::DisplayNames::default().fill(&mut notification, config);
    let flavor = config.integrations.first().map_or(crate::config::Flavor::Slack, |i| i.flavor);
    deliver::message(&notification, config, flavor, notification.time, None)
}

fn pretty(message: &Value) -> String {
    serde_json::to_string_pretty(message).unwrap_or_default()
}

/// The subscriptions, where there are some and they can be read.
fn subscriptions(config: &Config) -> Vec<Route> {
    let store = Store::open_existing(config.outbox_at()).ok().flatten();
    store.and_then(|store| deliver::subscriptions(&store).ok()).unwrap_or_default()
}

/// Shows the message that `notify` would send, and its destinations.
pub(super) fn dry_run(notification: &Notification, path: Option<&Path>, env: &Environment, out: &mut Output) -> Exit {
    let config = match load(path, env, out) {
        Ok(config) => config,
        Err(exit) => return exit,
    };
    let subscriptions = subscriptions(&config);
    let notification = with_details(notification, &config, &subscriptions);
    show(&notification, &config, Look::Terminal, out);
    explain(&notification, &config, &subscriptions, env, out);
    out.line("(nothing was sent or kept)");
    Exit::Done
}

/// With what the core's objects say of it: routes match on that, too.
fn with_details(notification: &Notification, config: &Config, subscriptions: &[Route]) -> Notification {
    let mut notification = notification.clone();
    Details::default().fill(&mut [&mut notification], config, &UsedVars::of(config, subscriptions));
    notification
}

fn show(notification: &Notification, config: &Config, look: Look, out: &mut Output) {
    if look != Look::Terminal {
        return out.line(&look.of(&message(notification, config), String::new));
    }
    let mut notification = notification.clone();
    deliver::complete(&mut notification, config);
    crate::monitoring::objects::DisplayNames::default().fill(&mut notification, config);
    let core = config.cores.iter().find(|core| core.name == notification.core);
    let facts = RenderContext::bare(&config.message, core, notification.time);
    let card = render::card(&notification, &facts);
    if let Some(problem) = &card.template_error {
        out.error(&format!("template: {problem}; the default is used"));
    }
    out.line(&terminal::preview(&card, out.colours, out.width));
}

fn explain(notification: &Notification, config: &Config, subscriptions: &[Route], env: &Environment, out: &mut Output) {
    let at = deliver::local_time(clock::wall_ms());
    for line in route::explain(notification, config, subscriptions, at) {
        out.line(&line);
    }
    let store = Store::open_existing(config.outbox_at()).ok().flatten();
    for (source, found) in curves::explain(config, env, store.as_ref(), notification, clock::wall_ms() / 1000) {
        match found {
            Ok(text) => out.line(&format!("curve from {source}: {text}")),
            Err(reason) => out.line(&format!("no curve from {source}: {reason}")),
        }
    }
}

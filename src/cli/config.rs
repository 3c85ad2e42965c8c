//! `ackbell config`.

use super::args::{ConfigArgs, ConfigVerb};
use super::queue::subscription_json;
use super::{Exit, Output, load};
use crate::config::{self, Config};
use crate::rules::manifest::feature::posts_by_webhook_alone;
use crate::store::Store;
use crate::system::environment::Environment;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

pub(super) fn run(args: &ConfigArgs, path: Option<&Path>, env: &Environment, out: &mut Output) -> Exit {
    match &args.what {
        ConfigVerb::Init { file } => init(file.as_deref(), out),
        ConfigVerb::Check { json } => check(path, env, *json, out),
        ConfigVerb::Show { json } => match load(path, env, out) {
            Ok(config) => show(&config, *json, out),
            Err(exit) => exit,
        },
    }
}

fn show(config: &Config, as_json: bool, out: &mut Output) -> Exit {
    // Unknown where we may not look.
    let store = Store::open_existing(config.outbox_at()).ok().flatten();
    let subscriptions = store.and_then(|store| store.subscriptions().ok()).unwrap_or_default();
    if as_json {
        let mut shown = config::show_json(config);
        shown["subscriptions"] = subscriptions.iter().map(subscription_json).collect();
        out.line(&shown.to_string());
        return Exit::Done;
    }
    for line in config::show(config).lines() {
        out.line(&out.fit(line));
    }
    if !subscriptions.is_empty() {
        out.line("\n# subscriptions made in Slack; `ackbell queue subscriptions` says by whom");
    }
    for one in &subscriptions {
        let filter = if one.filter.is_empty() { "everything" } else { &one.filter };
        out.line(&out.fit(&format!("# [{}] {}: {filter}", one.integration, one.channel)));
    }
    Exit::Done
}

/// Writes the default, never over a file that exists.
fn init(file: Option<&Path>, out: &mut Output) -> Exit {
    let Some(file) = file else {
        out.line(config::DEFAULT);
        return Exit::Done;
    };
    // 0640: it may hold secrets, and the core's group must read it.
    let created = OpenOptions::new().write(true).create_new(true).mode(0o640).open(file);
    match created.and_then(|mut created| created.write_all(config::DEFAULT.as_bytes())) {
        Ok(()) => {
            out.line(&format!(
                "{} written. Next: put your webhook or token into it, then `ackbell --config {} config check`",
                file.display(),
                file.display()
            ));
            Exit::Done
        }
        Err(e) => {
            out.error(&format!("can't write {}: {e}", file.display()));
            Exit::CantWrite
        }
    }
}

/// Which of two ways into Slack is used for what, where an integration has both.
fn ways(config: &Config) -> Vec<String> {
    let both = config.integrations.iter().filter(|i| i.enabled && i.webhook_url().is_some() && i.is_bot());
    both.map(|integration| {
        let name = &integration.name;
        if posts_by_webhook_alone(config, integration) {
            format!("\"{name}\": the webhook posts, the bot token tells who clicked")
        } else {
            format!("\"{name}\": the bot token posts; the webhook posts where the token may not")
        }
    })
    .collect()
}

fn check(path: Option<&Path>, env: &Environment, as_json: bool, out: &mut Output) -> Exit {
    let (problems, warnings, config) = match config::load(path, env) {
        Ok((config, warnings)) => (Vec::new(), warnings, Some(config)),
        Err(e) => (e.problems().clone(), Vec::new(), None),
    };
    let from = config.as_ref().and_then(|config| config.path.clone());
    let exit = if problems.is_empty() { Exit::Done } else { Exit::Config };
    if as_json {
        let all: Vec<_> = problems.iter().chain(&warnings).map(config::Problem::to_json).collect();
        out.line(&serde_json::json!({ "ok": problems.is_empty(), "problems": all }).to_string());
        return exit;
    }
    for problem in problems.iter().chain(&warnings) {
        out.error(&problem.to_string());
    }
    for line in config.iter().flat_map(ways) {
        out.line(&line);
    }
    match (problems.len(), from) {
        (0, Some(path)) => out.line(&format!("{} is good", path.display())),
        (0, None) => out.line("no configuration file; the environment alone configures ackbell"),
        (1, _) => out.error("1 problem"),
        (n, _) => out.error(&format!("{n} problems")),
    }
    exit
}

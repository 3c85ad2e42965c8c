//! `ackbell replay`: what a configuration would have sent of a core's logs, beside what the one in force would have.

mod shown;

use super::args::ReplayArgs;
use super::history::{DAY_SECONDS, PROGRESS_EVERY, named_core, remark};
use super::{Exit, Output, load};
use crate::config::{Config, OutboxAt, Route, lenient};
use crate::flow::deliver::{self, CallKind, DeliverError, SimulatedCall};
use crate::flow::replay::{ReplayOptions, ReplayState, local_text, replay};
use crate::model::notification::clean_line;
use crate::model::time_text::span;
use crate::monitoring::log_files::{self, LogFiles};
use crate::store::Store;
use crate::system::clock;
use crate::system::environment::Environment;
use serde_json::json;
use shown::Shown;
use signal_hook::consts::{SIGINT, SIGTERM};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

pub(super) fn run(args: &ReplayArgs, path: Option<&Path>, env: &Environment, out: &mut Output) -> Exit {
    let config = match load(path, env, out) {
        Ok(config) => config,
        Err(exit) => return exit,
    };
    // The state directory is the one in force: root's way to its owner has named it.
    let in_force = in_force(path, env);
    let before = match in_force.as_deref().map(|path| load(Some(path), env, out)) {
        Some(Err(exit)) => return exit,
        Some(Ok(before)) => Some(before),
        None => None,
    };
    let Some(core) = named_core(args.core.as_deref().unwrap_or_default(), &config, out) else { return Exit::Usage };
    let given = if args.files.is_empty() { log_files::of_core(&core) } else { args.files.clone() };
    if given.is_empty() {
        out.error("the core's log isn't known; name the files: ackbell replay /var/log/nagios4/nagios.log");
        return Exit::Usage;
    }
    let now = clock::wall_ms() / 1000;
    let options = ReplayOptions {
        core: args.core.clone().unwrap_or_default(),
        from: now.saturating_sub(clock::millis(args.since) / 1000),
        latest: now.saturating_add(DAY_SECONDS),
        command: args.command.clone(),
    };
    let found = log_files::find(&given, options.latest);
    found.complaints.iter().for_each(|complaint| out.error(complaint));
    let runs = Runs { args, env, found: &found, options: &options, stop: stop_on_signals() };
    match runs.both(before.as_ref(), &config, out) {
        Ok(exit) if exit == Exit::Done && !found.complaints.is_empty() => Exit::Usage,
        Ok(exit) => exit,
        Err(e) => {
            out.progress("");
            out.error(&format!("{e}; the replay's temporary database is in SQLITE_TMPDIR, TMPDIR or /var/tmp"));
            Exit::CantWrite
        }
    }
}

/// The configuration in force, if another one was named.
fn in_force(path: Option<&Path>, env: &Environment) -> Option<PathBuf> {
    let given = path?;
    let own = env.get("ACKBELL_CONFIG").filter(|own| !own.is_empty());
    let in_force = own.map_or_else(|| PathBuf::from(lenient::CONFIG), PathBuf::from);
    let same = std::fs::canonicalize(&in_force).ok().zip(std::fs::canonicalize(given).ok());
    (in_force.exists() && same.is_none_or(|(one, other)| one != other)).then_some(in_force)
}

fn stop_on_signals() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // Without a handler Ctrl-C ends it at once; nothing is left behind then, either.
        let _ = signal_hook::flag::register(signal, Arc::clone(&stop));
    }
    stop
}

/// Everything that the runs over the logs have in common.
struct Runs<'a> {
    args: &'a ReplayArgs,
    env: &'a Environment,
    found: &'a LogFiles,
    options: &'a ReplayOptions,
    stop: Arc<AtomicBool>,
}

impl Runs<'_> {
    fn both(&self, before: Option<&Config>, config: &Config, out: &mut Output) -> Result<Exit, DeliverError> {
        let args = self.args;
        let (subscriptions, why) = subscriptions(before.unwrap_or(config).outbox_at());
        if let Some(why) = why {
            out.error(&format!("subscriptions aren't known: {why}"));
        }
        if args.messages {
            let state = self.one(config, &subscriptions, out, &mut |call, out| out.line(&listed(call, args.json)))?;
            return Ok(self.remarks(&state, out));
        }
        let mut earlier = None;
        if let Some(before) = before {
            let state = self.one(before, &subscriptions, out, &mut |_, _| {})?;
            if state.was_stopped {
                return Ok(self.remarks(&state, out));
            }
            earlier = Some((before, state.counts));
        }
        let state = self.one(config, &subscriptions, out, &mut |_, _| {})?;
        let exit = self.remarks(&state, out);
        let shown = Shown { state: &state, config, before: earlier.as_ref().map(|(of, counts)| (*of, counts)) };
        let files = self.found.files.len();
        let since = span(args.since.as_secs());
        if args.json {
            out.line(&shown.json(self.options.from, files).to_string());
        } else if args.html {
            out.line(&shown.page(&since, files));
        } else {
            shown.lines(&since, files, out.columns).iter().for_each(|line| out.line(line));
        }
        Ok(exit)
    }

    fn one(
        &self,
        config: &Config,
        subscriptions: &[Route],
        out: &mut Output,
        each: &mut dyn FnMut(&SimulatedCall, &mut Output),
    ) -> Result<ReplayState, DeliverError> {
        let total: u64 = self.found.files.iter().map(|file| file.bytes).sum();
        let (started, mut shown) = (Instant::now(), None::<Instant>);
        let out = std::cell::RefCell::new(out);
        let state = replay(
            (config, self.env, subscriptions),
            &self.found.files,
            self.options,
            &mut |call| each(call, &mut out.borrow_mut()),
            &mut |state| {
                if shown.is_none_or(|shown| shown.elapsed() >= PROGRESS_EVERY) {
                    shown = Some(Instant::now());
                    out.borrow_mut().progress(&progress(state, total, started.elapsed()));
                }
                !self.stop.load(Ordering::Relaxed)
            },
        );
        out.borrow_mut().progress("");
        state
    }

    /// Says on stderr what the numbers don't cover.
    fn remarks(&self, state: &ReplayState, out: &mut Output) -> Exit {
        if self.found.empty > 0 {
            out.error(&format!("files without a line of a core's log: {}", self.found.empty));
        }
        for (path, skipped, error) in &state.remarks {
            out.error(&remark(path, skipped, error.as_deref()));
        }
        let is_ours = |command: &&String| command.contains("ackbell");
        let ours = state.commands.keys().filter(is_ours).count();
        if self.options.command.is_none() && ours > 0 && ours < state.commands.len() {
            out.error(
                "the core ran other notification commands than ackbell's, too; to leave those out: --command '*ackbell*'",
            );
        }
        if state.counts.notifications == 0 {
            let commands: Vec<&str> = state.commands.keys().map(String::as_str).collect();
            out.error(&match (&self.options.command, commands.as_slice()) {
                (Some(pattern), [_, ..]) => format!(
                    "no notification command is like \"{pattern}\"; the logs have: {}",
                    clean_line(&commands.join(", "))
                ),
                _ => "the logs have no notification in this time; a longer one: --since 365d".to_owned(),
            });
        }
        if state.was_stopped {
            out.error("stopped; the numbers cover the logs up to there");
            return Exit::Later;
        }
        if state.remarks.iter().all(|(_, _, error)| error.is_none()) { Exit::Done } else { Exit::Usage }
    }
}

/// The subscriptions in force, and why they aren't known.
fn subscriptions(outbox: OutboxAt<'_>) -> (Vec<Route>, Option<String>) {
    let read = Store::open_for_reading(outbox, Duration::from_secs(5))
        .and_then(|store| store.map_or_else(|| Ok(Vec::new()), |store| deliver::subscriptions(&store)));
    read.map_or_else(|e| (Vec::new(), Some(e.to_string())), |found| (found, None))
}

/// One call, for a person or a script.
fn listed(call: &SimulatedCall, is_json: bool) -> String {
    let kind = match call.kind {
        CallKind::Message => "message",
        CallKind::Reply => "reply",
        CallKind::Edit => "edit",
    };
    if is_json {
        let mentions = &call.mentions;
        let queue = &call.queue;
        return json!({
            "at": call.at / 1000, "integration": queue.integration, "to": queue.target.as_text(), "kind": kind,
            "mentions": mentions, "thread": call.root, "message": call.message,
        })
        .to_string();
    }
    let text = call.message["text"].as_str().unwrap_or_default();
    // As Slack shows it.
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    format!("{}  {:<7}  {}  {}", local_text(call.at / 1000), kind, call.queue.target, clean_line(&text))
}

fn progress(state: &ReplayState, total: u64, elapsed: Duration) -> String {
    let percent = (state.bytes.saturating_mul(100)).checked_div(total).unwrap_or(100).min(100);
    let left = elapsed.as_secs().saturating_mul(total.saturating_sub(state.bytes)).checked_div(state.bytes);
    let left = left.map(|left| format!(", about {} left", span(left))).unwrap_or_default();
    format!("{percent}% of {} MB, {} notifications{left}", total / 1_000_000, state.counts.notifications)
}

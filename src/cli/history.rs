//! `ackbell history`: the earlier problems of an object, and their import from the core's logs.

use super::args::{HistoryArgs, HistoryVerb, ImportArgs};
use super::{Exit, Output, load};
use crate::cli::terminal::table::{Column, Table, number_column, text_column};
use crate::config::{Config, Core, suggest};
use crate::flow::import_history::{ImportOptions, ImportState, import};
use crate::model::notification::clean_line;
use crate::model::object::Object;
use crate::model::past_problem::{Ending, PastProblem};
use crate::model::time_text::{span, utc};
use crate::monitoring::log_events::Skipped;
use crate::monitoring::{log_files, paths};
use crate::store::{Store, StoreError};
use crate::system::clock;
use crate::system::environment::Environment;
use serde_json::{Value, json};
use signal_hook::consts::{SIGINT, SIGTERM};
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const COLUMNS: [Column; 5] = [
    text_column("BEGAN"),
    text_column("LASTED"),
    text_column("WORST"),
    number_column("NOTIFIED"),
    text_column("ANSWERED"),
];
/// A problem a minute for a year; who wants more has `--json` and a shorter memory.
const LISTED_MAX: usize = 500_000;
/// A clock that is ahead by less is not called wrong.
pub(super) const DAY_SECONDS: i64 = 86_400;
pub(super) const PROGRESS_EVERY: Duration = Duration::from_millis(300);

pub(super) fn run(args: &HistoryArgs, path: Option<&Path>, env: &Environment, out: &mut Output) -> Exit {
    let config = match load(path, env, out) {
        Ok(config) => config,
        Err(exit) => return exit,
    };
    let done = match (&args.what, &args.object) {
        (Some(HistoryVerb::Import(import)), _) => import_logs(import, &config, out),
        (None, Some(name)) => show(name, args, &config, out),
        (None, None) => Ok(Exit::Usage),
    };
    done.unwrap_or_else(|e| {
        out.error(&e.to_string());
        Exit::CantWrite
    })
}

fn show(name: &str, args: &HistoryArgs, config: &Config, out: &mut Output) -> Result<Exit, StoreError> {
    let Some(store) = Store::open_existing(config.outbox_at())? else {
        out.error("nothing is remembered yet: no notification was delivered, and no log imported");
        return Ok(Exit::Usage);
    };
    let mut found = Vec::new();
    // A slash may be in the names: the first reading that is remembered is meant.
    let slashes = name.match_indices('/').map(|(at, _)| (&name[..at], Some(&name[at + 1..])));
    for (host, service) in [(name, None)].into_iter().chain(slashes) {
        found.extend(store.remembered_objects(host, service)?);
    }
    found.retain(|object| args.core.as_ref().is_none_or(|core| *core == object.core));
    let object = match found.as_slice() {
        [] => {
            out.error(&format!(
                "no earlier problem of \"{}\" is remembered; write HOST or HOST/SERVICE, by the core's names",
                clean_line(name)
            ));
            return Ok(Exit::Usage);
        }
        [one] => one,
        several => {
            let cores: Vec<&str> = several.iter().map(|object| object.core.as_str()).collect();
            out.error(&format!(
                "several cores have \"{}\"; choose one: --core {}",
                clean_line(name),
                suggest::one_of(&cores)
            ));
            return Ok(Exit::Usage);
        }
    };
    let past = store.past_problems(object, i64::MAX, LISTED_MAX)?;
    if args.json {
        for past in &past {
            out.line(&problem_json(object, past).to_string());
        }
        return Ok(Exit::Done);
    }
    if past.is_empty() {
        out.line(&format!("{object}: no problem of it has ended yet"));
        return Ok(Exit::Done);
    }
    let rows: Vec<Vec<String>> = past.iter().map(cells).collect();
    let table = Table::of(&COLUMNS, &rows, out.columns);
    out.line(&table.head());
    for row in &rows {
        out.line(&table.line(row));
    }
    Ok(Exit::Done)
}

fn cells(past: &PastProblem) -> Vec<String> {
    let lasted = match past.ending {
        Ending::Recovered => span(past.lasted()),
        Ending::Unseen => format!("{} at most", span(past.lasted())),
    };
    let answer = past.answer.as_ref().map_or_else(
        || "by nobody".to_owned(),
        |answer| {
            let remark = answer.remark.as_deref().map(|remark| format!(": {}", clean_line(remark))).unwrap_or_default();
            let by = clean_line(answer.by.as_deref().unwrap_or("somebody"));
            format!("by {by} after {}{remark}", span(answer.after(past.began)))
        },
    );
    vec![utc(past.began), lasted, past.worst.name().to_owned(), past.notified.to_string(), answer]
}

fn problem_json(object: &Object, past: &PastProblem) -> Value {
    let answer = past.answer.as_ref();
    json!({
        "core": object.core, "host": object.host, "service": object.service, "began": past.began, "ended": past.ended,
        "worst": past.worst.name(), "notified": past.notified, "flapped": past.has_flapped,
        "end_reported": past.ending == Ending::Recovered, "answered": answer.map(|answer| answer.at),
        "answered_by": answer.and_then(|answer| answer.by.as_deref()),
        "comment": answer.and_then(|answer| answer.remark.as_deref()), "destination": past.destination,
    })
}

fn import_logs(args: &ImportArgs, config: &Config, out: &mut Output) -> Result<Exit, StoreError> {
    let name = args.core.clone().unwrap_or_default();
    let Some(core) = named_core(&name, config, out) else { return Ok(Exit::Usage) };
    let given = if args.files.is_empty() { log_files::of_core(&core) } else { args.files.clone() };
    if given.is_empty() {
        out.error("the core's log isn't known; name the files: ackbell history import /var/log/nagios4/nagios.log");
        return Ok(Exit::Usage);
    }
    let now = clock::wall_ms() / 1000;
    let latest = now.saturating_add(DAY_SECONDS);
    let found = log_files::find(&given, latest);
    found.complaints.iter().for_each(|complaint| out.error(complaint));
    if let Err(e) = make_state_dir(&config.state_dir) {
        out.error(&format!("can't make the state directory {}: {e}", config.state_dir.display()));
        return Ok(Exit::CantWrite);
    }
    let (mut store, _) = Store::open(config.outbox_at(), Duration::from_secs(30))?;
    let from = now.saturating_sub(clock::millis(config.history.keep) / 1000);
    let options = ImportOptions { core: name, from, latest };
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // Without a handler Ctrl-C ends it at once; whole batches are kept then, too.
        let _ = signal_hook::flag::register(signal, Arc::clone(&stop));
    }
    let total: u64 = found.files.iter().map(|file| file.bytes).sum();
    let (started, mut shown) = (Instant::now(), None::<Instant>);
    let state = import(&mut store, &found.files, &options, &mut |state| {
        if shown.is_none_or(|shown| shown.elapsed() >= PROGRESS_EVERY) {
            shown = Some(Instant::now());
            out.progress(&progress(state, total, started.elapsed()));
        }
        !stop.load(Ordering::Relaxed)
    });
    out.progress("");
    let state = state?;
    if found.empty > 0 {
        out.error(&format!("files without a line of a core's log: {}", found.empty));
    }
    summarise(&state, found.files.len(), config, out);
    Ok(match state {
        ImportState { was_stopped: true, .. } => Exit::Later,
        _ if found.complaints.is_empty() && state.remarks.iter().all(|(_, _, error)| error.is_none()) => Exit::Done,
        _ => Exit::Usage,
    })
}

/// The core of that name, or a complaint that names the cores there are.
pub(super) fn named_core(name: &str, config: &Config, out: &mut Output) -> Option<Core> {
    let core = paths::core(config, name);
    if core.is_none() {
        let known: Vec<&str> = config.cores.iter().map(|core| core.name.as_str()).collect();
        let known = known.into_iter().filter(|name| !name.is_empty()).collect::<Vec<_>>();
        let known = if known.is_empty() {
            "no core has a name".to_owned()
        } else {
            format!("known: {}", suggest::one_of(&known))
        };
        out.error(&format!("--core: there is no [cores.{name}]; {known}"));
    }
    core
}

/// It may be the first thing that is done after the installation.
fn make_state_dir(state_dir: &Path) -> std::io::Result<()> {
    if state_dir.is_dir() { Ok(()) } else { DirBuilder::new().recursive(true).mode(0o770).create(state_dir) }
}

fn progress(state: &ImportState, total: u64, elapsed: Duration) -> String {
    let percent = (state.bytes.saturating_mul(100)).checked_div(total).unwrap_or(100).min(100);
    let left = elapsed.as_secs().saturating_mul(total.saturating_sub(state.bytes)).checked_div(state.bytes);
    let left = left.map(|left| format!(", about {} left", span(left))).unwrap_or_default();
    format!("{percent}% of {} MB, {} problems found, {} added{left}", total / 1_000_000, state.found, state.added)
}

fn summarise(state: &ImportState, files: usize, config: &Config, out: &mut Output) {
    for (path, skipped, error) in &state.remarks {
        out.error(&remark(path, skipped, error.as_deref()));
    }
    let stopped = if state.was_stopped { "Stopped. " } else { "" };
    let known = state.found.saturating_sub(state.added).saturating_sub(usize::try_from(state.too_old).unwrap_or(0));
    let files = if files == 1 { "1 file".to_owned() } else { format!("{files} files") };
    out.line(&format!(
        "{stopped}{files}, {} lines: {} problems found, {} added, {known} known already",
        state.lines, state.found, state.added
    ));
    let keep = span(config.history.keep.as_secs());
    for (count, text) in [
        (state.too_old, format!("ended more than {keep} ago: left out, as [history] keep says")),
        (state.unnotified, "were never notified: left out".to_owned()),
        (u64::try_from(state.open).unwrap_or(0), "had not ended when the log ended: left out".to_owned()),
    ] {
        if count > 0 {
            out.line(&format!("{count} of the problems in the logs {text}"));
        }
    }
}

/// What was skipped of a file, and why it couldn't be read to its end.
pub(super) fn remark(path: &Path, skipped: &Skipped, error: Option<&str>) -> String {
    let path = path.display();
    let mut parts = Vec::new();
    for (count, text) in [
        (skipped.cut, "without an end"),
        (skipped.wrong_time, "with a time before the year 2000 or in the future"),
        (skipped.undecodable, "that can't be decoded"),
    ] {
        if count > 0 {
            parts.push(format!("{count} {text}"));
        }
    }
    let lines =
        skipped.first_line.map(|first| format!("lines skipped: {}; the first is line {first}", parts.join(", ")));
    let error = error.map(|error| format!("can't be read to its end: {error}"));
    format!("{path}: {}", lines.into_iter().chain(error).collect::<Vec<_>>().join("; "))
}

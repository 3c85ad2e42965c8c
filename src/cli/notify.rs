//! `ackbell notify`: from arguments and macros to a durable notification.

use super::args::{Cli, HOST_OUTPUT, IGNORED_FLAGS, IGNORED_VALUES, NotifyArgs, NotifyVerb};
use super::{Exit, Output, Verb, missing_state_dir, preview};
use crate::config::lenient;
use crate::flow::deliver;
use crate::flow::notify::notify;
use crate::model::incoming::Incoming;
use crate::model::notification::{FIELDS, Fields, Notification};
use crate::state_dir::delivery_lock::DeliveryLock;
use crate::state_dir::spool::Entry;
use crate::system::clock;
use crate::system::environment::Environment;
use crate::system::host::host_name;
use crate::system::logging::{self, Reader};
use log::{LevelFilter, error, warn};
use std::ffi::OsString;
use std::path::Path;

/// Adds what the environment says, if it is asked for and wasn't done; an error where there is nothing to notify.
pub(super) fn complete(args: &mut NotifyArgs, env: &Environment) -> Result<(), String> {
    if std::mem::take(&mut args.from_env) {
        args.fields = std::mem::take(&mut args.fields).over(Fields::from_environment(env));
    }
    if args.fields.is_empty() {
        let remedy = "give at least --hostname and --output, or --from-env; see `ackbell notify --help`";
        return Err(format!("nothing to notify: {remedy}"));
    }
    Ok(())
}

/// Takes the notification; the exit code says whether it is durable, not whether Slack has it.
pub(super) fn run(args: NotifyArgs, config: Option<&Path>, env: &Environment, out: &mut Output) -> Exit {
    let received = clock::wall_ms();
    // Of several hosts that notify for one core, each counts its problems for itself.
    let notification = args.fields.into_notification(received / 1000).with_origin(&host_name());
    if args.dry_run {
        return preview::dry_run(&notification, config, env, out);
    }
    take(&Entry { received, incoming: Incoming::Notification(notification) }, config, env)
}

/// Makes it durable; without a listener, delivers it for as long as the time budget allows.
fn take(entry: &Entry, config: Option<&Path>, env: &Environment) -> Exit {
    let dirs = lenient::state_dirs(config, env);
    if let Some(problem) = &dirs.problem {
        logging::start(Reader::Core, LevelFilter::Warn);
        error!("{problem}; the notification is kept in {}", dirs.state_dir.display());
    }
    let is_ready = missing_state_dir::make_for_owner(&dirs.state_dir, &lenient::config_path(config), env);
    let put = is_ready.and_then(|()| {
        notify(entry, &dirs, |lock| deliver_here(lock, config, env)).map(drop).map_err(|e| e.to_string())
    });
    let Err(e) = put else {
        return Exit::Done;
    };
    logging::start(Reader::Core, LevelFilter::Warn);
    let post = |notification| post_directly(notification, entry.received, config, env);
    let posted = entry.incoming.notification().map_or(0, post);
    let object = entry.incoming.label();
    match posted {
        0 => error!("LOST: the notification about \"{object}\" could neither be stored nor posted: {e}"),
        n => error!("not stored, but posted directly to {n} destination(s): \"{object}\": {e}"),
    }
    Exit::CantWrite
}

/// No listener runs: this process delivers. Whatever goes wrong here, the notification waits safely.
fn deliver_here(lock: DeliveryLock, config: Option<&Path>, env: &Environment) {
    logging::start(Reader::Core, LevelFilter::Warn);
    let config = match crate::config::load(config, env) {
        Ok((config, _)) => config,
        Err(e) => {
            error!("kept in the spool, as the configuration can't be used: {}", e.first_line());
            return;
        }
    };
    let budget = config.outbox.time_budget;
    if let Some(relay) = &config.relay {
        if let Err(e) = crate::flow::relay::here(&config, relay, env, lock, budget) {
            error!("kept, not handed in yet: {e}");
        }
        return;
    }
    if config.integrations.is_empty() {
        warn!("kept in the spool: no [slack] integration is configured and no listener runs");
        return;
    }
    match deliver::here(&config, env, lock, budget) {
        Ok(_) => {}
        Err(e) => error!("kept, not delivered yet: {e}"),
    }
}

/// The last resort when the disk refuses: one post each, at once. Returns how many were taken.
fn post_directly(notification: &Notification, received: i64, config: Option<&Path>, env: &Environment) -> usize {
    match crate::config::load(config, env) {
        Ok((config, _)) => match &config.relay {
            Some(relay) => usize::from(crate::flow::relay::directly((&config, relay), env, notification, received)),
            None => deliver::directly(&config, env, notification, received),
        },
        Err(e) => {
            error!("no direct post, as the configuration can't be used: {}", e.first_line());
            0
        }
    }
}

/// Takes a notification although its arguments can't be parsed: a command definition with a typo, or a shell that
/// split an unquoted output, must not lose it. Unknown words join the value before them.
pub(super) fn forgiving(arguments: &[OsString], problem: &clap::Error, env: &Environment, out: &mut Output) -> Exit {
    let complaint = problem.to_string();
    let mut lines = complaint.lines().map(str::trim);
    let mut complaint = lines.next().unwrap_or_default().trim_start_matches("error: ").to_owned();
    if let Some(similar) = lines.find_map(|line| line.strip_prefix("tip: a similar ")) {
        complaint.push_str("; a similar ");
        complaint.push_str(similar);
    }
    let arguments: Vec<String> = arguments.iter().map(|argument| argument.to_string_lossy().into_owned()).collect();
    let cleaned: Vec<OsString> = mended(&arguments).into_iter().map(OsString::from).collect();
    let mut read = Cli::read(&cleaned).ok();
    let has_something = match read.as_mut().map(|cli| &mut cli.verb) {
        Some(Verb::Notify(NotifyVerb::Notify(args))) => complete(args, env).is_ok(),
        _ => false,
    };
    let Some(cli) = read.filter(|_| has_something) else {
        out.error(&format!("{complaint}\nSee `ackbell notify --help`"));
        return Exit::Usage;
    };
    logging::start(Reader::Core, LevelFilter::Warn);
    warn!("the command line has a mistake, the notification is taken all the same: {complaint}");
    super::run(cli, env, out)
}

/// For the fuzzer: what is taken of `notify`'s arguments; `None` when there is nothing to notify or another verb is meant.
#[cfg(any(fuzzing, test))]
pub(crate) fn taken(arguments: &[String]) -> Option<Fields> {
    let parsed = |arguments: &[String]| Cli::read(&arguments.iter().map(OsString::from).collect::<Vec<_>>());
    match parsed(arguments).or_else(|_| parsed(&mended(arguments))) {
        Ok(Cli { verb: Verb::Notify(NotifyVerb::Notify(args)), .. }) => {
            Some(args.fields).filter(|fields| !fields.is_empty())
        }
        _ => None,
    }
}

/// Fields that hold free text, into which an unquoted command line spills.
const FREE_TEXT: [&str; 7] =
    ["output", "serviceoutput", HOST_OUTPUT, "long-output", "perfdata", "comment", "ackcomment"];

/// What a definition says and no text may: where everything goes.
const NOT_IN_TEXT: [&str; 3] = ["config", "to", "var"];

/// Every flag that has a value.
fn valued() -> Vec<&'static str> {
    let mut names: Vec<&str> =
        FIELDS.iter().flat_map(|field| std::iter::once(field.name).chain(field.aliases.iter().copied())).collect();
    names.extend(NOT_IN_TEXT);
    names.push(HOST_OUTPUT);
    names.extend(IGNORED_VALUES.map(|(_, name)| name));
    names
}

fn is_switch(flag: &str) -> bool {
    ["from-env", "dry-run"].contains(&flag) || IGNORED_FLAGS.iter().any(|(_, name)| *name == flag)
}

fn flag_of(argument: &str) -> Option<&str> {
    argument.strip_prefix("--").map(|flag| flag.split('=').next().unwrap_or(flag))
}

/// A command line that can be read.
fn mended(arguments: &[String]) -> Vec<String> {
    paired(arguments).unwrap_or_else(|| mend(arguments))
}

/// The command line of a definition that quotes its macros and has an unknown flag: a flag, its value, a flag, its value.
/// What a plugin printed is a value then, though it looks like a flag. `None` where it isn't of that form.
fn paired(arguments: &[String]) -> Option<Vec<String>> {
    let names = valued();
    let start = arguments.iter().position(|argument| argument == "notify")? + 1;
    let mut paired = arguments[..start].to_vec();
    let mut rest = arguments[start..].iter().peekable();
    while let Some(argument) = rest.next() {
        let flag = flag_of(argument)?;
        if names.contains(&flag) && argument.contains('=') || is_switch(flag) {
            paired.push(argument.clone());
        } else if names.contains(&flag) {
            let value = rest.next().map_or("", String::as_str);
            // A macro that was empty and not quoted.
            if value.strip_prefix("--").is_some_and(|value| names.contains(&value)) {
                return None;
            }
            paired.push(format!("{argument}={value}"));
        } else {
            // Unknown, with its value if it has one.
            let is_value = |next: &&String| flag_of(next).is_none_or(|flag| NOT_IN_TEXT.contains(&flag));
            rest.next_if(is_value);
        }
    }
    Some(paired)
}

/// The command line with every unknown word joined to the free text before it; in other positions unknown flags are dropped
/// with what follows them. Behind a free text, where words may be its own, nothing says any more where it goes.
fn mend(arguments: &[String]) -> Vec<String> {
    let mut names = valued();
    let mut mended: Vec<String> = Vec::new();
    // The flag whose value may grow by the next word.
    let mut growing: Option<&str> = None;
    let mut after_verb = false;
    for argument in arguments {
        let flag = flag_of(argument);
        let is_text = growing.is_some_and(|name| FREE_TEXT.contains(&name));
        if !after_verb {
            after_verb = argument == "notify";
            mended.push(argument.clone());
        } else if let Some(known) = names.iter().find(|name| flag == Some(**name)) {
            mended.push(if argument.contains('=') { argument.clone() } else { format!("{argument}=") });
            growing = Some(known);
            if FREE_TEXT.contains(known) {
                names.retain(|name| !NOT_IN_TEXT.contains(name));
            }
        } else if flag.is_some_and(is_switch) {
            mended.push(argument.clone());
            growing = None;
        } else if flag.is_some() && !is_text {
            growing = None;
        } else if let Some(value) =
            mended.last_mut().filter(|value| growing.is_some() && (is_text || value.ends_with('=')))
        {
            if !value.ends_with('=') {
                value.push(' ');
            }
            value.push_str(argument);
        }
    }
    mended
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(line: &[&str]) -> Vec<String> {
        line.iter().map(|&argument| argument.to_owned()).collect()
    }

    #[test]
    fn split_output_is_joined_and_unknown_flags_are_dropped() {
        let line = [
            "ackbell",
            "notify",
            "--hostname",
            "web01",
            "--typo",
            "y",
            "--output",
            "a",
            "b",
            "--x",
            "c",
            "--state",
            "2",
            "z",
        ];
        let expected = ["ackbell", "notify", "--hostname=web01", "--output=a b --x c", "--state=2"];
        assert_eq!(mended(&arguments(&line)), arguments(&expected));
    }

    #[test]
    fn no_text_says_where_a_notification_goes_whatever_is_wrong_with_the_definition() {
        let before = ["ackbell", "--config", "/good", "notify", "--typo", "1", "--hostname", "web01"];
        for text in ["--config=/evil", "--to=#evil", "--config", "--var=a=b", "--long-output", "--from-env"] {
            for more in [
                &[][..],
                &["--comment", "--config=/evil"],
                &["--perfdata", "--to=#evil", "spilt"],
                &["--typo", "--config=/evil"],
            ] {
                let line = [&before[..], &["--output", text], more].concat();
                let mended = mended(&arguments(&line));
                assert_eq!(mended[..4], arguments(&before[..4]), "{line:?}");
                for flag in ["--config", "--to", "--var", "--config=/evil", "--to=#evil", "--from-env"] {
                    let is_own = mended[4..]
                        .iter()
                        .any(|argument| argument == flag || argument.starts_with(&format!("{flag}=")));
                    assert!(
                        !is_own || text == flag && flag == "--from-env" && more.contains(&"spilt"),
                        "{line:?}: {mended:?}"
                    );
                }
            }
        }
        let quoted = ["ackbell", "notify", "--typo", "--hostname", "web01", "--output", "--x y", "--to", "#ops"];
        let expected = ["ackbell", "notify", "--hostname=web01", "--output=--x y", "--to=#ops"];
        assert_eq!(mended(&arguments(&quoted)), arguments(&expected));
    }
}

//! The result of a command in the core's log: the only place where a core that takes commands silently says why nothing
//! changed.

use super::members;
use super::paths::Paths;
use super::relay;
use crate::config::Core;
use crate::model::object::Object;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// How much of the log's end is read: minutes of a busy core, and what people ordered in them.
const TAIL_BYTES: u64 = 256 * 1024;

/// The result of a command, from the core's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum CommandLogResult {
    /// It was read, and nothing more is said: it had its effect, or there was nothing to have one on.
    Taken,
    /// The core couldn't do it, with the reason where it gives one.
    Failed(String),
    /// The core doesn't know such a command.
    Unknown,
}

/// For the person who wanted it.
impl std::fmt::Display for CommandLogResult {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Taken => f.write_str("the monitoring core took the command, but it had no effect"),
            Self::Failed(reason) if reason.is_empty() => f.write_str("the monitoring core couldn't carry it out"),
            Self::Failed(reason) => write!(f, "the monitoring core couldn't carry it out: {reason}"),
            Self::Unknown => f.write_str("the monitoring core doesn't know this command"),
        }
    }
}

/// Looks for one command, `[UNIX] NAME;...` as it was written, among the log's lines since then (Unix seconds).
/// `None`: no log, or the log says nothing of it.
pub(crate) fn command_result(core: &Core, line: &str, since: i64) -> Option<CommandLogResult> {
    if let Some(members) = members::several(core) {
        return members.iter().find_map(|member| command_result(member, line, since));
    }
    if core.is_remote() {
        return relay::command_result(core, line, since);
    }
    let path = Paths::find(core).log_file?;
    result_in(&tail(&path)?, line, since)
}

/// Whether the core read this command while the object had a problem, by the log: the first thing that it says about the
/// object after the command is an acknowledgement, or the recovery.
pub(crate) fn met_problem(core: &Core, line: &str, since: i64, object: &Object) -> bool {
    let log = Paths::find(core).log_file.and_then(|path| tail(&path));
    log.is_some_and(|log| met_problem_in(&log, line, since, object))
}

/// Looks in the text of a log.
fn met_problem_in(log: &str, line: &str, since: i64, object: &Object) -> bool {
    let whole = line.trim_end();
    let command = whole.split_once("] ").map_or(whole, |(_, command)| command);
    let (kind, name) = match &object.service {
        Some(service) => ("SERVICE", format!("{};{service};", object.host)),
        None => ("HOST", format!("{};", object.host)),
    };
    let (alert, notification) = (format!("{kind} ALERT: "), format!("{kind} NOTIFICATION: "));
    let entries = log.lines().filter_map(|entry| entry.strip_prefix('[')?.split_once("] "));
    let recent = entries.filter(|(time, _)| time.parse::<i64>().is_ok_and(|time| time >= since));
    let mut later = recent
        .map(|(_, text)| text.trim_end())
        .skip_while(|text| text.strip_prefix("EXTERNAL COMMAND: ") != Some(command));
    later.find_map(|text| {
        if let Some(rest) = text.strip_prefix(&alert).and_then(|rest| rest.strip_prefix(&name)) {
            return Some(rest.starts_with("OK;") || rest.starts_with("UP;"));
        }
        // The contact comes first.
        let rest = text.strip_prefix(&notification)?.split_once(';')?.1.strip_prefix(&name)?;
        rest.starts_with("ACKNOWLEDGEMENT (").then_some(true)
    }) == Some(true)
}

/// The external commands that the core took, as the end of its log has them: when (Unix seconds), and `NAME;arg;...`.
pub(super) fn commands(log: &str) -> impl DoubleEndedIterator<Item = (i64, &str)> {
    log.lines().filter_map(|entry| {
        let (time, text) = entry.strip_prefix('[')?.split_once("] EXTERNAL COMMAND: ")?;
        Some((time.parse().ok()?, text))
    })
}

/// The end of the log.
pub(super) fn tail(path: &Path) -> Option<String> {
    let mut file = File::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES))).ok()?;
    let mut bytes = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// Looks in the text of a log.
pub(crate) fn result_in(log: &str, line: &str, since: i64) -> Option<CommandLogResult> {
    let whole = line.trim_end();
    let command = whole.split_once("] ").map_or(whole, |(_, command)| command);
    let mut result = None;
    for entry in log.lines() {
        let Some((time, text)) = entry.strip_prefix('[').and_then(|entry| entry.split_once("] ")) else { continue };
        if time.parse::<i64>().is_ok_and(|time| time < since) {
            continue;
        }
        let after = |start: &str| text.strip_prefix(start).map(str::trim_end);
        if after("EXTERNAL COMMAND: ") == Some(command) {
            // The same words again are another command: what was said of the one before doesn't hold.
            result = Some(CommandLogResult::Taken);
        } else if after("Error: External command failed -> ") == Some(command) {
            result = Some(CommandLogResult::Failed(String::new()));
        } else if after("Warning: Unrecognized external command -> ") == Some(command) {
            result = Some(CommandLogResult::Unknown);
        } else if let Some(rest) = after("Warning: External command parse error ").and_then(|t| t.strip_prefix(whole)) {
            // Naemon's: the line, then the reason in parentheses.
            let reason = rest.trim();
            let reason = reason.strip_prefix('(').and_then(|reason| reason.strip_suffix(')')).unwrap_or(reason);
            let is_unknown = reason.starts_with("Unknown command");
            result =
                Some(if is_unknown { CommandLogResult::Unknown } else { CommandLogResult::Failed(reason.to_owned()) });
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAGIOS: &str = include_str!("../../tests/samples/nagios-4.4.6-nagios.log");
    const NAEMON: &str = include_str!("../../tests/samples/naemon-1.5.2-naemon.log");

    #[test]
    fn a_nagios_says_what_became_of_a_command() {
        let result = |command: &str| result_in(NAGIOS, &format!("[1795234360] {command}\n"), 1_795_234_360);
        let failed = Some(CommandLogResult::Failed(String::new()));
        assert_eq!(result("ACKNOWLEDGE_SVC_PROBLEM;web01;Nope;2;1;1;alice;x"), failed);
        assert_eq!(result("ACKNOWLEDGE_HOST_PROBLEM;web01;2;1;1;alice;host is up"), Some(CommandLogResult::Taken));
        let expiring = "ACKNOWLEDGE_SVC_PROBLEM_EXPIRE;web01;HTTP;2;1;1;1795299999;alice;x";
        assert_eq!(result(expiring), Some(CommandLogResult::Unknown));
        assert_eq!(result("ACKNOWLEDGE_SVC_PROBLEM;web01;Nope;2;1;1;alice"), None, "not a part of it");
        assert_eq!(result_in(NAGIOS, "[1] ADD_SVC_COMMENT;web01;HTTP;1;eve;one", 1_795_234_361), None, "it was before");
    }

    #[test]
    fn a_naemon_says_why() {
        let result = |command: &str| result_in(NAEMON, &format!("[1795234565] {command}\n"), 1_795_234_565);
        let invalid = "Failed validation of service as type service (argument 0)";
        let failed = Some(CommandLogResult::Failed(invalid.into()));
        assert_eq!(result("ACKNOWLEDGE_SVC_PROBLEM;nohost;HTTP;2;1;1;alice;x"), failed);
        assert_eq!(result("NOPE;x"), Some(CommandLogResult::Unknown));
        assert_eq!(result("ACKNOWLEDGE_HOST_PROBLEM;web01;2;1;1;alice;host is up"), Some(CommandLogResult::Taken));
        let text = result("ACKNOWLEDGE_SVC_PROBLEM;web01;Nope;2;1;1;alice;x").unwrap().to_string();
        assert_eq!(text, format!("the monitoring core couldn't carry it out: {invalid}"));
    }

    #[test]
    fn a_command_met_a_problem_when_its_recovery_or_acknowledgement_comes_next() {
        let command = "[100] ACKNOWLEDGE_SVC_PROBLEM;web01;Disk;2;1;1;alice;x";
        let read = "[100] EXTERNAL COMMAND: ACKNOWLEDGE_SVC_PROBLEM;web01;Disk;2;1;1;alice;x";
        let disk = Object { core: String::new(), host: "web01".into(), service: Some("Disk".into()) };
        for (log, expected) in [
            (format!("{read}\n[101] SERVICE ALERT: web01;Disk;OK;HARD;1;fine"), true),
            (
                format!("{read}\n[101] SERVICE NOTIFICATION: bob;web01;Disk;ACKNOWLEDGEMENT (CRITICAL);n;full;alice;x"),
                true,
            ),
            // It was well before the command, or nobody knows.
            (format!("[99] SERVICE ALERT: web01;Disk;OK;HARD;1;fine\n{read}"), false),
            (
                format!(
                    "{read}\n[101] SERVICE ALERT: web01;Disk;CRITICAL;HARD;1;x\n[102] SERVICE ALERT: web01;Disk;OK;HARD;1;y"
                ),
                false,
            ),
            (format!("{read}\n[101] SERVICE ALERT: web01;Disk2;OK;HARD;1;fine"), false),
            ("[101] SERVICE ALERT: web01;Disk;OK;HARD;1;fine".to_owned(), false),
        ] {
            assert_eq!(met_problem_in(&log, command, 100, &disk), expected, "{log}");
        }
        let host = Object { service: None, ..disk };
        let down = "[100] ACKNOWLEDGE_HOST_PROBLEM;web01;2;1;1;alice;x";
        let log = down.replacen("] ", "] EXTERNAL COMMAND: ", 1) + "\n[103] HOST ALERT: web01;UP;HARD;1;UP";
        assert!(met_problem_in(&log, down, 100, &host));
    }

    #[test]
    fn only_the_end_of_a_long_log_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("nagios.log");
        let early = "[5] EXTERNAL COMMAND: A;b\n";
        let filler = "[6] something else\n".repeat(20_000);
        std::fs::write(&path, format!("{early}{filler}[7] EXTERNAL COMMAND: C;d\n")).unwrap();
        let core = Core { log_file: Some(path), ..Core::default() };
        assert_eq!(command_result(&core, "[5] A;b\n", 5), None);
        assert_eq!(command_result(&core, "[7] C;d\n", 5), Some(CommandLogResult::Taken));
    }
}

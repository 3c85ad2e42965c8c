//! The core's archive: what happened before the demo began, so that its first cards know it. The program itself imports it.

use super::DemoFiles;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::UNIX_EPOCH;
use std::{fs, io};

const WEEK: i64 = 7 * 86_400;

/// An earlier problem: weeks and seconds before now, the object, its state, how many seconds it lasted, and who
/// acknowledged it, after how long and with which comment.
type Past = (i64, i64, &'static str, &'static str, i64, Option<(&'static str, i64, &'static str)>);

const PAST: [Past; 5] = [
    (4, 0, "mail01;Mail queue", "CRITICAL", 720, None),
    (3, 120, "mail01;Mail queue", "CRITICAL", 660, None),
    (2, 60, "mail01;Mail queue", "CRITICAL", 780, None),
    (1, 90, "mail01;Mail queue", "CRITICAL", 540, Some(("Alice", 240, "restarted postfix, the relay was away"))),
    (2, 3600, "files01;Disk /srv", "WARNING", 5400, Some(("Bob", 600, "removed old core dumps below /srv/tmp"))),
];

/// Writes the archive, and lets the program import it.
pub(super) fn import(program: &Path, files: &DemoFiles) -> io::Result<()> {
    let now = UNIX_EPOCH.elapsed().map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(0));
    let archive = files.directory.join("archive.log");
    fs::write(&archive, log(now))?;
    let mut command = Command::new(program);
    command.arg("--config").arg(&files.config).args(["history", "import"]).arg(&archive);
    let done = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).output()?;
    if done.status.success() {
        return Ok(());
    }
    Err(io::Error::other(String::from_utf8_lossy(&done.stderr).trim().to_owned()))
}

/// As a Nagios writes it, in the order of time.
fn log(now: i64) -> String {
    let mut lines: Vec<(i64, String)> = Vec::new();
    for (weeks, later, object, state, lasted, answer) in PAST {
        let at = now - weeks * WEEK + later - 300;
        lines.push((at, format!("SERVICE ALERT: {object};{state};HARD;1;it was so")));
        lines.push((at, format!("SERVICE NOTIFICATION: ops;{object};{state};notify-by-ackbell;it was so")));
        if let Some((author, after, comment)) = answer {
            let command = format!("ACKNOWLEDGE_SVC_PROBLEM;{object};2;1;0;{author};{comment}");
            lines.push((at + after, format!("EXTERNAL COMMAND: {command}")));
        }
        lines.push((at + lasted, format!("SERVICE ALERT: {object};OK;HARD;1;fine")));
        lines.push((at + lasted, format!("SERVICE NOTIFICATION: ops;{object};OK;notify-by-ackbell;fine")));
    }
    lines.sort_by_key(|(at, _)| *at);
    lines.iter().map(|(at, text)| format!("[{at}] {text}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_archive_is_in_the_order_of_time_and_in_the_past() {
        let text = log(1_795_000_000);
        let times: Vec<i64> = text.lines().map(|line| line[1..11].parse().unwrap()).collect();
        assert!(times.is_sorted() && times.last() < Some(&1_795_000_000) && times.len() == 22, "{text}");
    }
}

//! One reader of the logs and archives of Nagios, Naemon and Icinga 2's compat log: lines in, typed events with their times
//! out.
//!
//! Memory is bounded whatever the file: a line is cut at [`LINE_BYTES_MAX`]. A line that can't be decoded is counted and
//! skipped, never an error. Never in here: what an event means for anything.

use flate2::read::MultiGzDecoder;
use std::borrow::Cow;
use std::io::{self, BufRead, BufReader, Read};

/// A longer line is cut; no core writes one.
pub(crate) const LINE_BYTES_MAX: usize = 64 * 1024;
const BUFFER_BYTES: usize = 256 * 1024;
/// 2000-01-01: before that no core of this family was.
const EARLIEST: i64 = 946_684_800;

/// One line of a log that says something about an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogEvent<'a> {
    /// Unix seconds.
    pub(crate) at: i64,
    pub(crate) entry: LogEntry<'a>,
}

/// A host, or a service of it, by the core's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LogObject<'a> {
    pub(crate) host: &'a str,
    /// Empty for the host itself.
    pub(crate) service: &'a str,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LogEntry<'a> {
    /// `SERVICE ALERT: web01;Disk;CRITICAL;HARD;3;output`, and the states at a start or a rotation of the log.
    State { object: LogObject<'a>, state: &'a str, is_hard: bool, output: &'a str, source: StateSource },
    /// `SERVICE NOTIFICATION: alice;web01;Disk;ACKNOWLEDGEMENT (CRITICAL);command;output;author;comment`
    Notification {
        contact: &'a str,
        object: LogObject<'a>,
        /// As a notification has it: `PROBLEM`, `RECOVERY`, `ACKNOWLEDGEMENT`, ...
        kind: &'a str,
        state: &'a str,
        /// The notification command that the core ran.
        command: &'a str,
        output: &'a str,
        /// With an acknowledgement, a downtime or a custom one; `None` where semicolons make it ambiguous.
        author_and_comment: Option<(&'a str, &'a str)>,
    },
    /// `EXTERNAL COMMAND: NAME;argument;...`
    Command { name: &'a str, arguments: &'a str },
    /// `SERVICE FLAPPING ALERT: web01;Disk;STARTED; ...`
    Flapping { object: LogObject<'a>, has_started: bool },
    /// `SERVICE DOWNTIME ALERT: web01;Disk;STARTED; ...`
    Downtime { object: LogObject<'a>, has_started: bool },
}

/// Why a state stands in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StateSource {
    /// It changed.
    Alert,
    /// The log was rotated.
    Current,
    /// The core started.
    Initial,
}

/// Lines that gave nothing, by the reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Skipped {
    /// The last line has no end: the core is writing it, or the file was cut off.
    pub(crate) cut: u64,
    /// Before the year 2000, or later than now.
    pub(crate) wrong_time: u64,
    /// An event whose fields are missing, or a line without a time.
    pub(crate) undecodable: u64,
    /// Read all the same: not in UTF-8, taken as Latin-1.
    pub(crate) latin1: u64,
    /// The first line that was skipped.
    pub(crate) first_line: Option<u64>,
}

impl Skipped {
    /// How many lines gave nothing.
    pub(crate) fn lines(&self) -> u64 {
        self.cut + self.wrong_time + self.undecodable
    }
}

/// A log that is being read.
pub(crate) struct LogReader {
    lines: BufReader<Box<dyn Read>>,
    line: Vec<u8>,
    /// Later than this is a wrong clock's; Unix seconds.
    latest: i64,
    pub(crate) number: u64,
    pub(crate) skipped: Skipped,
}

impl std::fmt::Debug for LogReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogReader").field("number", &self.number).finish_non_exhaustive()
    }
}

impl LogReader {
    /// Of a plain or gzip'd log.
    pub(crate) fn new(raw: impl Read + 'static, latest: i64) -> io::Result<Self> {
        let mut raw = BufReader::with_capacity(BUFFER_BYTES, raw);
        let is_gzip = raw.fill_buf()?.starts_with(&[0x1f, 0x8b]);
        let plain: Box<dyn Read> = if is_gzip { Box::new(MultiGzDecoder::new(raw)) } else { Box::new(raw) };
        let lines = BufReader::with_capacity(BUFFER_BYTES, plain);
        Ok(Self { lines, line: Vec::new(), latest, number: 0, skipped: Skipped::default() })
    }

    /// Hands on each event in order, until the end or until `each` returns `false`. An error is the file's; the events
    /// before it were handed on.
    pub(crate) fn each(&mut self, mut each: impl FnMut(&LogEvent<'_>) -> bool) -> io::Result<()> {
        while let Some(is_whole) = self.next_line()? {
            self.number += 1;
            if !is_whole {
                self.skip(|skipped| &mut skipped.cut);
                continue;
            }
            let line = std::mem::take(&mut self.line);
            let goes_on = match decode(&line) {
                Decoded::Nothing => true,
                Decoded::Undecodable => {
                    self.skip(|skipped| &mut skipped.undecodable);
                    true
                }
                Decoded::Relevant(text) => {
                    self.skipped.latin1 += u64::from(matches!(text, Cow::Owned(_)));
                    match event(&text) {
                        Some(event) if event.at < EARLIEST || event.at > self.latest => {
                            self.skip(|skipped| &mut skipped.wrong_time);
                            true
                        }
                        Some(event) => each(&event),
                        None => {
                            self.skip(|skipped| &mut skipped.undecodable);
                            true
                        }
                    }
                }
            };
            self.line = line;
            if !goes_on {
                return Ok(());
            }
        }
        Ok(())
    }

    fn skip(&mut self, reason: fn(&mut Skipped) -> &mut u64) {
        *reason(&mut self.skipped) += 1;
        self.skipped.first_line.get_or_insert(self.number);
    }

    /// Reads a line; `Some(false)`: it has no end. `None` at the end of the file.
    fn next_line(&mut self) -> io::Result<Option<bool>> {
        self.line.clear();
        let limit = u64::try_from(LINE_BYTES_MAX).unwrap_or(u64::MAX);
        if (&mut self.lines).take(limit).read_until(b'\n', &mut self.line)? == 0 {
            return Ok(None);
        }
        if self.line.ends_with(b"\n") {
            return Ok(Some(true));
        }
        let is_long = self.line.len() >= LINE_BYTES_MAX;
        Ok(Some(is_long && self.skip_to_the_end_of_the_line()?))
    }

    fn skip_to_the_end_of_the_line(&mut self) -> io::Result<bool> {
        loop {
            let buffer = self.lines.fill_buf()?;
            let (used, found) = match buffer.iter().position(|&byte| byte == b'\n') {
                Some(at) => (at + 1, true),
                None => (buffer.len(), false),
            };
            self.lines.consume(used);
            if found || used == 0 {
                return Ok(found);
            }
        }
    }
}

enum Decoded<'a> {
    /// A line about something else.
    Nothing,
    /// It has no time.
    Undecodable,
    Relevant(Cow<'a, str>),
}

/// Only lines of interest are decoded: most of a log is others'.
fn decode(line: &[u8]) -> Decoded<'_> {
    let line = line.trim_ascii_end();
    if line.is_empty() {
        return Decoded::Nothing;
    }
    let Some(end) = line.iter().take(24).position(|&byte| byte == b']').filter(|_| line[0] == b'[') else {
        return Decoded::Undecodable;
    };
    let text = line[end + 1..].trim_ascii_start();
    let starts = [b"SERVICE ".as_slice(), b"HOST ", b"CURRENT ", b"INITIAL ", b"EXTERNAL COMMAND: "];
    if !starts.iter().any(|start| text.starts_with(start)) {
        return Decoded::Nothing;
    }
    Decoded::Relevant(match std::str::from_utf8(line) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(line.iter().map(|&byte| char::from(byte)).collect()),
    })
}

/// Decodes one line.
pub(crate) fn event(line: &str) -> Option<LogEvent<'_>> {
    let (time, text) = line.strip_prefix('[')?.split_once(']')?;
    let (what, rest) = text.trim_start().split_once(": ")?;
    let (at, rest) = (time.parse().ok()?, rest.trim_end());
    let entry = match what {
        "SERVICE ALERT" => state(rest, true, StateSource::Alert)?,
        "HOST ALERT" => state(rest, false, StateSource::Alert)?,
        "CURRENT SERVICE STATE" => state(rest, true, StateSource::Current)?,
        "CURRENT HOST STATE" => state(rest, false, StateSource::Current)?,
        "INITIAL SERVICE STATE" => state(rest, true, StateSource::Initial)?,
        "INITIAL HOST STATE" => state(rest, false, StateSource::Initial)?,
        "SERVICE NOTIFICATION" => notification(rest, true)?,
        "HOST NOTIFICATION" => notification(rest, false)?,
        "SERVICE FLAPPING ALERT" => flapping(rest, true)?,
        "HOST FLAPPING ALERT" => flapping(rest, false)?,
        "SERVICE DOWNTIME ALERT" => downtime(rest, true)?,
        "HOST DOWNTIME ALERT" => downtime(rest, false)?,
        "EXTERNAL COMMAND" => {
            let (name, arguments) = rest.split_once(';').unwrap_or((rest, ""));
            LogEntry::Command { name, arguments }
        }
        _ => return Some(LogEvent { at, entry: LogEntry::Command { name: "", arguments: "" } }),
    };
    Some(LogEvent { at, entry })
}

/// The object at the beginning, and the rest behind it.
fn object(text: &str, is_service: bool) -> Option<(LogObject<'_>, &str)> {
    let (host, rest) = text.split_once(';')?;
    let (service, rest) = if is_service { rest.split_once(';')? } else { ("", rest) };
    let is_named = !host.is_empty() && (!is_service || !service.is_empty());
    is_named.then_some((LogObject { host, service }, rest))
}

fn state(text: &str, is_service: bool, source: StateSource) -> Option<LogEntry<'_>> {
    let (object, rest) = object(text, is_service)?;
    let mut fields = rest.splitn(4, ';');
    let (state, hardness) = (fields.next()?, fields.next()?);
    let is_hard = match hardness {
        "HARD" => true,
        "SOFT" => false,
        _ => return None,
    };
    let (_, output) = (fields.next(), fields.next().unwrap_or_default());
    Some(LogEntry::State { object, state, is_hard, output, source })
}

fn notification(text: &str, is_service: bool) -> Option<LogEntry<'_>> {
    let (contact, rest) = text.split_once(';')?;
    let (object, rest) = object(rest, is_service)?;
    let mut fields = rest.splitn(3, ';');
    let (what, command, rest) = (fields.next()?, fields.next()?, fields.next().unwrap_or_default());
    // Of hosts Icinga 2 writes `DOWN (DOWN)` and `RECOVERY (UP)`, of services `RECOVERY` alone, and a `;` behind each output
    // (`lib/compat/compatlogger.cpp`).
    let (what, state) = what.split_once(" (").map_or((what, ""), |(what, state)| (what, state.trim_end_matches(')')));
    let (kind, state) = match what {
        "OK" | "UP" => ("RECOVERY", what),
        "WARNING" | "CRITICAL" | "UNKNOWN" | "DOWN" | "UNREACHABLE" => ("PROBLEM", what),
        "RECOVERY" if state.is_empty() => (what, if is_service { "OK" } else { "UP" }),
        _ => (what, state),
    };
    let (output, author_and_comment) = if matches!(kind, "PROBLEM" | "RECOVERY") {
        (rest.strip_suffix(';').unwrap_or(rest), None)
    } else {
        let mut parts = rest.split(';');
        let output = parts.next().unwrap_or_default();
        let both = parts.next().zip(parts.next()).filter(|_| parts.next().is_none());
        (output, both)
    };
    Some(LogEntry::Notification { contact, object, kind, state, command, output, author_and_comment })
}

fn flapping(text: &str, is_service: bool) -> Option<LogEntry<'_>> {
    let (object, rest) = object(text, is_service)?;
    Some(LogEntry::Flapping { object, has_started: rest.starts_with("STARTED") })
}

fn downtime(text: &str, is_service: bool) -> Option<LogEntry<'_>> {
    let (object, rest) = object(text, is_service)?;
    Some(LogEntry::Downtime { object, has_started: rest.starts_with("STARTED") })
}

#[cfg(test)]
mod tests;

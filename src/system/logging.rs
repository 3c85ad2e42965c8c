//! Where log lines go: stderr for people and the daemon (with `<N>` priorities for the journal), and for a `notify`
//! under a core one line to syslog beside stderr.
//!
//! Here, in one place, every line is made safe: control characters escaped, so that no text from outside forges
//! another line, and secrets cut out.

use crate::system::secret::redact;
use log::LevelFilter;
use simplelog::{ConfigBuilder, WriteLogger};
use std::io::{self, Write};
use std::os::unix::net::UnixDatagram;

/// The longest line that is written, in bytes of its safe form.
const LINE_BYTES_MAX: usize = 4096;

/// Who reads the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reader {
    /// Lines on stderr.
    Person,
    /// Lines on stderr with `<N>` priorities, which systemd reads.
    Journal,
    /// A core that ran `notify`: stderr, which it logs, and syslog.
    Core,
}

/// Starts logging. A second call changes nothing.
pub(crate) fn start(reader: Reader, level: LevelFilter) {
    let config = ConfigBuilder::new()
        .set_time_level(LevelFilter::Off)
        .set_thread_level(LevelFilter::Off)
        .set_target_level(LevelFilter::Off)
        .set_location_level(LevelFilter::Off)
        .add_filter_allow_str("ackbell")
        .build();
    let _ = WriteLogger::init(level, config, Lines { reader, pending: Vec::new() });
}

/// Collects what the logger writes and passes on whole, safe lines.
struct Lines {
    reader: Reader,
    pending: Vec<u8>,
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.pending.extend_from_slice(bytes);
        // The logger ends each record with a newline in a write of its own; newlines inside are the text's.
        if bytes == b"\n" || (bytes.ends_with(b"\n") && bytes.len() < self.pending.len()) {
            let record = String::from_utf8_lossy(&self.pending).into_owned();
            self.pending.clear();
            self.emit(record.trim_end_matches('\n'));
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Lines {
    fn emit(&self, record: &str) {
        let (priority, text) = split_level(record);
        let line = safe(text);
        let mut stderr = io::stderr().lock();
        // A closed stderr isn't a reason to fail.
        let _ = match self.reader {
            Reader::Journal => writeln!(stderr, "<{priority}>{line}"),
            Reader::Person | Reader::Core => writeln!(stderr, "ackbell: {line}"),
        };
        if self.reader == Reader::Core {
            to_syslog(priority, &line);
        }
    }
}

/// simplelog's `[WARN] text` as syslog's severity and the text.
fn split_level(record: &str) -> (u8, &str) {
    for (tag, priority) in [("[ERROR] ", 3), ("[WARN] ", 4), ("[INFO] ", 6), ("[DEBUG] ", 7), ("[TRACE] ", 7)] {
        if let Some(text) = record.strip_prefix(tag) {
            return (priority, text);
        }
    }
    (6, record)
}

/// One line without control characters, direction marks and secrets.
pub(crate) fn safe(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in redact(text).chars() {
        if line.len() > LINE_BYTES_MAX {
            line.push('…');
            break;
        }
        if c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}') {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
    line
}

/// One datagram to the system's log, facility daemon; where there is none, stderr has it.
fn to_syslog(priority: u8, line: &str) {
    if let Ok(socket) = UnixDatagram::unbound() {
        let _ = socket.set_nonblocking(true);
        let message = format!("<{}>ackbell[{}]: {line}", 3 * 8 + priority, std::process::id());
        let _ = socket.send_to(message.as_bytes(), "/dev/log");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_forges_a_line_or_shows_a_secret() {
        assert_eq!(safe("a\n<0>b\u{1b}[31m\u{202e} xoxb-12-ab"), "a\\n<0>b\\u{1b}[31m\\u{202e} xoxb-[redacted]");
    }

    #[test]
    fn levels_become_priorities() {
        assert_eq!(split_level("[WARN] x [ERROR] y"), (4, "x [ERROR] y"));
        assert_eq!(split_level("plain"), (6, "plain"));
    }
}

//! Printing, the way a program in a pipe should: a closed pipe is success, colours only on a terminal.

use crate::cli::terminal::table::cut;
use crate::system::environment::Environment;
use crate::system::logging;
use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};

/// The output of a verb: stdout and stderr.
#[derive(Debug)]
pub(crate) struct Output {
    stdout: io::Stdout,
    stderr: io::Stderr,
    pub(crate) colours: bool,
    pub(crate) width: usize,
    /// The terminal's width for tables; `None` where no terminal is: a script gets all of it.
    pub(crate) columns: Option<usize>,
}

impl Output {
    pub(crate) fn new(env: &Environment) -> Self {
        let colours = io::stdout().is_terminal() && env.get("NO_COLOR").is_none_or(|value| value.is_empty());
        let configured = env.get("COLUMNS").and_then(|columns| columns.parse().ok());
        let window = rustix::termios::tcgetwinsize(io::stdout()).ok().map(|size| usize::from(size.ws_col));
        let width = configured.or(window).filter(|&width| width >= 40);
        let columns = width.filter(|_| io::stdout().is_terminal());
        Self { stdout: io::stdout(), stderr: io::stderr(), colours, width: width.unwrap_or(100), columns }
    }

    /// The text in a colour by its code, where colours show.
    pub(crate) fn paint(&self, code: &str, text: &str) -> String {
        if self.colours { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    /// The line, cut to the terminal's width.
    pub(crate) fn fit(&self, line: &str) -> String {
        self.columns.map_or_else(|| line.to_owned(), |width| cut(line, width))
    }

    /// Progress, on one line that the next one replaces; for a person who waits, so only on a
    /// terminal. An empty text takes it away.
    pub(crate) fn progress(&mut self, text: &str) {
        if io::stderr().is_terminal() {
            let mut stderr = self.stderr.lock();
            let _ = write!(stderr, "\r\x1b[K{}", logging::safe(text)).and_then(|()| stderr.flush());
        }
    }

    /// Text on stdout, ended with a newline. Foreign text in it was cleaned when it was read, and is here once more.
    pub(crate) fn line(&mut self, text: &str) {
        let mut stdout = self.stdout.lock();
        // A reader that closed the pipe isn't a failure.
        let _ = writeln!(stdout, "{}", shown(text.trim_end_matches('\n'))).and_then(|()| stdout.flush());
    }

    /// A question, without a newline.
    pub(crate) fn ask(&mut self, text: &str) {
        let mut stdout = self.stdout.lock();
        let _ = write!(stdout, "{}", shown(text)).and_then(|()| stdout.flush());
    }

    /// A complaint on stderr, line by line, made safe like a log line.
    pub(crate) fn error(&mut self, text: &str) {
        let mut stderr = self.stderr.lock();
        for (i, line) in text.lines().enumerate() {
            let start = if i == 0 { "ackbell: " } else { "" };
            let _ = writeln!(stderr, "{start}{}", logging::safe(line));
        }
    }
}

/// The colours that we use; no other sequence reaches a terminal, which could be told to hide, write or answer.
const COLOURS: [&str; 11] = ["0", "1", "2", "4", "31", "32", "33", "34", "35", "36", "90"];

/// The text without what commands a terminal or turns the reading direction: such a character is shown as JSON writes
/// it, so that JSON stays what it was.
fn shown(text: &str) -> Cow<'_, str> {
    if !text.contains(commands) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let colour = rest.strip_prefix("\u{1b}[").and_then(|rest| rest.split_once('m')).map(|(code, _)| code);
        if let Some(code) = colour.filter(|code| COLOURS.contains(code)) {
            out.push_str(&rest[..code.len() + 3]);
            rest = &rest[code.len() + 3..];
            continue;
        }
        if commands(c) {
            out.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            out.push(c);
        }
        rest = &rest[c.len_utf8()..];
    }
    Cow::Owned(out)
}

fn commands(c: char) -> bool {
    let turns = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() && c != '\n' && c != '\t' || turns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_colours_reach_a_terminal() {
        for (text, expected) in [
            ("a\tb\nc ä 👩\u{200d}💻", "a\tb\nc ä 👩\u{200d}💻"),
            ("\u{1b}[31mred\u{1b}[0m", "\u{1b}[31mred\u{1b}[0m"),
            ("\u{1b}[8mhidden", "\\u001b[8mhidden"),
            ("\u{1b}]0;title\u{7}\u{1b}[2J", "\\u001b]0;title\\u0007\\u001b[2J"),
            ("a\rb\u{9b}31m\u{202e}", "a\\u000db\\u009b31m\\u202e"),
        ] {
            assert_eq!(shown(text), expected);
        }
        let json = serde_json::json!({"name": "x\u{9b}\u{202e}\u{1b}"}).to_string();
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown(&json)).unwrap()["name"], "x\u{9b}\u{202e}\u{1b}");
    }
}

//! Printing, the way a program in a pipe should: a closed pipe is success, colours only on a terminal.

use crate::config::Environment;
use crate::logging;
use crate::terminal::table::cut;
use std::io::{self, IsTerminal, Write};

/// Where a verb prints.
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
        let said = env.get("COLUMNS").and_then(|columns| columns.parse().ok());
        let window = rustix::termios::tcgetwinsize(io::stdout()).ok().map(|size| usize::from(size.ws_col));
        let width = said.or(window).filter(|&width| width >= 40);
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

    /// What goes on, on one line that the next one takes the place of; for a person who waits, so nowhere but on a
    /// terminal. An empty text takes it away.
    pub(crate) fn progress(&mut self, text: &str) {
        if io::stderr().is_terminal() {
            let mut stderr = self.stderr.lock();
            let _ = write!(stderr, "\r\x1b[K{}", logging::safe(text)).and_then(|()| stderr.flush());
        }
    }

    /// Text on stdout, ended with a newline. Foreign text in it was cleaned when it was read.
    pub(crate) fn line(&mut self, text: &str) {
        let mut stdout = self.stdout.lock();
        // A reader that has seen enough is no failure.
        let _ = writeln!(stdout, "{}", text.trim_end_matches('\n')).and_then(|()| stdout.flush());
    }

    /// A question, without a newline.
    pub(crate) fn ask(&mut self, text: &str) {
        let mut stdout = self.stdout.lock();
        let _ = write!(stdout, "{text}").and_then(|()| stdout.flush());
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

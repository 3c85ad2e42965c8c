//! Printing, the way a program in a pipe should: a closed pipe is success, colours only on a terminal.

use crate::config::Environment;
use crate::logging;
use std::io::{self, IsTerminal, Write};

/// Where a verb prints.
#[derive(Debug)]
pub(crate) struct Output {
    stdout: io::Stdout,
    stderr: io::Stderr,
    pub(crate) colours: bool,
    pub(crate) width: usize,
}

impl Output {
    pub(crate) fn new(env: &Environment) -> Self {
        let colours = io::stdout().is_terminal() && env.get("NO_COLOR").is_none_or(|value| value.is_empty());
        let width = env.get("COLUMNS").and_then(|columns| columns.parse().ok()).filter(|&w| w >= 40).unwrap_or(100);
        Self { stdout: io::stdout(), stderr: io::stderr(), colours, width }
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

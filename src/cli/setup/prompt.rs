//! Questions on a terminal. With `--yes` each answers itself by its default.

use crate::cli::{Exit, Output};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::io::{self, BufRead, IsTerminal};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Why it ends before its end.
#[derive(Debug)]
pub(super) enum End {
    /// The input ended: Ctrl-D.
    Stopped,
    Failed(Exit, String),
}

/// Who asks.
pub(super) struct Prompt<'a> {
    pub(super) out: &'a mut Output,
    /// Nobody is asked.
    pub(super) non_interactive: bool,
    writing: Arc<Mutex<()>>,
    written: Arc<AtomicBool>,
}

impl<'a> Prompt<'a> {
    /// From now on Ctrl-C ends the process with the terminal as it was, and never in the middle of writing.
    pub(super) fn start(out: &'a mut Output, non_interactive: bool) -> io::Result<Self> {
        let prompt = Self { out, non_interactive, writing: Arc::default(), written: Arc::default() };
        let before = tcgetattr(io::stdin()).ok();
        let (writing, written) = (Arc::clone(&prompt.writing), Arc::clone(&prompt.written));
        let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGHUP])?;
        std::thread::Builder::new().name("signals".into()).spawn(move || {
            for signal in &mut signals {
                let _whole = writing.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(before) = &before {
                    let _ = tcsetattr(io::stdin(), OptionalActions::Now, before);
                }
                let message: &[u8] =
                    if written.load(Ordering::Relaxed) { b"\nstopped\n" } else { b"\nstopped; nothing was written\n" };
                let _ = io::Write::write_all(&mut io::stderr(), message);
                let _ = signal_hook::low_level::emulate_default_handler(signal);
            }
        })?;
        Ok(prompt)
    }

    /// Whether there is somebody to ask.
    pub(super) fn is_possible() -> bool {
        io::stdin().is_terminal() && io::stdout().is_terminal()
    }

    /// While it is held, no signal ends the process.
    pub(super) fn write(&self) -> MutexGuard<'_, ()> {
        self.written.store(true, Ordering::Relaxed);
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A line; empty when nothing is answered and there is no default.
    pub(super) fn line(&mut self, question: &str, default: Option<&str>) -> Result<String, End> {
        let shown = default.map_or(String::new(), |default| format!(" [{default}]"));
        let text = if self.non_interactive { String::new() } else { self.read(&format!("{question}{shown}: "))? };
        let text = text.trim();
        Ok(if text.is_empty() { default.unwrap_or_default().to_owned() } else { text.to_owned() })
    }

    /// A line that doesn't show; empty when Enter alone was pressed.
    pub(super) fn secret(&mut self, question: &str, default: &str) -> Result<String, End> {
        if self.non_interactive {
            return Ok(String::new());
        }
        let shown = if default.is_empty() { String::new() } else { format!(" [{default}]") };
        let hidden = Hidden::begin();
        let text = self.read(&format!("{question}{shown}: "))?;
        drop(hidden);
        // Enter didn't show either.
        self.out.line("");
        Ok(text.trim().to_owned())
    }

    /// Yes or no.
    pub(super) fn yes(&mut self, question: &str, default: bool) -> Result<bool, End> {
        loop {
            let answer = self.line(&format!("{question} {}", if default { "[Y/n]" } else { "[y/N]" }), None)?;
            match answer.to_lowercase().as_str() {
                "" => return Ok(default),
                "y" | "yes" => return Ok(true),
                "n" | "no" => return Ok(false),
                _ => self.out.line("y or n, please"),
            }
        }
    }

    /// The number of one of several, from 0.
    pub(super) fn choice(&mut self, question: &str, count: usize, default: usize) -> Result<usize, End> {
        loop {
            let answer = self.line(question, Some(&(default + 1).to_string()))?;
            match answer.parse::<usize>() {
                Ok(number) if (1..=count).contains(&number) => return Ok(number - 1),
                _ => self.out.line(&format!("a number from 1 to {count}, please")),
            }
        }
    }

    fn read(&mut self, question: &str) -> Result<String, End> {
        self.out.ask(question);
        let mut line = Vec::new();
        let read = io::stdin().lock().read_until(b'\n', &mut line);
        if read.is_ok_and(|count| count > 0) {
            Ok(String::from_utf8_lossy(&line).into_owned())
        } else {
            Err(End::Stopped)
        }
    }
}

/// The terminal without echo, until dropped.
struct Hidden(Option<Termios>);

impl Hidden {
    fn begin() -> Self {
        let before = tcgetattr(io::stdin()).ok();
        if let Some(mut hidden) = before.clone() {
            hidden.local_modes -= LocalModes::ECHO;
            let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &hidden);
        }
        Self(before)
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, before);
        }
    }
}

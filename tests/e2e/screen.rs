//! A program in a real terminal, driven by tmux: what is typed, what is seen.

use crate::harness::process::text;
use crate::harness::wait;
use std::cell::Cell;
use std::process::Command;
use tempfile::TempDir;

/// One terminal of 110 columns and 50 lines, gone with the test.
pub(crate) struct Screen {
    directory: TempDir,
    /// The line of the question answered last.
    answered: Cell<usize>,
}

impl Screen {
    /// Runs a command line in it; its exit code is seen at the end.
    pub(crate) fn run(command: &str) -> Self {
        let screen = Self { directory: tempfile::tempdir().unwrap(), answered: Cell::new(0) };
        // The shell lives on when Ctrl-C ends the program.
        let line =
            format!("trap : INT; env -i PATH=\"$PATH\" TERM=xterm {command}; echo \"exit $?.\"; stty -a; sleep 600");
        screen.tmux(&["-f", "/dev/null", "new-session", "-d", "-x", "110", "-y", "50", &line]);
        screen
    }

    fn tmux(&self, arguments: &[&str]) -> String {
        let socket = self.directory.path().join("socket");
        let done =
            Command::new("tmux").arg("-S").arg(socket).args(arguments).env("LC_ALL", "C.UTF-8").output().unwrap();
        assert!(done.status.success(), "{arguments:?}: {}", text(&done.stderr));
        text(&done.stdout)
    }

    /// All that was printed, lines that were folded joined.
    pub(crate) fn seen(&self) -> String {
        self.tmux(&["capture-pane", "-p", "-J", "-S", "-"])
    }

    /// Waits until it is seen.
    #[track_caller]
    pub(crate) fn sees(&self, wanted: &str) -> &Self {
        wait::until(wanted, || {
            let seen = self.seen();
            if seen.contains(wanted) { Ok(()) } else { Err(seen) }
        });
        self
    }

    /// Waits for a question at the end, and answers it.
    #[track_caller]
    pub(crate) fn answers(&self, question: &str, answer: &str) -> &Self {
        wait::until(&format!("the question \"{question}\""), || {
            let seen = self.seen();
            let lines: Vec<&str> = seen.trim_end().lines().collect();
            let last = lines.last().copied().unwrap_or_default();
            if lines.len() > self.answered.get() && last.starts_with(question) && last.ends_with(':') {
                self.answered.set(lines.len());
                return Ok(());
            }
            Err(lines.join("\n"))
        });
        if !answer.is_empty() {
            self.tmux(&["send-keys", "-l", answer]);
        }
        self.press("Enter");
        self
    }

    /// A key by tmux's name for it.
    pub(crate) fn press(&self, key: &str) {
        self.tmux(&["send-keys", key]);
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let socket = self.directory.path().join("socket");
        let _ = Command::new("tmux").arg("-S").arg(socket).arg("kill-server").status();
    }
}

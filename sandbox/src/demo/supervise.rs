//! What keeps the listener, and ends it when the demo is gone.

use super::DemoFiles;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};
use std::{fs, io};

/// Its standard input is a pipe that the demo alone holds open: when the demo ends, even by SIGKILL, the line it waits
/// for is the end of the file. `listen` finishes the message in hand.
const SCRIPT: &str =
    r#""$1" --config "$2" listen 2>>"$3" </dev/null & read -r line; kill $!; wait; [ -z "$4" ] || rm -rf "$4""#;
/// How long the listener may take to end.
const END_MAX: Duration = Duration::from_secs(15);

#[derive(Debug)]
pub(super) struct Supervisor {
    shell: Child,
    /// Removed at the end.
    directory: Option<PathBuf>,
}

impl Supervisor {
    pub(super) fn start(program: &Path, files: &DemoFiles, keep: bool) -> io::Result<Self> {
        let directory = (!keep).then(|| files.directory.clone());
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", SCRIPT, "ackbell demo"]).arg(program).arg(&files.config).arg(&files.listener_log);
        shell.arg(directory.as_deref().unwrap_or(Path::new("")));
        shell.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").current_dir("/");
        // Ctrl-C goes to every process of the terminal's group; this one must outlive the demo for a moment.
        shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        Ok(Self { shell: shell.spawn()?, directory })
    }

    pub(super) fn end(mut self) {
        drop(self.shell.stdin.take());
        let asked = Instant::now();
        while asked.elapsed() < END_MAX && matches!(self.shell.try_wait(), Ok(None)) {
            sleep(Duration::from_millis(20));
        }
        // Without the shell, as somebody killed it, this is left to do.
        if let Some(directory) = self.directory.filter(|directory| directory.exists()) {
            let _ = fs::remove_dir_all(directory);
        }
    }
}

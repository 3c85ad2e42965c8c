//! The program under test, and processes that end with their test.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU16, Ordering};

/// The program under test.
pub(crate) const ACKBELL: &str = env!("CARGO_BIN_EXE_ackbell");

/// A process that ends with the test.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    /// SIGTERM, and the exit code.
    pub(crate) fn stop(mut self) -> Option<i32> {
        signal(self.0.id(), "TERM");
        self.0.wait().unwrap().code()
    }
}

pub(crate) fn signal(pid: u32, name: &str) {
    Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).status().unwrap();
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Whether the long form of a test is asked for, as `tests/faults` does.
pub(crate) fn is_long() -> bool {
    std::env::var_os("LONG").is_some()
}

/// A copy of the program under test, ready to be run. Written by another process: a child that another test forks
/// meanwhile would have a file that is open here for writing open too, and nobody can run it then ("Text file busy").
pub(crate) fn copy_ackbell(to: &Path) {
    assert!(Command::new("cp").arg(ACKBELL).arg(to).status().unwrap().success());
}

/// A script, ready to be run. It gets its name only when nobody has it open for writing any more, as [`copy_ackbell`] says.
pub(crate) fn script(path: &Path, content: &str) {
    let text = path.with_extension("text");
    fs::write(&text, content).unwrap();
    assert!(Command::new("install").args(["-m", "0755"]).arg(&text).arg(path).status().unwrap().success());
    fs::remove_file(text).unwrap();
}

/// A port that is free, below those that the kernel hands out: nobody else gets it before it is used.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = u16::try_from(std::process::id() % 200).unwrap() * 100 + 11_000;
    loop {
        let port = first + NEXT.fetch_add(1, Ordering::Relaxed);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

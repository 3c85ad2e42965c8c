//! The status of the listener, for other processes: `check`, `doctor`.
//!
//! One small JSON file, `listener.json` in the runtime directory, written whole under another name and renamed, at most
//! every few seconds. It isn't a guarantee: whoever reads it also asks how old its heartbeat is and who holds the delivery
//! lock. A clean stop removes it; after a crash its process and its heartbeat show that it is old.

use crate::system::beneath::Directory;
use crate::system::clock;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The longest time between two heartbeats of a listener that works; a change is written at once.
const BEAT: Duration = Duration::from_secs(5);
const FILE: &str = "listener.json";
/// A status is far smaller.
const FILE_BYTES_MAX: u64 = 256 * 1024;

/// The [`Socket::error`] of an app whose Socket Mode is switched off: Slack opens connections for it all the same, so only
/// the listener knows.
pub(crate) const SOCKET_MODE_OFF: &str = "Socket Mode is switched off in the app";

/// The listener's status. Times are Unix seconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct ListenerStatus {
    pub(crate) version: String,
    pub(crate) pid: u32,
    /// When it started.
    pub(crate) since: i64,
    /// When it wrote this.
    pub(crate) heartbeat: i64,
    /// Why delivery is interrupted: the disk or the database.
    pub(crate) interrupted: Option<StatusNote>,
    /// Why the dead man's switch can't be renewed.
    pub(crate) deadman: Option<StatusNote>,
    /// The configuration that it was to load and refused.
    pub(crate) refused: Option<StatusNote>,
    /// Why the HTTP listener can't be opened.
    pub(crate) http: Option<StatusNote>,
    /// How many seconds the time in the last signed request was behind our clock; negative: ahead of it.
    pub(crate) skew: Option<Skew>,
    /// By core: why the last command couldn't be handed over; cleared by the next that could.
    pub(crate) commands: BTreeMap<String, StatusNote>,
    /// By core, then by address: those of several that didn't answer when they were asked last.
    pub(crate) addresses_down: BTreeMap<String, BTreeMap<String, StatusNote>>,
    /// By integration.
    pub(crate) sockets: BTreeMap<String, Socket>,
    /// The relays, by core; `CORE/RELAY` where a core has several.
    pub(crate) relays: BTreeMap<String, RelayLink>,
    /// Of a relay: the centre that it hands in to.
    pub(crate) centre: Option<Centre>,
}

/// A relay, as its centre sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct RelayLink {
    /// The core that it speaks for.
    pub(crate) core: String,
    /// Each relay of this core is beside one that checks by itself; else any of them will do.
    pub(crate) is_redundant: bool,
    /// When it called last.
    pub(crate) seen: i64,
    pub(crate) connected: bool,
    pub(crate) version: String,
    /// The kind of its core.
    pub(crate) kind: String,
    /// How many files wait there, since when by its clock, and how many it put aside.
    pub(crate) waiting: usize,
    pub(crate) oldest: Option<i64>,
    pub(crate) bad: usize,
    /// How many seconds its clock is ahead of ours.
    pub(crate) ahead: i64,
}

/// The centre, as a relay sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Centre {
    pub(crate) to: Vec<String>,
    /// When it took the last batch, or would have.
    pub(crate) handed_in: i64,
    /// Why it takes nothing, and since when.
    pub(crate) error: Option<StatusNote>,
    /// Somebody must do something: the token, or a version.
    pub(crate) needs_repair: bool,
}

/// A failure as a text, with its time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StatusNote {
    pub(crate) reason: String,
    pub(crate) at: i64,
}

/// A measured difference of clocks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Skew {
    pub(crate) seconds: i64,
    pub(crate) at: i64,
}

/// A Socket Mode connection.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Socket {
    pub(crate) connected: bool,
    pub(crate) since: i64,
    /// Connections of the app that Slack counted when it greeted last, and those that weren't ours.
    pub(crate) connections: u64,
    #[serde(rename = "strangers")]
    pub(crate) other_connections: u64,
    pub(crate) error: Option<String>,
}

/// How it goes, for `check` and `/metrics`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct SocketStatus {
    /// Whether a connection serves now.
    pub(crate) connected: bool,
    /// Since when `connected` is what it is, in Unix ms.
    pub(crate) since: i64,
    /// How many connections of this app Slack counted when it greeted last.
    pub(crate) num_connections: u64,
    /// How many of them were ours at that time.
    pub(crate) ours: u64,
    /// How many are of the other nodes: the most that lived at one time since then.
    pub(crate) known: u64,
    /// Why the last attempt failed; `None` while all is well.
    pub(crate) last_error: Option<String>,
}

impl SocketStatus {
    /// Connections that no node knows: of another listener with the same app token, or ghosts. Slack sends each click to
    /// any one of them, so those that reach them are lost to this listener.
    pub(crate) fn other_connections(&self) -> u64 {
        self.num_connections.saturating_sub(self.ours).saturating_sub(self.known)
    }
}

impl From<SocketStatus> for Socket {
    fn from(status: SocketStatus) -> Self {
        let other_connections = status.other_connections();
        let SocketStatus { connected, since, num_connections, last_error, .. } = status;
        Self { connected, since: since / 1000, connections: num_connections, other_connections, error: last_error }
    }
}

impl ListenerStatus {
    /// Delivery is interrupted, since when it first was, whatever the reason is now.
    pub(crate) fn interrupted_by(&mut self, reason: String) {
        match &mut self.interrupted {
            Some(failure) => failure.reason = reason,
            none => *none = Some(StatusNote::now(reason)),
        }
    }
}

impl StatusNote {
    /// A failure of this moment.
    pub(crate) fn now(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), at: clock::wall_ms() / 1000 }
    }
}

/// Where the status is.
pub(crate) fn path(runtime_dir: &Path) -> PathBuf {
    runtime_dir.join(FILE)
}

/// Loads the last status of a listener; `None` when the last one stopped in order.
pub(crate) fn read(runtime_dir: &Path) -> io::Result<Option<ListenerStatus>> {
    let mut text = String::new();
    match Directory::open(runtime_dir).and_then(|directory| directory.read(FILE)) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?.take(FILE_BYTES_MAX).read_to_string(&mut text)?,
    };
    serde_json::from_str(&text).map(Some).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))
}

/// The listener's pen, shared by all its threads: each changes its part, one writes it down.
#[derive(Debug, Clone, Default)]
pub(crate) struct StatusWriter(Arc<Mutex<Inside>>);

#[derive(Debug, Default)]
struct Inside {
    status: ListenerStatus,
    runtime_dir: PathBuf,
    written: Option<(ListenerStatus, Instant)>,
}

impl StatusWriter {
    pub(crate) fn new(runtime_dir: &Path) -> Self {
        let now = clock::wall_ms() / 1000;
        let status = ListenerStatus {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            since: now,
            ..ListenerStatus::default()
        };
        Self(Arc::new(Mutex::new(Inside { status, runtime_dir: runtime_dir.to_owned(), written: None })))
    }

    /// Changes the status; it is written with the next heartbeat.
    pub(crate) fn update(&self, change: impl FnOnce(&mut ListenerStatus)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner).status);
    }

    /// Why delivery is interrupted, if it is.
    pub(crate) fn interrupted(&self) -> Option<String> {
        let inside = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inside.status.interrupted.as_ref().map(|failure| failure.reason.clone())
    }

    /// To be called often: writes when something changed or the last time was a while ago. A disk that refuses is no
    /// reason to stop: then the status grows old, and that is seen.
    pub(crate) fn beat(&self) {
        let mut inside = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_fresh = inside.written.as_ref().is_some_and(|(written, at)| {
            let same = ListenerStatus { heartbeat: written.heartbeat, ..inside.status.clone() } == *written;
            at.elapsed() < if same { BEAT } else { BEAT / 5 }
        });
        if is_fresh {
            return;
        }
        inside.status.heartbeat = clock::wall_ms() / 1000;
        let _ = write(&inside.runtime_dir, &inside.status);
        inside.written = Some((inside.status.clone(), Instant::now()));
    }

    /// The listener stops in order.
    pub(crate) fn remove(&self) {
        let inside = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = fs::remove_file(path(&inside.runtime_dir));
    }
}

/// Readable by the group, in which the core's user is; the configuration's words in it are nobody else's business.
fn write(runtime_dir: &Path, status: &ListenerStatus) -> io::Result<()> {
    let text = serde_json::to_vec(status)?;
    let (directory, fresh) = (Directory::open(runtime_dir)?, "listener.json.new");
    // Left by a listener that was killed; perhaps another user's.
    let _ = directory.remove(fresh);
    directory.create(fresh, 0o640)?.write_all(&text)?;
    directory.rename(fresh, &directory, FILE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_noted_is_read_back_and_gone_after_a_stop_in_order() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(read(directory.path()).unwrap(), None);
        let writer = StatusWriter::new(directory.path());
        writer.update(|status| status.refused = Some(StatusNote::now("line 3")));
        writer.beat();
        let status = read(directory.path()).unwrap().unwrap();
        assert_eq!(status.refused.unwrap().reason, "line 3");
        assert_eq!((status.pid, status.version.as_str()), (std::process::id(), env!("CARGO_PKG_VERSION")));
        assert!(status.heartbeat >= status.since && status.since > 0);
        writer.remove();
        assert_eq!(read(directory.path()).unwrap(), None);
    }

    #[test]
    fn an_interruption_counts_from_its_beginning_whatever_its_reason_is_now() {
        let mut status = ListenerStatus::default();
        status.interrupted_by("refused".to_owned());
        assert!(status.interrupted.as_mut().is_some_and(|note| std::mem::replace(&mut note.at, 1000) > 0));
        status.interrupted_by("no answer".to_owned());
        assert_eq!(status.interrupted, Some(StatusNote { reason: "no answer".to_owned(), at: 1000 }));
    }

    #[test]
    fn an_older_or_newer_listeners_report_can_be_read_and_garbage_is_told() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(path(directory.path()), r#"{"version":"9.0.0","pid":7,"tomorrow":[1]}"#).unwrap();
        assert_eq!(read(directory.path()).unwrap().unwrap().version, "9.0.0");
        fs::write(path(directory.path()), "{").unwrap();
        assert_eq!(read(directory.path()).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn the_file_keeps_the_first_releases_name_for_other_connections() {
        let socket = Socket { other_connections: 2, ..Socket::default() };
        assert_eq!(serde_json::to_value(&socket).unwrap()["strangers"], 2);
        assert_eq!(serde_json::from_str::<Socket>(r#"{"strangers":2}"#).unwrap(), socket);
    }
}

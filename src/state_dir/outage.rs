//! The message about a database that can't be reached, as long as it isn't ended: `outage.json` in the state directory. It is
//! all that a listener knows of it after a restart, as the outbox is what can't be reached.
//!
//! Written whole under another name, synced and renamed: a crash leaves the old one or the new one. Killed between Slack's
//! answer and the writing, a listener posts the message once more.

use crate::system::beneath::Directory;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::path::Path;

const FILE: &str = "outage.json";
/// A file of ours is far smaller.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// An outage that people were told of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct AnnouncedOutage {
    /// Unix seconds.
    pub(crate) since: i64,
    /// The most notifications that waited.
    pub(crate) waited: usize,
    /// By integration.
    pub(crate) messages: BTreeMap<String, OutageMessage>,
}

/// One integration's message.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct OutageMessage {
    /// Where it is: channel and `ts`. A webhook doesn't say it.
    pub(crate) posted: Option<(String, String)>,
    pub(crate) is_ended: bool,
}

/// Reads it; `None` when there is none. One that can't be read is none: the message is posted anew then.
pub(crate) fn read(state_dir: &Path) -> Option<AnnouncedOutage> {
    let mut text = Vec::new();
    let file = Directory::open(state_dir).and_then(|directory| directory.read(FILE)).ok()?;
    file.take(FILE_BYTES_MAX).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

/// Makes it durable.
pub(crate) fn write(state_dir: &Path, announced: &AnnouncedOutage) -> io::Result<()> {
    let (directory, fresh) = (Directory::open(state_dir)?, "outage.json.new");
    // Left by a listener that was killed.
    let _ = directory.remove(fresh);
    let mut file = directory.create(fresh, 0o640)?;
    file.write_all(&serde_json::to_vec(announced)?)?;
    file.sync_data()?;
    directory.rename(fresh, &directory, FILE)?;
    directory.sync()
}

/// It is over, and everybody was told.
pub(crate) fn remove(state_dir: &Path) -> io::Result<()> {
    match Directory::open(state_dir)?.remove(FILE) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_told_is_read_back_and_garbage_is_nothing() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(read(directory.path()), None);
        let message = OutageMessage { posted: Some(("C1".into(), "1.2".into())), is_ended: false };
        let announced = AnnouncedOutage { since: 5, waited: 3, messages: [("slack".to_owned(), message)].into() };
        write(directory.path(), &announced).unwrap();
        write(directory.path(), &announced).unwrap();
        assert_eq!(read(directory.path()), Some(announced));
        std::fs::write(directory.path().join(FILE), "{").unwrap();
        assert_eq!(read(directory.path()), None);
        remove(directory.path()).unwrap();
        remove(directory.path()).unwrap();
    }
}

//! The parents of each core's hosts, from its `objects.cache`, Livestatus, or the Icinga 2 API's dependencies.
//!
//! Read by the thread that imports, for all that send: nobody who sends waits for a core. Without an answer nothing hangs below
//! anything.

use super::objects::{FILE_BYTES_MAX, Piece, walk};
use super::paths::{self, Paths};
use super::{icinga2, livestatus};
use crate::config::{Config, Core, CoreKind};
use crate::model::topology::Topology;
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Read;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// How long an answer of Livestatus or the API is kept, and how long neither is asked again that gave none.
const BELIEVED_FOR: Duration = Duration::from_secs(600);
const SPARED_FOR: Duration = Duration::from_secs(60);

/// What is known, by the core's name.
#[derive(Debug, Default)]
pub(crate) struct Topologies {
    cores: HashMap<String, Known>,
}

#[derive(Debug, Clone, Default)]
struct Known {
    /// The state of the file it came from.
    stamp: Option<(SystemTime, u64)>,
    /// When the core was asked, and whether it answered.
    asked: Option<(Instant, bool)>,
    topology: Arc<Topology>,
}

impl Topologies {
    /// The last that was read; empty where nothing was.
    pub(crate) fn of_core(&self, core: &str) -> Arc<Topology> {
        self.cores.get(core).map(|known| Arc::clone(&known.topology)).unwrap_or_default()
    }

    /// What is to be read before [`Self::of_core`] is up to date; `None` if it is. To be read without holding a lock on this.
    pub(crate) fn stale(&self, config: &Config, core: &str) -> Option<Unread> {
        let core = paths::core(config, core)?;
        let paths = Paths::find(&core);
        let known = self.cores.get(&core.name).cloned().unwrap_or_default();
        let from_api = core.api.is_some() && core.kind == CoreKind::Icinga2;
        if let Some(path) = paths.objects_file.as_ref().filter(|_| !from_api) {
            let metadata = fs::metadata(path).ok()?;
            let stamp = metadata.modified().ok().map(|modified| (modified, metadata.len()));
            return (stamp.is_none() || stamp != known.stamp).then_some(Unread { core, paths, stamp });
        }
        if !from_api && paths.livestatus.is_none() {
            return None;
        }
        let is_fresh =
            known.asked.is_some_and(|(at, answered)| at.elapsed() < if answered { BELIEVED_FOR } else { SPARED_FOR });
        (!is_fresh).then_some(Unread { core, paths, stamp: None })
    }

    /// Keeps what was read; what gave no answer leaves the last.
    pub(crate) fn put(&mut self, unread: Unread, topology: Option<Topology>) {
        let known = self.cores.entry(unread.core.name).or_default();
        (known.stamp, known.asked) = (unread.stamp, Some((Instant::now(), topology.is_some())));
        if let Some(topology) = topology {
            known.topology = Arc::new(topology);
        }
    }
}

/// A core whose parents are to be read.
#[derive(Debug)]
pub(crate) struct Unread {
    core: Core,
    paths: Paths,
    stamp: Option<(SystemTime, u64)>,
}

impl Unread {
    /// Reads them; `None` where nobody answers.
    pub(crate) fn read(&self) -> Option<Topology> {
        if let Some(api) = self.core.api.as_ref().filter(|_| self.core.kind == CoreKind::Icinga2) {
            return icinga2::state::topology(api);
        }
        match (&self.paths.objects_file, &self.paths.livestatus) {
            (Some(path), _) => read(File::open(path).ok()?.take(FILE_BYTES_MAX)).ok(),
            (None, Some(address)) => livestatus::topology(address),
            (None, None) => None,
        }
    }
}

/// The parents in the text of `objects.cache`.
fn read(file: impl Read) -> std::io::Result<Topology> {
    let mut topology = Topology::default();
    let (mut is_service, mut host, mut parents) = (false, String::new(), String::new());
    walk(file, &[b"host", b"service"], |piece| match piece {
        Piece::Start(kind) => {
            is_service = kind == b"service";
            host.clear();
            parents.clear();
        }
        Piece::Field("host_name", value) => value.clone_into(&mut host),
        // A service has parents of its own, which are services.
        Piece::Field("parents", value) if !is_service => value.clone_into(&mut parents),
        Piece::Field(..) => {}
        Piece::End if is_service => topology.add_service(&host),
        Piece::End => {
            for parent in parents.split(',').map(str::trim).filter(|parent| !parent.is_empty()) {
                topology.add_parent(&host, parent);
            }
        }
    })?;
    Ok(topology)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CACHE: &[u8] = b"define host {\n\thost_name\tsw\n\t}\n\
        define host {\n\thost_name\tweb\n\tparents\tsw\n\t}\ndefine host {\n\tparents\tsw, other,\n\thost_name\tdb\n\t}\n\
        define service {\n\thost_name\tweb\n\tservice_description\tDisk\n\tparents\tsw\n\t}\n";

    #[test]
    fn parents_are_read_from_the_file_and_again_when_it_changes() {
        let topology = read(CACHE).unwrap();
        assert_eq!(topology.count_behind("sw"), (1, 1), "db has another parent");
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("objects.cache");
        fs::write(&path, CACHE).unwrap();
        let core = Core { objects_file: Some(path.clone()), ..Core::default() };
        let (config, _) = crate::config::load(None, &crate::system::environment::Environment::default()).unwrap();
        let config = Config { cores: vec![core], ..config };
        let mut topologies = Topologies::default();
        let unread = topologies.stale(&config, "").unwrap();
        let found = unread.read();
        topologies.put(unread, found);
        assert_eq!(topologies.of_core("").count_behind("sw"), (1, 1));
        assert!(topologies.stale(&config, "").is_none(), "it is read once");
        fs::write(&path, "define host {\n\thost_name\tsw\n\t}\n").unwrap();
        let unread = topologies.stale(&config, "").unwrap();
        let found = unread.read();
        topologies.put(unread, found);
        assert_eq!(topologies.of_core("").count_behind("sw"), (0, 0));
        fs::remove_file(&path).unwrap();
        assert!(topologies.stale(&config, "").is_none(), "what was read stays");
    }
}

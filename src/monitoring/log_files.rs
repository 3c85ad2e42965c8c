//! The logs and archives of a core, in the order of their times.

use super::log_events::LogReader;
use super::paths::Paths;
use crate::config::{Core, CoreKind};
use crate::system::order;
use std::cell::Cell;
use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// Where cores keep archives, beside the log.
const ARCHIVES: &str = "archives";
/// Where Icinga 2 writes the same, with its feature `compatlog`.
const COMPAT_LOG: &str = "/var/log/icinga2/compat/icinga.log";

/// A log that can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogFile {
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
    /// The time of its first event.
    first: i64,
    /// Device and inode.
    identity: (u64, u64),
}

/// The logs to be read, the oldest first, and why others can't be.
#[derive(Debug, Default)]
pub(crate) struct LogFiles {
    pub(crate) files: Vec<LogFile>,
    pub(crate) complaints: Vec<String>,
    /// Files without a single event.
    pub(crate) empty: usize,
}

/// The log of a core, and the directory of its archives where there is one.
pub(crate) fn of_core(core: &Core) -> Vec<PathBuf> {
    let compat = || {
        Some(PathBuf::from(COMPAT_LOG))
            .filter(|log| core.kind == CoreKind::Icinga2 && !core.is_remote() && log.exists())
    };
    let Some(log) = Paths::find(core).log_file.or_else(compat) else { return Vec::new() };
    let archives = log.parent().map(|directory| directory.join(ARCHIVES)).filter(|archives| archives.is_dir());
    archives.into_iter().chain([log]).collect()
}

/// Opens each, and each file of a directory, for its first event. A file that is named twice is read once.
pub(crate) fn find(paths: &[PathBuf], latest: i64) -> LogFiles {
    let (mut found, mut seen) = (LogFiles::default(), HashSet::new());
    for path in paths {
        let inside = if path.is_dir() { files_in(path) } else { Ok(vec![path.clone()]) };
        match inside {
            Ok(files) => files.into_iter().for_each(|file| found.add(file, latest, &mut seen)),
            Err(e) => found.complaints.push(format!("can't read the directory {}: {e}", path.display())),
        }
    }
    order::by(&mut found.files, |one, other| (one.first, &one.path).cmp(&(other.first, &other.path)));
    found
}

fn files_in(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(directory)?.collect::<Result<Vec<_>, _>>()?;
    Ok(entries.into_iter().map(|entry| entry.path()).filter(|path| path.is_file()).collect())
}

impl LogFiles {
    fn add(&mut self, path: PathBuf, latest: i64, seen: &mut HashSet<(u64, u64)>) {
        let looked = fs::metadata(&path).and_then(|metadata| {
            let is_plain = metadata.is_file();
            // A pipe or a device would never end.
            if is_plain { Ok(metadata) } else { Err(io::Error::other("it isn't a plain file")) }
        });
        let looked = looked.and_then(|metadata| {
            let mut reader = LogReader::new(File::open(&path)?, latest)?;
            let mut first = None;
            let read = reader.each(|event| {
                first = Some(event.at);
                false
            });
            if first.is_some() { Ok((metadata, first)) } else { read.map(|()| (metadata, None)) }
        });
        match looked {
            Ok((metadata, _)) if !seen.insert((metadata.dev(), metadata.ino())) => {}
            Ok((metadata, Some(first))) => {
                let identity = (metadata.dev(), metadata.ino());
                self.files.push(LogFile { path, bytes: metadata.len(), first, identity });
            }
            Ok((_, None)) => self.empty += 1,
            Err(e) => self.complaints.push(format!("can't read {}: {e}", path.display())),
        }
    }
}

impl LogFile {
    /// Opens it; `read` grows by the bytes that were read. A log that is rotated while it is read is read to its end; one that
    /// was rotated before that is another file now, and what it had may be in none of those that were found.
    pub(crate) fn open(&self, latest: i64, read: &Rc<Cell<u64>>) -> io::Result<LogReader> {
        let file = File::open(&self.path)?;
        let found = file.metadata()?;
        if (found.dev(), found.ino()) != self.identity {
            return Err(io::Error::other("it was rotated meanwhile; run this again"));
        }
        LogReader::new(Counted { file, read: Rc::clone(read) }, latest)
    }
}

/// A file that counts.
struct Counted {
    file: File,
    read: Rc<Cell<u64>>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.read.set(self.read.get().saturating_add(u64::try_from(count).unwrap_or(0)));
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn line(at: i64) -> String {
        format!("[{at}] SERVICE ALERT: web01;Disk;OK;HARD;1;fine\n")
    }

    #[test]
    fn logs_come_in_the_order_of_their_times_and_each_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::create_dir(path("archives")).unwrap();
        for (name, text) in [
            ("nagios.log", line(1_790_000_300)),
            ("archives/b", line(1_790_000_200)),
            ("archives/a", line(1_790_000_250)),
            ("archives/notes", "nothing of a core\n".to_owned()),
        ] {
            fs::write(path(name), text).unwrap();
        }
        std::os::unix::fs::symlink(path("nagios.log"), path("link")).unwrap();
        let given = ["nagios.log", "link", "archives", "missing"].map(path);
        let found = find(&given, NOW);
        let names: Vec<String> =
            found.files.iter().map(|file| file.path.file_name().unwrap().to_string_lossy().into_owned()).collect();
        assert_eq!((names, found.empty), (vec!["b".to_owned(), "a".to_owned(), "nagios.log".to_owned()], 1));
        assert!(found.complaints.len() == 1 && found.complaints[0].contains("missing: "), "{:?}", found.complaints);
        let core = Core { log_file: Some(path("nagios.log")), ..Core::default() };
        assert_eq!(of_core(&core), [path("archives"), path("nagios.log")]);
    }

    #[test]
    fn a_log_that_was_rotated_before_it_is_read_is_named_and_one_that_is_being_read_is_read_on() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("nagios.log");
        fs::write(&path, line(1_790_000_000)).unwrap();
        let found = find(std::slice::from_ref(&path), NOW);
        let read = Rc::new(Cell::new(0));
        let mut reader = found.files[0].open(NOW, &read).unwrap();
        fs::rename(&path, directory.path().join("rotated")).unwrap();
        fs::write(&path, line(1_790_000_100)).unwrap();
        let mut times = Vec::new();
        reader
            .each(|event| {
                times.push(event.at);
                true
            })
            .unwrap();
        assert_eq!((times, read.get() > 0), (vec![1_790_000_000], true));
        let again = found.files[0].open(NOW, &read).unwrap_err();
        assert!(again.to_string().contains("rotated meanwhile; run this again"), "{again}");
    }
}

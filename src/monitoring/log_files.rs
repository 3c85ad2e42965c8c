//! The logs and archives of a core, in the order of their times.

use super::log_events::LogReader;
use super::paths::Paths;
use crate::config::Core;
use std::cell::Cell;
use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// Where cores keep archives, beside the log.
const ARCHIVES: &str = "archives";

/// A log that can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogFile {
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
    /// The time of its first event.
    first: i64,
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
    let Some(log) = Paths::find(core).log_file else { return Vec::new() };
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
    found.files.sort_by(|one, other| (one.first, &one.path).cmp(&(other.first, &other.path)));
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
            Ok((metadata, Some(first))) => self.files.push(LogFile { path, bytes: metadata.len(), first }),
            Ok((_, None)) => self.empty += 1,
            Err(e) => self.complaints.push(format!("can't read {}: {e}", path.display())),
        }
    }
}

impl LogFile {
    /// Opens it; `read` grows by the bytes that were read. A log that is rotated meanwhile is read to its end.
    pub(crate) fn open(&self, latest: i64, read: &Rc<Cell<u64>>) -> io::Result<LogReader> {
        LogReader::new(Counted { file: File::open(&self.path)?, read: Rc::clone(read) }, latest)
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

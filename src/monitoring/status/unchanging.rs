//! Reading a status file that its core may be writing over just now.

use crate::config::CoreKind;
use crate::monitoring::error::ReadError;
use std::fs::File;
use std::path::Path;
use std::time::{Duration, SystemTime};
use std::{io, thread};

/// So often a file is read that changes meanwhile, and so long it must stay as it is afterwards.
const LOOKS_MAX: usize = 20;
const QUIET_FOR: Duration = Duration::from_millis(50);

/// Reads the file. Every core makes a new one and renames it, but for Centreon Engine, which empties its own and fills it
/// again (`xsddefault_save_status_data` in `engine/src/xsddefault.cc`): what was cut off between two blocks would look whole,
/// and objects that it doesn't have yet as if there were none. So what was read counts only when the file then rests.
pub(super) fn read<T>(
    kind: CoreKind,
    path: &Path,
    read: impl Fn(&File) -> io::Result<Option<T>>,
) -> Result<T, ReadError> {
    let failed = |source| ReadError::File { path: path.to_owned(), source };
    for _ in 0..LOOKS_MAX {
        let file = File::open(path).map_err(failed)?;
        let before = stamp(&file).map_err(failed)?;
        let found = read(&file).map_err(failed)?;
        if kind != CoreKind::Centreon {
            return found.ok_or_else(|| ReadError::NoStatus(path.to_owned()));
        }
        thread::sleep(QUIET_FOR);
        let is_quiet = stamp(&file).map_err(failed)? == before;
        if let Some(found) = found.filter(|_| is_quiet) {
            return Ok(found);
        }
    }
    Err(ReadError::NoStatus(path.to_owned()))
}

fn stamp(file: &File) -> io::Result<(u64, SystemTime)> {
    let metadata = file.metadata()?;
    Ok((metadata.len(), metadata.modified()?))
}

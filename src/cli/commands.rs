//! `ackbell commands CORE`: the definitions of `contrib/`, for where the program is. `ackbell commands cores FILE`: the
//! cores of another program's file, as tables of the configuration.

use super::args::{CommandsArgs, CommandsVerb};
use super::{Exit, Output};
use crate::setup::import_cores::translate;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// A file with the cores of a company is far smaller.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

pub(super) fn run(args: &CommandsArgs, out: &mut Output) -> Exit {
    if let Some(CommandsVerb::Cores { file }) = &args.verb {
        return cores(file, out);
    }
    if let Some(core) = args.core {
        out.line(&core.facts().definitions.replace("/usr/bin/ackbell", &args.binary));
    }
    Exit::Done
}

fn cores(path: &Path, out: &mut Output) -> Exit {
    let translated = read(path).map_err(|e| e.to_string()).and_then(|text| translate(&text).map_err(|e| e.to_string()));
    match translated {
        Ok(tables) => {
            out.line(tables.trim_end());
            Exit::Done
        }
        Err(reason) => {
            out.error(&format!("{}: {reason}", path.display()));
            Exit::Usage
        }
    }
}

fn read(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    let limit = FILE_BYTES_MAX + 1;
    if path == Path::new("-") {
        io::stdin().take(limit).read_to_end(&mut bytes)?;
    } else {
        File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    }
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(io::Error::other("it is larger than 4 MB, so it is not a file of LMD, Thruk or Checkmk"));
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

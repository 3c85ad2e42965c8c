//! Files below a directory that somebody else may write, too: opened from the directory down, name by name, and no name
//! may be a link.
//!
//! A path would be looked up anew by each call, and whoever may write a directory on it can put a link there meanwhile:
//! to a file or directory of somebody else's, which the program would then read, lock, fill or empty. Also refused:
//! what isn't a plain file (a FIFO is waited for without an end), and a file with a second name (a hard link).

use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Mode, OFlags, fstat, mkdirat, openat, readlinkat, renameat, statat, unlinkat,
};
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

/// A directory that is held: it stays the same one, whatever is put under its name.
#[derive(Debug)]
pub(crate) struct Directory(OwnedFd);

impl Directory {
    /// The one at the top. Its own path is the configuration's, so links in that are meant.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self(openat(CWD, path, flags, Mode::empty())?))
    }

    /// One in it. A link that root made is the administrator's (the spool on another disk), and the only one followed.
    pub(crate) fn enter(&self, name: &str) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let found = openat(&self.0, name, flags, Mode::empty())?;
        let is = fstat(&found)?;
        match FileType::from_raw_mode(is.st_mode) {
            FileType::Directory => Ok(Self(found)),
            FileType::Symlink if is.st_uid == 0 => {
                // Read from the link that is held: another one under its name leads nowhere.
                let target = readlinkat(&found, "", Vec::new())?;
                let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
                Ok(Self(openat(&self.0, target, flags, Mode::empty())?))
            }
            FileType::Symlink => Err(link(name)),
            _ => Err(Errno::NOTDIR.into()),
        }
    }

    /// Makes one in it; `false` when the name is taken.
    pub(crate) fn make(&self, name: &str, mode: u16) -> io::Result<bool> {
        match mkdirat(&self.0, name, Mode::from_raw_mode(mode.into())) {
            Err(Errno::EXIST) => Ok(false),
            done => done.map(|()| true).map_err(Into::into),
        }
    }

    /// A new file; an error when the name is taken, by a link too.
    pub(crate) fn create(&self, name: &str, mode: u16) -> io::Result<File> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(File::from(openat(&self.0, name, flags, Mode::from_raw_mode(mode.into()))?))
    }

    /// A plain file for reading.
    pub(crate) fn read(&self, name: &str) -> io::Result<File> {
        self.plain(name, OFlags::RDONLY, 0)
    }

    /// A plain file that has no other name, made where it is missing: one that is locked or written.
    pub(crate) fn read_or_make(&self, name: &str, mode: u16) -> io::Result<File> {
        let file = self.plain(name, OFlags::RDWR | OFlags::CREATE, mode)?;
        if fstat(&file)?.st_nlink > 1 {
            return Err(second_name(name));
        }
        Ok(file)
    }

    /// Looks whether a name is free or a plain file with no other name, without opening it: for `SQLite`, which opens by
    /// path. A link that root made is the administrator's; `true` then.
    pub(crate) fn inspect(&self, name: &str) -> io::Result<bool> {
        let found = match statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => return Ok(false),
            found => found?,
        };
        match FileType::from_raw_mode(found.st_mode) {
            FileType::RegularFile if found.st_nlink > 1 => Err(second_name(name)),
            FileType::RegularFile => Ok(false),
            FileType::Symlink if found.st_uid == 0 => Ok(true),
            FileType::Symlink => Err(link(name)),
            FileType::Directory => Err(Errno::ISDIR.into()),
            _ => Err(refused(format!("\"{name}\" isn't a plain file"))),
        }
    }

    fn plain(&self, name: &str, flags: OFlags, mode: u16) -> io::Result<File> {
        // NONBLOCK: a FIFO that somebody put there is found out, not waited for.
        let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let opened = openat(&self.0, name, flags, Mode::from_raw_mode(mode.into()));
        let file = opened.map_err(|e| named_error(e, self.0.as_fd(), name))?;
        if FileType::from_raw_mode(fstat(&file)?.st_mode) != FileType::RegularFile {
            return Err(refused(format!("\"{name}\" isn't a plain file")));
        }
        Ok(File::from(file))
    }

    pub(crate) fn rename(&self, from: &str, to: &Self, new: &str) -> io::Result<()> {
        Ok(renameat(&self.0, from, &to.0, new)?)
    }

    pub(crate) fn remove(&self, name: &str) -> io::Result<()> {
        Ok(unlinkat(&self.0, name, AtFlags::empty())?)
    }

    /// Whether there is something of that name, a link too.
    pub(crate) fn holds(&self, name: &str) -> bool {
        statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW).is_ok()
    }

    /// What was renamed or made in it survives a crash from now on.
    pub(crate) fn sync(&self) -> io::Result<()> {
        File::from(self.readable()?).sync_all()
    }

    fn readable(&self) -> io::Result<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(openat(&self.0, ".", flags, Mode::empty())?)
    }

    /// The names in it.
    pub(crate) fn names(&self) -> io::Result<impl Iterator<Item = io::Result<Vec<u8>>> + use<>> {
        let entries = Dir::new(self.readable()?)?;
        Ok(entries.filter_map(|entry| match entry {
            Ok(entry) => {
                let name = entry.file_name().to_bytes();
                (name != b"." && name != b"..").then(|| Ok(name.to_vec()))
            }
            Err(e) => Some(Err(e.into())),
        }))
    }
}

/// The kernel's error for a link differs by the flags of the call; this one names the cause.
fn named_error(error: Errno, directory: std::os::fd::BorrowedFd<'_>, name: &str) -> io::Error {
    let found = statat(directory, name, AtFlags::SYMLINK_NOFOLLOW);
    match found.map(|found| FileType::from_raw_mode(found.st_mode)) {
        Ok(FileType::Symlink) => link(name),
        Ok(FileType::Fifo | FileType::Socket) => refused(format!("\"{name}\" isn't a plain file")),
        _ => error.into(),
    }
}

fn second_name(name: &str) -> io::Error {
    refused(format!("\"{name}\" has a second name (a hard link)"))
}

fn link(name: &str) -> io::Error {
    refused(format!("\"{name}\" is a symbolic link, and links of the state directory's owner aren't followed"))
}

fn refused(what: String) -> io::Error {
    io::Error::other(what + "; remove it")
}

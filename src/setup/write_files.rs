//! Puts all files in their places in one go: each is complete, with its mode and owner, under another name first; then
//! the names change, the configuration's last. A crash in between leaves whole files, the old ones or the new ones.

use crate::monitoring::local::Account;
use crate::system::beneath::Directory;
use rustix::fs::OFlags;
use rustix::process::geteuid;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

const NOFOLLOW: i32 = OFlags::NOFOLLOW.bits().cast_signed();
/// No file of ours is larger.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// One file to be written.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Planned {
    pub(crate) path: PathBuf,
    pub(crate) content: String,
    pub(crate) mode: u32,
    /// The backup of the present file.
    pub(crate) backup: Option<PathBuf>,
}

impl std::fmt::Debug for Planned {
    /// Its content may be a secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {:04o}", self.path.display(), self.mode)
    }
}

impl Planned {
    /// Whether everybody may read it: then it is root's, like other files of the system.
    pub(crate) fn is_public(&self) -> bool {
        self.mode & 0o004 != 0
    }

    /// Whether it is there already, word for word.
    pub(crate) fn is_there(&self) -> bool {
        fs::read_to_string(&self.path).is_ok_and(|there| there == self.content)
    }
}

/// A file that can't be written, and why.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteError {
    #[error("can't write {}: {source}; nothing was changed", .path.display())]
    Make { path: PathBuf, source: io::Error },
    #[error("can't put {} in its place: {source}", .path.display())]
    Put { path: PathBuf, source: io::Error },
}

/// What is in a file that may be put back by root: never that of another one, to which the core's user made a link.
pub(crate) fn read(path: &Path) -> io::Result<String> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let file = Directory::open(path.parent().unwrap_or(Path::new("/")))?.read(name)?;
    let mut text = String::new();
    file.take(FILE_BYTES_MAX).read_to_string(&mut text)?;
    Ok(text)
}

/// Writes them all, or none.
pub(crate) fn files(planned: &[Planned], account: Option<&Account>) -> Result<(), WriteError> {
    let mut made = Vec::new();
    let done = planned.iter().try_for_each(|file| {
        let fail = |source| WriteError::Make { path: file.path.clone(), source };
        make(file, account, &mut made).map_err(fail)
    });
    let done = done.and_then(|()| {
        planned.iter().try_for_each(|file| {
            let fail = |source| WriteError::Put { path: file.path.clone(), source };
            put(file).map_err(fail)
        })
    });
    for left in made {
        // Gone already where all went well.
        let _ = fs::remove_file(left);
    }
    done
}

/// The whole file under another name.
fn make(file: &Planned, account: Option<&Account>, made: &mut Vec<PathBuf>) -> io::Result<()> {
    let temporary = beside(&file.path);
    let _ = fs::remove_file(&temporary);
    let mut new = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
    made.push(temporary);
    new.write_all(file.content.as_bytes())?;
    if let Some(account) = account.filter(|_| geteuid().is_root() && !file.is_public()) {
        fchown(&new, Some(0), Some(account.gid))?;
    }
    // Whatever the umask is.
    new.set_permissions(fs::Permissions::from_mode(file.mode))?;
    new.sync_all()
}

fn put(file: &Planned) -> io::Result<()> {
    if let Some(backup) = &file.backup
        && file.path.exists()
    {
        // The same file under a second name: nothing is copied, nobody gets more rights to it.
        fs::hard_link(&file.path, backup)?;
    }
    fs::rename(beside(&file.path), &file.path)?;
    File::open(file.path.parent().unwrap_or(Path::new("/")))?.sync_all()
}

fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.ackbell-new"))
}

/// A directory that need not be there yet. With `owned_by_core` it belongs to the core's user, else to root and the
/// core's group; so does one that is there and closed to all but root, as the packages bring `/etc/ackbell`.
pub(crate) fn directory(path: &Path, account: Option<&Account>, owned_by_core: bool) -> Result<(), WriteError> {
    let fail = |source| WriteError::Make { path: path.to_owned(), source };
    let there = fs::metadata(path).ok().filter(fs::Metadata::is_dir);
    if there.as_ref().is_some_and(|there| owned_by_core || there.gid() != 0 || there.mode() & 0o001 != 0) {
        return Ok(());
    }
    if there.is_none() {
        fs::create_dir_all(path).map_err(fail)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o750)).map_err(fail)?;
    }
    if let Some(account) = account.filter(|_| geteuid().is_root()) {
        let owner = if owned_by_core { account.uid } else { 0 };
        // Held, not by its path: whoever may write the directory above could put a link there meanwhile.
        let directory = OpenOptions::new().read(true).custom_flags(NOFOLLOW).open(path).map_err(fail)?;
        fchown(&directory, Some(owner), Some(account.gid)).map_err(fail)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::chown;

    fn planned(path: PathBuf, content: &str) -> Planned {
        Planned { path, content: content.into(), mode: 0o640, backup: None }
    }

    #[test]
    fn all_files_or_none() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let good = planned(at("a"), "1");
        let bad = planned(at("no/b"), "2");
        let refused = files(&[good.clone(), bad], None).unwrap_err().to_string();
        assert!(refused.starts_with("can't write ") && refused.ends_with("; nothing was changed"), "{refused}");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
        files(std::slice::from_ref(&good), None).unwrap();
        let changed = Planned { content: "3".into(), backup: Some(at("a.bak")), ..good };
        assert!(!changed.is_there());
        files(std::slice::from_ref(&changed), None).unwrap();
        assert!(changed.is_there());
        assert_eq!(fs::read_to_string(at("a.bak")).unwrap(), "1");
        assert_eq!(fs::metadata(at("a")).unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
    }

    #[test]
    #[ignore = "needs root: tests/run"]
    fn the_packages_directory_is_opened_to_the_core_and_no_other_is_changed() {
        assert!(geteuid().is_root(), "as tests/run");
        let home = tempfile::tempdir().unwrap();
        let core = Account { user: "core".into(), uid: 7, group: "core".into(), gid: 8 };
        let made = |name: &str, mode: u32, gid: u32, owned_by_core: bool| {
            let path = home.path().join(name);
            fs::create_dir(&path).unwrap();
            chown(&path, Some(0), Some(gid)).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            directory(&path, Some(&core), owned_by_core).unwrap();
            let now = fs::metadata(path).unwrap();
            (now.mode() & 0o7777, now.uid(), now.gid())
        };
        assert_eq!(made("packaged", 0o750, 0, false), (0o750, 0, 8));
        assert_eq!(made("open", 0o755, 0, false), (0o755, 0, 0));
        assert_eq!(made("another's", 0o750, 5, false), (0o750, 0, 5));
        assert_eq!(made("state", 0o750, 0, true), (0o750, 0, 0));
        let secret = planned(home.path().join("secret"), "1");
        let public = Planned { mode: 0o644, ..planned(home.path().join("public"), "2") };
        files(&[secret, public], Some(&core)).unwrap();
        let group = |name: &str| fs::metadata(home.path().join(name)).unwrap().gid();
        assert_eq!((group("secret"), group("public")), (8, 0), "what all may read is the system's");
    }
}

//! Root is never lent: run by root on what belongs to somebody else, the process becomes that user first.
//!
//! Whoever owns the state directory (the core's user, so every check plugin) decides what lies in it: links to files of
//! root, files in place of directories. As long as root works there, each of these is a way to root. So before anything
//! there is touched, [`become_owner`] gives up root for good: supplementary groups, group, user, each read back.
//! From then on the program may do what its owner may, and what it makes is the owner's.
//!
//! What only root may read and root's own configuration names (a secret of 0600, as systemd's credentials have it) is
//! read before, where nobody but root could have put something else in its place.

use crate::state_dir::StateDirs;
use nix::unistd::{Gid, Uid, User, getgrouplist, getresgid, getresuid, setgroups, setresgid, setresuid};
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, fchown};
use std::path::{Component, Path, PathBuf};
use std::sync::OnceLock;

/// A larger file is neither a configuration nor a secret.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// What root read before it became somebody else, by path.
static READ_BEFORE: OnceLock<BTreeMap<PathBuf, Vec<u8>>> = OnceLock::new();

/// Root couldn't become the owner; nothing was touched.
#[derive(Debug, thiserror::Error)]
#[error("can't become {name}, who owns {}: {source}; run it as that user: sudo -u {name} ackbell", .path.display())]
pub(crate) struct BecomeError {
    name: String,
    path: PathBuf,
    source: io::Error,
}

/// A user whose files root found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Owner {
    uid: Uid,
    gid: Gid,
    /// Whose they are.
    path: PathBuf,
}

impl Owner {
    /// The user's number and the group's.
    pub(crate) fn ids(&self) -> (u32, u32) {
        (self.uid.as_raw(), self.gid.as_raw())
    }
}

impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&name_of(self.uid))
    }
}

/// A user of this machine, by name or number.
pub(crate) fn uid_of(name: &str) -> Option<u32> {
    let known = User::from_name(name).ok().flatten().map(|user| user.uid.as_raw());
    known.or_else(|| name.parse().ok())
}

fn name_of(uid: Uid) -> String {
    User::from_uid(uid).ok().flatten().map_or_else(|| uid.to_string(), |user| user.name)
}

/// Whether there is anything to give up.
pub(crate) fn is_root() -> bool {
    Uid::effective().is_root()
}

/// Whom root has to become to work with these directories and this configuration; `None` for root's own, and for
/// everybody who isn't root.
pub(crate) fn to_become(dirs: &StateDirs, config: &Path) -> Option<Owner> {
    if !Uid::effective().is_root() {
        return None;
    }
    [&dirs.state_dir, &dirs.runtime_dir].into_iter().map(PathBuf::as_path).chain([config]).find_map(other_owner)
}

/// Who but root can decide what this path leads to: the owner of what is there, else of a directory or link on the way.
pub(crate) fn other_owner(path: &Path) -> Option<Owner> {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    if let Some(owner) = fs::metadata(&path).ok().and_then(|found| of(&found, &path)) {
        return Some(owner);
    }
    // As it is written, where a link on the way may be somebody's, and where it really leads.
    let real = path.ancestors().find_map(|part| fs::canonicalize(part).ok());
    let mut ways = path.ancestors().chain(real.iter().flat_map(|real| real.ancestors()));
    ways.find_map(|part| of(&fs::symlink_metadata(part).ok()?, part))
}

/// Why root may not follow a configuration: its words say which files are read, and where what stands in them is sent,
/// so they must be root's. What is in a file of root's is root's word, whoever may have moved it there. `None` for
/// everybody who isn't root.
pub(crate) fn objection(path: &Path) -> Option<String> {
    if !Uid::effective().is_root() {
        return None;
    }
    let found = [fs::symlink_metadata(path).ok()?, fs::metadata(path).ok()?];
    if let Some(owner) = found.iter().find_map(|found| of(found, path)) {
        return Some(format!("it belongs to {owner}, and root would follow it; check its content, then: chown root"));
    }
    let is_theirs = |found: &Metadata| found.mode() & 0o002 != 0 || found.mode() & 0o020 != 0 && found.gid() != 0;
    is_theirs(&found[1])
        .then(|| "others may write it, and root would follow it; check its content, then: chmod go-w".to_owned())
}

fn of(found: &Metadata, path: &Path) -> Option<Owner> {
    let (uid, gid) = (Uid::from_raw(found.uid()), Gid::from_raw(found.gid()));
    (!uid.is_root()).then(|| Owner { uid, gid, path: path.to_owned() })
}

/// Becomes the owner, for good. To be called before there is a second thread.
pub(crate) fn become_owner(owner: &Owner) -> Result<(), BecomeError> {
    let user = User::from_uid(owner.uid).ok().flatten();
    let name = owner.to_string();
    let fail = |source: io::Error| BecomeError { name: name.clone(), path: owner.path.clone(), source };
    // A user nobody knows (a container's) has the directory's group and no others.
    let (gid, groups) = match &user {
        Some(user) => {
            let name = CString::new(user.name.as_str()).map_err(|e| fail(e.into()))?;
            (user.gid, getgrouplist(&name, user.gid).map_err(|e| fail(e.into()))?)
        }
        None => (owner.gid, vec![owner.gid]),
    };
    // The groups first: whoever isn't root any more may not change them. libc changes all threads, not only this one.
    setgroups(&groups).map_err(|e| fail(e.into()))?;
    setresgid(gid, gid, gid).map_err(|e| fail(e.into()))?;
    setresuid(owner.uid, owner.uid, owner.uid).map_err(|e| fail(e.into()))?;
    let has_changed = || -> nix::Result<bool> {
        let (users, own_groups) = (getresuid()?, getresgid()?);
        let are_users = [users.real, users.effective, users.saved] == [owner.uid; 3];
        let are_groups = [own_groups.real, own_groups.effective, own_groups.saved] == [gid; 3];
        // And no capability is left that leads back.
        Ok(are_users && are_groups && setresuid(Uid::from_raw(0), Uid::from_raw(0), Uid::from_raw(0)).is_err())
    };
    if !has_changed().map_err(|e| fail(e.into()))? {
        return Err(fail(io::Error::other("the kernel said yes, and it is still root")));
    }
    close_memory();
    Ok(())
}

/// No other process of the same user may read the memory, where the secrets are (ptrace, `/proc/PID/mem`, a core file).
pub(crate) fn close_memory() {
    // Only an ancient kernel refuses.
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
}

/// Makes a missing state directory for its owner, whom no directory on the way tells. It appears whole: under another
/// name it is given away, then renamed, so a crash never leaves one that is root's, nor does a `notify` beside us find it.
pub(crate) fn make_state_dir(state_dir: &Path, uid: u32, gid: u32) -> io::Result<()> {
    let mut fresh = state_dir.as_os_str().to_owned();
    fresh.push(format!(".{}.new", std::process::id()));
    let fresh = PathBuf::from(fresh);
    fs::DirBuilder::new().mode(0o750).create(&fresh)?;
    // Root made it this instant, in a directory of root's: it isn't a link.
    let made = File::open(&fresh).and_then(|made| fchown(&made, Some(uid), Some(gid)));
    let made = made.and_then(|()| fs::rename(&fresh, state_dir));
    if made.is_err() {
        let _ = fs::remove_dir(&fresh);
    }
    made.and_then(|()| File::open(state_dir.parent().unwrap_or(Path::new("/")))?.sync_all())
}

/// What of the state directory is root's and closed to a user of this group: there no notification can be stored.
pub(crate) fn closed_by_root(state_dir: &Path, gid: u32) -> Option<PathBuf> {
    let is_closed = |found: &Metadata| {
        let (theirs, everybodys) = (found.gid() == gid && found.mode() & 0o030 == 0o030, found.mode() & 0o003 == 0o003);
        found.uid() == 0 && !theirs && !everybodys
    };
    let mut paths = ["", "spool/tmp", "spool/new"].into_iter().map(|inside| state_dir.join(inside));
    paths.find(|path| fs::symlink_metadata(path).is_ok_and(|found| is_closed(&found)))
}

/// Makes the runtime directory for a listener that root starts by hand: only root may make one in `/run`. Nothing is
/// done where it is there, or where somebody else decides what is.
pub(crate) fn make_runtime_dir(runtime_dir: &Path, owner: &Owner) {
    if other_owner(runtime_dir).is_none() && fs::create_dir(runtime_dir).is_ok() {
        // Root made it this instant, in a directory of root's: it is no link.
        let _ =
            File::open(runtime_dir).and_then(|made| fchown(&made, Some(owner.uid.as_raw()), Some(owner.gid.as_raw())));
    }
}

/// Reads what root's own files say for the time after: the configuration, and the files that it names for secrets,
/// as far as nobody but root decides what they are.
pub(crate) fn read_before(files: impl IntoIterator<Item = PathBuf>) {
    let read = files.into_iter().filter_map(|path| Some((path.clone(), own_file(&path)?)));
    let _ = READ_BEFORE.set(read.collect());
}

/// What is in a plain file of root's; or of systemd's, which mounts credentials read-only and gives them to the service.
pub(crate) fn own_file(path: &Path) -> Option<Vec<u8>> {
    let is_systemds =
        path.starts_with("/run/credentials") && !path.components().any(|part| part == Component::ParentDir);
    if !is_systemds && (other_owner(path).is_some() || objection(path).is_some()) || !fs::metadata(path).ok()?.is_file()
    {
        return None;
    }
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(FILE_BYTES_MAX).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// What root read of this file before it became somebody who may not.
pub(crate) fn was_read(path: &Path) -> Option<Vec<u8>> {
    READ_BEFORE.get()?.get(path).cloned()
}

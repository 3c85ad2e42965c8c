//! Display names of hosts and services, read from the core's `objects.cache`.
//!
//! openITCOCKPIT names its objects by UUID and exports the human name as `display_name`; its own command lines pass
//! only the UUID. The file is indexed once and again when it changes; never on the `notify` path.

use super::object_blocks::{Lines, MEMBERS_BYTES_MAX};
use crate::config::{Config, Core, CoreKind};
use crate::model::notification::{Notification, clean_line, is_uuid};
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The path of openITCOCKPIT's object cache.
const OPENITCOCKPIT: &str = "/opt/openitc/nagios/var/objects.cache";
/// A larger file isn't read: a million services are about 800 MB.
pub(super) const FILE_BYTES_MAX: u64 = 1 << 30;

/// The display names of each core's objects, remembered as long as the file stays the same.
#[derive(Debug, Default)]
pub(crate) struct DisplayNames {
    files: HashMap<PathBuf, Index>,
}

#[derive(Debug)]
struct Index {
    modified: Option<SystemTime>,
    bytes: u64,
    names: Names,
}

/// Display names of a core's objects; only those that differ from the core's names.
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// The display names, by host and service; the service is empty for a host.
    pub(crate) labels: HashMap<(String, String), String>,
    /// By host: what isn't shown, but rules and routes go by it, too.
    aliases: HashMap<String, String>,
}

impl Names {
    /// A host's display name with an empty service, else the service's.
    pub(crate) fn label(&self, host: &str, service: &str) -> Option<&String> {
        self.labels.get(&(host.to_owned(), service.to_owned()))
    }

    pub(crate) fn alias(&self, host: &str) -> Option<&String> {
        self.aliases.get(host)
    }

    pub(super) fn aliases(&self) -> impl Iterator<Item = (&String, &String)> {
        self.aliases.iter()
    }

    pub(super) fn put(&mut self, (host, service): (String, String), label: &str) {
        let label = clean_line(label);
        let own = if service.is_empty() { &host } else { &service };
        if !host.is_empty() && !label.is_empty() && label != *own {
            self.labels.insert((host, service), label);
        }
    }

    pub(super) fn put_alias(&mut self, host: &str, alias: &str) {
        let alias = clean_line(alias);
        if !alias.is_empty() && alias != host {
            self.aliases.insert(host.to_owned(), alias);
        }
    }
}

impl DisplayNames {
    /// Fills in the display names that the notification doesn't have, where the core's file knows them.
    pub(crate) fn fill(&mut self, notification: &mut Notification, config: &Config) {
        let service_done = notification.service.as_ref().is_none_or(|service| service.display_name.is_some());
        if notification.host.display_name.is_some() && service_done {
            return;
        }
        let Some(path) = objects_file(notification, config) else {
            return;
        };
        let Some(index) = self.index(&path) else {
            return;
        };
        let host = notification.host.name.clone();
        if notification.host.display_name.is_none() {
            notification.host.display_name = index.names.label(&host, "").cloned();
        }
        if let Some(service) = notification.service.as_mut().filter(|service| service.display_name.is_none()) {
            service.display_name = index.names.label(&host, &service.name).cloned();
        }
    }

    /// Display names of a core's objects; `None` where the core has no such file.
    pub(crate) fn of_core(&mut self, core: &Core) -> Option<&Names> {
        let path = super::paths::Paths::find(core).objects_file?;
        self.index(&path).map(|index| &index.names)
    }

    fn index(&mut self, path: &Path) -> Option<&Index> {
        let metadata = fs::metadata(path).ok()?;
        let (modified, bytes) = (metadata.modified().ok(), metadata.len());
        let known = self.files.get(path).is_some_and(|index| index.modified == modified && index.bytes == bytes);
        if !known {
            let file = File::open(path).ok()?;
            let names = read(file.take(FILE_BYTES_MAX));
            self.files.insert(path.to_owned(), Index { modified, bytes, names });
        }
        self.files.get(path)
    }
}

/// The file of the notification's core; openITCOCKPIT's usual one also without configuration.
fn objects_file(notification: &Notification, config: &Config) -> Option<PathBuf> {
    let core = config.cores.iter().find(|core| core.name == notification.core);
    if let Some(path) = core.and_then(|core| core.objects_file.clone()) {
        return Some(path);
    }
    let is_openitcockpit = core.is_some_and(|core| core.kind == CoreKind::OpenItCockpit);
    (is_openitcockpit || (core.is_none() && is_uuid(&notification.host.name))).then(|| PathBuf::from(OPENITCOCKPIT))
}

/// A piece of `objects.cache`: `define KIND {`, a line `\tkey\tvalue`, `}`.
#[derive(Debug, Clone, Copy)]
pub(super) enum Piece<'a> {
    Start(&'a [u8]),
    Field(&'a str, &'a str),
    End,
}

/// Walks the file's blocks of the wanted kinds; any other bytes are passed over.
pub(super) fn walk(file: impl Read, kinds: &[&[u8]], mut take: impl FnMut(Piece<'_>)) -> std::io::Result<()> {
    let mut lines = Lines::up_to(MEMBERS_BYTES_MAX, file);
    let mut is_wanted = false;
    while let Some(line) = lines.next()? {
        if let Some(kind) = line.strip_prefix(b"define ").and_then(|rest| rest.strip_suffix(b" {")) {
            is_wanted = kinds.contains(&kind);
            if is_wanted {
                take(Piece::Start(kind));
            }
        } else if line == b"}" {
            if std::mem::take(&mut is_wanted) {
                take(Piece::End);
            }
        } else if is_wanted {
            let text = String::from_utf8_lossy(line);
            let (key, value) = text.split_once(['\t', ' ']).unwrap_or((&text, ""));
            take(Piece::Field(key, value.trim()));
        }
    }
    Ok(())
}

/// The names in the file.
pub(crate) fn read(file: impl Read) -> Names {
    let mut names = Names::default();
    let mut block = Block::default();
    // The part that was read before an error counts; the next change of the file reads it again.
    let _ = walk(file, &[b"host", b"service"], |piece| match piece {
        Piece::Start(_) => block = Block::default(),
        Piece::Field(key, value) => block.add(key, value),
        Piece::End => {
            let Block { host, service, display_name, alias } = std::mem::take(&mut block);
            names.put_alias(&host, &alias);
            names.put((host, service), &display_name);
        }
    });
    names
}

#[derive(Default)]
struct Block {
    host: String,
    service: String,
    display_name: String,
    /// A service has none.
    alias: String,
}

impl Block {
    fn add(&mut self, key: &str, value: &str) {
        match key {
            "host_name" => value.clone_into(&mut self.host),
            "service_description" => value.clone_into(&mut self.service),
            "display_name" => value.clone_into(&mut self.display_name),
            "alias" => value.clone_into(&mut self.alias),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_names_are_found_by_host_and_service() {
        let file = b"define timeperiod {\n\tdisplay_name\tno\n\t}\ndefine host {\n\thost_name\tu-1\n\talias\tWeb server 1\n\tdisplay_name\tWeb 01\n\t}\n\n\
            define service {\n\thost_name\tu-1\n\tservice_description\tu-2\n\tdisplay_name\tDisk /\n\t}\n\
            define service {\n\thost_name\tu-1\n\tservice_description\tsame\n\tdisplay_name\tsame\n\t}\n\xff\xfe\n";
        let names = read(&file[..]);
        assert_eq!(names.label("u-1", "").map(String::as_str), Some("Web 01"));
        assert_eq!(names.label("u-1", "u-2").map(String::as_str), Some("Disk /"));
        assert_eq!(names.labels.len(), 2);
        assert_eq!((names.alias("u-1").map(String::as_str), names.alias("u-2")), (Some("Web server 1"), None));
    }
}

//! Who belongs to an object, from the core's `objects.cache`: its contacts, by name or by a group. Without that file
//! Livestatus is asked.
//!
//! The file is read when an object is asked about for the first time, and again when it changes: a core writes it when
//! it starts or reloads. Contacts and groups are kept, of the objects only those that were asked about.

use super::livestatus;
use super::members;
use super::objects::{FILE_BYTES_MAX, Piece, walk};
use super::paths::Paths;
use super::relay;
use crate::config::Core;
use crate::model::object::Object;
use crate::rules::authorise::Contact;
use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// So many objects are remembered; beyond that all are forgotten and asked for anew.
const OBJECTS_MAX: usize = 10_000;

/// The contacts of each core, remembered as long as its file stays the same.
#[derive(Debug, Default)]
pub(crate) struct Contacts {
    files: HashMap<PathBuf, Known>,
}

#[derive(Debug, Default)]
struct Known {
    stamp: Option<(SystemTime, u64)>,
    /// In the file's order; `is_objects` is not set here.
    contacts: Vec<Contact>,
    /// A group's members.
    groups: HashMap<String, Vec<String>>,
    /// By host and service; the service is empty for a host.
    owners: HashMap<(String, String), Owners>,
}

/// An object's contacts and contact groups.
#[derive(Debug, Clone, Default)]
struct Owners {
    contacts: Vec<String>,
    groups: Vec<String>,
}

impl Contacts {
    /// All contacts of the core, each with whether it belongs to the object; `None` where that isn't known, as there
    /// is no file. [`Contacts::prepare`] first when many objects are asked about.
    pub(crate) fn of(&mut self, core: &Core, object: &Object) -> Option<Vec<Contact>> {
        if let Some(members) = members::several(core) {
            return members.iter().find_map(|member| self.of(member, object));
        }
        if core.is_remote() {
            return relay::contacts(core, object);
        }
        let paths = Paths::find(core);
        if let (None, Some(address)) = (&paths.objects_file, &paths.livestatus) {
            return livestatus::contacts(address, object);
        }
        let known = self.learn(core, std::slice::from_ref(object))?;
        let owners = known.owners.get(&key(object)).cloned().unwrap_or_default();
        let in_groups = owners.groups.iter().filter_map(|group| known.groups.get(group)).flatten();
        let own: HashSet<&String> = owners.contacts.iter().chain(in_groups).collect();
        let with = |contact: &Contact| Contact { is_objects: own.contains(&contact.name), ..contact.clone() };
        Some(known.contacts.iter().map(with).collect())
    }

    /// Reads what must be known of these objects, in one pass over the file.
    pub(crate) fn prepare(&mut self, core: &Core, objects: &[Object]) {
        self.learn(core, objects);
    }

    fn learn(&mut self, core: &Core, objects: &[Object]) -> Option<&Known> {
        let path = Paths::find(core).objects_file?;
        let metadata = fs::metadata(&path).ok()?;
        let stamp = metadata.modified().ok().map(|modified| (modified, metadata.len()));
        let known = self.files.entry(path.clone()).or_default();
        let is_fresh = stamp.is_some() && known.stamp == stamp;
        if !is_fresh || objects.iter().any(|object| !known.owners.contains_key(&key(object))) {
            if !is_fresh || known.owners.len() + objects.len() > OBJECTS_MAX {
                known.owners.clear();
            }
            // An object that isn't in the file has no contacts, and is not looked up again.
            known.owners.extend(objects.iter().map(|object| (key(object), Owners::default())));
            known.stamp = read(&path, known).ok().and(stamp);
        }
        Some(known)
    }
}

fn key(object: &Object) -> (String, String) {
    (object.host.clone(), object.service.clone().unwrap_or_default())
}

/// A block as it is read; which fields count depends on its kind.
#[derive(Default)]
struct Block {
    is_contact: bool,
    is_group: bool,
    host: String,
    service: String,
    name: String,
    email: Option<String>,
    cannot_submit: bool,
    members: Vec<String>,
    owners: Owners,
}

fn read(path: &Path, known: &mut Known) -> std::io::Result<()> {
    let file = File::open(path)?.take(FILE_BYTES_MAX);
    known.contacts.clear();
    known.groups.clear();
    let mut block = Block::default();
    walk(file, &[b"host", b"service", b"contact", b"contactgroup"], |piece| match piece {
        Piece::Start(kind) => {
            block = Block { is_contact: kind == b"contact", is_group: kind == b"contactgroup", ..Block::default() };
        }
        Piece::Field(key, value) => block.add(key, value),
        Piece::End => std::mem::take(&mut block).put(known),
    })
}

impl Block {
    fn add(&mut self, key: &str, value: &str) {
        let list = || value.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect();
        match key {
            "host_name" => value.clone_into(&mut self.host),
            "service_description" => value.clone_into(&mut self.service),
            "contact_name" | "contactgroup_name" => value.clone_into(&mut self.name),
            "email" => self.email = Some(value.to_owned()).filter(|email| !email.is_empty()),
            "can_submit_commands" => self.cannot_submit = value == "0",
            "members" if self.is_group => self.members = list(),
            "contacts" => self.owners.contacts = list(),
            "contact_groups" => self.owners.groups = list(),
            _ => {}
        }
    }

    fn put(self, known: &mut Known) {
        if self.is_contact {
            let can_submit_commands = !self.cannot_submit;
            known.contacts.push(Contact { name: self.name, email: self.email, can_submit_commands, is_objects: false });
        } else if self.is_group {
            known.groups.insert(self.name, self.members);
        } else if let Some(owners) = known.owners.get_mut(&(self.host, self.service)) {
            *owners = self.owners;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAGIOS: &str = include_str!("../../tests/samples/nagios-4.4.6-objects.cache");

    fn object(host: &str, service: Option<&str>) -> Object {
        Object { core: String::new(), host: host.into(), service: service.map(str::to_owned) }
    }

    /// The names of those who belong to it.
    fn own(contacts: &mut Contacts, core: &Core, object: &Object) -> Vec<String> {
        let all = contacts.of(core, object).unwrap();
        all.into_iter().filter(|contact| contact.is_objects).map(|contact| contact.name).collect()
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(text in "(define (host|service|contact|contactgroup) \\{\n|\t\\}\n|\t(host_name|members|contacts|email)\t?.{0,9}\n|.{0,9}\n){0,20}") {
            let file = tempfile::NamedTempFile::new().unwrap();
            fs::write(file.path(), text).unwrap();
            let core = Core { objects_file: Some(file.path().to_owned()), ..Core::default() };
            proptest::prop_assert!(Contacts::default().of(&core, &object("a", None)).is_some());
        }
    }

    #[test]
    fn contacts_belong_by_name_and_by_group() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("objects.cache");
        let more = "define contact {\n\tcontact_name\tbob\n\temail\tbob@example.com\n\tcan_submit_commands\t0\n\t}\n\
            define service {\n\thost_name\tdb01\n\tservice_description\tBackup\n\tcontacts\tbob\n\t}\n";
        fs::write(&path, format!("{NAGIOS}{more}")).unwrap();
        let core = Core { objects_file: Some(path.clone()), ..Core::default() };
        let mut contacts = Contacts::default();
        contacts.prepare(&core, &[object("web01", Some("Disk")), object("db01", None)]);
        assert_eq!(own(&mut contacts, &core, &object("web01", Some("Disk"))), ["alice"]);
        assert_eq!(own(&mut contacts, &core, &object("web01", Some("HTTP"))), ["alice"]);
        assert_eq!(own(&mut contacts, &core, &object("web01", None)), ["alice"]);
        assert_eq!(own(&mut contacts, &core, &object("db01", Some("Backup"))), ["bob"]);
        assert!(own(&mut contacts, &core, &object("nohost", None)).is_empty());
        let all = contacts.of(&core, &object("web01", None)).unwrap();
        assert_eq!(all[0].email.as_deref(), Some("alice@example.com"));
        assert_eq!([all[0].can_submit_commands, all[1].can_submit_commands], [true, false]);
        // A reload of the core.
        fs::write(&path, format!("{NAGIOS}{}", more.replace("contacts\tbob", "contacts\talice, bob"))).unwrap();
        assert_eq!(own(&mut contacts, &core, &object("db01", Some("Backup"))), ["alice", "bob"]);
        fs::remove_file(&path).unwrap();
        assert_eq!(contacts.of(&core, &object("web01", None)), None);
    }
}

//! The core's own escalations, of its file of objects: `define serviceescalation` and `define hostescalation`.

use super::object_blocks::{Lines, MEMBERS_BYTES_MAX};
use super::paths::Paths;
use crate::config::Core;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;

/// So many objects are remembered.
const OBJECTS_MAX: usize = 10_000;

/// The objects that the core escalates: host, and service unless it is the host itself. Nothing where the file can't be read.
pub(crate) fn read(core: &Core) -> BTreeSet<(String, Option<String>)> {
    let file = Paths::find(core).objects_file.and_then(|path| File::open(path).ok());
    file.map(of_file).unwrap_or_default()
}

/// In the core's own file each definition names one object, whatever the administrator wrote.
fn of_file(file: impl Read) -> BTreeSet<(String, Option<String>)> {
    let mut lines = Lines::up_to(MEMBERS_BYTES_MAX, file);
    let mut found = BTreeSet::new();
    let (mut is_one, mut host, mut service) = (false, None, None);
    while let Ok(Some(line)) = lines.next() {
        let line = String::from_utf8_lossy(line);
        if let Some(kind) = line.strip_prefix("define ") {
            is_one = ["serviceescalation", "hostescalation"].iter().any(|name| kind.starts_with(name));
            (host, service) = (None, None);
        } else if is_one && line == "}" {
            found.extend(host.take().map(|host| (host, service.take())));
            is_one = false;
        } else if is_one && let Some((key, value)) = line.split_once(char::is_whitespace) {
            match key {
                "host_name" => host = Some(value.trim().to_owned()),
                "service_description" => service = Some(value.trim().to_owned()),
                _ => {}
            }
        }
        if found.len() >= OBJECTS_MAX {
            break;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::of_file;

    #[test]
    fn each_escalation_of_the_objects_file_names_its_object() {
        let text = "define service {\n\thost_name\ta\n\t}\ndefine serviceescalation {\n\thost_name\tweb 01\n\tservice_description\tDisk /\n\t\
            first_notification\t2\n\t}\ndefine hostescalation {\n\thost_name\tdb01\n\t}\n";
        let found: Vec<_> = of_file(text.as_bytes()).into_iter().collect();
        assert_eq!(found, [("db01".to_owned(), None), ("web 01".to_owned(), Some("Disk /".to_owned()))]);
    }
}

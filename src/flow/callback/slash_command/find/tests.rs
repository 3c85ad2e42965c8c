//! Names as people write them, and the objects that are found.

use super::*;
use crate::rules::authorise::{Caller, Person, Right};
use std::fmt::Write as _;

fn core(directory: &std::path::Path, services: &[(&str, &str)]) -> Core {
    let mut text = "info {\n\tcreated=1\n\t}\n".to_owned();
    for (host, service) in services {
        if service.is_empty() {
            write!(text, "hoststatus {{\n\thost_name={host}\n\tcurrent_state=0\n\t}}\n").unwrap();
        } else {
            write!(text, "servicestatus {{\n\thost_name={host}\n\tservice_description={service}\n\t}}\n").unwrap();
        }
    }
    let path = directory.join("status.dat");
    std::fs::write(&path, text).unwrap();
    Core { status_file: Some(path), ..Core::default() }
}

/// As somebody who may see everything.
fn found(tokens: &[String], cores: &[Core]) -> Result<Found, String> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ackbell.toml");
    std::fs::write(&path, "[slack]\nwebhook_url = \"https://hooks.slack.com/services/T1/B1/x\"\n").unwrap();
    let env = crate::system::environment::Environment::default();
    let config = std::sync::Arc::new(crate::config::load(Some(&path), &env).unwrap().0);
    let person = Person { team_id: "T1".into(), is_guest: Some(false), ..Person::default() };
    let caller = Caller { person, team_id: "T1".into(), channel: None, acts: true };
    let permission = caller.admit(&config.access).unwrap().ask(Right::View).unwrap();
    object(tokens, cores, &mut AccessLookup::new(std::sync::Arc::clone(&config), env), &permission)
}

#[test]
fn names_are_found_as_people_write_them() {
    let directory = tempfile::tempdir().unwrap();
    let objects = [("web01", ""), ("web01", "Disk C:"), ("web01", "a/b"), ("db 1", ""), ("Db01", "MySQL")];
    let cores = [core(directory.path(), &objects)];
    let ask = |text: &str| {
        let tokens: Vec<String> = text.split(' ').map(str::to_owned).collect();
        found(&tokens, &cores).map(|one| (written(&one.object), tokens[one.tokens..].join(" ")))
    };
    for (text, name, rest) in [
        ("web01", "web01", ""),
        ("web01 is slow", "web01", "is slow"),
        ("web01/Disk C: is full", "web01/Disk C:", "is full"),
        ("web01/a/b", "web01/a/b", ""),
        ("db 1 gone", "db 1", "gone"),
        ("DB01/mysql", "Db01/MySQL", ""),
    ] {
        assert_eq!(ask(text), Ok((name.to_owned(), rest.to_owned())), "{text}");
    }
    assert_eq!(ask("we").unwrap_err(), "The monitoring has no \"we\". Did you mean `web01`?");
    assert_eq!(ask("wbe01").unwrap_err(), "The monitoring has no \"wbe01\". Did you mean `web01`?");
    assert_eq!(
        ask("web01/Disk").unwrap_err(),
        "The monitoring has no \"web01/Disk\". Did you mean `\"web01/Disk C:\"`?"
    );
    assert!(
        ask("nothing-like-it").unwrap_err().starts_with("The monitoring has no \"nothing-like-it\". See `problems`")
    );
}

#[test]
fn names_that_differ_in_case_are_two() {
    let directory = tempfile::tempdir().unwrap();
    let cores = [core(directory.path(), &[("DB1", ""), ("db1", "")])];
    let ask = |text: &str| found(&[text.to_owned()], &cores).map(|found| found.object.host);
    assert_eq!(ask("Db1").unwrap_err(), "Several objects have that name; write one exactly: `DB1` or `db1`.");
    assert_eq!((ask("DB1"), ask("db1")), (Ok("DB1".to_owned()), Ok("db1".to_owned())));
}

#[test]
fn a_display_name_finds_its_object() {
    let directory = tempfile::tempdir().unwrap();
    let (host, service) = ("5a1c0000-0000-4000-8000-000000000001", "7b2d0000-0000-4000-8000-000000000002");
    let mut one = core(directory.path(), &[(host, ""), (host, service)]);
    let objects = format!(
        "define host {{\n\thost_name\t{host}\n\tdisplay_name\tWeb 01\n\t}}\n\
         define service {{\n\thost_name\t{host}\n\tservice_description\t{service}\n\tdisplay_name\tDisk C:\n\t}}\n"
    );
    let path = directory.path().join("objects.cache");
    std::fs::write(&path, objects).unwrap();
    one.objects_file = Some(path);
    let tokens = ["web", "01/disk", "c:", "is", "full"].map(str::to_owned);
    let found = found(&tokens, &[one]).unwrap();
    assert_eq!((found.object.service.as_deref(), found.tokens), (Some(service), 3));
}

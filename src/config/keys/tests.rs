use super::*;
use crate::config::{Problem, load};
use crate::system::environment::Environment;
use std::collections::BTreeSet;

/// What the readers say of a file with this text.
fn problems(text: &str) -> Vec<Problem> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ackbell.toml");
    std::fs::write(&path, text).unwrap();
    match load(Some(&path), &Environment::default()) {
        Ok((_, warnings)) => warnings,
        Err(e) => e.problems(),
    }
}

fn written(section: &Section, line: &str) -> String {
    match section.header {
        "" => format!("{line}\n"),
        "[route.match]" => format!("[[route]]\nmatch = {{ {line} }}\n"),
        header => format!("{header}\n{line}\n"),
    }
}

#[test]
fn every_key_that_is_read_is_told_and_no_other() {
    for section in &SECTIONS {
        let found = problems(&written(section, "qqqqqqqq = 1"));
        let remedies: Vec<&str> = found.iter().filter_map(|problem| problem.remedy.as_deref()).collect();
        let read = remedies.iter().find_map(|remedy| remedy.strip_prefix("known here: ")).unwrap();
        let mut read: BTreeSet<&str> = read.split(", ").collect();
        let documented: BTreeSet<&str> = section.keys.iter().map(|key| key.name).collect();
        if section.header.is_empty() {
            // Tables are sections of their own.
            read.retain(|name| !SECTIONS.iter().any(|other| other.header.trim_matches(['[', ']']) == *name));
            let named = ["integrations", "cores", "formatters", "oncall"];
            assert_eq!(read.iter().filter(|name| named.contains(name)).count(), named.len());
            read.retain(|name| !named.contains(name));
        }
        let inner = |name: &str| format!("{}.{name}]", section.header.trim_end_matches(']'));
        if section.header == "[curve]" {
            read.retain(|name| !SECTIONS.iter().any(|other| other.header == inner(name)));
        }
        assert_eq!(documented, read, "{}", section.header);
        assert_eq!(documented.len(), section.keys.len(), "{}: twice", section.header);
    }
}

#[test]
fn every_example_is_taken() {
    for section in &SECTIONS {
        for key in section.keys {
            let found = problems(&written(section, &format!("{} = {}", key.name, key.example)));
            // Alone in its table, much else is missing; files aren't there. The value itself is fine.
            let about_value = found.iter().find(|problem| {
                let (about, quoted) = (format!("{}: ", key.name), format!("\"{}\" in ", key.name));
                let is_about = problem.message.starts_with(&about) || problem.message.starts_with(&quoted);
                (is_about && !problem.message.contains("can't read") && !problem.message.contains("has no API"))
                    || problem.message.contains("unknown key")
            });
            assert_eq!(about_value, None, "{} {}", section.header, key.name);
        }
    }
}

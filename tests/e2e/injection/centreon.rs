//! Centreon Engine starts no shell: it deletes characters from every macro's value (`clean_macro_chars` in
//! `engine/src/macros.cc`), and cuts the line into arguments by itself (`common/process/src/process_args.cc`, before 2025
//! `clib/src/misc/command_line.cc`). Both are played here after that source: no real one could be run.

use crate::harness::process::{ACKBELL, text};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Command;

/// `illegal_macro_output_chars`, where nothing sets it.
const DELETED: &str = "`~$&|'\"<>";

/// The lines of the definitions: one for hosts, one for services.
fn lines() -> Vec<String> {
    let printed = text(&Command::new(ACKBELL).args(["commands", "centreon"]).output().unwrap().stdout);
    printed.lines().filter(|line| line.starts_with("/usr/bin/ackbell notify")).map(str::to_owned).collect()
}

/// A notification's line with its macros' values in it.
fn expanded(line: &str, value: impl Fn(&str) -> String) -> String {
    let mut parts = line.split('$');
    let mut made = parts.next().unwrap().to_owned();
    while let (Some(name), Some(rest)) = (parts.next(), parts.next()) {
        made.extend(value(name).chars().filter(|c| !c.is_ascii_control() && !DELETED.contains(*c)));
        made.push_str(rest);
    }
    made
}

/// Cuts a line; `None` where the engine says `missing separator` and starts nothing. A backslash takes what follows it,
/// inside of both kinds of quotes as well.
fn arguments(line: &str) -> Option<Vec<String>> {
    let (mut found, mut current, mut quote) = (Vec::new(), None::<String>, None);
    let mut rest = line.chars();
    while let Some(c) = rest.next() {
        match (c, quote) {
            ('\\', _) => {
                let escaped = rest.next()?;
                let known =
                    "nrtabvf".find(escaped).map(|at| ['\n', '\r', '\t', '\u{7}', '\u{8}', '\u{b}', '\u{c}'][at]);
                current.get_or_insert_default().push(known.unwrap_or(escaped));
            }
            (c, Some(open)) if c == open => quote = None,
            ('\'' | '"', None) => {
                quote = Some(c);
                current.get_or_insert_default();
            }
            (c, None) if c.is_ascii_whitespace() => found.extend(current.take()),
            (c, _) => current.get_or_insert_default().push(c),
        }
    }
    found.extend(current);
    quote.is_none().then_some(found)
}

/// What is kept when the line is run with these values; `None` where nothing is started.
fn kept(line: &str, directory: &Path, value: impl Fn(&str) -> String) -> Option<Value> {
    let words = arguments(&expanded(line, value))?;
    let state = directory.join("state");
    let mut command = Command::new(ACKBELL);
    command
        .args(&words[1..])
        .env_clear()
        .env("ACKBELL_STATE_DIR", &state)
        .env("ACKBELL_CONFIG", directory.join("none.toml"));
    let done = command.output().unwrap();
    assert!(done.status.success(), "{}", text(&done.stderr));
    let mut entries: Vec<_> = fs::read_dir(state.join("spool/new")).unwrap().flatten().collect();
    assert_eq!(entries.len(), 1);
    serde_json::from_slice(&fs::read(entries.pop().unwrap().path()).unwrap()).ok()
}

/// Text that wants to end its argument and to add others, with a backslash at its end.
fn hostile(name: &str) -> String {
    match name {
        "NOTIFICATIONTYPE" => "PROBLEM".to_owned(),
        "HOSTNAME" => "web01".to_owned(),
        "SERVICEDESC" => "Disk".to_owned(),
        "CONTACTNAME" => "slack".to_owned(),
        _ if name.ends_with("ID") || name.ends_with("NUMBER") || name.contains("ATTEMPT") => "2".to_owned(),
        _ if name.ends_with("SEC") || name.ends_with("CHANGE") || name == "TIMET" => "1795234400".to_owned(),
        _ => format!("{name}' --to '#elsewhere' --hostname \"other\" \\"),
    }
}

#[test]
fn no_text_adds_an_argument_or_loses_a_notification_on_a_centreon() {
    let lines = lines();
    assert_eq!(lines.len(), 2);
    for line in &lines {
        let directory = tempfile::tempdir().unwrap();
        let kept = kept(line, directory.path(), hostile).expect("the engine starts it");
        let shown = kept.to_string();
        let entry = kept.get("notification").unwrap_or(&kept);
        assert_eq!(entry["host"]["name"], "web01", "{shown}");
        assert!(entry["to"].as_array().is_none_or(Vec::is_empty), "{shown}");
        let output = entry["output"].as_str().unwrap();
        assert!(output.ends_with("OUTPUT --to #elsewhere --hostname other"), "{output}");
        assert!(shown.contains("HOSTALIAS --to #elsewhere"), "{shown}");
    }
}

#[test]
fn the_played_engine_loses_a_notification_without_the_blank() {
    let line = lines().remove(1);
    assert!(
        arguments(&expanded(&line, |name| if name == "SERVICEOUTPUT" { "C:\\".into() } else { hostile(name) }))
            .is_some()
    );
    let bare = line.replace("$SERVICEOUTPUT$ '", "$SERVICEOUTPUT$'");
    let value = |name: &str| if name == "SERVICEOUTPUT" { "DISK C:\\".to_owned() } else { "2".to_owned() };
    assert_eq!(arguments(&expanded(&bare, value)), None, "missing separator");
    assert!(arguments(&expanded(&line, value)).unwrap().contains(&"DISK C: ".to_owned()));
    // Two such values, and what stands between them is arguments.
    let bare = bare.replace("$SERVICEPERFDATA$ '", "$SERVICEPERFDATA$'");
    let value = |name: &str| match name {
        "SERVICEOUTPUT" | "SERVICEPERFDATA" => "x\\".to_owned(),
        "LONGSERVICEOUTPUT" => " --to #elsewhere".to_owned(),
        _ => "2".to_owned(),
    };
    assert!(arguments(&expanded(&bare, value)).unwrap().contains(&"--to".to_owned()));
}

//! A core that passes what was received from Naemon 1.5.2 and Nagios 4.5.12 (`tests/samples/macros-as-received.txt`), and
//! a real shell: for the definitions of cores that can't be installed here.

use super::{LINES, hostile_prose};
use crate::harness::process::{ACKBELL, text};
use std::fs;
use std::path::Path;
use std::process::Command;

const RECEIVED: &str = include_str!("../../samples/macros-as-received.txt");

/// The shell lines of the definitions for a core.
fn lines(core: &str) -> Vec<String> {
    let printed = text(&Command::new(ACKBELL).args(["commands", core]).output().unwrap().stdout);
    let lines = printed.lines().filter_map(|line| Some(&line[line.find("/usr/bin/ackbell notify")?..]));
    lines.filter(|line| line.contains("--notificationtype")).map(str::to_owned).collect()
}

/// The value of a macro, with hostile text wherever somebody may write one. `deletes`: the main configuration says so.
fn value(name: &str, root: &Path, deletes: bool) -> String {
    let hostile = hostile_prose(root, &name.to_lowercase());
    let illegal = LINES.trim_end().rsplit_once('=').unwrap().1;
    let is_output = name.ends_with("OUTPUT") || name.ends_with("PERFDATA");
    match name {
        "NOTIFICATIONTYPE" => "CUSTOM".to_owned(),
        "HOSTNAME" | "SERVICEDESC" | "CONTACTNAME" => "plain".to_owned(),
        _ if name.ends_with("ID") || name.ends_with("NUMBER") || name.contains("ATTEMPT") => "1".to_owned(),
        _ if name.ends_with("SEC") || name.ends_with("CHANGE") || name == "TIMET" => "1795234400".to_owned(),
        _ if is_output && !deletes => "no answer".to_owned(),
        _ if deletes && (is_output || name.contains("ACK")) => {
            hostile.chars().filter(|c| !illegal.contains(*c)).collect()
        }
        _ => hostile,
    }
}

/// As a core does it: macros first, then the shell. The canaries, and how many notifications are kept.
fn run(line: &str, root: &Path, deletes: bool) -> (usize, usize) {
    let mut parts = line.split('$');
    let mut made =
        parts.next().unwrap().replace("/usr/bin/ackbell", &format!("{ACKBELL} --config {}/none.toml", root.display()));
    while let (Some(name), Some(rest)) = (parts.next(), parts.next()) {
        made.push_str(&value(name, root, deletes));
        made.push_str(rest);
    }
    let state = root.join("state");
    let mut shell = Command::new("/bin/sh");
    let _ =
        shell.args(["-c", &made]).env_clear().env("PATH", "/usr/bin:/bin").env("ACKBELL_STATE_DIR", &state).output();
    let entries = |path: &Path| fs::read_dir(path).into_iter().flatten().flatten().collect::<Vec<_>>();
    let canaries = entries(root).iter().filter(|e| e.file_name().to_string_lossy().starts_with("canary")).count();
    (canaries, entries(&state.join("spool/new")).len())
}

#[test]
fn no_text_is_a_command_on_a_core_that_passes_what_naemon_does() {
    // What the played core is played after.
    for core in ["Naemon 1.5.2", "Nagios 4.5.12"] {
        let of_core = RECEIVED.split("== ").find(|part| part.starts_with(core)).unwrap();
        assert!(
            of_core.contains("C=it is <b>&\"x\" | y `z` ~\nA=al`i$ce\nACK=it is bx  y z"),
            "{core} passes comments whole"
        );
    }
    for core in ["nagios", "naemon", "openitcockpit"] {
        let lines = lines(core);
        assert_eq!(lines.len(), 2, "{core}");
        for (line, deletes) in lines.iter().flat_map(|line| [(line, true), (line, false)]) {
            let directory = tempfile::tempdir().unwrap();
            assert_eq!(run(line, directory.path(), deletes), (0, 1), "{core}, deletes={deletes}: {line}");
        }
    }
}

#[test]
fn the_played_core_sees_what_was_wrong_with_the_definitions_before() {
    for (name, deletes) in [
        ("NOTIFICATIONCOMMENT", true),
        ("NOTIFICATIONAUTHOR", true),
        ("HOSTALIAS", true),
        ("SERVICEDISPLAYNAME", true),
        ("HOSTNOTESURL", true),
        ("CONTACTEMAIL", true),
        ("_HOSTTEAM", true),
        ("SERVICEACKCOMMENT", false),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let line = format!("/usr/bin/ackbell notify --hostname '$HOSTNAME$' --output x --comment '${name}$'");
        let (canaries, _) = run(&line, directory.path(), deletes);
        assert!(canaries > 0, "{name}");
    }
}

//! What people see at the terminal: whole texts.

use crate::harness::process::{ACKBELL, text};
use crate::harness::site::Site;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

fn bare(arguments: &[&str]) -> (Option<i32>, String, String) {
    let done = Command::new(ACKBELL).args(arguments).env_clear().output().unwrap();
    (done.status.code(), text(&done.stdout), text(&done.stderr))
}

#[test]
fn nothing_to_notify_is_said_and_leaves_nothing() {
    // Root makes the state directory of a core that is known.
    let site = Site::new("[core]\nkind = \"nagios\"\nmain_config = \"nagios.cfg\"\n");
    fs::write(site.dir.path().join("nagios.cfg"), "nagios_user=nobody\n").unwrap();
    fs::set_permissions(site.dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let said = "ackbell: nothing to notify: give at least --hostname and --output, or --from-env; see `ackbell notify --help`\n";
    for nothing in [&["notify"][..], &["notify", "--from-env"], &["notify", "--dry-run"]] {
        let done = site.run(nothing);
        assert_eq!(
            (done.status.code(), text(&done.stdout), text(&done.stderr)),
            (Some(64), String::new(), said.into())
        );
    }
    for nonsense in [&["nonsense"][..], &["notify", "--nonsense"]] {
        assert_eq!(site.run(nonsense).status.code(), Some(64));
    }
    assert!(!site.state("").exists());
    assert_eq!(
        site.run(&["notify", "--hostname", "web01", "--hoststate", "1", "--output", "x"]).status.code(),
        Some(0)
    );
    assert!(site.state("spool/new").exists(), "where there is something, it is made");
}

#[test]
fn a_command_definition_with_a_mistake_loses_nothing() {
    let site = Site::new("");
    let done = site.run(&[
        "notify",
        "--hostname",
        "web01",
        "--hostsate",
        "1",
        "--output",
        "three",
        "bare",
        "words",
        "--hoststate",
        "1",
    ]);
    assert_eq!(done.status.code(), Some(0));
    let said = text(&done.stderr);
    assert!(said.starts_with("ackbell: the command line has a mistake, the notification is taken all the same: unexpected argument '--hostsate' found; a similar argument exists: '--hoststate'\n"), "{said}");
    let file = fs::read_dir(site.state("spool/new")).unwrap().next().unwrap().unwrap().path();
    let entry: serde_json::Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    assert_eq!(entry["notification"]["output"], "three bare words");
    assert_eq!(entry["notification"]["host"], serde_json::json!({"name": "web01", "state": "DOWN"}));

    // Nor does one that leaves everything to the environment; and without that there is nothing to lose.
    let from_environment = ["notify", "--from-env", "--form-env"];
    let mut command = site.command(&from_environment);
    let done = command.env("NAGIOS_HOSTNAME", "web02").env("NAGIOS_HOSTSTATE", "DOWN").output().unwrap();
    assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
    let entries =
        fs::read_dir(site.state("spool/new")).unwrap().map(|file| fs::read_to_string(file.unwrap().path()).unwrap());
    let entry = entries.into_iter().find(|entry| entry.contains("web02")).unwrap();
    let entry: serde_json::Value = serde_json::from_str(&entry).unwrap();
    assert_eq!(entry["notification"]["host"], serde_json::json!({"name": "web02", "state": "DOWN"}));
    let nothing = site.run(&from_environment);
    assert_eq!(nothing.status.code(), Some(64));
    assert!(
        text(&nothing.stderr).starts_with("ackbell: unexpected argument '--form-env' found"),
        "{}",
        text(&nothing.stderr)
    );
}

#[test]
fn arguments_of_any_bytes_are_taken() {
    use std::os::unix::ffi::OsStrExt;
    let site = Site::new("");
    let mut command = site.command(&["notify", "--hostname", "web01", "--hoststate", "1", "--output"]);
    command
        .arg(std::ffi::OsStr::from_bytes(b"bad \xff\xfe utf8 \x1b[31m"))
        .arg("--long-output")
        .arg("-x".repeat(60_000));
    assert_eq!(command.status().unwrap().code(), Some(0));
    let file = fs::read_dir(site.state("spool/new")).unwrap().next().unwrap().unwrap().path();
    let entry: serde_json::Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    assert_eq!(entry["notification"]["output"], "bad \u{fffd}\u{fffd} utf8");
    assert_eq!(entry["notification"]["long_output"].as_str().unwrap().len(), 120_000);
}

#[test]
fn a_dry_run_shows_the_message_and_where_it_would_go() {
    let site = Site::new("[slack]\nbot_token = \"xoxb-1\"\nchannel = \"#ops\"\n");
    let done = site.run(&[
        "notify",
        "--dry-run",
        "--hostname",
        "web01",
        "--servicedesc",
        "Disk",
        "--servicestate",
        "2",
        "--output",
        "3% free",
        "--time",
        "1795234312",
    ]);
    assert_eq!(
        text(&done.stdout),
        "🔴 CRITICAL: Disk on web01\n┃ ┌─────────┐\n┃ │ 3% free │\n┃ └─────────┘\n┃ 2026-11-21 04:11:52 UTC\n\
         no routes are configured\n→ #ops by integration \"default\"\n(nothing was sent or kept)\n"
    );
    assert!(!site.state("").exists());
}

#[test]
fn the_configuration_is_written_checked_and_shown() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ackbell.toml");
    let path = path.to_str().unwrap();
    assert_eq!(bare(&["config", "init", path]).0, Some(0));
    assert_eq!(bare(&["--config", path, "config", "check"]), (Some(0), format!("{path} is good\n"), String::new()));
    let again = bare(&["config", "init", path]);
    assert_eq!((again.0, again.2), (Some(73), format!("ackbell: can't write {path}: File exists (os error 17)\n")));
    assert_eq!(
        bare(&["--config", "/gone.toml", "config", "check"]).2.lines().next().unwrap(),
        "ackbell: /gone.toml: can't read the configuration /gone.toml: No such file or directory (os error 2); write one with `ackbell config init FILE`"
    );
    let (code, shown, _) = bare(&["--config", path, "config", "show", "--json"]);
    assert_eq!(code, Some(0));
    assert!(serde_json::from_str::<serde_json::Value>(&shown).unwrap()["integrations"][0]["name"] == "default");
}

#[test]
#[ignore = "needs groff and man-db: tests/run"]
fn man_pages_come_from_the_same_definitions_and_groff_has_nothing_to_say() {
    let directory = tempfile::tempdir().unwrap();
    let (code, said, _) = bare(&["man", directory.path().to_str().unwrap()]);
    assert_eq!(code, Some(0), "{said}");
    let page = fs::read_to_string(directory.path().join("ackbell-notify.1")).unwrap();
    let help = bare(&["notify", "--help"]).1;
    for flag in help.split_whitespace().filter(|word| word.starts_with("--") && word.len() > 2) {
        let flag = flag.trim_end_matches([',', ']', ';', '.', ':']).replace('-', "\\-");
        assert!(page.contains(&flag), "{flag} is missing in the man page");
    }
    let mut names = Vec::new();
    for entry in fs::read_dir(directory.path()).unwrap().flatten() {
        let done =
            Command::new("groff").args(["-ww", "-Kutf8", "-Tutf8", "-t", "-man"]).arg(entry.path()).output().unwrap();
        assert_eq!((done.status.code(), text(&done.stderr)), (Some(0), String::new()), "{:?}", entry.path());
        let done =
            Command::new("man").args(["--warnings", "-l"]).arg(entry.path()).env("LC_ALL", "C.UTF-8").output().unwrap();
        assert_eq!((done.status.code(), text(&done.stderr)), (Some(0), String::new()), "{:?}", entry.path());
        let shown = text(&done.stdout);
        let footer = shown.trim_end().lines().next_back().unwrap();
        assert!(footer.starts_with(concat!("ackbell ", env!("CARGO_PKG_VERSION"), " ")), "{footer}");
        names.push(entry.file_name().into_string().unwrap());
    }
    for page in ["ackbell.1", "ackbell-setup.1", "ackbell-queue-list.1", "ackbell.toml.5"] {
        assert!(names.iter().any(|name| name == page), "{page}: {names:?}");
    }
    // What a page refers to is there.
    for name in &names {
        let page = fs::read_to_string(directory.path().join(name))
            .unwrap()
            .replace("\\fB", "")
            .replace("\\fR", "")
            .replace('\\', "");
        for word in page.split_whitespace().filter_map(|word| word.split_once("(1)").map(|(word, _)| word)) {
            let meant = format!("{word}.1");
            assert!(!meant.starts_with("ackbell") || names.contains(&meant), "{name} names {meant}");
        }
    }
}

#[test]
fn shells_take_their_completions() {
    let directory = tempfile::tempdir().unwrap();
    for (shell, asks) in [
        ("bash", "COMP_WORDS=(ackbell queue re); COMP_CWORD=2; _ackbell ackbell re queue; echo \"${COMPREPLY[@]}\""),
        ("zsh", "compdef >/dev/null 2>&1; whence -w _ackbell >/dev/null && echo retry"),
        ("fish", "complete -C 'ackbell queue re'"),
    ] {
        let script = bare(&["completions", shell]).1;
        assert!(script.contains("servicedesc"), "{shell}");
        let path = directory.path().join(shell);
        fs::write(&path, script).unwrap();
        let start = if shell == "zsh" { "autoload -U compinit; compinit -D; " } else { "" };
        let line = format!("{start}source {}; {asks}", path.display());
        match Command::new(shell).args(["-c", &line]).output() {
            Ok(done) => {
                assert_eq!(text(&done.stderr), "", "{shell}");
                assert!(text(&done.stdout).starts_with("retry"), "{shell}: {}", text(&done.stdout));
            }
            Err(e) => assert_ne!(shell, "bash", "{e}"),
        }
    }
}

#[test]
fn a_closed_pipe_is_no_failure() {
    let done = Command::new("sh")
        .args(["-c", &format!("{ACKBELL} preview --hostname h | true; {ACKBELL} completions bash | head -1")])
        .output()
        .unwrap();
    assert_eq!((done.status.code(), text(&done.stderr)), (Some(0), String::new()));
}

#[test]
fn a_preview_opens_in_slacks_own_builder() {
    let site = Site::new("[slack]\nbot_token = \"xoxb-1\"\nchannel = \"#ops\"\n");
    let done = site.run(&["preview", "--link", "--hostname", "web01", "--hoststate", "DOWN", "--output", "50% <lost>"]);
    let link = text(&done.stdout);
    let encoded = link.trim().strip_prefix("https://app.slack.com/block-kit-builder/#").unwrap();
    assert!(encoded.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~%".contains(&b)), "{encoded}");
    assert!(encoded.starts_with("%7B%22attachments%22%3A%5B") && encoded.contains("50%25%20%26lt%3Blost%26gt%3B"));
}

#[test]
fn a_name_that_commands_a_terminal_is_shown_and_not_obeyed() {
    let site =
        Site::new("[slack]\nwebhook_url = \"http://127.0.0.1:1/services/x\"\n[outbox]\ntime_budget = \"100ms\"\n");
    assert_eq!(site.run(&["notify", "--hostname", "web01", "--hoststate", "1"]).status.code(), Some(0));
    // A title, a screen that is cleared, hidden text, the same in one character, and what turns the reading direction.
    let name = "x\u{1b}]0;y\u{7}\u{1b}[2J\u{1b}[8m\u{9b}31m\u{202e}z";
    let entry = serde_json::json!({"at": 1, "step": "confirmed", "action": "acknowledge", "user": "U1", "name": name,
        "channel": "C1", "object": {"host": name, "service": name}, "commands": [name], "detail": name});
    let sql = format!(
        "INSERT INTO subscription (integration, channel, filter, person, name, at) VALUES ('default', 'C1', '', 'U1', '{name}', 1);
         INSERT INTO audit (entry, hash) VALUES ('{entry}', 'x');"
    );
    site.sql(&sql).unwrap();
    for verb in [
        &["queue", "subscriptions"][..],
        &["queue", "--json", "subscriptions"],
        &["audit"],
        &["audit", "--json"],
        &["queue", "list"],
    ] {
        let said = text(&site.run(verb).stdout);
        let commands = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
        assert!(!said.contains(commands), "{verb:?}: {said:?}");
        assert!(verb[0] == "queue" && verb[1] == "list" || said.contains('z'), "{verb:?}: {said}");
        if verb.contains(&"--json") {
            let value: serde_json::Value = serde_json::from_str(&said).unwrap();
            let read = if verb[0] == "audit" { &value["name"] } else { &value["subscriptions"][0]["name"] };
            assert_eq!(read, name, "JSON is what it was");
        }
    }
}

//! No secret in any log, error, process list or file of ours; no file readable by strangers; no process started.

use crate::door::Door;
use crate::harness::on_call::{OnCall, Way};
use crate::harness::process::{ACKBELL, text};
use crate::harness::sandbox::Sandbox;
use crate::harness::site::Site;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::Command;

const SECRETS: [&str; 6] = ["SECRETHOOK", "SECRETTOKEN", "SECRETAPP", "SECRETPROXY", "SECRETSIGN", "SECRETCLIENT"];
const ENVIRONMENT: [(&str, &str); 6] = [
    ("SLACK_WEBHOOK_URL", "https://x.invalid/services/SECRETHOOK"),
    ("SLACK_BOT_TOKEN", "xoxb-SECRETTOKEN"),
    ("SLACK_APP_TOKEN", "xapp-SECRETAPP"),
    ("HTTPS_PROXY", "http://u:SECRETPROXY@127.0.0.1:9"),
    ("SLACK_SIGNING_SECRET", "SECRETSIGN"),
    ("SLACK_APP_CLIENT_SECRET", "SECRETCLIENT"),
];
const VERBS: [&[&str]; 15] = [
    &["-vvv", "notify", "--hostname", "h", "--hoststate", "1", "--output", "x"],
    &["-vvv", "notify", "--no-such-option"],
    &["-vvv", "queue", "list"],
    &["queue", "--json", "list"],
    &["config", "show"],
    &["config", "check"],
    &["preview", "--hostname", "h"],
    &["preview", "--hostname", "h", "--explain"],
    &["doctor"],
    &["doctor", "--json"],
    &["check"],
    &["audit"],
    &["audit", "--json"],
    &["commands", "nagios"],
    &["-vvv", "queue", "flush"],
];

/// Everything these verbs say; no one of them may take longer than a delivery that fails.
fn said_by(site: &Site, environment: &[(&str, &str)]) -> String {
    let mut said = String::new();
    for arguments in VERBS {
        let mut command = Command::new("timeout");
        command.args(["4", ACKBELL, "--config"]).arg(site.config()).args(arguments);
        let done = command.env_clear().env("PATH", "/usr/bin:/bin").envs(environment.iter().copied()).output().unwrap();
        said += &(text(&done.stdout) + &text(&done.stderr));
    }
    said
}

#[track_caller]
fn assert_silent(said: &str) {
    for secret in SECRETS {
        assert!(!said.contains(secret), "{secret} in: {}", said.lines().find(|line| line.contains(secret)).unwrap());
    }
}

#[test]
#[ignore = "slow: tests/run"]
fn secrets_appear_nowhere() {
    let broken = "[slack]\nwebhook_url = \"https://x.invalid/services/SECRETHOOK\"\nbot_token = \"xoxb-SECRETTOKEN\"\n\
        app_token = \"xapp-SECRETAPP\"\nproxy = \"http://u:SECRETPROXY@127.0.0.1:9\"\nsigning_secret = \"SECRETSIGN\"\n\
        client_secret = \"SECRETCLIENT\"\nchannel = \"#ops\"\ntimeout = \"1s\"\n[outbox]\ntime_budget = \"2s\"\n";
    let site = Site::new(broken);
    let hook = Site::new(
        "[slack]\nwebhook_url = \"https://x.invalid/services/SECRETHOOK\"\nproxy = \"http://u:SECRETPROXY@127.0.0.1:9\"\n[outbox]\ntime_budget = \"2s\"\n",
    );
    let by_environment = Site::new("[slack]\nchannel = \"#ops\"\ntimeout = \"1s\"\n[outbox]\ntime_budget = \"2s\"\n");
    let mut said = String::new();
    for site in [&site, &hook] {
        said += &said_by(site, &[]);
        let listener = site.listen();
        said += &fs::read_to_string(format!("/proc/{}/cmdline", listener.0.id())).unwrap();
        said += &text(&site.run(&["check"]).stdout);
        said += &fs::read_to_string(site.state("listener.json")).unwrap();
        drop(listener);
        said += &site.log();
        for file in walk(&site.state("")).into_iter().filter(|path| path.is_file()) {
            said += &String::from_utf8_lossy(&fs::read(file).unwrap());
        }
    }
    said += &said_by(&by_environment, &ENVIRONMENT);
    // A mistake beside the secrets is shown with its line.
    site.configure(&broken.replace("channel", "chanel"));
    said += &said_by(&site, &[]);
    assert_silent(&said);
    assert!(said.contains("[redacted]"));
}

#[test]
fn no_page_help_or_door_tells_a_secret() {
    let pages = tempfile::tempdir().unwrap();
    let mut said = String::new();
    let mut run = |arguments: &[&str]| {
        let done = Command::new(ACKBELL).args(arguments).envs(ENVIRONMENT).output().unwrap();
        said += &(text(&done.stdout) + &text(&done.stderr));
        text(&done.stdout)
    };
    let help = run(&["--help"]);
    let verbs =
        help.split("Commands:").nth(1).unwrap().lines().filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    for verb in verbs.filter(|verb| *verb != "help" && verb.starts_with(|c: char| c.is_ascii_lowercase())) {
        assert!(run(&[verb, "--help"]).contains("Usage:"), "{verb}");
    }
    run(&["completions", "bash"]);
    run(&["man", pages.path().to_str().unwrap()]);
    for page in walk(pages.path()).into_iter().filter(|path| path.is_file()) {
        said += &fs::read_to_string(page).unwrap();
    }
    let door = Door::with("SECRETSIGN", "");
    for path in ["/healthz", "/metrics", "/slack/request", "/"] {
        said += &door.get(path);
    }
    said += &door.post("/slack/request", "payload=%7B%7D");
    assert!(said.contains("ackbell_http_total"), "{said}");
    assert_silent(&said);
}

/// The real core, a click, an answer: and then every file that there is.
#[test]
#[ignore = "needs nagios4 and root: tests/run"]
fn what_an_evening_leaves_is_the_cores_users_and_nobody_elses() {
    let night = OnCall::with_nagios(Way::Http, "");
    night.core.set("Disk", 2, "DISK CRITICAL - 3% free");
    let card = night.expect("CRITICAL: Disk on Web 01");
    card.click("acknowledge");
    night.wait_for_log("SERVICE NOTIFICATION: alice;web01;Disk;ACKNOWLEDGEMENT");
    let owner = fs::metadata(night.core.path("state")).unwrap().uid();
    assert_ne!(owner, 0, "the core has a user of its own");
    let left = walk(&night.core.path("state"));
    for path in &left {
        let found = fs::symlink_metadata(path).unwrap();
        let (mode, kind) = (found.mode() & 0o7777, found.file_type());
        // To write to a socket is all that can be done with it, and what is written there is a hint.
        let expected: &[u32] = if kind.is_file() { &[0o600, 0o640, 0o660] } else { &[0o750, 0o770, 0o2770] };
        assert!(expected.contains(&mode), "{} is {mode:o}", path.display());
        assert_eq!(found.uid(), owner, "{} is somebody else's", path.display());
        assert!(kind.is_dir() || kind.is_file() || kind.is_socket(), "{} is something else", path.display());
    }
    for name in ["ackbell.db", "deliver.lock", "listener.json", "wake", "spool/new", "spool/tmp"] {
        assert!(left.contains(&night.core.path("state").join(name)), "{name} is not among {left:?}");
    }
}

/// Nothing is looked up by a shell, and so nothing that anybody wrote is ever an argument: not one program is started.
#[test]
#[ignore = "needs strace: tests/run"]
fn neither_a_notification_nor_the_listener_starts_a_program() {
    let sandbox = Sandbox::start(&[]);
    let site = Site::with_webhook(&sandbox);
    let trace = site.dir.path().join("trace");
    let traced = |arguments: &[&str]| {
        let mut command = Command::new("strace");
        command
            .args(["-f", "-qq", "-e", "trace=execve,execveat,fork,vfork", "-o"])
            .arg(&trace)
            .args(["timeout", "3", ACKBELL]);
        let done = command.arg("--config").arg(site.config()).args(arguments).output().unwrap();
        let trace = fs::read_to_string(&trace).unwrap();
        // strace's own start of timeout, and timeout's of ackbell (it looks along PATH: failures don't count).
        let started = trace.lines().filter(|line| line.contains("execve") && line.ends_with("= 0")).count();
        assert_eq!(started, 2, "{arguments:?}: {trace}{}", text(&done.stderr));
    };
    let output = "$(id) `id` ; id | id & <!channel>";
    traced(&[
        "-vvv",
        "notify",
        "--hostname",
        "`id`",
        "--servicedesc",
        "$(id)",
        "--servicestate",
        "2",
        "--output",
        output,
    ]);
    site.service("PROBLEM", "`id`", "Load", "2", output);
    traced(&["listen"]);
    traced(&["doctor"]);
    assert_eq!(sandbox.messages().len(), 2);
}

/// What is in a directory, and below.
fn walk(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        found.push(entry.path());
        if entry.file_type().unwrap().is_dir() {
            found.extend(walk(&entry.path()));
        }
    }
    found
}

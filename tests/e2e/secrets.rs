//! No secret in any log, error, process list or file of ours; no file readable by strangers.

use crate::world::{Sandbox, Site, text};
use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

#[test]
fn secrets_appear_nowhere() {
    let sandbox = Sandbox::start(&[]);
    sandbox.tell("faults", &json!({"faults": [{"kind": "500", "times": 2}, {"kind": "redirect", "times": 1}]}));
    let secrets = ["SECRETHOOK", "xoxb-SECRETTOKEN", "SECRETPROXY", "SECRETSIGN"];
    let broken = "[slack]\nwebhook_url = \"https://x.invalid/services/SECRETHOOK\"\nbot_token = \"xoxb-SECRETTOKEN\"\n\
        proxy = \"http://u:SECRETPROXY@127.0.0.1:9\"\nsigning_secret = \"SECRETSIGN\"\nchannel = \"#ops\"\ntimeout = \"1s\"\n[outbox]\ntime_budget = \"2s\"\n";
    let site = Site::new(broken);
    let hook = Site::new(
        "[slack]\nwebhook_url = \"https://x.invalid/services/SECRETHOOK\"\nproxy = \"http://u:SECRETPROXY@127.0.0.1:9\"\n[outbox]\ntime_budget = \"2s\"\n",
    );
    let mut said = String::new();
    for site in [&site, &hook] {
        for arguments in [
            &["-vvv", "notify", "--hostname", "h", "--hoststate", "1"][..],
            &["-vvv", "queue", "list"],
            &["config", "show"],
            &["config", "check"],
            &["queue", "--json", "list"],
            &["preview", "--hostname", "h"],
            &["-vvv", "queue", "flush"],
        ] {
            let done = if arguments[2..].contains(&"flush") {
                let mut command = Command::new("timeout");
                command.args(["3", crate::world::ACKBELL, "--config"]).arg(site.config()).args(arguments);
                command.output().unwrap()
            } else {
                site.run(arguments)
            };
            said += &(text(&done.stdout) + &text(&done.stderr));
        }
        let listener = site.listen();
        said += &fs::read_to_string(format!("/proc/{}/cmdline", listener.0.id())).unwrap();
        drop(listener);
        said += &site.log();
        for file in walk(&site.state("")) {
            said += &String::from_utf8_lossy(&fs::read(file).unwrap());
        }
    }
    site.configure(&broken.replace("channel", "chanel").replace("[outbox]", "[outbox"));
    let check = site.run(&["config", "check"]);
    said += &(text(&check.stdout) + &text(&check.stderr));
    for secret in secrets {
        assert!(!said.contains(secret), "{secret} in: {}", said.lines().find(|line| line.contains(secret)).unwrap());
    }
    assert!(said.contains("[redacted]"));
}

#[test]
fn what_is_stored_is_nobody_elses_to_read() {
    let sandbox = Sandbox::start(&[]);
    let site = Site::with_webhook(&sandbox);
    let _listener = site.listen();
    site.service("PROBLEM", "web01", "Disk", "2", "x");
    sandbox.wait_for_messages(1);
    for file in walk(&site.state("")) {
        let mode = fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o007, 0, "{} is {mode:o}", file.display());
    }
}

fn walk(directory: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        match entry.file_type().unwrap() {
            kind if kind.is_dir() => files.extend(walk(&path)),
            kind if kind.is_file() => files.push(path),
            _ => {}
        }
    }
    files
}

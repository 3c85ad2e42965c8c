//! `notify` where little is allowed: memory, files, processes, no environment, no streams, two megabytes of arguments.

use crate::harness::process::{ACKBELL, text};
use crate::harness::sandbox::Sandbox;
use crate::harness::site::Site;
use std::process::Command;

/// Runs a shell's line, with `NOTIFY` as the program and its arguments.
fn shell(site: &Site, line: &str) -> (Option<i32>, String) {
    let notify = format!("{ACKBELL} --config {} notify --hostname h --hoststate 1", site.config().display());
    let done = Command::new("bash").args(["-c", &line.replace("NOTIFY", &notify)]).env_clear().output().unwrap();
    (done.status.code(), text(&done.stderr))
}

#[test]
#[ignore = "slow: tests/run"]
fn a_tight_limit_is_a_delivery_a_queued_one_or_a_plain_refusal() {
    let sandbox = Sandbox::start(&["--burst", "999"]);
    let limits: Vec<String> = [3, 4, 5, 6, 8, 10, 12, 16, 24]
        .map(|files| format!("ulimit -n {files}"))
        .into_iter()
        .chain([8, 16, 24, 32, 64, 128].map(|mib| format!("ulimit -v {}", mib * 1024)))
        .chain([0, 1, 8].map(|blocks| format!("ulimit -f {blocks}")))
        .chain(["ulimit -s 64", "ulimit -c 0", "ulimit -t 1"].map(str::to_owned))
        .collect();
    for limit in limits {
        let site = Site::with_webhook(&sandbox);
        let before = sandbox.messages().len();
        let (code, said) = shell(&site, &format!("{limit}; exec NOTIFY"));
        let arrived = sandbox.messages().len() - before;
        println!(
            "{limit}: {code:?}, {arrived} posted, {} in the spool: {}",
            site.spooled("new"),
            said.lines().next().unwrap_or_default()
        );
        assert!(!said.contains("panicked"), "{limit}: {said}");
        let kept = || site.spooled("new") + usize::from(site.state("ackbell.db").exists());
        match code {
            Some(0) => assert!(arrived + kept() >= 1, "{limit}: {said}"),
            // 73: said; 127, 126, 134, 139: the loader or the allocator ended it before or without a yes.
            Some(73 | 126 | 127) | None => {}
            other => panic!("{limit}: {other:?} {said}"),
        }
        // And nothing is left in the way of the next one; but for a minute's rest, where no certificate could be read.
        let rest = "UPDATE post SET due = 0; DELETE FROM pause";
        let _ = site.sql(rest);
        site.service("PROBLEM", "web01", "Disk", "2", "x");
        site.assert_all_delivered();
    }
}

#[test]
#[ignore = "needs root: tests/run"]
fn no_process_more_is_needed_to_make_it_durable() {
    use std::os::unix::process::CommandExt;
    let site = Site::new("[slack]\nwebhook_url = \"http://127.0.0.1:1/x\"\n[outbox]\ntime_budget = \"600ms\"\n");
    let everybody = |path: &std::path::Path, mode: &str| {
        assert!(Command::new("chmod").arg(mode).arg(path).status().unwrap().success());
    };
    std::fs::create_dir_all(site.state("")).unwrap();
    let ackbell = site.dir.path().join("ackbell");
    crate::harness::process::copy_ackbell(&ackbell);
    everybody(site.dir.path(), "0755");
    everybody(&site.config(), "0644");
    everybody(&site.state(""), "0777");
    // As somebody who may have no process or thread more than this one.
    let line = format!(
        "ulimit -u 1; exec {} --config {} notify --hostname h --hoststate 1",
        ackbell.display(),
        site.config().display()
    );
    let done = Command::new("bash").args(["-c", &line]).env_clear().uid(64_999).gid(64_999).output().unwrap();
    assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
    assert_eq!(site.queue()["waiting"].as_u64().unwrap() + site.spooled("new") as u64, 1, "{}", text(&done.stderr));
}

#[test]
fn no_environment_no_streams_and_a_reader_that_is_gone_change_nothing() {
    let sandbox = Sandbox::start(&["--burst", "99"]);
    let lines = [
        "unset HOME PATH USER LANG; exec NOTIFY",
        "exec NOTIFY <&-",
        "exec NOTIFY >&-",
        "exec NOTIFY 2>&-",
        "exec NOTIFY <&- >&- 2>&-",
        "NOTIFY 2>&1 | true; exit ${PIPESTATUS[0]}",
        "NOTIFY -vvv 2>&1 | head -c 1 >/dev/null; exit ${PIPESTATUS[0]}",
        "exec NOTIFY >/dev/full 2>/dev/full",
        "cd / && exec NOTIFY",
        "mkdir -p /tmp/gone.$$ && cd /tmp/gone.$$ && rmdir /tmp/gone.$$ && exec NOTIFY",
        "umask 0777; exec NOTIFY",
        "trap '' TERM HUP INT; exec NOTIFY",
    ];
    for (number, line) in lines.iter().enumerate() {
        let site = Site::with_webhook(&sandbox);
        let (code, said) = shell(&site, line);
        assert_eq!(code, Some(0), "{line}: {said}");
        assert_eq!(sandbox.messages().len(), number + 1, "{line}: {said}");
        site.assert_all_delivered();
    }
}

#[test]
fn two_megabytes_of_arguments_are_taken_and_cut() {
    let sandbox = Sandbox::start(&["--burst", "99"]);
    let site = Site::with_token(&sandbox, "");
    // The kernel takes 128 KiB a word, and words up to a quarter of the stack's limit.
    let word = "ü<!channel>& ".repeat(9_000);
    let mut command = site.command(&["notify", "--hostname", "web01", "--hoststate", "1", "--output", &word]);
    command.args(["--long-output", &word, "--perfdata", &word, "--comment", &word]);
    for number in 0..11 {
        command.arg("--var").arg(format!("V{number}={word}"));
    }
    let done = command.output().unwrap();
    assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
    site.assert_all_delivered();
    assert!(sandbox.texts()[0].starts_with("DOWN: web01"), "{:?}", sandbox.texts()[0].len());
    sandbox.assert_respected();
}

//! `kill -9` at every system call, and at random moments: what exited 0 arrives.

use crate::harness::process::{ACKBELL, Running, is_long, text};
use crate::harness::sandbox::Sandbox;
use crate::harness::site::Site;
use crate::harness::wait;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

const NOTIFY: [&str; 7] = ["notify", "--hostname", "web01", "--hoststate", "1", "--output", "x"];
/// Whatever changes a file or speaks to somebody.
const CALLS: &str = "openat,mkdir,mkdirat,write,writev,pread64,pwrite64,fsync,fdatasync,ftruncate,rename,renameat,renameat2,unlink,\
    unlinkat,fcntl,flock,close,sendto,connect,recvfrom,read,socket,fchmod";

/// Every system call of a run, counted: strace numbers each kind by itself.
pub(crate) fn calls(trace: &str) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for line in trace.lines() {
        let line = line.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ');
        if let Some((call, _)) =
            line.split_once('(').filter(|(call, _)| call.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
        {
            *counts.entry(call.to_owned()).or_default() += 1;
        }
    }
    counts
}

pub(crate) fn strace(site: &Site, options: &[&str], arguments: &[&str]) -> std::process::Output {
    let mut command = Command::new("strace");
    command.args(["-f", "-qq"]).args(options).arg(ACKBELL).arg("--config").arg(site.config()).args(arguments);
    // Named in the environment too, as an error may hit the reading of the configuration.
    command
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("ACKBELL_STATE_DIR", site.state(""))
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

pub(crate) fn traced(site: &Site, arguments: &[&str]) -> BTreeMap<String, usize> {
    let file = site.dir.path().join("trace");
    strace(site, &["-o", file.to_str().unwrap(), "-e", &format!("trace={CALLS}")], arguments);
    calls(&fs::read_to_string(file).unwrap())
}

/// How many runs were killed, of how many points; `check` looks at the site after each.
pub(crate) fn kill_everywhere(
    points: &BTreeMap<String, usize>,
    arguments: &[&str],
    make: impl Fn() -> Site,
    check: impl Fn(&Site, Option<i32>),
) {
    let (mut killed, mut tried) = (0, 0);
    for (call, count) in points {
        for when in 1..=*count {
            let site = make();
            let inject = format!("inject={call}:signal=KILL:when={when}");
            let done = strace(&site, &["-o", "/dev/null", "-e", &format!("trace={call}"), "-e", &inject], arguments);
            tried += 1;
            killed += usize::from(done.status.code().is_none_or(|code| code == 137));
            check(&site, done.status.code());
        }
    }
    println!("killed {killed} of {tried} at {points:?}");
    assert!(killed * 10 >= tried * 9, "the test must kill: {killed} of {tried}");
}

#[test]
#[ignore = "needs strace: tests/run"]
fn a_notify_killed_at_any_call_either_exited_0_and_arrives_or_left_nothing_in_the_way() {
    // A lock held elsewhere: the path with a listener running.
    let sandbox = Sandbox::start(&["--burst", "9999"]);
    let make = || {
        let site = Site::with_webhook(&sandbox);
        fs::create_dir_all(site.state("")).unwrap();
        site
    };
    let site = make();
    let lock = fs::File::create(site.state("deliver.lock")).unwrap();
    lock.lock().unwrap();
    let points = traced(&site, &NOTIFY);
    drop(lock);
    kill_everywhere(
        &points,
        &NOTIFY,
        || {
            let site = make();
            fs::write(site.state("deliver.lock"), "").unwrap();
            site
        },
        |site, code| {
            let before = sandbox.messages().len();
            let left = site.spooled("new");
            assert_eq!(site.run(&["queue", "flush"]).status.code(), Some(0));
            let arrived = sandbox.messages().len() - before;
            assert!(arrived >= left, "{arrived} of {left}");
            assert!(code != Some(0) || arrived + before > 0);
            assert_eq!(site.run(&NOTIFY).status.code(), Some(0), "the next one is unhindered");
            site.assert_all_delivered();
        },
    );
}

#[test]
#[ignore = "needs strace: tests/run"]
fn the_file_and_its_directory_are_synced_before_exit_0() {
    let site = Site::new("");
    assert_eq!(site.run(&NOTIFY).status.code(), Some(0));
    let file = site.dir.path().join("trace");
    strace(&site, &["-y", "-o", file.to_str().unwrap(), "-e", "trace=fdatasync,fsync,renameat"], &NOTIFY);
    let trace = fs::read_to_string(file).unwrap();
    let calls: Vec<&str> = trace.lines().filter(|line| line.contains("/spool/")).collect();
    assert_eq!(calls.len(), 3, "{trace}");
    assert!(calls[0].contains("fdatasync(") && calls[0].contains("/spool/tmp/"), "{trace}");
    assert!(calls[1].contains("renameat(") && calls[1].contains("/spool/new>"), "{trace}");
    assert!(calls[2].contains("fsync(") && calls[2].contains("/spool/new>"), "{trace}");
}

/// A site with one notification in its spool.
fn one_waits(sandbox: &Sandbox) -> Site {
    let site = Site::with_webhook(sandbox);
    crate::answers::spool(&site, 1, "web01", "#ops");
    for directory in ["spool/tmp", "spool/bad"] {
        fs::create_dir_all(site.state(directory)).unwrap();
    }
    site
}

#[test]
#[ignore = "needs strace: tests/run"]
fn a_delivery_killed_at_any_call_loses_nothing_and_doubles_at_most_once() {
    let sandbox = Sandbox::start(&["--burst", "9999"]);
    let make = || one_waits(&sandbox);
    let points = traced(&make(), &["queue", "flush"]);
    sandbox.tell("reset", &serde_json::json!({}));
    kill_everywhere(&points, &["queue", "flush"], make, |site, _| {
        let done = site.run(&["queue", "flush"]);
        assert_eq!(done.status.code(), Some(0), "{}{}", text(&done.stdout), text(&done.stderr));
        let arrived = sandbox.messages().len();
        assert!((1..=2).contains(&arrived), "{arrived}");
        site.assert_all_delivered();
        assert_eq!(site.sql("PRAGMA integrity_check").unwrap(), "ok");
        sandbox.tell("reset", &serde_json::json!({}));
    });
}

#[test]
#[ignore = "needs strace: tests/run"]
fn errors_at_every_call_of_notify_have_their_exit_code() {
    let site = Site::new("[slack]\nwebhook_url = \"http://127.0.0.1:1/services/x\"\n[outbox]\ntime_budget = \"1s\"\n");
    fs::create_dir_all(site.state("")).unwrap();
    let lock = fs::File::create(site.state("deliver.lock")).unwrap();
    lock.lock().unwrap();
    let points = traced(&site, &NOTIFY);
    for call in ["write", "fdatasync", "fsync", "rename", "openat"] {
        for when in 1..=points.get(call).copied().unwrap_or(0) {
            for error in ["EIO", "ENOSPC", "EROFS", "EDQUOT", "EMFILE", "EINTR"] {
                let before = site.spooled("new");
                let inject = format!("inject={call}:error={error}:when={when}");
                let done = strace(&site, &["-o", "/dev/null", "-e", &format!("trace={call}"), "-e", &inject], &NOTIFY);
                let said = text(&done.stderr);
                assert!(!said.contains("panicked"), "{call} {when} {error}: {said}");
                match done.status.code() {
                    Some(0) => assert_eq!(site.spooled("new"), before + 1, "{call} {when} {error}: {said}"),
                    // The loader may fail before we exist (127).
                    Some(73 | 127) => {}
                    other => panic!("{call} {when} {error}: {other:?} {said}"),
                }
            }
        }
    }
}

/// A delivery that meets this error at this call; gives how often the file was put aside.
fn meets(sandbox: &Sandbox, call: &str, when: usize, error: &str) -> usize {
    sandbox.tell("reset", &serde_json::json!({}));
    let site = one_waits(sandbox);
    let inject = format!("inject={call}:error={error}:when={when}");
    let trace = format!("trace={call}");
    let done = strace(&site, &["-o", "/dev/null", "-e", &trace, "-e", &inject], &["queue", "flush"]);
    let said = text(&done.stderr);
    assert!(!said.contains("panicked"), "{inject}: {said}");
    let aside = site.spooled("bad");
    for name in site.queue()["bad_spool_files"].as_array().unwrap() {
        assert_eq!(site.run(&["queue", "retry", name.as_str().unwrap()]).status.code(), Some(0), "{inject}");
    }
    let again = site.run(&["queue", "flush"]);
    assert_eq!(again.status.code(), Some(0), "{inject}: {said}{}{}", text(&again.stdout), text(&again.stderr));
    let arrived = sandbox.messages().len();
    assert!((1..=2).contains(&arrived), "{inject}: {arrived} arrived: {said}");
    site.assert_all_delivered();
    aside
}

#[test]
#[ignore = "needs strace: tests/run"]
fn errors_at_every_call_of_a_delivery_lose_nothing() {
    const ERRORS: [&str; 7] = ["EIO", "EMFILE", "ENOSPC", "ENOMEM", "EDQUOT", "EROFS", "ENFILE"];
    const SIDE: usize = 4;
    let sandbox = Sandbox::start(&["--burst", "9999"]);
    let mut points = traced(&one_waits(&sandbox), &["queue", "flush"]);
    // No close fails like that, the standard library knows; and a lock that fails is waited for, for seconds.
    points.retain(|call, _| call != "close" && (call != "fcntl" || is_long()));
    let all: Vec<(&str, usize)> =
        points.iter().flat_map(|(call, count)| (1..=*count).map(|when| (call.as_str(), when))).collect();
    // Else a part of them, each with one of the errors in turn.
    let (step, errors) = if is_long() { (1, ERRORS.len()) } else { (12, 1) };
    let chosen: Vec<(&str, usize, &str)> = (all.iter().step_by(step).enumerate())
        .flat_map(|(n, (call, when))| ERRORS.iter().cycle().skip(n).take(errors).map(|error| (*call, *when, *error)))
        .collect();
    let aside: usize = std::thread::scope(|scope| {
        let parts = (0..SIDE).map(|part| chosen.iter().skip(part).step_by(SIDE));
        let running: Vec<_> = parts
            .map(|part| {
                scope.spawn(move || {
                    let sandbox = Sandbox::start(&["--burst", "9999"]);
                    part.map(|(call, when, error)| meets(&sandbox, call, *when, error)).sum::<usize>()
                })
            })
            .collect();
        running.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    println!("{} errors, {aside} times the file was put aside, at {points:?}", chosen.len());
}

#[test]
#[ignore = "needs strace: tests/run"]
fn a_notification_that_nothing_is_left_to_read_with_stays_in_the_spool() {
    let sandbox = Sandbox::start(&[]);
    let site = one_waits(&sandbox);
    // Opened from their directory: its listing first, then the file.
    let new = site.state("spool/new");
    for error in ["EMFILE", "ENFILE", "ENOMEM"] {
        let inject = format!("inject=openat:error={error}:when=2+");
        let options = ["-o", "/dev/null", "-e", "trace=openat", "-P", new.to_str().unwrap(), "-e", &inject];
        let done = strace(&site, &options, &["queue", "flush"]);
        let said = text(&done.stderr);
        assert_eq!((site.spooled("new"), site.spooled("bad")), (1, 0), "{error}: {said}");
        assert!(said.contains("can't read the spool file"), "{error}: {said}");
    }
    assert_eq!(site.run(&["queue", "flush"]).status.code(), Some(0));
    assert_eq!(sandbox.messages().len(), 1);
}

#[test]
fn a_thousand_notifies_killed_at_random_and_every_one_that_exited_0_arrives() {
    const COUNT: usize = 1000;
    let sandbox = Sandbox::start(&["--burst", "5000"]);
    let site = Site::with_token(&sandbox, "");
    let _listener = site.listen();
    let mut promised = BTreeSet::new();
    let mut running: Vec<(usize, Running)> = Vec::new();
    for i in 0..COUNT {
        let (host, to) = (format!("h{i}"), format!("#load-{i}"));
        let mut command =
            site.command(&["notify", "--hostname", &host, "--hoststate", "1", "--output", "x", "--to", &to]);
        let mut process = Running(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        if i % 3 != 0 {
            // At a moment of its life that is as good as random.
            std::thread::sleep(Duration::from_micros((i as u64 * 7919) % 6000));
            let _ = process.0.kill();
        }
        running.push((i, process));
        if running.len() == 8 || i + 1 == COUNT {
            for (i, mut process) in running.drain(..) {
                if process.0.wait().unwrap().code() == Some(0) {
                    promised.insert(format!("DOWN: h{i} · x"));
                }
            }
        }
    }
    println!("{} of {COUNT} exited 0", promised.len());
    assert!(promised.len() > COUNT / 4 && promised.len() < COUNT, "{}", promised.len());
    wait::until("all that was promised", || {
        let arrived: BTreeSet<String> = sandbox.texts().into_iter().collect();
        promised.is_subset(&arrived)
    });
}

#[test]
fn a_listener_killed_in_the_middle_loses_nothing() {
    const COUNT: usize = 300;
    let sandbox = Sandbox::start(&["--burst", "5000"]);
    let site = Site::with_token(&sandbox, "");
    for i in 0..COUNT {
        crate::answers::spool(&site, i, &format!("h{i}"), &format!("#load-{i}"));
    }
    let mut kills = 0;
    while site.queue()["waiting"].as_u64().unwrap() > 0 || site.spooled("new") > 0 {
        let mut listener = site.listen();
        // At a moment of its work that is as good as random.
        std::thread::sleep(Duration::from_millis(40 + kills * 37 % 100 + kills * 3));
        let _ = listener.0.kill();
        kills += 1;
        assert!(kills < 200);
    }
    let texts = sandbox.texts();
    let different: BTreeSet<&String> = texts.iter().collect();
    println!("{kills} kills, {} messages for {COUNT} notifications", texts.len());
    assert_eq!(different.len(), COUNT);
    assert!(texts.len() <= COUNT + usize::try_from(kills).unwrap(), "at most one duplicate a kill");
}

/// A site whose database is the one of a week, as the last release before schema 8 made it.
fn with_an_old_week() -> Site {
    let site = Site::new("[slack]\nwebhook_url = \"http://127.0.0.1:1/services/x\"\n");
    fs::create_dir_all(site.state("")).unwrap();
    site.sql(include_str!("../samples/outbox-schema-7.sql")).unwrap();
    site.sql("PRAGMA journal_mode = WAL").unwrap();
    site
}

#[test]
#[ignore = "needs strace: tests/run"]
fn a_migration_killed_at_any_call_loses_nothing() {
    const LIST: [&str; 4] = ["queue", "list", "--all", "--json"];
    let listed = |site: &Site| {
        let done = site.run(&LIST);
        assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
        (
            text(&done.stdout),
            site.sql("SELECT * FROM audit; SELECT * FROM action_request; SELECT * FROM pause").unwrap(),
        )
    };
    let whole = with_an_old_week();
    let expected = listed(&whole);
    let newest = whole.sql("PRAGMA user_version").unwrap();
    assert!(expected.0.contains("Title second"), "{}", expected.0);
    let points = traced(&with_an_old_week(), &LIST);
    kill_everywhere(&points, &LIST, with_an_old_week, |site, _| {
        let version = site.sql("PRAGMA user_version").unwrap();
        assert!(version == "7" || version == newest, "{version}");
        assert_eq!(listed(site), expected);
        assert_eq!(
            site.sql("PRAGMA integrity_check; PRAGMA foreign_key_check; PRAGMA user_version").unwrap(),
            format!("ok\n{newest}")
        );
    });
}

//! The disk and the configuration at their worst: exit 0 means durable, and only the disk itself may say no.

use crate::harness::process::text;
use crate::harness::sandbox::Sandbox;
use crate::harness::site::Site;
use std::fs;
use std::process::Command;

const NOTIFY: [&str; 9] =
    ["notify", "--hostname", "web01", "--servicedesc", "Disk", "--servicestate", "2", "--output", "x"];

#[test]
fn a_broken_configuration_keeps_the_notification_in_the_right_place() {
    let site = Site::new("[slack\nthis is = = broken");
    let done = site.run(&NOTIFY);
    assert_eq!(done.status.code(), Some(0));
    assert_eq!(site.spooled("new"), 1, "in its own state directory, read from its own line");
    let said = text(&done.stderr);
    assert!(said.starts_with("ackbell: kept in the spool, as the configuration can't be used: "), "{said}");
    assert_eq!(said.lines().count(), 1, "one line for the core's log: {said}");
}

#[test]
fn a_corrupt_database_is_put_aside_and_its_waiting_messages_are_taken_over() {
    let sandbox = Sandbox::start(&[]);
    let site = Site::new("[slack]\nwebhook_url = \"http://127.0.0.1:1/services/x\"\n[outbox]\ntime_budget = \"1s\"\n");
    assert_eq!(site.run(&NOTIFY).status.code(), Some(0));
    assert_eq!(site.queue()["waiting"], 1);
    for garbage in [b"this is no database, not at all, by no means, never was".to_vec(), vec![]] {
        fs::write(site.state("ackbell.db"), garbage).unwrap();
        let _ = fs::remove_file(site.state("ackbell.db-wal"));
        let _ = fs::remove_file(site.state("ackbell.db-shm"));
        site.configure(&format!("[slack]\nwebhook_url = \"{}\"\n", sandbox.webhook("B0000001")));
        let before = sandbox.messages().len();
        let done = site.run(&NOTIFY);
        assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
        assert_eq!(sandbox.messages().len(), before + 1, "{}", text(&done.stderr));
    }
    assert!(site.state("ackbell.db.corrupt-1").exists());
}

#[test]
fn a_database_that_cannot_be_used_keeps_everything_in_the_spool() {
    let sandbox = Sandbox::start(&[]);
    let site = Site::with_webhook(&sandbox);
    fs::create_dir_all(site.state("ackbell.db")).unwrap();
    let done = site.run(&NOTIFY);
    assert_eq!((done.status.code(), site.spooled("new")), (Some(0), 1));
    assert!(
        text(&done.stderr).starts_with("ackbell: kept, not delivered yet: can't create the database"),
        "{}",
        text(&done.stderr)
    );
    fs::remove_dir(site.state("ackbell.db")).unwrap();
    // A newer ackbell's database is never touched.
    site.sql("PRAGMA user_version = 99").unwrap();
    let done = site.run(&NOTIFY);
    assert_eq!((done.status.code(), site.spooled("new")), (Some(0), 2));
    assert!(
        text(&done.stderr).contains("the database is from a newer ackbell (schema 99, this one knows "),
        "{}",
        text(&done.stderr)
    );
    fs::remove_file(site.state("ackbell.db")).unwrap();
    assert_eq!(site.run(&["queue", "flush"]).status.code(), Some(0));
    assert_eq!(sandbox.messages().len(), 1, "the two were runs for two contacts");
}

#[test]
#[ignore = "needs root: tests/run"]
fn what_root_makes_belongs_to_the_cores_user() {
    use std::os::unix::fs::MetadataExt;
    let site =
        Site::new("[slack]\nwebhook_url = \"http://127.0.0.1:1/services/x\"\n[outbox]\ntime_budget = \"600ms\"\n");
    fs::create_dir_all(site.state("")).unwrap();
    std::os::unix::fs::chown(site.state(""), Some(65534), Some(65534)).unwrap();
    // Where that user gets to, and may read what they run with.
    fs::set_permissions(site.dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    std::os::unix::fs::chown(site.config(), Some(0), Some(65534)).unwrap();
    assert_eq!(site.run(&NOTIFY).status.code(), Some(0));
    assert_eq!(site.run(&["queue", "list"]).status.code(), Some(0));
    let listed = Command::new("find").arg(site.state("")).output().unwrap();
    for path in text(&listed.stdout).lines() {
        assert_eq!(fs::metadata(path).unwrap().uid(), 65534, "{path}");
    }
    assert!(text(&listed.stdout).contains("ackbell.db") && text(&listed.stdout).contains("deliver.lock"));
}

/// A small file system of its own, unmounted at the end.
struct Small(std::path::PathBuf);

impl Small {
    fn mount(path: std::path::PathBuf, options: &str) -> Self {
        fs::create_dir_all(&path).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", options, "none"]).arg(&path).status().unwrap();
        assert!(mounted.success(), "these tests need root to mount a small disk");
        Self(path)
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
#[ignore = "needs root: tests/run"]
fn a_full_disk_is_said_and_one_direct_post_is_made() {
    let sandbox = Sandbox::start(&[]);
    let site = Site::with_webhook(&sandbox);
    let _small = Small::mount(site.state(""), "size=64k");
    for directory in ["spool/tmp", "spool/new", "spool/bad"] {
        fs::create_dir_all(site.state(directory)).unwrap();
    }
    let _ = fs::write(site.state("filler"), vec![0; 100_000]);
    let done = site.run(&NOTIFY);
    let said = text(&done.stderr);
    assert_eq!(done.status.code(), Some(73), "{said}");
    assert!(said.starts_with("ackbell: not stored, but posted directly to 1 destination(s): \"Disk on web01\": can't write the spool file"), "{said}");
    assert!(said.contains("No space left on device (os error 28); free some space there"), "{said}");
    assert_eq!(sandbox.messages().len(), 1);
    fs::remove_file(site.state("filler")).unwrap();
    assert_eq!(site.run(&NOTIFY).status.code(), Some(0), "it mends by itself");
}

#[test]
#[ignore = "needs root: tests/run"]
fn a_read_only_disk_is_said_and_one_direct_post_is_made() {
    let sandbox = Sandbox::start(&[]);
    let webhook = sandbox.webhook("B0000001");
    let site = Site::new(&format!("[slack]\nwebhook_url = \"{webhook}\"\n[message]\nredact = [\"pw=\\\\S+\"]\n"));
    let _small = Small::mount(site.state(""), "size=1m,ro");
    let done = site.run(&[&NOTIFY[..], &["--long-output", "pw=hunter2"]].concat());
    assert_eq!(done.status.code(), Some(73));
    assert!(text(&done.stderr).contains("the file system is mounted read-only"), "{}", text(&done.stderr));
    let said = sandbox.messages().remove(0).to_string();
    assert!(said.contains("[redacted]") && !said.contains("hunter2"), "the last resort leaves nothing out: {said}");
}

#[test]
#[ignore = "needs root: tests/run"]
fn a_spool_of_somebody_else_is_said_with_its_remedy() {
    use std::os::unix::process::CommandExt;
    let site = Site::new("[slack]\nwebhook_url = \"http://127.0.0.1:1/services/x\"\n");
    fs::create_dir_all(site.state("spool")).unwrap();
    // As nobody, who may read the configuration and run the program, but not write the state.
    let ackbell = site.dir.path().join("ackbell");
    crate::harness::process::copy_ackbell(&ackbell);
    for (path, mode) in [(site.dir.path().to_owned(), "0755"), (site.config(), "0644"), (site.state(""), "0755")] {
        assert!(Command::new("chmod").arg(mode).arg(path).status().unwrap().success());
    }
    let mut command = Command::new(ackbell);
    command.arg("--config").arg(site.config()).args(NOTIFY).env_clear().uid(65534).gid(65534);
    let done = command.output().unwrap();
    assert_eq!(done.status.code(), Some(73));
    assert!(
        text(&done.stderr).contains("; the state directory must belong to the user the core runs as"),
        "{}",
        text(&done.stderr)
    );
}

#[test]
fn something_in_the_spools_place_is_said() {
    let site = Site::new("[slack]\nwebhook_url = \"http://127.0.0.1:1/services/x\"\n");
    fs::write(site.dir.path().join("state"), "a file").unwrap();
    let done = site.run(&NOTIFY);
    assert_eq!(done.status.code(), Some(73));
    let said = text(&done.stderr);
    assert!(
        said.contains("LOST: the notification about \"Disk on web01\" could neither be stored nor posted"),
        "{said}"
    );
    assert!(said.contains("a file stands where a directory should be"), "{said}");
}

#[test]
fn limits_and_closed_streams_are_survived() {
    let site = Site::new("[slack]\nwebhook_url = \"http://127.0.0.1:1/services/x\"\n[outbox]\ntime_budget = \"1s\"\n");
    let config = site.config();
    let line = |limit: &str, close: &str| {
        let ackbell = crate::harness::process::ACKBELL;
        format!("{limit} exec {ackbell} --config {} notify --hostname h --hoststate 1 {close}", config.display())
    };
    for (limit, close, expected) in [
        ("", "<&- >&- 2>&-", 0),
        ("unset HOME PATH;", "", 0),
        ("ulimit -n 16;", "", 0),
        ("ulimit -f 0;", "2>/dev/null", 73),
    ] {
        let done = Command::new("sh").args(["-c", &line(limit, close)]).env_clear().status().unwrap();
        assert_eq!(done.code(), Some(expected), "{limit} {close}");
    }
}

#[test]
#[ignore = "needs sqlite3: tests/run"]
fn whoever_looks_with_sqlite3_takes_nothing_away() {
    let sandbox = Sandbox::start(&[]);
    let site = Site::with_webhook(&sandbox);
    let mut listener = site.listen();
    let look = || {
        let done =
            Command::new("sqlite3").arg(site.state("ackbell.db")).arg("SELECT COUNT(*) FROM notification").output();
        text(&done.unwrap().stdout).trim().to_owned()
    };
    assert_eq!(look(), "0");
    assert!(site.state("ackbell.db-wal").exists(), "the listener holds its log");
    assert_eq!(site.run(&NOTIFY).status.code(), Some(0));
    sandbox.wait_for_messages(1);
    assert_eq!(look(), "1");
    listener.0.kill().unwrap();
    listener.0.wait().unwrap();
    assert_eq!(look(), "1", "nothing went into a file that is gone");
}

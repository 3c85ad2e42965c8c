//! The spool replaced, full, over its quota, full of strange files, or just very full.

use crate::harness::process::{is_long, text};
use crate::harness::sandbox::Sandbox;
use crate::harness::site::Site;
use crate::harness::wait;
use serde_json::json;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const NOTIFY: [&str; 7] = ["notify", "--hostname", "web01", "--hoststate", "1", "--output", "x"];

#[track_caller]
fn sh(line: &str) {
    let done = Command::new("sh").args(["-c", line]).output().unwrap();
    assert!(done.status.success(), "{line}: {}", text(&done.stderr));
}

/// An ext4 of a few megabytes in a file, unmounted at the end.
struct Disk(PathBuf);

impl Disk {
    fn mount(site: &Site) -> Self {
        let (image, at) = (site.dir.path().join("image"), site.state(""));
        fs::create_dir_all(&at).unwrap();
        let (image, shown) = (image.display(), at.display());
        sh(&format!("truncate -s 4M {image} && mkfs.ext4 -q {image} && mount -o loop {image} {shown}"));
        Self(at)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn fill(path: &Path) {
    // Big pieces, then whatever is left.
    for block in ["1M", "4k", "1"] {
        let _ = Command::new("sh")
            .args(["-c", &format!("dd if=/dev/zero bs={block} >>{} 2>/dev/null", path.display())])
            .status();
    }
}

#[test]
#[ignore = "needs root: tests/run"]
fn a_real_disk_that_is_full_under_a_listener_loses_nothing_and_mends_by_itself() {
    let sandbox = Sandbox::start(&["--burst", "99"]);
    let site = Site::with_webhook(&sandbox);
    let _disk = Disk::mount(&site);
    let _listener = site.listen();
    site.service("PROBLEM", "web00", "Disk", "2", "x");
    sandbox.wait_for_messages(1);
    fill(&site.state("filler"));
    let done = site.run(&NOTIFY);
    let said = text(&done.stderr);
    assert_eq!(done.status.code(), Some(73), "{said}");
    assert!(said.contains("No space left on device (os error 28); free some space there"), "{said}");
    assert_eq!(sandbox.wait_for_messages(2).len(), 2, "posted directly");
    fs::remove_file(site.state("filler")).unwrap();
    site.service("PROBLEM", "web02", "Disk", "2", "x");
    sandbox.wait_for_messages(3);
    wait::until("the rest", || site.queue()["waiting"] == 0);
    site.assert_all_delivered();
}

#[test]
fn a_file_that_is_cut_never_counts_as_stored() {
    let sandbox = Sandbox::start(&["--burst", "99"]);
    for limit in [1, 2, 4] {
        let site = Site::with_webhook(&sandbox);
        let before = sandbox.messages().len();
        // The write stops in the middle of the text, then the limit says no.
        let output = "x".repeat(9_000);
        let line = format!(
            "ulimit -f {limit}; exec {} --config {} notify --hostname h --hoststate 1 --output {output}",
            crate::harness::process::ACKBELL,
            site.config().display()
        );
        let done = Command::new("bash").args(["-c", &line]).env_clear().output().unwrap();
        assert_eq!(done.status.code(), Some(73), "{limit}: {}", text(&done.stderr));
        assert!(text(&done.stderr).contains("File too large"), "{}", text(&done.stderr));
        assert_eq!((site.spooled("new"), site.spooled("tmp")), (0, 0), "{limit}");
        assert_eq!(sandbox.messages().len(), before + 1, "posted directly");
    }
}

#[test]
#[ignore = "needs root: tests/run"]
fn a_spool_replaced_under_a_listener_is_made_anew_and_strange_files_hurt_nobody() {
    let sandbox = Sandbox::start(&["--burst", "99"]);
    let site = Site::with_token(&sandbox, "[storm]\nthreshold = 99\n");
    let _listener = site.listen();
    let (spool, new) = (site.state("spool"), site.state("spool/new"));
    let next = |number: usize| {
        site.service("PROBLEM", &format!("web{number}"), "Disk", "2", "x");
        sandbox.wait_for_messages(number);
    };
    next(1);
    fs::remove_dir_all(&spool).unwrap();
    next(2);
    fs::rename(&spool, site.state("old")).unwrap();
    symlink(site.state("old"), &spool).unwrap();
    next(3);
    fs::remove_file(&spool).unwrap();
    fs::rename(site.state("old"), &spool).unwrap();
    // Directories, links, pipes, nothing, noise, names that no clock gives, a name that is no text.
    fs::create_dir(new.join("00000000000000000001.1.0000000000000001")).unwrap();
    symlink("/etc/passwd", new.join("00000000000000000002.1.0000000000000002")).unwrap();
    symlink(new.join("x"), new.join("x")).unwrap();
    sh(&format!("mkfifo {}", new.join("00000000000000000003.1.0000000000000003").display()));
    fs::write(new.join("00000000000000000004.1.0000000000000004"), "").unwrap();
    fs::write(new.join("00000000000000000005.1.0000000000000005"), b"\xff\xfe{\"ackbell\":1").unwrap();
    fs::write(new.join("a name; with $(everything) in it"), "{\"ackbell\": 1}").unwrap();
    sh(&format!("touch \"{}/$(printf 'a\\377b')\"", new.display()));
    fs::write(new.join("00000000000000000006.1.0000000000000006"), vec![b'['; 9_000_000]).unwrap();
    next(4);
    wait::until("them aside", || site.spooled("bad") >= 8);
    assert_eq!(site.spooled("new"), 1, "what has no readable name isn't ours to judge");
    assert!(fs::metadata("/etc/passwd").unwrap().is_file());
    sandbox.assert_respected();
}

/// So many notifications, of as many objects, in 100 channels; all are told, in digests.
fn very_full(count: usize) {
    let sandbox = Sandbox::start(&["--burst", "99999"]);
    let site = Site::with_token(&sandbox, "");
    for number in 0..count {
        crate::answers::spool(&site, number, &format!("h{number}"), &format!("#load-{}", number % 100));
    }
    let started = Instant::now();
    let listener = site.listen();
    // Whoever comes now isn't held up by them.
    let one = Instant::now();
    site.service("PROBLEM", "fresh", "Disk", "2", "x");
    assert!(one.elapsed() < Duration::from_secs(3), "{:?}", one.elapsed());
    wait::until_within(Duration::from_secs(1200), "the import", || site.spooled("new") == 0);
    let imported = started.elapsed();
    wait::until_within(Duration::from_secs(1200), "the delivery", || site.queue()["waiting"] == 0);
    let status = fs::read_to_string(format!("/proc/{}/status", listener.0.id())).unwrap();
    let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    println!(
        "{count} files: imported in {imported:?}, told in {:?}, {} messages, {peak}",
        started.elapsed(),
        sandbox.get("stats")["messages"]
    );
    assert_eq!(site.queue()["dead"], json!(0));
    sandbox.assert_respected();
}

#[test]
#[ignore = "slow: tests/run"]
fn tens_of_thousands_of_files_are_told() {
    very_full(20_000);
    if is_long() {
        very_full(100_000);
        very_full(1_000_000);
    }
}

//! The database at its worst: pages of noise, its log lost, the file taken away under a listener.

use crate::harness::process::{is_long, text};
use crate::harness::sandbox::{Sandbox, by_token};
use crate::harness::site::Site;
use crate::harness::wait;
use serde_json::json;
use std::fs;

const PAGE: u64 = 4096;

/// A site with delivered problems and one that waits, its log written into the database.
fn lived_in(sandbox: &Sandbox) -> Site {
    let site = Site::with_token(sandbox, "");
    for number in 0..30 {
        crate::answers::spool(&site, number, &format!("old{number}"), &format!("#load-{number}"));
    }
    assert_eq!(site.run(&["queue", "flush"]).status.code(), Some(0));
    let slack = by_token(&sandbox.url);
    crate::answers::spool(&site, 99, "waiting", "#elsewhere");
    let patience = "[outbox]\ntime_budget = \"600ms\"\n";
    sandbox.tell("faults", &json!({"faults": [{"kind": "503"}]}));
    site.configure(&format!("{slack}{patience}"));
    site.service("PROBLEM", "last", "Disk", "2", "x");
    sandbox.tell("faults", &json!({}));
    assert_eq!((site.spooled("new"), &site.queue()["waiting"]), (0, &json!(2)));
    site.sql("UPDATE post SET due = 0; DELETE FROM pause; PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    site.configure(&slack);
    site
}

/// Something any two runs differ in, and any two of the same seed share.
fn noise(seed: u64, bytes: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    std::iter::repeat_with(next).take(bytes).collect()
}

/// Noise over some bytes of each page in turn, or over the whole page.
fn every_page(part: u64, length: usize, step: usize, seed: u64) {
    let sandbox = Sandbox::start(&["--burst", "9999"]);
    let template = lived_in(&sandbox);
    let whole = fs::read(template.state("ackbell.db")).unwrap();
    let (mut aside, mut kept) = (0, 0);
    let pages = whole.len() as u64 / PAGE;
    for page in (0..pages).step_by(step) {
        sandbox.tell("reset", &json!({}));
        let mut bytes = whole.clone();
        let at = usize::try_from(page * PAGE + part).unwrap();
        bytes[at..at + length].copy_from_slice(&noise(page + part + seed, length));
        for side in ["ackbell.db-wal", "ackbell.db-shm"] {
            let _ = fs::remove_file(template.state(side));
        }
        fs::write(template.state("ackbell.db"), bytes).unwrap();
        // In a channel of its own, so that it waits for nobody.
        let done = template.run(&["notify", "--hostname", "fresh", "--hoststate", "1", "--to", "#fresh"]);
        assert_eq!(done.status.code(), Some(0), "page {page}: {}", text(&done.stderr));
        let arrived = || sandbox.texts().iter().any(|text| text.starts_with("DOWN: fresh"));
        for _ in 0..3 {
            if !arrived() {
                template.run(&["queue", "flush"]);
            }
        }
        let whole = "SELECT name FROM sqlite_schema; PRAGMA integrity_check(3); SELECT * FROM delivery; SELECT * FROM pause; SELECT * FROM digest; SELECT id, open, digest, version, shown, due, due_set, leased FROM post";
        let told = || format!("{} {:?}", template.queue(), template.sql(whole));
        assert!(arrived(), "page {page}: {}\n{}", json!(sandbox.texts()), told());
        kept += usize::from(sandbox.texts().iter().any(|text| text.contains("waiting")));
        for n in 1..9 {
            for side in ["", "-wal", "-shm"] {
                let corrupt = template.state(&format!("ackbell.db.corrupt-{n}{side}"));
                if fs::remove_file(corrupt).is_ok() && side.is_empty() {
                    aside += 1;
                }
            }
        }
    }
    println!(
        "{pages} pages with {length} bytes of noise at {part}: {aside} put aside, {kept} times the old one that waited arrived too"
    );
}

#[test]
#[ignore = "slow: tests/run"]
fn noise_on_any_page_stops_nothing_new() {
    every_page(0, 4096, 3, 7);
    every_page(64, 512, 3, 6);
    if is_long() {
        for seed in 0..8 {
            every_page(0, 4096, 1, seed);
            every_page(seed * 509, 24, 1, seed);
            every_page(64, 512, 1, seed);
        }
    }
}

#[test]
fn a_text_that_no_longer_reads_as_what_it_was_stops_nothing_new() {
    for (noise, kept) in [
        ("UPDATE post SET problem = '{' WHERE shown = 0", 2),
        ("UPDATE post SET problem = CAST(x'7bff7d' AS TEXT) WHERE shown = 0", 2),
        ("UPDATE notification SET body = '{' WHERE body LIKE '%\"waiting\"%'", 1),
    ] {
        let sandbox = Sandbox::start(&["--burst", "9999"]);
        let site = lived_in(&sandbox);
        sandbox.tell("reset", &json!({}));
        site.sql(noise).unwrap();
        let done = site.run(&["notify", "--hostname", "fresh", "--hoststate", "1"]);
        assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
        site.run(&["queue", "flush"]);
        let texts = sandbox.texts();
        assert!(texts.iter().any(|text| text.starts_with("DOWN: fresh")), "{noise}: {texts:?} {}", text(&done.stderr));
        assert_eq!(texts.len(), 1 + kept, "{noise}: {texts:?}");
        let aside = fs::read_dir(site.state("")).unwrap().flatten();
        let aside = aside.filter(|file| file.file_name().to_string_lossy().ends_with("corrupt-1")).count();
        assert_eq!(aside, 1, "{noise}: put aside once");
    }
}

#[test]
#[ignore = "slow: tests/run"]
fn a_lost_log_and_a_removed_database_stop_nothing_new() {
    let sandbox = Sandbox::start(&["--burst", "9999"]);
    let site = lived_in(&sandbox);
    for lost in [&["-wal"][..], &["-wal", "-shm"], &["-shm"], &["", "-wal", "-shm"]] {
        site.sql("DELETE FROM pause").unwrap();
        site.service("PROBLEM", "before", &lost.concat(), "2", "x");
        for side in lost {
            let _ = fs::remove_file(site.state(&format!("ackbell.db{side}")));
        }
        site.service("PROBLEM", "after", &lost.concat(), "2", "x");
        let name = format!("CRITICAL: {} on after", lost.concat());
        assert!(sandbox.texts().iter().any(|text| text.starts_with(&name)), "{lost:?}: {:?}", sandbox.texts());
        assert_eq!(site.sql("PRAGMA integrity_check").unwrap(), "ok");
        site.assert_all_delivered();
    }
}

#[test]
fn a_database_taken_away_under_a_listener_is_made_anew_and_what_comes_then_survives_its_death() {
    let sandbox = Sandbox::start(&["--burst", "9999"]);
    let site = Site::with_token(&sandbox, "");
    let mut listener = site.listen();
    site.service("PROBLEM", "web01", "Disk", "2", "x");
    sandbox.wait_for_messages(1);
    for side in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(site.state(&format!("ackbell.db{side}")));
    }
    // Slack is away too, so that what comes now only exists in the database.
    sandbox.tell("faults", &json!({"faults": [{"kind": "503"}]}));
    site.service("PROBLEM", "web02", "Disk", "2", "x");
    // It ends by itself once it notices; its unit starts it again.
    wait::until("its end", || listener.0.try_wait().unwrap().is_some());
    assert!(site.log().contains("was taken away; start ackbell again"), "{}", site.log());
    let second = site.listen();
    wait::until("the import", || site.spooled("new") == 0);
    drop(second);
    sandbox.tell("faults", &json!({}));
    let _listener = site.listen();
    sandbox.wait_for_messages(2);
}

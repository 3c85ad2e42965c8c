//! The way between a relay and its centre breaks, or the relay dies, in the middle of something.

use super::wire::{Bytes, Passing, wire};
use super::{Branch, TOKEN};
use crate::harness::process::{signal, text};
use crate::harness::wait;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

impl Branch {
    /// The relay, with another way to its centre.
    fn over(&mut self, hook: impl FnMut(&Bytes<'_>) -> Passing + Send + 'static) {
        self.relay = None;
        let config = std::fs::read_to_string(self.site.config()).unwrap();
        let centre = config.split("http://").nth(1).unwrap().split('"').next().unwrap().to_owned();
        let way = wire(centre.clone(), hook);
        self.site.configure(&config.replace("state_dir = \"state\"\n", "").replace(&centre, &way));
    }

    fn acknowledgements(&self, service: &str) -> usize {
        self.core.count("ACKNOWLEDGE_SVC_PROBLEM", "web01", service)
    }
}

#[test]
fn a_batch_that_is_cut_anywhere_arrives_once() {
    let mut branch = Branch::new();
    // The request, the reply, and the request at its first bytes are cut in turn, and the fourth passes.
    let nth = AtomicUsize::new(0);
    branch.over(move |passing| {
        let is_batch = passing.is_from_relay && passing.contains("\"name\":");
        let is_reply = !passing.is_from_relay && passing.contains("HTTP/1.1 204");
        match (is_batch || is_reply).then(|| nth.fetch_add(1, Ordering::Relaxed) % 4) {
            Some(0) if is_batch => Passing::Cut,
            Some(1) => Passing::OnAndCut,
            Some(2) if is_reply => Passing::Cut,
            _ => Passing::On,
        }
    });
    branch.spool(300);
    branch.start();
    wait::until("the spool to be handed in", || branch.site.spooled("new") == 0);
    wait::until("the centre to import", || branch.night.site.spooled("new") == 0);
    let count = branch.night.site.sql("SELECT COUNT(*), COUNT(DISTINCT id) FROM notification").unwrap();
    assert_eq!(count, "300|300");
    assert_eq!((branch.site.spooled("bad"), branch.night.site.spooled("bad")), (0, 0));
}

/// The way breaks once the relay was given the command: it sends it, and can't say so.
#[test]
fn a_command_whose_answer_is_lost_is_looked_for_and_sent_once() {
    let mut branch = Branch::new();
    let is_cut = Arc::new(AtomicBool::new(false));
    let cut = Arc::clone(&is_cut);
    branch.over(move |passing| {
        if !passing.is_from_relay && passing.contains("\"send\":") {
            cut.store(true, Ordering::Relaxed);
            return Passing::OnAndCut;
        }
        if cut.load(Ordering::Relaxed) { Passing::Cut } else { Passing::On }
    });
    branch.start();
    let card = branch.falls_ill("Disk");
    card.click("acknowledge");
    wait::until("the core to have it", || branch.core.is_acknowledged("web01", "Disk"));
    std::thread::sleep(Duration::from_secs(2));
    is_cut.store(false, Ordering::Relaxed);
    card.becomes("ACKNOWLEDGED, CRITICAL: Disk on web01");
    assert_eq!(branch.acknowledgements("Disk"), 1);
}

/// The relay is killed when it was given the command, before it could send it.
#[test]
fn a_command_that_died_with_the_relay_is_not_sent_by_the_next_one() {
    let mut branch = Branch::new();
    let pid = Arc::new(AtomicU32::new(0));
    let relay = Arc::clone(&pid);
    branch.over(move |passing| {
        if !passing.is_from_relay && passing.contains("\"send\":") {
            signal(relay.load(Ordering::Relaxed), "KILL");
            return Passing::Cut;
        }
        Passing::On
    });
    branch.start();
    pid.store(branch.relay.as_ref().unwrap().0.id(), Ordering::Relaxed);
    let card = branch.falls_ill("Disk");
    card.click("acknowledge");
    wait::until("the relay to die", || branch.relay.as_mut().unwrap().0.try_wait().unwrap().is_some());
    branch.start();
    branch.night.told("Sent, but the core has not applied it: ");
    assert_eq!(branch.acknowledgements("Disk"), 0, "the person was told that it isn't");
    let audit = text(&branch.night.site.run(&["audit"]).stdout);
    assert!(audit.contains("not taken"), "{audit}");
}

/// The relay hangs between being given the command and sending it, for longer than a person waits.
#[test]
fn a_command_is_not_sent_by_a_relay_that_hung_with_it() {
    let mut branch = Branch::new();
    let pid = Arc::new(AtomicU32::new(0));
    let relay = Arc::clone(&pid);
    branch.over(move |passing| {
        // Once: nothing stops it a second time.
        if !passing.is_from_relay && passing.contains("\"send\":") {
            match relay.swap(0, Ordering::Relaxed) {
                0 => {}
                running => signal(running, "STOP"),
            }
        }
        Passing::On
    });
    branch.start();
    let running = branch.relay.as_ref().unwrap().0.id();
    pid.store(running, Ordering::Relaxed);
    let card = branch.falls_ill("Disk");
    card.click("acknowledge");
    branch.connected(false);
    std::thread::sleep(Duration::from_secs(1));
    signal(running, "CONT");
    branch.connected(true);
    branch.night.told("Sent, but the core has not applied it: ");
    assert_eq!(branch.acknowledgements("Disk"), 0);
}

/// The way breaks while the relay reads the core's state for the centre.
#[test]
fn a_question_whose_answer_is_lost_is_asked_again() {
    let mut branch = Branch::new();
    let left = AtomicUsize::new(3);
    branch.over(move |passing| {
        let is_answer = passing.is_from_relay && passing.contains("\"answer\":");
        let cuts =
            is_answer && left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok();
        if cuts { Passing::Cut } else { Passing::On }
    });
    branch.start();
    let card = branch.falls_ill("Disk");
    // A command isn't sent again by itself: the person clicks once more if told so.
    wait::until("the acknowledgement", || {
        card.click("acknowledge");
        std::thread::sleep(Duration::from_secs(1));
        branch.core.is_acknowledged("web01", "Disk")
    });
    card.becomes("ACKNOWLEDGED, CRITICAL: Disk on web01");
    assert_eq!(branch.acknowledgements("Disk"), 1);
}

/// A second centre is alive, but this relay doesn't reach it: nothing waits for that one.
#[test]
fn a_relay_that_reaches_one_of_two_centres_serves_that_one() {
    let mut branch = Branch::new();
    branch.relay = None;
    let config = std::fs::read_to_string(branch.site.config()).unwrap();
    // It takes connections and never answers.
    let black_hole = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = black_hole.local_addr().unwrap();
    branch.site.configure(
        &config
            .replace("state_dir = \"state\"\n", "")
            .replace("to = ", &format!("to = [\"http://{address}\", "))
            .replace("\"\ntoken", "\"]\ntoken"),
    );
    branch.start();
    let card = branch.falls_ill("Disk");
    card.click("acknowledge");
    card.becomes("ACKNOWLEDGED, CRITICAL: Disk on web01");
    assert_eq!(branch.acknowledgements("Disk"), 1);
    let doctor = text(&branch.site.run(&["doctor"]).stdout);
    assert!(doctor.contains(&format!("http://{address}")) && doctor.contains("takes this relay's token"), "{doctor}");
    assert!(!doctor.contains(TOKEN));
}

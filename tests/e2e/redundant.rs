//! Two real cores of a redundant pair that both notify: one card a problem, and no recovery before its time.

use crate::harness::nagios::Nagios;
use crate::harness::on_call::{OnCall, Way};
use crate::harness::process::text;
use crate::harness::site::Site;
use crate::harness::wait;
use serde_json::Value;
use std::time::{Duration, Instant};

/// A first core with a listener, as configured, and a second one on another host.
fn pair(more: &str) -> (OnCall<Nagios>, Site, Nagios) {
    let night = OnCall::with_nagios(Way::SocketMode, more);
    let own = Site::new("");
    let second = Nagios::beside(&night.site, &own, "mon2");
    (night, own, second)
}

/// The cards about a service, as people see them now.
fn cards(night: &OnCall<Nagios>, service: &str) -> Vec<String> {
    let heads: Vec<Value> = night.sandbox.messages().into_iter().filter(|m| m["thread_ts"].is_null()).collect();
    let texts = heads.iter().map(|head| head["text"].as_str().unwrap().to_owned());
    texts.filter(|text| text.contains(&format!("{service} on "))).collect()
}

/// Waits until so many notifications of the second host, or of this one, are in the outbox, and nothing waits there. Each
/// core runs one command for each of two contacts.
fn heard(night: &OnCall<Nagios>, is_second: bool, count: &str) {
    wait::until("a core's word", || {
        let which = if is_second { "=" } else { "<>" };
        let sql = format!("SELECT COUNT(*) FROM notification WHERE origin {which} 'mon2'");
        let found = night.site.sql(&sql).unwrap_or_default();
        let rests = night.site.spooled("new") == 0 && night.site.queue()["waiting"] == 0;
        if found == count && rests { Ok(()) } else { Err(format!("{found} {}", night.site.log())) }
    });
}

/// One of them falls ill, and the other a moment later.
fn both_fall_ill(night: &OnCall<Nagios>, second: &Nagios) {
    night.core.set("Disk", 2, "full as the first has it");
    heard(night, false, "2");
    second.set("Disk", 2, "full as the second has it");
    heard(night, true, "2");
}

#[test]
#[ignore = "needs nagios4 and root: tests/run"]
fn a_pair_that_both_notify_makes_one_card_that_is_green_when_both_say_so() {
    let (night, _own, second) = pair("redundant = true\n");
    both_fall_ill(&night, &second);
    assert_eq!(cards(&night, "Disk").len(), 1, "{:?}", night.sandbox.texts());
    assert_eq!(night.sandbox.messages().len(), 1, "and no needless reply: {:?}", night.sandbox.texts());
    night.core.set("Disk", 0, "fine as the first has it");
    wait::until("the first one's recovery to be kept", || {
        night.site.sql("SELECT COUNT(*) FROM post WHERE recovers IS NOT NULL").unwrap_or_default() == "1"
    });
    std::thread::sleep(Duration::from_secs(2));
    let red = cards(&night, "Disk");
    assert!(red.len() == 1 && red[0].starts_with("CRITICAL: Disk on Web 01"), "{red:?}");
    second.set("Disk", 0, "fine as the second has it");
    night.expect("RECOVERED, OK: Disk on Web 01");
    assert_eq!(cards(&night, "Disk").len(), 1, "{:?}", night.sandbox.texts());
    let check = night.site.run(&["check"]);
    assert!(!text(&check.stdout).contains("hosts notify for"), "{}", text(&check.stdout));
}

#[test]
#[ignore = "needs nagios4, faketime and root: tests/run"]
fn a_core_that_dies_red_keeps_the_card_red_for_five_minutes_and_not_longer() {
    let (mut night, _own, mut second) = pair("redundant = true\n");
    both_fall_ill(&night, &second);
    second.halt();
    night.core.set("Disk", 0, "fine as the first has it");
    wait::until("the first one's recovery to be kept", || {
        night.site.sql("SELECT COUNT(*) FROM post WHERE recovers IS NOT NULL").unwrap_or_default() == "1"
    });
    let since = Instant::now();
    // Whoever starts then sees another time of day: so many seconds after the recovery.
    for (after, is_green) in [(60, false), (290, false), (303, true)] {
        assert_eq!(night.listener.take().unwrap().stop(), Some(0));
        night.site.jump(&format!("+{}", after - since.elapsed().as_secs()));
        night.listen();
        if is_green {
            night.expect("RECOVERED, OK: Disk on Web 01");
        } else {
            std::thread::sleep(Duration::from_secs(3));
        }
        let shown = cards(&night, "Disk");
        assert_eq!(shown.len(), 1, "{shown:?}");
        assert_eq!(shown[0].starts_with("RECOVERED"), is_green, "{after} s after: {shown:?}");
    }
}

#[test]
#[ignore = "needs nagios4 and root: tests/run"]
fn a_second_host_of_which_nothing_is_said_makes_one_card_and_check_tells_of_it() {
    let (night, _own, second) = pair("");
    both_fall_ill(&night, &second);
    night.core.set("Disk", 0, "fine as the first has it");
    night.expect("RECOVERED, OK: Disk on Web 01");
    second.set("Disk", 0, "fine as the second has it");
    heard(&night, true, "4");
    assert_eq!(cards(&night, "Disk").len(), 1, "{:?}", night.sandbox.texts());
    let check = text(&night.site.run(&["check"]).stdout);
    assert!(check.contains("2 hosts notify for the core: ") && check.contains("redundant = true in [core]"), "{check}");
}

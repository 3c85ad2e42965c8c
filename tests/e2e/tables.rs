//! What the tables show on a terminal, and what a script gets.

use crate::harness::process::{ACKBELL, text};
use crate::harness::site::Site;
use crate::screen::Screen;

/// A queue in which two notifications wait for a Slack that isn't there.
fn waiting() -> Site {
    let site =
        Site::new("[slack]\nwebhook_url = \"http://127.0.0.1:9/services/T0/B0/x\"\n[outbox]\ntime_budget = \"1s\"\n");
    site.service(
        "PROBLEM",
        "db01",
        &format!("A service with a name of more than a line: {}", "x".repeat(100)),
        "2",
        "y",
    );
    site.service("PROBLEM", "web01", "Disk", "2", "y");
    site
}

#[test]
fn the_queue_is_filtered_and_whole_for_a_script() {
    let site = waiting();
    let list = |more: &[&str]| text(&site.run(&[&["queue", "list"], more].concat()).stdout);
    let all = list(&[]);
    assert!(all.starts_with("ID  STATE    TO "), "{all}");
    assert!(all.contains(&"x".repeat(100)) && !all.contains('\u{1b}'), "{all}");
    for (filter, hosts) in [
        (&["--host", "db*"][..], [true, false]),
        (&["--host", "!db*"], [false, true]),
        (&["--to", "webhook"], [true, true]),
        (&["--to", "#ops"], [false, false]),
        (&["--state", "waiting"], [true, true]),
        (&["--state", "dead"], [false, false]),
    ] {
        let said = list(filter);
        assert_eq!(["db01", "web01"].map(|host| said.contains(host)), hosts, "{filter:?}: {said}");
        assert!(said.contains("2 waiting, 0 dead"), "the whole queue is counted: {said}");
        let queue = site.run(&[&["queue", "list", "--json"], filter].concat());
        let queue: serde_json::Value = serde_json::from_slice(&queue.stdout).unwrap();
        let count = hosts.iter().filter(|host| **host).count();
        assert_eq!(queue["deliveries"].as_array().unwrap().len(), count, "{filter:?}: {queue}");
    }
    let refused = site.run(&["queue", "list", "--state", "lost"]);
    assert_eq!(refused.status.code(), Some(64));
    assert!(text(&refused.stderr).contains("[possible values: waiting, dead]"), "{}", text(&refused.stderr));
    assert_eq!(
        text(&site.run(&["queue", "subscriptions"]).stdout),
        "no channel has a subscription; to add one, type /ackbell subscribe in Slack\n"
    );
    assert_eq!(text(&site.run(&["queue", "subscriptions", "--json"]).stdout), "{\"subscriptions\":[]}\n");
}

#[test]
#[ignore = "needs tmux: tests/run"]
fn on_a_terminal_a_table_fits_and_work_shows() {
    let site = waiting();
    let config = site.config().display().to_string();
    let screen = Screen::run(&format!(
        "sh -c '{ACKBELL} --config {config} queue list; {ACKBELL} --config {config} config show'"
    ));
    let seen = screen.sees("exit 0.").seen();
    let (table, _) = seen.split_once("exit 0.").unwrap();
    let row = table.lines().find(|line| line.contains("db01")).or_else(|| table.lines().nth(1)).unwrap();
    assert!(row.ends_with('…') && row.chars().count() == 110, "{row}");
    assert!(table.lines().all(|line| line.chars().count() <= 110), "{table}");
    assert!(table.contains("2 waiting, 0 dead, 0 in the spool"), "{table}");
    let screen = Screen::run(&format!("{ACKBELL} --config {config} audit --verify"));
    screen.sees("rows: 0; each follows").sees("exit 0.");
}

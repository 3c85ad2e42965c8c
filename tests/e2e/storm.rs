//! Many at once.

use crate::world::{Sandbox, Site, wait_until};
use std::process::Stdio;
use std::time::{Duration, Instant};

#[test]
fn two_hundred_side_by_side_all_exit_0_and_arrive() {
    let sandbox = Sandbox::start(&["--burst", "5000"]);
    let site = Site::with_token(&sandbox, "");
    let listener = site.listen();
    let children: Vec<_> = (0..200)
        .map(|i| {
            let (host, to) = (format!("h{i}"), format!("#load-{i}"));
            let mut command = site.command(&["notify", "--hostname", &host, "--hoststate", "1", "--to", &to]);
            command.stdout(Stdio::null()).spawn().unwrap()
        })
        .collect();
    for mut child in children {
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
    wait_until("all of them", Duration::from_secs(30), || sandbox.messages().len() == 200);
    drop(listener);
    sandbox.assert_respected();
}

#[test]
fn a_channel_gets_one_message_a_second_and_others_go_on() {
    let sandbox = Sandbox::start(&[]);
    let site = Site::with_token(&sandbox, "");
    let listener = site.listen();
    let started = Instant::now();
    for i in 0..4 {
        site.service("PROBLEM", &format!("h{i}"), "S", "2", "x");
    }
    let done = site.run(&["notify", "--hostname", "other", "--hoststate", "1", "--to", "#db-alerts"]);
    assert_eq!(done.status.code(), Some(0));
    let messages = sandbox.wait_for_messages(5);
    assert!(started.elapsed() >= Duration::from_secs(3));
    let other = messages.iter().position(|m| m["channel_name"] == "db-alerts").unwrap();
    assert!(other <= 2, "it waits for nobody else's channel: {other}");
    drop(listener);
    sandbox.assert_respected();
    assert_eq!(sandbox.get("stats")["too_fast"], 0);
}

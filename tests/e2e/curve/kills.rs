//! `kill -9` at the calls of the thread that looks up curves and uploads pictures.

use super::source::{Server, graphite, ok};
use super::{allow_files, notify, pictures, shown};
use crate::faults::clicks::{attach, threads};
use crate::harness::on_call::{OnCall, Way};
use crate::harness::process::is_long;
use crate::harness::wait;
use crate::kills::calls;
use std::fs;

/// Whatever changes the outbox, or speaks to a source or to Slack.
const CALLS: &str = "pwrite64,fdatasync,sendto,connect";

/// What a life that is traced calls, with how often, until the picture is there.
fn calls_of_a_curve(night: &mut OnCall, number: usize) -> Vec<(String, usize)> {
    let log = night.site.dir.path().join("calls");
    let tracer = attach(curves_thread(night.pid()), &["-o", log.to_str().unwrap(), "-e", &format!("trace={CALLS}")]);
    notify(&night.site, &format!("S{number}"), "used=95%;80;90", &[]);
    let card = night.expect(&format!("CRITICAL: S{number} on"));
    wait::until("the picture", || pictures(night).iter().any(|one| one["thread_ts"] == card["ts"]));
    drop(tracer);
    calls(&fs::read_to_string(log).unwrap()).into_iter().collect()
}

/// A listener that has just begun starts it a moment later.
fn curves_thread(pid: u32) -> u32 {
    wait::until("the thread of the curves", || {
        let threads = threads(pid);
        let found = threads.iter().find(|(_, name)| *name == "curves").map(|(thread, _)| *thread);
        found.ok_or_else(|| format!("{threads:?}"))
    })
}

/// The thread of the curves dies at one call after the other, and the process with it: the card keeps its curve or gets it
/// once, the thread has one picture or none, and nothing is left over.
#[test]
#[ignore = "needs strace: tests/run"]
fn a_listener_killed_at_the_calls_of_a_curve_shows_it_once_and_one_picture_at_most() {
    let server = Server::start(|_| ok(graphite()));
    let mut night = OnCall::prepare(Way::Http, "5000");
    allow_files(&night);
    let of_graphite = format!("[curve.graphite]\nurl = \"{}\"\ntarget = \"{{host}}\"\n", server.url);
    night.begin(&format!("[storm]\nthreshold = 99\n[curve]\npicture = true\nnotifications = false\n{of_graphite}"));
    let found = calls_of_a_curve(&mut night, 0);
    let points = found.iter().flat_map(|(call, count)| (1..=*count).map(move |when| (call.clone(), when)));
    let points: Vec<(String, usize)> = points.step_by(if is_long() { 1 } else { 5 }).collect();
    let mut killed = 0;
    for (number, (call, when)) in points.iter().enumerate() {
        let service = format!("S{}", number + 1);
        let inject = format!("inject={call}:signal=KILL:when={when}");
        let tracer =
            attach(curves_thread(night.pid()), &["-o", "/dev/null", "-e", &format!("trace={call}"), "-e", &inject]);
        notify(&night.site, &service, "used=95%;80;90", &[]);
        let of_card = |night: &OnCall| {
            let card = night.expect(&format!("CRITICAL: {service} on"));
            let all = pictures(night).into_iter().filter(|one| one["thread_ts"] == card["ts"]).count();
            (shown(&card.now()).matches("Last 1 h").count(), all)
        };
        let is_dead = |night: &mut OnCall| night.listener.as_mut().unwrap().0.try_wait().unwrap().is_some();
        wait::until("its death or the picture", || is_dead(&mut night) || of_card(&night).1 == 1);
        drop(tracer);
        if is_dead(&mut night) {
            killed += 1;
            night.listen();
        }
        let rows = "SELECT (SELECT COUNT(*) FROM curve) + (SELECT COUNT(*) FROM delivery WHERE state = 'waiting')";
        wait::until("the rest", || night.site.sql(rows).is_ok_and(|count| count == "0"));
        let (curves, pictures) = of_card(&night);
        assert_eq!(curves, 1, "{call} {when}: {}", night.site.log());
        assert!(pictures <= 1, "{call} {when}: {pictures} pictures");
    }
    println!("killed at {killed} of {} points: {found:?}", points.len());
    assert!(killed * 2 >= points.len(), "the test must kill: {killed} of {}", points.len());
    assert_eq!(night.site.queue()["dead"], 0);
    night.sandbox.assert_respected();
}

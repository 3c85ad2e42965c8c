//! Three real listeners with a real database, each behind a way of its own to it, two relays, and what happens to them.

mod failover;
mod judge;

use crate::harness::cluster::Cluster;
use crate::harness::postgres::Postgres;
use crate::harness::process::{Running, signal};
use crate::harness::proxy::{Proxy, Way};
use crate::harness::site::Site;
use crate::model::step::Lot;
use failover::Failover;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::fs;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

const NODES: usize = 3;
/// Each is the token of a core's relay, after the name of the core.
const RELAYS: [(&str, &str); 2] =
    [("north", "north-token-of-32-bytes-or-more-0"), ("south", "south-token-of-32-bytes-or-more-0")];
/// Slack takes one message a second in each.
const CHANNELS: usize = 6;
/// More problems than these, and the edits of so many cards would be what is waited for.
const PROBLEMS: usize = 32;

/// What is wrong with a node, until it's put right.
enum Fault {
    Paused,
    Down,
    Cut,
}

/// A problem of a service that has no other one.
struct Problem {
    name: String,
    /// Where its core's `notify` runs: a node, or a relay after them.
    at: usize,
    id: u32,
    is_over: bool,
    clicks: usize,
    /// A click on it was answered as taken.
    answered: bool,
    words: Vec<String>,
}

pub(super) struct World {
    /// Before the database that it follows: that one waits for it at its end.
    failover: Option<Failover>,
    pub(super) cluster: Cluster,
    relays: Vec<(Running, Site)>,
    ways: Vec<Proxy>,
    lot: Lot,
    faults: [Option<(Fault, Instant)>; NODES],
    problems: Vec<Problem>,
    words: usize,
    kills: usize,
    started: Instant,
    story: String,
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let cores = RELAYS.map(|(core, token)| format!("[cores.{core}]\nrelay_token = \"{token}\"\n")).concat();
        let more = format!("{cores}[storm]\nthreshold = 1000\n");
        let mut cluster = Cluster::prepare(Arc::new(Postgres::start(&[])), NODES, &more);
        let failover = Failover::of_seed(seed, &cluster);
        let port = cluster.postgres.port;
        let ways: Vec<Proxy> = (0..NODES).map(|_| Proxy::start(port)).collect();
        for (node, way) in cluster.nodes.iter_mut().zip(&ways) {
            way.lead_to(port);
            let text = fs::read_to_string(node.site.config()).unwrap();
            let text = text.replace(&format!("127.0.0.1:{port}/"), &format!("127.0.0.1:{}/", way.port));
            fs::write(node.site.config(), text).unwrap();
            node.start();
        }
        cluster.wait_for_leader();
        let relays = RELAYS.map(|(_, token)| cluster.relay(token)).map(|site| (site.listen(), site)).into();
        // As Slack is: what happens to a sender happens in the middle of a call.
        let slow = json!({"kind": "slow", "delay_ms": 400, "times": 100_000});
        cluster.sandbox.tell("faults", &json!({"faults": [slow]}));
        Self {
            failover,
            cluster,
            relays,
            ways,
            lot: Lot(seed),
            faults: [const { None }; NODES],
            problems: Vec::new(),
            words: 0,
            kills: 0,
            started: Instant::now(),
            story: String::new(),
        }
    }

    pub(super) fn play(&mut self, length: Duration) {
        // When the others have begun, and long before the end.
        let failover = self.started + length * u32::try_from(30 + self.lot.below(40)).unwrap() / 100;
        while self.started.elapsed() < length {
            self.put_right(false);
            if failover <= Instant::now() {
                self.fail_over();
            }
            match self.lot.below(30) {
                0..=8 if self.problems.len() < PROBLEMS => self.begins(),
                9..=13 => self.ends(),
                14..=22 => self.click(),
                23 => self.kill(),
                24..=25 => self.pause(),
                26 => self.stop(),
                27 => self.cut(),
                28 if self.lot.below(2) == 0 => self.crash(),
                _ => {}
            }
            std::thread::sleep(Duration::from_millis(50 + 50 * self.lot.below(10) as u64));
        }
        self.put_right(true);
        while !self.fail_over() {
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// What happened, and when.
    pub(super) fn story(&self) -> &str {
        &self.story
    }

    pub(super) fn logs(&self) -> String {
        let relays: String = self.relays.iter().map(|(_, site)| format!("== a relay\n{}", site.log())).collect();
        format!("{:#?}\n{}{relays}", self.cluster.sandbox.texts(), self.cluster.logs())
    }

    fn note(&mut self, what: &str) {
        writeln!(self.story, "{:>7.2} s {what}", self.started.elapsed().as_secs_f64()).unwrap();
    }

    /// A node with which nothing is wrong: seven times of ten the leader. Mostly none while there is a fault already, else
    /// nobody would deliver most of the time.
    fn sound(&mut self) -> Option<usize> {
        if self.faults.iter().flatten().next().is_some() && self.lot.below(5) > 0 {
            return None;
        }
        let leads = self.lot.below(10) < 7;
        let any = self.lot.below(NODES);
        let leader = if leads { self.cluster.leader() } else { None };
        let node = leader.unwrap_or(any);
        if self.faults[node].is_some() { None } else { Some(node) }
    }

    fn until(&mut self, least_ms: u64, most_ms: u64) -> Instant {
        let ms = least_ms + self.lot.below(usize::try_from(most_ms - least_ms).unwrap()) as u64;
        Instant::now() + Duration::from_millis(ms)
    }

    fn name(&self, node: usize) -> String {
        self.cluster.nodes[node].name.clone()
    }

    fn kill(&mut self) {
        let Some(node) = self.sound() else { return };
        self.note(&format!("{} is killed", self.name(node)));
        self.cluster.nodes[node].kill();
        self.kills += 1;
        self.faults[node] = Some((Fault::Down, self.until(100, 8000)));
    }

    fn pause(&mut self) {
        let Some(node) = self.sound() else { return };
        self.note(&format!("{} is paused", self.name(node)));
        self.cluster.nodes[node].signal("STOP");
        self.faults[node] = Some((Fault::Paused, self.until(1000, 20_000)));
    }

    fn stop(&mut self) {
        let Some(node) = self.sound() else { return };
        self.note(&format!("{} is stopped", self.name(node)));
        let code = self.cluster.nodes[node].stop();
        assert_eq!(code, Some(0), "a stop is clean: {}\n{}", self.story, self.logs());
        self.note("it has ended");
        self.faults[node] = Some((Fault::Down, self.until(100, 4000)));
    }

    fn cut(&mut self) {
        let Some(node) = self.sound() else { return };
        let way = [Way::Swallow, Way::Refuse, Way::Reset][self.lot.below(3)];
        self.note(&format!("{}'s way to the database: {way:?}", self.name(node)));
        self.ways[node].set(way);
        self.faults[node] = Some((Fault::Cut, self.until(200, 15_000)));
    }

    /// One of its processes dies by SIGKILL: it ends all sessions and recovers, as after a loss of power.
    fn crash(&mut self) {
        let any = self.cluster.try_sql(
            "SELECT pid FROM pg_stat_activity WHERE application_name = 'ackbell' AND datname = current_database() LIMIT 1",
        );
        if let Some(pid) = any.and_then(|pid| pid.parse().ok()) {
            self.note("the database crashes");
            signal(pid, "KILL");
        }
    }

    /// What was wrong for long enough, or all of it.
    fn put_right(&mut self, all: bool) {
        for node in 0..NODES {
            let is_due = self.faults[node].as_ref().is_some_and(|(_, until)| all || *until <= Instant::now());
            match self.faults[node].take_if(|_| is_due) {
                Some((Fault::Paused, _)) => self.cluster.nodes[node].signal("CONT"),
                Some((Fault::Cut, _)) => self.ways[node].set(Way::Pass),
                Some((Fault::Down, _)) => self.start(node),
                None => {
                    self.must_run(node);
                    continue;
                }
            }
            self.note(&format!("{} is put right", self.name(node)));
        }
    }

    fn must_run(&mut self, node: usize) {
        let Some(listener) = self.cluster.nodes[node].listener.as_mut() else { return };
        let ended = listener.0.try_wait().unwrap();
        assert!(ended.is_none(), "{} ended: {ended:?}\n{}\n{}", self.name(node), self.story, self.logs());
    }

    /// Without waiting until it listens: something else may happen meanwhile.
    fn start(&mut self, node: usize) {
        let node = &mut self.cluster.nodes[node];
        let log = fs::OpenOptions::new().append(true).open(node.site.dir.path().join("log")).unwrap();
        node.listener = Some(Running(node.site.command(&["listen"]).stderr(log).spawn().unwrap()));
    }

    fn begins(&mut self) {
        let name = format!("P{}", self.problems.len());
        let id = self.cluster.core.set("web01", &name, 2);
        let at = self.lot.below(NODES + RELAYS.len());
        self.problems.push(Problem { name, at, id, is_over: false, clicks: 0, answered: false, words: Vec::new() });
        self.notify(self.problems.len() - 1);
    }

    fn ends(&mut self) {
        let Some(number) = self.any_open() else { return };
        self.cluster.core.set("web01", &self.problems[number].name, 0);
        self.problems[number].is_over = true;
        self.notify(number);
    }

    fn any_open(&mut self) -> Option<usize> {
        let open: Vec<usize> = (0..self.problems.len()).filter(|number| !self.problems[*number].is_over).collect();
        if open.is_empty() { None } else { Some(open[self.lot.below(open.len())]) }
    }

    fn notify(&mut self, number: usize) {
        self.words += 1;
        let (word, channel) = (format!("word{}x", self.words), format!("#load-{}", number % CHANNELS));
        let problem = &mut self.problems[number];
        problem.words.push(word.clone());
        let (kind, state, id) = if problem.is_over {
            ("RECOVERY", "OK", "--last-problem-id")
        } else {
            ("PROBLEM", "CRITICAL", "--problem-id")
        };
        let (place, site) = match self.cluster.nodes.get(problem.at) {
            Some(node) => (node.name.as_str(), &node.site),
            None => (RELAYS[problem.at - NODES].0, &self.relays[problem.at - NODES].1),
        };
        let told = format!("{} is {state}, at {place}", problem.name);
        let id_text = problem.id.to_string();
        let arguments = ["notify", "--hostname", "web01", "--servicedesc", &problem.name, "--notificationtype", kind];
        let more = ["--servicestate", state, id, &id_text, "--output", &word, "--to", &channel];
        let mut command = site.command(&[&arguments[..], &more].concat());
        let done = command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
        assert!(done.success(), "notify: {done}");
        self.note(&told);
    }

    /// Somebody acknowledges a problem: at one node, the same click at two, or two taps at two.
    fn click(&mut self) {
        let messages = self.cluster.sandbox.messages();
        let is_new = |number: &usize| {
            let problem = &self.problems[*number];
            !problem.is_over && problem.clicks == 0 && !self.heads(*number, &messages).is_empty()
        };
        let candidates: Vec<usize> = (0..self.problems.len()).filter(is_new).collect();
        if candidates.is_empty() {
            return;
        }
        let number = candidates[self.lot.below(candidates.len())];
        let heads = self.heads(number, &messages);
        let Some(card) = heads.last() else { return };
        let click = json!({"channel": card["channel"], "ts": card["ts"], "action_id": "acknowledge"});
        let kind = self.lot.below(3);
        let first = self.lot.below(NODES);
        let second = (first + 1 + self.lot.below(NODES - 1)) % NODES;
        self.clicked(number, first, &click, "is acknowledged");
        match kind {
            0 => {}
            1 => self.clicked(number, second, &json!({"again": true}), "is acknowledged by the same click"),
            _ => self.clicked(number, second, &click, "is acknowledged by a second tap"),
        }
    }

    fn clicked(&mut self, number: usize, node: usize, click: &Value, what: &str) {
        self.cluster.clicks_reach(node);
        let answer = self.cluster.sandbox.order("click", click);
        let is_taken = answer["ok"] == true && answer["status"] == 200;
        self.problems[number].clicks += 1;
        self.problems[number].answered |= is_taken;
        let told = format!("{} {what}, at {}: {}", self.problems[number].name, self.name(node), answer["status"]);
        self.note(&told);
    }

    /// The messages at the top of its channel that show a problem now.
    fn heads(&self, number: usize, messages: &[Value]) -> Vec<Value> {
        let about = format!("{} on web01", self.problems[number].name);
        let is_it = |m: &&Value| {
            m["channel_name"] == format!("load-{}", number % CHANNELS)
                && m["thread_ts"].is_null()
                && m["ephemeral_for"].is_null()
                && m["deleted"] != true
                && m["text"].as_str().unwrap_or_default().contains(&about)
        };
        messages.iter().filter(is_it).cloned().collect()
    }
}

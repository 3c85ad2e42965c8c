//! The oracle of `replay`: of an evening drawn by lot, the real spool, outbox and calls to the stand-in deliver what a replay of
//! the core's log of that evening gives, message by message.

use super::*;
use crate::flow::replay::{ReplayOptions, replay};
use crate::monitoring::log_files;
use crate::system::clock::SteadyClock;

/// A core's events with their times, from a seed.
struct Lot(u64);

impl Lot {
    fn below(&mut self, end: u64) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % end).unwrap()
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(u64::try_from(all.len()).unwrap())]
    }
}

const HOSTS: u64 = 9;
const START: i64 = 1_795_000_000;
const KINDS: [(&str, &str); 9] = [
    ("PROBLEM", "CRITICAL"),
    ("PROBLEM", "CRITICAL"),
    ("PROBLEM", "WARNING"),
    ("RECOVERY", "OK"),
    ("RECOVERY", "OK"),
    ("ACKNOWLEDGEMENT", "CRITICAL"),
    ("FLAPPINGSTART", "WARNING"),
    ("DOWNTIMESTART", "CRITICAL"),
    ("CUSTOM", "OK"),
];
const HOST_KINDS: [(&str, &str); 4] =
    [("PROBLEM", "DOWN"), ("RECOVERY", "UP"), ("ACKNOWLEDGEMENT", "DOWN"), ("PROBLEM", "UNREACHABLE")];

/// One thing the core says, to one contact after the other.
struct Said {
    at: i64,
    host: String,
    service: &'static str,
    kind: &'static str,
    state: &'static str,
    output: String,
    contacts: &'static [&'static str],
}

impl Said {
    fn draw(lot: &mut Lot, at: i64, storms: bool) -> Self {
        let hosts = if storms { HOSTS } else { 3 };
        let service = lot.one_of(&["Disk", "Load", ""]);
        let (kind, state) = if service.is_empty() { lot.one_of(&HOST_KINDS) } else { lot.one_of(&KINDS) };
        Self {
            at,
            host: format!("h{}", lot.below(hosts)),
            service,
            kind,
            state,
            output: format!("output {}; more", lot.below(4)),
            contacts: lot.one_of(&[&["alice"][..], &["alice", "bob"], &["alice", "bob"]]),
        }
    }

    fn has_author(&self) -> bool {
        !matches!(self.kind, "PROBLEM" | "RECOVERY")
    }

    /// As Nagios writes it (`base/notifications.c`).
    fn line(&self, contact: &str) -> String {
        let Self { at, host, service, kind, state, output, .. } = self;
        let state = if self.has_author() { format!("{kind} ({state})") } else { (*state).to_owned() };
        let output = if self.has_author() { output.replace(';', ":") } else { output.clone() };
        let more = if self.has_author() { ";carol;looking" } else { "" };
        if service.is_empty() {
            format!("[{at}] HOST NOTIFICATION: {contact};{host};{state};notify-host-by-ackbell;{output}{more}\n")
        } else {
            format!(
                "[{at}] SERVICE NOTIFICATION: {contact};{host};{service};{state};notify-service-by-ackbell;{output}{more}\n"
            )
        }
    }

    fn entry(&self, contact: &str, id: usize) -> Entry {
        let mut fields = Fields::default();
        let output = if self.has_author() { self.output.replace(';', ":") } else { self.output.clone() };
        let state = if self.service.is_empty() { "hoststate" } else { "servicestate" };
        for (name, value) in [
            ("hostname", self.host.as_str()),
            ("servicedesc", self.service),
            ("notificationtype", self.kind),
            (state, self.state),
            ("output", &output),
            ("contact", contact),
            ("notification-id", &(id + 1).to_string()),
            ("author", if self.has_author() { "carol" } else { "" }),
            ("comment", if self.has_author() { "looking" } else { "" }),
        ] {
            fields.put(name, value);
        }
        Entry { received: self.at * 1000, incoming: Incoming::Notification(fields.into_notification(self.at)) }
    }
}

/// A message as it stands in Slack in the end: the number of the message whose thread it is in, and what it shows.
type Shown = (Option<usize>, Value);

fn shown(message: &Value) -> Value {
    let or_empty = |key: &str| message[key].as_array().cloned().unwrap_or_default();
    let shown = json!([message["text"], or_empty("blocks"), or_empty("attachments")]).to_string();
    // Slack chooses the address of a message.
    let mut parts = shown.split("https://slack.com/archives/");
    let first = parts.next().unwrap_or_default().to_owned();
    let rest = parts.map(|part| part.split_once('|').unwrap().1);
    serde_json::from_str(&rest.fold(first, |text, part| format!("{text}ADDRESS|{part}"))).unwrap()
}

/// What the stand-in has.
fn delivered(evening: &Evening) -> Vec<Shown> {
    let messages = evening.messages();
    let number = |ts: &Value| messages.iter().position(|message| message["ts"] == *ts);
    messages.iter().map(|message| (number(&message["thread_ts"]), shown(message))).collect()
}

/// What a replay of the log gives, with the number of its calls.
fn replayed(config: &Config, log: &std::path::Path) -> (Vec<Shown>, usize) {
    let options = ReplayOptions { core: String::new(), from: START - 1, latest: i64::MAX, command: None };
    let found = log_files::find(&[log.to_owned()], options.latest);
    let (mut messages, mut calls) = (Vec::<(String, Shown)>::new(), 0);
    let env = Environment::default();
    let mut each = |call: &SimulatedCall| {
        calls += 1;
        let known = messages.iter().position(|(ts, _)| *ts == call.root);
        match (call.kind, known) {
            (CallKind::Edit, Some(known)) => messages[known].1.1 = shown(&call.message),
            (CallKind::Reply, known) => messages.push((String::new(), (known, shown(&call.message)))),
            (_, _) => messages.push((call.root.clone(), (None, shown(&call.message)))),
        }
    };
    replay((config, &env, &[]), &found.files, &options, &mut each, &mut |_| true).unwrap();
    (messages.into_iter().map(|(_, shown)| shown).collect(), calls)
}

/// The evening of a seed, with the real half and the replay. How many messages there were, and how many of them showed a storm.
fn evening_of(seed: u64) -> [usize; 2] {
    let mut lot = Lot(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let storms = lot.below(3) == 0;
    let thread = lot.one_of(&["off", "replies", "broadcast"]);
    let threshold = if storms { 3 } else { 99 };
    let more = format!(
        "[storm]\nthreshold = {threshold}\nwindow = \"60s\"\n[message]\nthread = \"{thread}\"\n[core]\nobjects_file = \"objects.cache\"\n"
    );
    let mut evening = Evening::configured(&more);
    // Each host hangs below the one before it, some below two.
    let parents = |host: u64, lot: &mut Lot| match host {
        0 => String::new(),
        _ => format!("\tparents\th{},h{}\n", host - 1, lot.one_of(&[host - 1, host - 1, 0])),
    };
    let objects =
        (0..HOSTS).map(|host| format!("define host {{\n\thost_name\th{host}\n{}\t}}\n", parents(host, &mut lot)));
    std::fs::write(evening.directory.path().join("objects.cache"), objects.collect::<String>()).unwrap();
    let clock = |evening: &mut Evening| -> i64 { evening.deliverer.as_ref().unwrap().0.now_ms() };
    evening.deliverer.as_mut().unwrap().0.clock = SteadyClock::simulated(0);
    let (mut at, mut log) = (START, String::new());
    for id in 0..20 + lot.below(25) {
        at +=
            if storms { lot.one_of(&[0, 0, 0, 0, 0, 0, 1, 30, 900]) } else { lot.one_of(&[0, 0, 1, 2, 30, 400, 4000]) };
        let said = Said::draw(&mut lot, at, storms);
        for contact in said.contacts {
            log.push_str(&said.line(contact));
            evening.until(at * 1000);
            Spool::new(&evening.config.state_dir).put(&said.entry(contact, id)).unwrap();
            evening.deliverer.as_mut().unwrap().0.drain().unwrap();
            evening.until(at * 1000);
        }
    }
    let end = clock(&mut evening) + 86_400_000;
    evening.until(end);
    let path = evening.directory.path().join("nagios.log");
    std::fs::write(&path, &log).unwrap();
    let (replayed, calls) = replayed(&evening.config, &path);
    let delivered = delivered(&evening);
    for (number, (one, other)) in delivered.iter().zip(&replayed).enumerate() {
        assert_eq!(one, other, "seed {seed}, message {number}, of this log:\n{log}");
    }
    assert_eq!(delivered.len(), replayed.len(), "seed {seed}, of this log:\n{log}");
    let made = evening.control("requests", None);
    let made = made.as_array().or(made["requests"].as_array()).unwrap().len();
    assert_eq!(made, calls, "seed {seed}: as many calls");
    let is_storm = |shown: &&Shown| shown.1[0].as_str().is_some_and(|text| text.contains("problems on"));
    [delivered.len(), delivered.iter().filter(is_storm).count()]
}

/// Enough happened for the comparison to say something.
fn assert_eventful(evenings: &[[usize; 2]]) {
    let sum = |column: usize| evenings.iter().map(|evening| evening[column]).sum::<usize>();
    let (messages, storms) = (sum(0), sum(1));
    assert!(messages > evenings.len() * 5 && storms * 10 > evenings.len(), "{messages} messages, {storms} storms");
}

impl Evening {
    /// Makes every call that is due before this time.
    fn until(&mut self, until: i64) {
        let (deliverer, _) = self.deliverer.as_mut().unwrap();
        loop {
            match deliverer.round(None, &|| false).unwrap().next {
                Some(next) if next <= until => deliverer.clock.advance_to(next),
                _ => return deliverer.clock.advance_to(until),
            }
        }
    }
}

#[test]
fn a_replay_of_an_evenings_log_gives_what_the_evening_delivered() {
    assert_eventful(&(1..=15).map(evening_of).collect::<Vec<_>>());
}

/// A thousand take ten minutes: `LONG=1`.
#[test]
#[ignore = "slow: tests/run"]
fn a_replay_of_many_evenings_gives_what_they_delivered() {
    #[expect(clippy::disallowed_methods, reason = "a person at a terminal asks for it")]
    let count = if std::env::var("LONG").is_ok() { 1000 } else { 60 };
    let evenings = std::thread::scope(|scope| {
        let part = |part: u64| (1..=count).filter(move |seed| seed % 4 == part).map(evening_of).collect::<Vec<_>>();
        let running: Vec<_> = (0..4).map(|number| scope.spawn(move || part(number))).collect();
        running.into_iter().flat_map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    assert_eventful(&evenings);
}

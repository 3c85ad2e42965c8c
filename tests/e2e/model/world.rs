//! The real program with a story played to it, and the promises asked of it afterwards.

use super::step::{SERVICES, Step};
use crate::harness::on_call::OnCall;
use crate::harness::played::PlayedCore;
use crate::harness::process::signal;
use crate::harness::wait;
use serde_json::{Value, json};
use std::fs;
use std::process::Stdio;
use std::time::Duration;

/// Two steps soon after each other, which name a group, and a question to whoever acknowledged.
const TIMERS: &str = "[[escalate]]\nafter = \"1s\"\nmention = \"@oncall\"\n[[escalate]]\nafter = \"2s\"\nmention = \"here\"\n\
    [acknowledge]\nstill = \"2s\"\nstill_wait = \"1h\"\n";

/// What must be true of one service.
#[derive(Debug, Clone, Default)]
struct Promised {
    /// Words of the notifications that exited 0, in order.
    words: Vec<String>,
    /// Words of those that were killed: nobody knows.
    maybe: Vec<String>,
    /// The state that was told last; `None` when nobody knows.
    told: Option<u8>,
}

/// A played story.
pub(super) struct PlayedStory {
    night: OnCall<PlayedCore>,
    config: String,
    services: Vec<Promised>,
    words: usize,
    /// The state that each word told, also those of notifications that were killed.
    states: Vec<u8>,
    /// The last notification in the outbox when the clock first jumped: of later ones the order of import doesn't say which
    /// is older.
    moved: Option<i64>,
    /// How many early tries are excused: who is killed before it has noted Slack's word can't keep to it.
    excused: usize,
    /// The clock jumped while an act was under way: what the core noted then may look like an older one's.
    jumped: bool,
}

impl PlayedStory {
    pub(super) fn new() -> Self {
        let mut night = OnCall::with_played_at("+0");
        let config = fs::read_to_string(night.site.config()).unwrap() + "\n" + TIMERS;
        fs::write(night.site.config(), &config).unwrap();
        night.listen();
        let fresh = Promised { told: Some(0), ..Promised::default() };
        Self {
            night,
            config,
            services: vec![fresh; SERVICES],
            words: 0,
            states: Vec::new(),
            moved: None,
            excused: 0,
            jumped: false,
        }
    }

    pub(super) fn play(&mut self, step: Step) {
        match step {
            Step::Check { service, state } => self.check(service, state, None),
            Step::CheckKilled { service, state, after_us } => self.check(service, state, Some(after_us)),
            Step::Click { service } => {
                if let Some(card) = self.cards(service).last() {
                    self.night.click(card);
                }
            }
            Step::Fault { kind, times } => {
                // A second is the least that Slack says.
                let fault = json!({"kind": kind, "times": times, "retry_after": "1"});
                self.night.sandbox.tell("faults", &json!({"faults": [fault]}));
            }
            Step::Kill => {
                if let Some(mut listener) = self.night.listener.take() {
                    let _ = listener.0.kill();
                    self.excused += 1;
                }
            }
            Step::Stop => {
                if let Some(listener) = self.night.listener.take() {
                    assert_eq!(listener.stop(), Some(0), "a stop is clean: {}", self.night.site.log());
                }
            }
            Step::Start => {
                if self.night.listener.is_none() {
                    self.night.listen();
                }
            }
            Step::Reload { broken } => self.reload(broken),
            Step::Core { paused } => self.night.core.pause(paused),
            Step::Clock { ahead } => self.jump(ahead),
            Step::Wait { ms } => std::thread::sleep(Duration::from_millis(ms)),
        }
    }

    fn jump(&mut self, ahead: i64) {
        self.jumped |= self.acting();
        let newest = || self.night.site.sql("SELECT COALESCE(MAX(seq), 0) FROM notification");
        self.moved = self.moved.or_else(|| Some(newest().ok()?.parse().unwrap_or(0)));
        self.night.core.jump(ahead);
        self.night.site.jump(&format!("{ahead:+}"));
        // Whoever starts then can't tell how long Slack's word to each channel still holds.
        self.excused += SERVICES;
    }

    fn reload(&self, broken: bool) {
        // A broken file isn't for a start: that would be refused, rightly.
        let Some(listener) = &self.night.listener else { return };
        let text = if broken { format!("{}\nthis = is = broken", self.config) } else { self.config.clone() };
        fs::write(self.night.site.config(), text).unwrap();
        signal(listener.0.id(), "HUP");
        if broken {
            // As long as somebody takes who sees it at once; whether the listener read it is as good as random.
            std::thread::sleep(Duration::from_millis(100));
            fs::write(self.night.site.config(), &self.config).unwrap();
        }
    }

    /// The core finds a state; it tells what changed, but not of a problem that is acknowledged.
    fn check(&mut self, service: usize, state: u8, kill_after_us: Option<u64>) {
        let name = format!("S{service}");
        let was_acknowledged = self.night.core.is_acknowledged("web01", &name);
        let problem = self.night.core.set("web01", &name, state).to_string();
        let known = &self.services[service];
        if known.told == Some(state) || (known.told.is_none() && state != 0) || (was_acknowledged && state != 0) {
            return;
        }
        self.words += 1;
        let word = format!("word{}x", self.words);
        self.states.push(state);
        let (kind, id) = if state == 0 { ("RECOVERY", "--last-problem-id") } else { ("PROBLEM", "--problem-id") };
        let (code, to) = (state.to_string(), format!("#load-{service}"));
        let arguments = ["notify", "--hostname", "web01", "--servicedesc", &name, "--notificationtype", kind];
        let more = ["--servicestate", &code, id, &problem, "--output", &word, "--to", &to];
        let mut command = self.night.site.command(&[&arguments[..], &more].concat());
        let mut process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        if let Some(after) = kill_after_us {
            std::thread::sleep(Duration::from_micros(after));
            if process.kill().is_ok() {
                self.excused += usize::from(self.night.listener.is_none());
            }
        }
        let known = &mut self.services[service];
        match process.wait().unwrap().code() {
            Some(0) => {
                known.words.push(word);
                known.told = Some(state);
            }
            None => {
                known.maybe.push(word);
                known.told = None;
            }
            other => panic!("notify exited {other:?}"),
        }
    }

    /// A service's messages at the top of its channel, oldest first.
    fn cards(&self, service: usize) -> Vec<Value> {
        let (name, channel) = (format!("S{service} on web01"), format!("load-{service}"));
        let mut cards: Vec<Value> = self.night.sandbox.messages();
        cards.retain(|m| {
            // A question is a direct message.
            m["channel_name"] == channel.as_str()
                && m["thread_ts"].is_null()
                && m["ephemeral_for"].is_null()
                && m["text"].as_str().unwrap().contains(&name)
        });
        cards
    }

    /// Nothing is wrong any more, and everything may come to rest.
    fn rest(&mut self) {
        self.night.sandbox.tell("faults", &json!({}));
        self.night.core.pause(false);
        self.night.core.jump(0);
        self.night.site.jump("+0");
        fs::write(self.night.site.config(), &self.config).unwrap();
        if self.night.listener.is_none() {
            self.night.listen();
        }
        // In the order in which one brings forth the next: an act that ends leaves a delivery behind.
        wait::until("it to come to rest", || {
            let night = &self.night;
            let rests = !self.acting() && night.site.spooled("new") == 0 && night.site.queue()["waiting"] == 0;
            if rests { Ok(()) } else { Err(format!("{} {}\n{}", night.site.queue(), self.acts("1"), night.site.log())) }
        });
    }

    /// Whether an act of somebody's click is under way.
    fn acting(&self) -> bool {
        !self.acts("state IN ('new', 'sending', 'sent')").is_empty()
    }

    fn acts(&self, which: &str) -> String {
        let sql = format!("SELECT id, state, due, object FROM action_request WHERE {which}");
        self.night.site.sql(&sql).unwrap_or_else(|e| e.to_string())
    }

    /// What is broken, in words.
    pub(super) fn judge(mut self) -> Result<(), String> {
        self.rest();
        let messages = self.night.sandbox.messages();
        let shown = json!(messages).to_string();
        for (service, known) in self.services.iter().enumerate() {
            for word in &known.words {
                if !shown.contains(word.as_str()) {
                    let there: Vec<&str> = messages.iter().filter_map(|message| message["text"].as_str()).collect();
                    let log = format!("{}\n{}", self.night.site.queue(), self.night.site.log());
                    return Err(format!("{word} of S{service} exited 0 and is nowhere in Slack: {there:#?}\n{log}"));
                }
            }
            self.judge_order(service, &messages)?;
            self.judge_card(service, known)?;
        }
        self.judge_steps()?;
        if self.night.site.queue()["dead"] != 0 {
            return Err(format!("dead: {}", self.night.site.queue()));
        }
        let violations = self.night.sandbox.violations();
        let early = violations.iter().filter(|v| v["kind"] == "early_retry").count();
        if early > self.excused {
            return Err(format!("{early} early retries, {} excused: {}", self.excused, json!(violations)));
        }
        Ok(())
    }

    /// A word never stands above one that is older; a repetition after a kill does no harm.
    fn judge_order(&self, service: usize, messages: &[Value]) -> Result<(), String> {
        let known = &self.services[service];
        let channel = format!("load-{service}");
        let place = |word: &String| {
            let is_it = |m: &&Value| m["channel_name"] == channel.as_str() && !m["thread_ts"].is_null();
            messages.iter().filter(is_it).position(|m| m.to_string().contains(word.as_str()))
        };
        let places: Vec<(usize, &String)> = known.words.iter().filter_map(|word| Some((place(word)?, word))).collect();
        match places.windows(2).find(|pair| pair[0].0 > pair[1].0) {
            Some(pair) => Err(format!("{} of S{service} stands above {}", pair[1].1, pair[0].1)),
            None => Ok(()),
        }
    }

    /// Each step of a problem is in the outbox once, the steps are in order, and none comes after the recovery.
    fn judge_steps(&self) -> Result<(), String> {
        let until = self.moved.unwrap_or(i64::MAX);
        let sql = format!(
            "SELECT id, object, replace(body, char(10), ' ') FROM notification WHERE seq <= {until} ORDER BY seq"
        );
        let rows = self.night.site.sql(&sql).map_err(|e| e.to_string())?;
        for service in 0..SERVICES {
            let object = format!("\u{1f}S{service}");
            let (mut is_well, mut last) = (false, -1_i64);
            for (id, rest) in rows.lines().filter_map(|line| line.split_once('|')) {
                if !rest.split_once('|').is_some_and(|(about, _)| about.ends_with(&object)) || id.starts_with("still ")
                {
                    continue;
                }
                if let Some(step) = id.strip_prefix("step ") {
                    let offset: i64 = step.rsplit(' ').next().unwrap_or_default().parse().unwrap();
                    if is_well || offset <= last {
                        return Err(format!(
                            "{id} of S{service} after {last}, well: {is_well}\n{rows}\n{}",
                            self.night.site.log()
                        ));
                    }
                    last = offset;
                    continue;
                }
                let told = (1..=self.words).find(|n| rest.contains(&format!("word{n}x")));
                is_well = told.map_or(is_well, |n| self.states[n - 1] == 0);
                last = -1;
            }
        }
        Ok(())
    }

    fn judge_card(&self, service: usize, known: &Promised) -> Result<(), String> {
        let cards = self.cards(service);
        let Some(card) = cards.last() else {
            return if known.words.is_empty() { Ok(()) } else { Err(format!("S{service} has no card")) };
        };
        let text = card["text"].as_str().unwrap();
        let is_held = self.night.core.is_acknowledged("web01", &format!("S{service}"));
        if text.starts_with("ACKNOWLEDGED") && !is_held && known.told != Some(0) && known.told.is_some() {
            return Err(format!("the card says more than the core holds: {text}"));
        }
        let state = match known.told {
            Some(0) => "OK: ",
            Some(1) => "WARNING: ",
            Some(_) => "CRITICAL: ",
            None => return Ok(()),
        };
        if !text.contains(state) {
            return Err(format!("S{service} was told to be {state} and its card says: {text}"));
        }
        if is_held && !self.jumped && known.told != Some(0) && !text.starts_with("ACKNOWLEDGED") {
            return Err(format!(
                "the core holds an acknowledgement, and the card says: {text}\n{}",
                self.night.site.log()
            ));
        }
        Ok(())
    }
}

//! Whatever comes in whatever order, with Slack failing and the deliverer dying in between: in the end every object's
//! newest state is shown, in order, on one card per problem.

use super::*;
use crate::model::incoming::Incoming;
use crate::model::notification::{Fields, Notification};
use crate::state_dir::spool::Entry;
use ackbell_sandbox::{Options, Sandbox};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::net::SocketAddr;

#[cfg(not(debug_assertions))] // figures of an unoptimised build say nothing
mod figures;
mod redundant;
mod replayed;

const TOKEN: &str = "xoxb-sandbox-0000000000";

#[derive(Debug, Clone)]
enum Event {
    /// An object by its number, and what the core says of it.
    Notified(usize, &'static str, &'static str),
    /// A call fails so often.
    Fault(&'static str, u32),
    /// The deliverer dies and another takes over.
    Restart,
    /// The deliverer gets so many rounds.
    Rounds(usize),
    /// A person deletes the newest card.
    Delete,
}

fn event() -> impl Strategy<Value = Event> {
    let notified = prop_oneof![
        4 => Just(("PROBLEM", "2")),
        2 => Just(("PROBLEM", "1")),
        4 => Just(("RECOVERY", "0")),
        2 => Just(("ACKNOWLEDGEMENT", "")),
    ];
    let fault = prop_oneof![Just("500"), Just("429"), Just("reset"), Just("html200"), Just("close_before")];
    prop_oneof![
        8 => (0..3_usize, notified).prop_map(|(object, (kind, state))| Event::Notified(object, kind, state)),
        2 => (fault, 1..4_u32).prop_map(|(kind, times)| Event::Fault(kind, times)),
        1 => Just(Event::Restart),
        4 => (1..5_usize).prop_map(Event::Rounds),
        1 => Just(Event::Delete),
    ]
}

/// The program's delivering half, a stand-in, and what the core has said.
struct Evening {
    directory: tempfile::TempDir,
    sandbox: Sandbox,
    config: Config,
    deliverer: Option<(Deliverer, DeliveryLock)>,
    /// Per object: the state to be shown, whether it is acknowledged, and how many problems it had.
    truth: [(&'static str, bool, usize); 3],
    deleted: usize,
    time: i64,
}

impl Evening {
    fn begin() -> Self {
        Self::with("")
    }

    /// With more of the configuration, and no storms.
    fn with(more: &str) -> Self {
        Self::configured(&format!("[storm]\nthreshold = 99\n{more}"))
    }

    /// With this beside `[slack]`.
    fn configured(more: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let options = Options {
            listen,
            tls: None,
            bot_token: TOKEN.to_owned(),
            app_token: "xapp-1".to_owned(),
            signing_secret: "s".to_owned(),
            request_url: None,
            strict_pace: false,
            burst: 1,
        };
        let sandbox = Sandbox::start(options).unwrap();
        let path = directory.path().join("ackbell.toml");
        let api = format!("{}/api/", sandbox.base_url());
        let text = format!(
            "state_dir = \"state\"\n[slack]\nbot_token = \"{TOKEN}\"\napi_url = \"{api}\"\nchannel = \"#ops\"\n{more}"
        );
        std::fs::write(&path, text).unwrap();
        let (config, _) = crate::config::load(Some(&path), &Environment::default()).unwrap();
        Spool::new(&config.state_dir).prepare().unwrap();
        let mut evening = Self {
            directory,
            sandbox,
            config,
            deliverer: None,
            truth: [("", false, 0); 3],
            deleted: 0,
            time: 1_795_000_000,
        };
        evening.restart();
        evening
    }

    fn restart(&mut self) {
        self.deliverer = None;
        // A process that another test starts just now has what is open here, until it is another program.
        let began = Instant::now();
        let lock = loop {
            match DeliveryLock::try_take(&self.config.state_dir).unwrap() {
                Some(lock) => break lock,
                None => assert!(began.elapsed() < Duration::from_secs(20), "somebody has the lock"),
            }
            std::thread::sleep(Duration::from_millis(1));
        };
        let env = Environment::default();
        let opened = Deliverer::open(self.config.clone(), env, Duration::from_secs(1), &lock).unwrap();
        self.deliverer = Some((opened, lock));
    }

    fn happens(&mut self, event: &Event) {
        match event {
            Event::Notified(object, kind, state) => self.say(*object, kind, state),
            Event::Fault(kind, times) => {
                let fault = json!({"faults": [{"kind": kind, "times": times, "retry_after": "0"}]});
                self.control("faults", Some(&fault));
            }
            Event::Restart => self.restart(),
            Event::Rounds(count) => (0..*count).for_each(|_| {
                self.round();
            }),
            Event::Delete => self.delete(),
        }
    }

    /// The core speaks, as a core does: it acknowledges and ends only what goes on.
    fn say(&mut self, object: usize, kind: &'static str, state: &'static str) {
        let (shown, acknowledged, problems) = &mut self.truth[object];
        let goes_on = *shown == "CRITICAL" || *shown == "WARNING";
        match kind {
            "PROBLEM" => {
                *problems += usize::from(!goes_on);
                (*shown, *acknowledged) = (if state == "2" { "CRITICAL" } else { "WARNING" }, false);
            }
            _ if !goes_on => return,
            "RECOVERY" => (*shown, *acknowledged) = ("RECOVERED", false),
            _ => *acknowledged = true,
        }
        let state = match (*shown, state) {
            ("CRITICAL", _) => "2",
            (_, "") => "1",
            (_, given) => given,
        };
        self.time += 1;
        let mut fields = Fields::default();
        for (name, value) in
            [("hostname", format!("h{object}")), ("servicedesc", "S".into()), ("author", "dave".into())]
        {
            fields.put(name, &value);
        }
        for (name, value) in [("notificationtype", kind), ("servicestate", state)] {
            fields.put(name, value);
        }
        // Each is another notification, as by the core's own number.
        fields.put("notification-id", &self.time.to_string());
        let notification: Notification = fields.into_notification(self.time);
        let entry = Entry { received: self.time * 1000, incoming: Incoming::Notification(notification) };
        Spool::new(&self.config.state_dir).put(&entry).unwrap();
    }

    /// One round, and then time passes; `false` when nothing waits.
    fn round(&mut self) -> bool {
        let (deliverer, _) = self.deliverer.as_mut().unwrap();
        deliverer.drain().unwrap();
        let waits = deliverer.round(None, &|| false).unwrap().next.is_some();
        deliverer.clock.skip(Duration::from_secs(30));
        waits
    }

    fn control(&self, what: &str, order: Option<&Value>) -> Value {
        let url = format!("{}/_sandbox/{what}", self.sandbox.base_url());
        let answer = match order {
            Some(order) => ureq::post(&url).send(order.to_string()),
            None => ureq::get(&url).call(),
        };
        serde_json::from_str(&answer.unwrap().body_mut().read_to_string().unwrap()).unwrap()
    }

    fn messages(&self) -> Vec<Value> {
        let answer = self.control("messages", None);
        answer.as_array().or(answer["messages"].as_array()).unwrap().clone()
    }

    /// The cards of the channel in order, without those that were deleted.
    fn heads(&self) -> Vec<Value> {
        self.messages().into_iter().filter(|m| m["thread_ts"].is_null() && m["deleted"] != true).collect()
    }

    fn delete(&mut self) {
        self.control("faults", Some(&json!({"faults": []})));
        if let Some(head) = self.heads().pop() {
            let url = format!("{}/api/chat.delete", self.sandbox.base_url());
            let request = ureq::post(&url).header("Authorization", format!("Bearer {TOKEN}"));
            let request = request.header("Content-Type", "application/json; charset=utf-8");
            let sent = request.send(json!({"channel": head["channel"], "ts": head["ts"]}).to_string());
            self.deleted += usize::from(sent.unwrap().body_mut().read_to_string().unwrap().contains("\"ok\":true"));
        }
    }

    fn assert_true(&mut self) {
        self.control("faults", Some(&json!({"faults": []})));
        for _ in 0..200 {
            if !self.round() {
                break;
            }
        }
        assert!(self.deliverer.as_ref().unwrap().0.store.queues().unwrap().is_empty(), "something still waits");
        let heads = self.heads();
        let shown = |object: usize| {
            let text = |head: &Value| head["text"].as_str().unwrap().to_owned();
            heads.iter().map(text).filter(|text| text.contains(&format!("S on h{object}"))).collect::<Vec<String>>()
        };
        let mut cards = 0;
        for (object, (state, acknowledged, problems)) in self.truth.iter().enumerate() {
            let texts = shown(object);
            cards += texts.len();
            assert!(texts.len() <= problems + self.deleted, "one card a problem: {texts:?}");
            let Some(last) = texts.last() else {
                // The last card was deleted after all had been said.
                assert!(*problems == 0 || self.deleted > 0, "h{object} is shown nowhere");
                continue;
            };
            if self.deleted == 0 {
                let wanted = if *acknowledged { format!("ACKNOWLEDGED, {state}") } else { (*state).to_owned() };
                assert!(last.starts_with(&wanted), "{wanted} is not shown: {texts:?}");
            }
        }
        assert_eq!(cards, heads.len());
        self.assert_in_order();
    }

    /// In every thread the times go forward.
    fn assert_in_order(&self) {
        let all = self.messages();
        let mut last: HashMap<String, i64> = HashMap::new();
        for reply in all.iter().filter(|m| !m["thread_ts"].is_null()) {
            let shown = reply["blocks"].to_string();
            for time in shown.split("<!date^").skip(1) {
                let time: i64 = time.split('^').next().unwrap().parse().unwrap();
                let before = last.insert(reply["thread_ts"].to_string(), time).unwrap_or(0);
                assert!(before <= time, "{shown}");
            }
        }
        assert!(self.directory.path().exists());
    }
}

/// Where nodes share the outbox, a failover may forget that a channel holds still, so the sender keeps that in mind; after
/// an edit a channel doesn't.
#[test]
fn only_after_a_post_a_channel_is_remembered_to_hold_still() {
    let mut evening = Evening::begin();
    let (deliverer, _) = evening.deliverer.as_mut().unwrap();
    let (leadership, _) = deliverer.store.take_lease("a", 0).unwrap().unwrap();
    deliverer.lead(Some(leadership)).unwrap();
    let mut remembered = Vec::new();
    for (kind, state) in [("PROBLEM", "2"), ("PROBLEM", "1")] {
        evening.say(0, kind, state);
        let (deliverer, _) = evening.deliverer.as_mut().unwrap();
        deliverer.keep_lease().unwrap();
        deliverer.drain().unwrap();
        let queue = deliverer.store.queues().unwrap().remove(0);
        deliverer.send(&queue, Duration::from_secs(5), &|| false).unwrap();
        remembered.push(deliverer.paces.get(&queue).copied());
        // As a process that was started since.
        deliverer.paces.clear();
        deliverer.clock.skip(Duration::from_secs(30));
    }
    assert!(remembered[0].is_some(), "a post");
    assert_eq!(remembered[1], None, "an edit");
    assert_eq!(evening.heads().len(), 1);
    assert!(evening.heads()[0]["text"].as_str().unwrap().starts_with("WARNING"), "{:?}", evening.heads());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, max_shrink_iters: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_newest_state_is_shown_in_order_on_one_card_a_problem(events in prop::collection::vec(event(), 1..40)) {
        let mut evening = Evening::begin();
        for event in &events {
            evening.happens(event);
        }
        evening.assert_true();
    }
}

//! Socket Mode: which connections there are, and which envelope went over which.
//! <https://docs.slack.dev/apis/events-api/using-socket-mode>

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::app::{APP_ID, Delivered, Kind, PATIENCE, Parcel};
use super::journal::Journal;
use super::state::{State, lock};

/// The most connections of an app.
const LINKS_MAX: usize = 10;
/// How long a ticket can be used.
const TICKET_MS: u64 = 30_000;
/// A longer answer is dropped without a word.
const ACK_BYTES_MAX: usize = 20 * 1024;
/// How long a connection stays after Slack asked to renew it.
const GRACE: Duration = Duration::from_secs(10);
/// How often the server asks whether the client lives.
const PING_EVERY: Duration = Duration::from_secs(5);

/// What a connection's thread is told.
#[derive(Debug, Clone)]
pub(super) enum Push {
    Text {
        text: String,
        fragmented: bool,
    },
    /// Close in order after this time.
    Close(Duration),
    /// Drop the connection without a Close.
    Cut,
    /// Stay open and say nothing any more.
    Mute,
}

#[derive(Debug)]
struct Link {
    id: u64,
    pushes: Sender<Push>,
    born_ms: u64,
    pongs: u64,
    envelopes: u64,
    acks: u64,
    /// Asked to renew: other connections go first.
    leaving: bool,
}

impl Link {
    fn json(&self, now_ms: u64) -> Value {
        json!({"id": self.id, "age_ms": now_ms.saturating_sub(self.born_ms), "pongs": self.pongs,
            "envelopes": self.envelopes, "acks": self.acks, "leaving": self.leaving})
    }
}

#[derive(Debug)]
struct Waiting {
    /// `None`: it went to a ghost.
    link: Option<u64>,
    accepts_payload: bool,
    answer: Sender<Vec<u8>>,
}

/// How a new connection is greeted.
#[derive(Debug)]
pub(super) enum Greeting {
    /// Registered under this number; the first lines are in the channel.
    Hello(u64, Receiver<Push>),
    /// Turned away with this line.
    Refused(String),
}

/// The app's connections.
#[derive(Debug, Default)]
pub(super) struct Sockets {
    tickets: HashMap<String, u64>,
    links: Vec<Link>,
    left: Vec<Value>,
    waiting: HashMap<String, Waiting>,
    /// Connections that Slack still counts and writes to, although nobody reads them any more.
    ghosts: usize,
    fragmented: bool,
    ping_every: Option<Duration>,
    turn: usize,
    made: u64,
}

impl Sockets {
    /// A ticket for one connection.
    pub(super) fn ticket(&mut self, now_ms: u64) -> String {
        self.made += 1;
        let ticket = format!("{:08x}-sandbox-{now_ms}", self.made);
        self.tickets.insert(ticket.clone(), now_ms);
        ticket
    }

    /// Whether the ticket was handed out a moment ago and not used yet.
    pub(super) fn redeem(&mut self, ticket: &str, now_ms: u64) -> bool {
        self.tickets.remove(ticket).is_some_and(|born_ms| now_ms.saturating_sub(born_ms) <= TICKET_MS)
    }

    /// Takes a new connection in, or turns it away.
    pub(super) fn join(&mut self, enabled: bool, now_ms: u64) -> Greeting {
        if !enabled {
            return Greeting::Refused(disconnect("link_disabled"));
        }
        if self.links.len() >= LINKS_MAX {
            return Greeting::Refused(disconnect("too_many_websockets"));
        }
        self.made += 1;
        let (pushes, receiver) = channel();
        let id = self.made;
        let hello = json!({"type": "hello", "num_connections": self.links.len() + 1 + self.ghosts,
            "connection_info": {"app_id": APP_ID}, "debug_info": {"host": "applink-sandbox", "build_number": 1,
            "started": "2026-01-01 00:00:00.000", "approximate_connection_time": 18060}});
        let link = Link { id, pushes, born_ms: now_ms, pongs: 0, envelopes: 0, acks: 0, leaving: false };
        push_text(&link, &hello.to_string(), self.fragmented);
        self.links.push(link);
        Greeting::Hello(id, receiver)
    }

    /// Forgets a connection; `how` it ended is kept for the test.
    pub(super) fn remove_link(&mut self, id: u64, how: &str, now_ms: u64) {
        for link in self.links.iter().filter(|link| link.id == id) {
            let mut shown = link.json(now_ms);
            shown["how"] = how.into();
            self.left.push(shown);
        }
        self.links.retain(|link| link.id != id);
    }

    /// The client answered a ping.
    pub(super) fn pong(&mut self, id: u64) {
        for link in self.links.iter_mut().filter(|link| link.id == id) {
            link.pongs += 1;
        }
    }

    /// How often a connection is to be pinged.
    pub(super) fn ping_every(&self) -> Duration {
        self.ping_every.unwrap_or(PING_EVERY)
    }

    /// Writes an envelope to the next connection and tells where its acknowledgement will come in.
    fn send(&mut self, parcel: &Parcel) -> Option<(String, Receiver<Vec<u8>>)> {
        let mut targets: Vec<usize> = (0..self.links.len()).filter(|index| !self.links[*index].leaving).collect();
        if targets.is_empty() {
            targets = (0..self.links.len()).collect();
        }
        let slots = targets.len() + self.ghosts;
        if slots == 0 {
            return None;
        }
        let (kind, accepts_payload) = match parcel.kind {
            Kind::Interactive { answered } => ("interactive", answered),
            Kind::Slash => ("slash_commands", true),
            Kind::Event | Kind::SslCheck => ("events_api", false),
        };
        self.made += 1;
        let id = format!("{:08x}-0000-4000-8000-{:012x}", self.made, self.made * 7919);
        let mut envelope = json!({"envelope_id": id, "type": kind, "payload": parcel.payload,
            "accepts_response_payload": accepts_payload});
        if parcel.kind == Kind::Event {
            let retry = |name| parcel.headers.iter().find(|(key, _)| *key == name).map(|(_, value)| value.as_str());
            let number = retry("X-Slack-Retry-Num").and_then(|number| number.parse::<u64>().ok()).unwrap_or(0);
            envelope["retry_attempt"] = number.into();
            envelope["retry_reason"] = retry("X-Slack-Retry-Reason").unwrap_or_default().into();
        }
        let slot = self.turn % slots;
        self.turn += 1;
        // A place beyond the real ones is a ghost's: the envelope is lost.
        let link = targets.get(slot).map(|index| &mut self.links[*index]);
        let target = link.map(|link| {
            link.envelopes += 1;
            push_text(link, &envelope.to_string(), self.fragmented);
            link.id
        });
        let (answer, receiver) = channel();
        self.waiting.insert(id.clone(), Waiting { link: target, accepts_payload, answer });
        Some((id, receiver))
    }

    /// Takes what a client sent. Only what Slack would count reaches the one who waits.
    pub(super) fn receive(&mut self, id: u64, text: &str, journal: &mut Journal) {
        if text.len() >= ACK_BYTES_MAX {
            return journal.violate(0, "ack_too_large", format!("{} bytes, dropped", text.len()));
        }
        let given: Value = serde_json::from_str(text).unwrap_or_default();
        let Some(envelope) = given["envelope_id"].as_str() else {
            return journal.violate(0, "bad_ack", text.chars().take(200).collect::<String>());
        };
        let Some(waiting) = self.waiting.get(envelope) else {
            return journal.violate(0, "unknown_or_late_ack", envelope);
        };
        if waiting.link != Some(id) {
            return journal.violate(0, "ack_on_other_connection", envelope);
        }
        let payload = &given["payload"];
        if !payload.is_null() && !waiting.accepts_payload {
            journal.violate(0, "ack_payload_not_accepted", envelope);
        }
        let body = if payload.is_null() || !waiting.accepts_payload { String::new() } else { payload.to_string() };
        // Who waits may have given up this instant: then it was late.
        _ = waiting.answer.send(body.into_bytes());
        self.waiting.remove(envelope);
        for link in self.links.iter_mut().filter(|link| link.id == id) {
            link.acks += 1;
        }
    }

    /// Does what the control API was told.
    pub(super) fn control(&mut self, given: &Value) -> Result<(), String> {
        let only = given["connection"].as_u64();
        let grace = given["grace_ms"].as_u64().map(Duration::from_millis);
        for (name, value) in given.as_object().into_iter().flatten() {
            let wrong = || format!("can't understand {name}: {value}");
            match name.as_str() {
                "disconnect" => self.disconnect(value.as_str().ok_or_else(wrong)?, only, grace)?,
                "cut" => self.push(only, |_| Push::Cut),
                "mute" => self.push(only, |_| Push::Mute),
                "ghosts" => {
                    self.ghosts = value.as_u64().and_then(|count| usize::try_from(count).ok()).ok_or_else(wrong)?;
                }
                "fragment" => self.fragmented = value.as_bool().ok_or_else(wrong)?,
                "ping_ms" => self.ping_every = Some(Duration::from_millis(value.as_u64().ok_or_else(wrong)?.max(1))),
                "connection" | "grace_ms" => {}
                _ => return Err(format!("unknown key {name:?}")),
            }
        }
        Ok(())
    }

    fn push(&mut self, only: Option<u64>, push: impl Fn(&mut Link) -> Push) {
        for link in self.links.iter_mut().filter(|link| only.is_none_or(|id| link.id == id)) {
            let push = push(link);
            // A connection that ends this instant needs no more orders.
            _ = link.pushes.send(push);
        }
    }

    fn disconnect(&mut self, reason: &str, only: Option<u64>, grace: Option<Duration>) -> Result<(), String> {
        let usual = match reason {
            "warning" | "refresh_requested" => GRACE,
            "link_disabled" | "too_many_websockets" => Duration::ZERO,
            _ => return Err(format!("unknown reason {reason:?}")),
        };
        let line = disconnect(reason);
        self.push(only, |_| Push::Text { text: line.clone(), fragmented: false });
        self.push(only, |link| {
            link.leaving = true;
            Push::Close(grace.unwrap_or(usual))
        });
        Ok(())
    }

    /// The connections, for the control API.
    pub(super) fn json(&self, now_ms: u64) -> Value {
        let links: Vec<Value> = self.links.iter().map(|link| link.json(now_ms)).collect();
        json!({"connections": links, "left": self.left, "ghosts": self.ghosts})
    }
}

fn disconnect(reason: &str) -> String {
    json!({"type": "disconnect", "reason": reason, "debug_info": {"host": "applink-sandbox"}}).to_string()
}

fn push_text(link: &Link, text: &str, fragmented: bool) {
    // A connection that ends this instant has lost it, as on the real wire.
    _ = link.pushes.send(Push::Text { text: text.to_owned(), fragmented });
}

/// Sends it over one of the connections and waits as long as Slack would; the lock is free meanwhile.
pub(super) fn deliver(state: &Mutex<State>, parcel: &Parcel) -> Delivered {
    let started = Instant::now();
    let Some((id, answer)) = lock(state).sockets.send(parcel) else {
        return Delivered { error: Some("no_connection".to_owned()), ..Delivered::default() };
    };
    let answer = answer.recv_timeout(PATIENCE);
    let ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    if let Ok(body) = answer {
        return Delivered { status: Some(200), body, ms, error: None };
    }
    lock(state).sockets.waiting.remove(&id);
    Delivered { ms, error: Some("operation_timeout".to_owned()), ..Delivered::default() }
}

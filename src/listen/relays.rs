//! The centre's end of its relays: what they hand in goes into our own spool, under the names that it has there.
//!
//! Where listeners share an outbox, a relay goes to another one when this one can't take it. So its files are in the outbox
//! before they are *taken*: in the spool of a listener that lost its database or its machine, a problem would come after the
//! recovery that the relay gave to the other one. The outbox knows what is offered twice by its name.

use super::database_watch::DatabaseWatch;
use crate::config::Config;
use crate::model::incoming::Incoming;
use crate::model::notification::clean_line;
use crate::monitoring::details::UsedVars;
use crate::monitoring::relay::Speaker;
use crate::monitoring::relay::clocks::Ahead;
use crate::monitoring::relay::wire::{BATCH_FILES, BadEntry, PROTOCOL, Refused};
use crate::rules::outage::Database;
use crate::state_dir::spool::{self, Entry, ReadError, Spool, SpoolId};
use crate::state_dir::{self, wake};
use log::{error, warn};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// So much of a name and of a reason is logged.
const SHOWN_CHARS_MAX: usize = 200;
/// So long a batch waits for the outbox; then it is taken all the same, as long as the database is there: it has much to do.
const IMPORTED_WITHIN: Duration = Duration::from_secs(10);
/// How often that is looked at.
const LOOK: Duration = Duration::from_millis(20);

const AWAY: &str = "the centre can't reach its database";
const ENDING: &str = "the centre is being stopped";

/// What relays hand in to.
#[derive(Debug)]
pub(crate) struct Relays {
    spool: Spool,
    state_dir: PathBuf,
    runtime_dir: PathBuf,
    /// Of an outbox that listeners share.
    database: Option<DatabaseWatch>,
    /// The listener ends, and imports nothing any more.
    is_ending: AtomicBool,
    /// For the relays: the variables that our routes and messages use.
    vars: Mutex<String>,
}

/// The reply to a batch.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum HandedIn {
    /// All of it is durable.
    All,
    /// The rest is durable; the text names those that never will be.
    Without(String),
    /// Not all of it is durable: status and reason.
    No(u16, String),
}

/// One line of a batch.
#[derive(Deserialize)]
struct Line<'a> {
    name: String,
    #[serde(borrow)]
    entry: &'a RawValue,
}

impl Relays {
    pub(super) fn new(config: &Config, watch: &DatabaseWatch) -> Self {
        let relays = Self {
            spool: Spool::new(&config.state_dir),
            state_dir: config.state_dir.clone(),
            runtime_dir: config.runtime_dir.clone(),
            database: config.database.is_some().then(|| watch.clone()),
            is_ending: AtomicBool::new(false),
            vars: Mutex::default(),
        };
        relays.reconfigure(config);
        relays
    }

    pub(super) fn reconfigure(&self, config: &Config) {
        *self.vars.lock().unwrap_or_else(PoisonError::into_inner) = UsedVars::of(config, &[]).to_header();
    }

    /// Nothing is imported any more: relays are told at once to go to another listener, or to come again.
    pub(super) fn end(&self) {
        self.is_ending.store(true, Ordering::Relaxed);
    }

    pub(crate) fn vars(&self) -> String {
        self.vars.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes a batch durable. `speaker`: whom the token speaks for.
    pub(crate) fn hand_in(&self, speaker: &Speaker, ahead: Ahead, body: &[u8]) -> HandedIn {
        if let Some(reason) = self.takes_nothing() {
            return HandedIn::No(503, reason.to_owned());
        }
        let Ok(text) = std::str::from_utf8(body) else {
            return HandedIn::No(400, "the batch isn't UTF-8".to_owned());
        };
        if text.lines().filter(|line| !line.is_empty()).count() > BATCH_FILES {
            return HandedIn::No(413, format!("a batch has at most {BATCH_FILES} entries"));
        }
        let (mut entries, mut refused) = (Vec::new(), Refused::default());
        for (nth, line) in text.lines().enumerate().filter(|(_, line)| !line.is_empty()) {
            let Ok(Line { name, entry }) = serde_json::from_str(line) else {
                return HandedIn::No(400, format!("line {} of the batch is cut off, or no entry of a spool", nth + 1));
            };
            match read(speaker, ahead, &name, entry.get().as_bytes()) {
                Ok(entry) => entries.push(entry),
                Err(Unreadable::Newer(reason)) => return HandedIn::No(409, reason),
                Err(Unreadable::Bad(reason)) => refused.bad.push(BadEntry { name, reason }),
            }
        }
        if let Err(reason) = self.keep(&entries) {
            return HandedIn::No(503, reason);
        }
        // One line a batch, and not endless: whoever has the token hands in what he likes.
        if let Some(bad) = refused.bad.first() {
            let short = |text: &str| clean_line(text).chars().take(SHOWN_CHARS_MAX).collect::<String>();
            let (core, count, name, reason) = (&speaker.core, refused.bad.len(), short(&bad.name), short(&bad.reason));
            warn!(
                "relay handed in what isn't a notification core={core:?} count={count} first={name:?} reason={reason:?}"
            );
        }
        if refused.bad.is_empty() {
            return HandedIn::All;
        }
        HandedIn::Without(serde_json::to_string(&refused).unwrap_or_default())
    }

    fn keep(&self, entries: &[(SpoolId, Entry)]) -> Result<(), String> {
        if entries.is_empty() {
            return Ok(());
        }
        if state_dir::is_nearly_full(&self.state_dir) {
            error!("relays have to wait reason=\"the file system of the state directory is nearly full\"");
            return Err("the centre's disk is nearly full".to_owned());
        }
        if let Err(e) = self.spool.put_all(entries) {
            error!("a relay's notifications can't be kept reason={:?} action=relay_retries", e.to_string());
            return Err("the centre can't write its spool".to_owned());
        }
        wake::hint(&self.runtime_dir);
        let began = Instant::now();
        while self.database.is_some() && entries.iter().any(|(id, _)| self.spool.holds(id.as_str())) {
            if let Some(reason) = self.takes_nothing() {
                return Err(reason.to_owned());
            }
            if began.elapsed() > IMPORTED_WITHIN {
                break;
            }
            sleep(LOOK);
        }
        Ok(())
    }

    /// Why nothing gets into the outbox that listeners share: relays keep what they have, as another listener may take it.
    fn takes_nothing(&self) -> Option<&'static str> {
        let watch = self.database.as_ref()?;
        if self.is_ending.load(Ordering::Relaxed) {
            return Some(ENDING);
        }
        matches!(watch.known(), Database::Away(_)).then_some(AWAY)
    }
}

enum Unreadable {
    Newer(String),
    Bad(String),
}

/// An entry as it goes into our spool: of this core and this relay, whatever it claims, and by our clock.
fn read(speaker: &Speaker, ahead: Ahead, name: &str, content: &[u8]) -> Result<(SpoolId, Entry), Unreadable> {
    let id = SpoolId::parse(name).ok_or_else(|| Unreadable::Bad("that is no name of a spool file".to_owned()))?;
    let Entry { received, incoming } = spool::decode(content).map_err(|e| match e {
        ReadError::Newer(version) => {
            Unreadable::Newer(format!("the centre reads spool files up to format {PROTOCOL}, not {version}"))
        }
        other => Unreadable::Bad(other.to_string()),
    })?;
    let Incoming::Notification(mut notification) = incoming else {
        // They go to any channel or person: a core's token is no right to that.
        return Err(Unreadable::Bad("a relay hands in notifications of its core only".to_owned()));
    };
    speaker.core.clone_into(&mut notification.core);
    speaker.relay.clone_into(&mut notification.origin);
    notification.time = ahead.to_own(notification.time);
    let received = received.saturating_sub(ahead.seconds().saturating_mul(1000));
    Ok((id, Entry { received, incoming: Incoming::Notification(notification) }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::environment::Environment;
    use std::sync::Arc;

    const ENTRY: &str = r#"{"name":"01795000000000000000.7.0123456789abcdef","entry":{"ackbell":1,"received":1795000000000,"notification":{"kind":"PROBLEM","host":{"name":"far","state":"DOWN"},"time":1795000000}}}"#;

    #[test]
    fn a_batch_in_hand_is_refused_at_once_when_nobody_imports_any_more() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ackbell.toml");
        let database = "[database]\nurl = \"postgres://a@127.0.0.1:9/a\"\n";
        std::fs::write(&path, format!("state_dir = \"state\"\n{database}")).unwrap();
        let (config, _) = crate::config::load(Some(&path), &Environment::default()).unwrap();
        Spool::new(&config.state_dir).prepare().unwrap();
        let watch = DatabaseWatch::default();
        watch.reached();
        let relays = Arc::new(Relays::new(&config, &watch));
        let speaker = Speaker { core: "far".to_owned(), relay: String::new() };
        let hand_in = |relays: &Relays| relays.hand_in(&speaker, Ahead::default(), ENTRY.as_bytes());
        let began = Instant::now();
        let answer = std::thread::scope(|threads| {
            let waits = threads.spawn(|| hand_in(&relays));
            while relays.spool.is_empty() && !waits.is_finished() {
                sleep(LOOK);
            }
            relays.end();
            waits.join().unwrap()
        });
        assert_eq!(answer, HandedIn::No(503, ENDING.to_owned()));
        assert!(began.elapsed() < IMPORTED_WITHIN, "{:?}", began.elapsed());
        std::fs::remove_dir_all(config.state_dir.join("spool")).unwrap();
        assert_eq!(hand_in(&relays), HandedIn::No(503, ENDING.to_owned()), "nor is another one begun");
        assert!(!config.state_dir.join("spool").exists());
    }
}

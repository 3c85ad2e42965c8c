//! Flow three: a click in Slack becomes a command for the monitoring core, and the person learns the result.
//!
//! ```text
//! Slack ─▶ verified ─▶ interaction ─▶ kept ─▶ found ─▶ authorised ─▶ external command ─▶ sent ─▶ confirmed ─▶ replied
//! ```
//!
//! The whole arrow is on this page, cut in two where it becomes durable:
//!
//! 1. [`Callback::handle`] runs on the thread that received the request. Slack waits 3 s, so it only keeps the action
//!    request in the outbox; then Slack gets its reply.
//! 2. [`ActionWorker::run_due`] runs on the thread `action-worker`. It takes the requests that are due from the outbox, also
//!    those from before a crash.
//!
//! A crash before a command is written leaves its request `new`: it is begun again. A crash while the command is written
//! leaves the request `sending`: the command is never sent again, only looked for in the core's state. The messages in
//! Slack change once the core has the acknowledgement: that is a notification of our own, delivered like any other.

mod access_lookup;
mod action;
mod clicked_message;
pub(crate) mod clients;
mod dispatch;
mod ephemeral;
mod form_opener;
mod home_tab;
pub(crate) mod http_reply;
mod pace;
pub(crate) mod request;
pub(crate) mod requester;
pub(crate) mod response_url;
mod slash_command;
mod slash_queue;
mod slash_request;
mod threads;
mod uninstalled;

use crate::config::Config;
use crate::flow::node::Node;
use crate::rules::authorise::Person;
use crate::rules::verify::{Proof, Verified, verify};
use crate::slack::interaction::{self, DecodeError, Interaction};
use crate::slack::socket::{Envelope, EnvelopeReply};
use crate::state_dir::listener_status::StatusWriter;
use crate::store::{ActionRequest, NewActionRequest, Store, StoreError};
use crate::system::clock;
use crate::system::environment::Environment;
use action::ActionWorker;
use action::prepare::{Ready, Stop};
use dispatch::Dispatched;
use http_reply::{HttpReply, ReplyBody};
use log::error;
use pace::PersonPaces;
use request::{NewRequest, Request, Requester};
use serde_json::json;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use threads::Threads;

/// How long a request waits for the database before it is refused: Slack waits 3 s.
const DATABASE_PATIENCE: Duration = Duration::from_millis(1500);

/// The callbacks of a running listener.
pub(crate) struct Callback {
    config: Mutex<Arc<Config>>,
    store: Mutex<Store>,
    threads: Threads,
    paces: PersonPaces,
    revocations: Mutex<uninstalled::SeenEvents>,
    /// When the database couldn't be reached, and why.
    away: Mutex<Option<(Instant, String)>>,
}

/// The callbacks can't be served.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallbackError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("can't start a thread: {0}")]
    Thread(#[from] io::Error),
}

/// The first half of the arrow: from Slack to the outbox.
impl Callback {
    fn handle(&self, verified: &Verified, decoded: Result<Interaction, DecodeError>) -> HttpReply {
        let new = match self.dispatch(verified, decoded) {
            Dispatched::ActionRequested(new) => new,
            Dispatched::Replied(reply) => return reply,
        };
        if let Err(too_fast) = self.check_pace(&new) {
            return too_fast;
        }
        match self.keep(&new) {
            Ok(()) => {
                self.threads.wake_action_worker();
                HttpReply::ok()
            }
            Err(e) => {
                error!("can't keep an action request reason={:?}", e.to_string());
                if let Some(sentence) = not_kept(&e) {
                    self.threads.ephemeral.send(&new.config, &new.request.requester, sentence);
                }
                // Slack shows the person that it failed.
                HttpReply::text(500, "the request can't be kept")
            }
        }
    }

    /// Makes the action request durable. Slack may send one again: its key makes the two one.
    fn keep(&self, new: &NewRequest) -> Result<(), StoreError> {
        let request = serde_json::to_string(&new.request).map_err(|e| StoreError::Content(e.to_string()))?;
        let object = new.request.requested_action.object_key();
        let name = new.request.name.clone();
        let row = NewActionRequest { key: new.key.clone(), parent: None, name, object, request, due: 0 };
        let began = Instant::now();
        let mut store = locked(&self.store);
        // Each try takes its time. Whoever waited for one that failed has none left: Slack would be told that all is well.
        if let Some((at, reason)) = &*locked(&self.away)
            && *at >= began
        {
            return Err(StoreError::Away(reason.clone()));
        }
        let kept = store.keep_requests(&[row], clock::wall_ms()).map(drop);
        if let Err(e) = &kept
            && e.is_away()
        {
            *locked(&self.away) = Some((Instant::now(), e.to_string()));
        }
        kept
    }
}

/// The second half of the arrow: from the outbox to the core, and back to the person.
impl ActionWorker {
    /// Does everything that is due; returns how long until there is more to do.
    fn run_due(&mut self) -> Result<Duration, StoreError> {
        loop {
            let due = self.due_requests()?;
            if due.is_empty() {
                break;
            }
            let prepared = self.prepare_all(due)?;
            // A crash before this line begins the requests again; a crash after it never sends a command twice.
            let ready = self.record_sending(prepared)?;
            let sent = self.send_all(ready);
            self.record_sent(sent)?;
        }
        let next_look = self.confirm()?;
        let next_reply = self.reply()?;
        let next_due = self.clean_up()?;
        Ok(next_look.min(next_reply).min(next_due))
    }

    /// From one kept request to the command that may be sent for it: who asks, whether they may do such a thing at all,
    /// what it is about, whether they may do it to that, and only then whether there is anything to do.
    fn prepare(&mut self, kept: &ActionRequest, request: &Request) -> Result<Ready, Stop> {
        self.check_expiry(kept, request)?;
        let caller = self.identify(&request.requester)?;
        let request = &self.name_new_owner(request)?;
        let (config, action) = (self.lookup.config(), request.requested_action.action());
        let permission = action::prepare::permit(&caller, &config, &action)?;
        self.split_digest(kept, request, &permission)?;
        let found = self.find(kept, request, &permission)?;
        let authorised = self.authorise(&found, &permission, &caller)?;
        Self::check_own(request, &found, &authorised)?;
        self.check_needed(kept, &found)?;
        action::split::split_host_downtime(kept, &found, &permission)?;
        let command = action::prepare::external_command(&authorised, &found.core, &caller)?;
        Ok(Ready { kept: kept.clone(), request: found.request, person: caller.person, core: found.core, command })
    }
}

impl Callback {
    /// Starts the threads.
    pub(crate) fn start(
        config: &Config,
        env: &Environment,
        status: &StatusWriter,
        node: &Arc<Node>,
    ) -> Result<Arc<Self>, CallbackError> {
        let config = Arc::new(config.clone());
        let (store, _) = Store::open(config.outbox_at(), DATABASE_PATIENCE)?;
        let threads = Threads::start(&config, env, status, node)?;
        Ok(Arc::new(Self {
            config: Mutex::new(config),
            store: Mutex::new(store),
            threads,
            paces: PersonPaces::default(),
            revocations: Mutex::default(),
            away: Mutex::default(),
        }))
    }

    /// Puts a changed configuration in force.
    pub(crate) fn reconfigure(&self, config: &Config) {
        let config = Arc::new(config.clone());
        *locked(&self.config) = Arc::clone(&config);
        self.threads.reconfigure(config);
    }

    /// An action request waits in the outbox, perhaps one that another node got.
    pub(crate) fn look_for_requests(&self) {
        self.threads.wake_action_worker();
    }

    /// Stops the threads; kept requests are done after the next start.
    pub(crate) fn stop(&self) {
        self.threads.stop();
    }

    /// Handles a request that came over HTTP.
    pub(crate) fn receive(&self, verified: &Verified) -> HttpReply {
        let body = verified.body();
        let is_form = !body.starts_with(b"{");
        self.handle(verified, interaction::decode(is_form, body))
    }

    /// Handles an envelope that came over an integration's Socket Mode connection.
    pub(crate) fn receive_envelope(&self, integration: &str, envelope: Envelope) -> EnvelopeReply {
        let Envelope { kind, payload, .. } = envelope;
        let Ok(verified) = verify(payload.to_string().into_bytes(), Proof::Socket { integration }) else {
            return EnvelopeReply::Refused;
        };
        let reply = self.handle(&verified, interaction::decode_envelope(&kind, payload));
        match (reply.status, reply.body) {
            (200, ReplyBody::Json(payload)) => EnvelopeReply::Payload(payload),
            (200 | 400, _) => EnvelopeReply::Empty,
            _ => EnvelopeReply::Refused,
        }
    }
}

/// What a person is told whose request the database on its server didn't take.
fn not_kept(e: &StoreError) -> Option<&'static str> {
    match e {
        StoreError::Away(_) => {
            Some("ackbell can't reach its database now, so nothing was done. Try again in a minute.")
        }
        StoreError::Unknown(_) => Some(
            "ackbell's database gave no answer: your request may be done when it is back. Look at the message before you try again.",
        ),
        _ => None,
    }
}

/// The data behind a mutex, also after a panic of another thread: each use is one statement.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The audit's row for a request that was refused before it came near a core.
fn refusal_row(requester: &Requester, person: &Person, action: &str, reason: &str) -> String {
    json!({
        "at": clock::wall_ms() / 1000, "integration": requester.integration, "team": person.team_id,
        "user": requester.user, "name": person.name, "email": person.email, "channel": requester.channel,
        "action": action, "commands": [], "step": "refused", "detail": reason,
    })
    .to_string()
}

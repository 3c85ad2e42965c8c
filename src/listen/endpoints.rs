//! The endpoints as one concrete type: HTTP and Socket Mode call a method for each request, from their own threads.

use super::database_watch::DatabaseWatch;
use super::message_api::submit::MessageApi;
use super::metrics::Metrics;
use super::oauth::{Installer, Page, Step};
use super::relays::Relays;
use super::sockets::Sockets;
use crate::config::Config;
use crate::flow::callback::Callback;
use crate::flow::callback::http_reply::HttpReply;
use crate::flow::node::Node;
use crate::rules::verify::Verified;
use crate::slack::socket::{Envelope, EnvelopeReply};
use crate::state_dir::listener_status::{Skew, StatusWriter};
use crate::system::clock;
use crate::system::environment::Environment;
use log::error;
use std::fmt;
use std::sync::{Arc, OnceLock};

/// The listener, as a request sees it.
pub(crate) struct Endpoints {
    /// Absent until the database lets the callbacks start.
    callback: OnceLock<Arc<Callback>>,
    installer: Installer,
    messages: MessageApi,
    sockets: Sockets,
    relays: Relays,
    status: StatusWriter,
    node: Arc<Node>,
    metrics: Metrics,
    /// A test's own callback: one that panics, or is late.
    #[cfg(test)]
    pub(super) callback_in_a_test: Option<CallbackInATest>,
}

#[cfg(test)]
pub(super) type CallbackInATest = Box<dyn Fn(&Verified) -> HttpReply + Send + Sync>;

impl fmt::Debug for Endpoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoints").field("node", &self.node).finish_non_exhaustive()
    }
}

impl Endpoints {
    pub(super) fn new(
        config: &Config,
        env: &Environment,
        status: StatusWriter,
        (node, watch): (Arc<Node>, &DatabaseWatch),
    ) -> Self {
        Self {
            callback: OnceLock::new(),
            installer: Installer::new(config, env),
            messages: MessageApi::new(config),
            sockets: Sockets::default(),
            relays: Relays::new(config, watch),
            status,
            node,
            metrics: Metrics::new(config),
            #[cfg(test)]
            callback_in_a_test: None,
        }
    }

    /// Starts the callbacks, unless they run.
    pub(super) fn start_callback(&self, config: &Config, env: &Environment) {
        if self.callback.get().is_some() {
            return;
        }
        match Callback::start(config, env, &self.status, &self.node) {
            Ok(callback) => drop(self.callback.set(callback)),
            Err(e) => error!("can't start the callbacks reason={:?} action=retry delivery=running", e.to_string()),
        }
    }

    /// Puts a changed configuration in force.
    pub(super) fn reconfigure(&self, config: &Config) {
        if let Some(callback) = self.callback.get() {
            callback.reconfigure(config);
        }
        self.installer.reconfigure(config);
        self.relays.reconfigure(config);
    }

    /// Somebody's action request waits in the outbox, perhaps one that another node got.
    pub(super) fn requests_wait(&self) {
        if let Some(callback) = self.callback.get() {
            callback.look_for_requests();
        }
    }

    /// Stops the callbacks; kept requests are done by the next listener.
    pub(super) fn stop(&self) {
        if let Some(callback) = self.callback.get() {
            callback.stop();
        }
    }

    /// This listener, as the others that share the outbox know it.
    pub(super) fn node(&self) -> &Node {
        &self.node
    }

    /// The Socket Mode connections.
    pub(super) fn sockets(&self) -> &Sockets {
        &self.sockets
    }

    /// `POST /v1/spool`: what relays hand in.
    pub(super) fn relays(&self) -> &Relays {
        &self.relays
    }

    /// `POST /slack/request`: a click, a form, a slash command or an event. Quick, as Slack waits 3 s.
    pub(super) fn slack_request(&self, verified: &Verified) -> HttpReply {
        #[cfg(test)]
        if let Some(callback) = &self.callback_in_a_test {
            return callback(verified);
        }
        match self.callback.get() {
            Some(callback) => callback.receive(verified),
            None => HttpReply::text(503, "not ready"),
        }
    }

    /// The same over an integration's Socket Mode connection.
    pub(super) fn envelope(&self, integration: &str, envelope: Envelope) -> EnvelopeReply {
        match self.callback.get() {
            Some(callback) => callback.receive_envelope(integration, envelope),
            None => EnvelopeReply::Refused,
        }
    }

    /// `POST /v1/webhook`: a message of another program. A 204 promises that the message survives a crash.
    pub(super) fn message(&self, body: &[u8], idempotency_key: Option<&str>) -> HttpReply {
        self.messages.submit(body, idempotency_key)
    }

    /// `GET /slack/install` and `GET /slack_oauth`: a step of an installation; may take some seconds. `cookies`: the
    /// browser's `Cookie` header.
    pub(super) fn install(&self, step: Step, cookies: &str) -> Page {
        self.installer.answer(step, cookies)
    }

    /// `GET /healthz`: the problem, if there is one. Its details are in the log and in `check`, as anybody may ask here.
    pub(super) fn problem(&self) -> Option<&'static str> {
        if self.status.interrupted().is_some() {
            return Some("delivery is interrupted, the log says why");
        }
        // One that neither leads nor has anything to import meets its database nowhere else, and can take no click.
        self.node.unseen().map(|_| "this listener can't reach its database")
    }

    /// `GET /metrics`, in Prometheus's text format; the HTTP server adds its own.
    pub(super) fn metrics(&self) -> String {
        self.metrics.text(self.status.interrupted().is_none(), &self.sockets)
    }

    /// Records the age of a correctly signed request, in seconds by our clock, also of one that is too old.
    pub(super) fn record_clock_skew(&self, seconds: i64) {
        let at = clock::wall_ms() / 1000;
        self.status.update(|status| status.skew = Some(Skew { seconds, at }));
    }
}

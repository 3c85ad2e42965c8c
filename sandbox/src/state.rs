//! All that a running sandbox knows, behind one lock.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Options;
use super::app::App;
use super::clock::Clock;
use super::faults::Faults;
use super::files::Files;
use super::journal::Journal;
use super::oauth::Oauth;
use super::pace::Pace;
use super::page::Extra;
use super::response_url::ResponseUrls;
use super::schedule::Schedule;
use super::sockets::Sockets;
use super::traffic::Traffic;
use super::views::Views;
use super::wire::Request;
use super::workspace::Workspace;

/// The rooms of the sandbox, each on its own; only a request's handler sees them together.
#[derive(Debug)]
pub(super) struct State {
    pub(super) clock: Clock,
    pub(super) workspace: Workspace,
    pub(super) journal: Journal,
    pub(super) pace: Pace,
    pub(super) faults: Faults,
    pub(super) views: Views,
    pub(super) response_urls: ResponseUrls,
    /// Whose buttons are clicked.
    pub(super) app: App,
    pub(super) oauth: Oauth,
    pub(super) schedule: Schedule,
    pub(super) files: Files,
    pub(super) sockets: Sockets,
    pub(super) traffic: Traffic,
    /// Grows with every request that may have changed something.
    pub(super) revision: u64,
    pub(super) extra: Option<Extra>,
    /// Whether the sandbox speaks TLS.
    pub(super) encrypted: bool,
}

impl State {
    /// A fresh workspace.
    pub(super) fn new(options: Options, extra: Option<Extra>, clock: Clock) -> Self {
        Self {
            clock,
            workspace: Workspace::sample(&options.bot_token, &options.app_token),
            journal: Journal::default(),
            pace: Pace::new(options.strict_pace, options.burst),
            faults: Faults::default(),
            views: Views::default(),
            response_urls: ResponseUrls::default(),
            schedule: Schedule::default(),
            files: Files::default(),
            sockets: Sockets::default(),
            oauth: Oauth::default(),
            traffic: Traffic::default(),
            revision: 0,
            extra,
            encrypted: options.tls.is_some(),
            app: App::new(options.request_url, options.signing_secret),
        }
    }

    /// The sandbox's own address as this client named it: `http://HOST`.
    pub(super) fn origin(&self, request: &Request) -> String {
        let scheme = if self.encrypted { "https" } else { "http" };
        format!("{scheme}://{}", request.header("host").unwrap_or("127.0.0.1"))
    }
}

/// Takes the lock. A panic in one request must not end the sandbox; what it left half done is only test data.
pub(super) fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

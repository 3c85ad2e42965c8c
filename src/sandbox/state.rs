//! All that a running sandbox knows, behind one lock.

use super::Options;
use super::clock::Clock;
use super::faults::Faults;
use super::journal::Journal;
use super::pace::Pace;
use super::response_url::ResponseUrls;
use super::views::Views;
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
    /// What requests to an app would be signed with.
    pub(super) signing_secret: String,
}

impl State {
    /// A fresh workspace.
    pub(super) fn new(options: Options, clock: Clock) -> Self {
        Self {
            clock,
            workspace: Workspace::sample(&options.bot_token),
            journal: Journal::default(),
            pace: Pace::new(options.strict_pace, options.burst),
            faults: Faults::default(),
            views: Views::default(),
            response_urls: ResponseUrls::default(),
            signing_secret: options.signing_secret,
        }
    }
}

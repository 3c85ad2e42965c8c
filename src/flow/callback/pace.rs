//! How many requests one person may make: nobody clicks sixty times within a minute.

use super::http_reply::HttpReply;
use super::request::{ActionSource, NewRequest, Requester};
use super::{Callback, locked};
use crate::model::notification::clean_line;
use log::warn;
use serde_json::json;
use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// How many requests of one person are accepted within [`SPAN`].
const REQUESTS_MAX: u32 = 60;
const SPAN: Duration = Duration::from_secs(60);
/// How many people's requests are counted.
const PEOPLE_MAX: usize = 10_000;
pub(super) const TOO_MANY: &str = "Too many requests within a minute, so this one was dropped; try again in a minute.";

/// The requests of each person, by integration and user: since when, and how many.
#[derive(Debug, Default)]
pub(super) struct PersonPaces(Mutex<HashMap<(String, String), (Instant, u32)>>);

/// How fast a person makes requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    Human,
    /// With a sentence for the person the first time; then nothing, however often they go on.
    TooFast(Option<&'static str>),
}

impl PersonPaces {
    /// Counts one more request of a person.
    pub(super) fn count(&self, requester: &Requester) -> Pace {
        let mut paces = locked(&self.0);
        if paces.len() > PEOPLE_MAX {
            paces.clear();
        }
        let key = (requester.integration.clone(), requester.user.clone());
        let (since, count) = paces.entry(key).or_insert((Instant::now(), 0));
        if since.elapsed() > SPAN {
            (*since, *count) = (Instant::now(), 0);
        }
        *count = count.saturating_add(1);
        if *count <= REQUESTS_MAX {
            return Pace::Human;
        }
        let is_first = *count == REQUESTS_MAX + 1;
        if is_first {
            let user = clean_line(&requester.user);
            warn!("too many requests user={user:?} integration={} dropped=request", requester.integration);
        }
        Pace::TooFast(is_first.then_some(TOO_MANY))
    }
}

impl Callback {
    /// The reply to an action request that is one too many; the person learns the reason.
    pub(super) fn check_pace(&self, new: &NewRequest) -> Result<(), HttpReply> {
        let requester = &new.request.requester;
        match (self.paces.count(requester), new.source) {
            (Pace::Human, _) => Ok(()),
            // The form stays open, with all that was written.
            (Pace::TooFast(_), ActionSource::Form) => {
                let errors = json!({ "comment": TOO_MANY });
                Err(HttpReply::json(json!({ "response_action": "errors", "errors": errors })))
            }
            (Pace::TooFast(sentence), ActionSource::Message) => {
                if let Some(sentence) = sentence {
                    self.threads.ephemeral.send(&new.config, requester, sentence);
                }
                Err(HttpReply::ok())
            }
        }
    }
}

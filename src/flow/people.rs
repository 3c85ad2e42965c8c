//! The people whom a configuration or a shift plan names, as Slack knows them.

use crate::model::outcome::Outcome;
use crate::slack::api::Client;
use crate::store::Store;
use crate::system::clock::millis;
use log::warn;
use std::time::Duration;

/// How long a found person or group is remembered, and how long that there is none.
const FOUND_FOR: Duration = Duration::from_secs(24 * 60 * 60);
const NOBODY_FOR: Duration = Duration::from_secs(5 * 60);

/// A person of a shift plan as `mention` writes them: an id, or an address after `@`.
pub(crate) fn as_mention(person: &str) -> String {
    if person.contains('@') { format!("@{person}") } else { person.to_owned() }
}

/// The Slack id of a person who is given by id or e-mail address; `None`: nobody in the workspace has that address
/// (<https://docs.slack.dev/reference/methods/users.lookupByEmail>).
pub(crate) fn user_id(
    store: &Store,
    client: &Client,
    (integration, person): (&str, &str),
    now: i64,
    budget: Duration,
) -> Result<Option<String>, Outcome> {
    if !person.contains('@') {
        return Ok(Some(person.to_owned()));
    }
    remembered(store, (integration, person), now, || {
        match client.look_up("users.lookupByEmail", &[("email", person)], budget) {
            Ok(answer) => Ok(answer["user"]["id"].as_str().map(str::to_owned)),
            Err(Outcome::DestinationNever { .. }) => Ok(None),
            Err(other) => Err(other),
        }
    })
}

/// The remembered answer about a name, else a fresh one.
pub(crate) fn remembered(
    store: &Store,
    (integration, name): (&str, &str),
    now: i64,
    ask: impl FnOnce() -> Result<Option<String>, Outcome>,
) -> Result<Option<String>, Outcome> {
    if let Ok(Some(known)) = store.looked_up(integration, name, now) {
        return Ok(known.0);
    }
    let found = ask()?;
    let keep = if found.is_some() { FOUND_FOR } else { NOBODY_FOR };
    if let Err(e) = store.remember(integration, name, found.as_deref(), now.saturating_add(millis(keep))) {
        warn!("look-up not remembered reason={:?}", e.to_string());
    }
    Ok(found)
}

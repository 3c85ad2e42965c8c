//! The end of an acknowledgement that was given a time: looked at when it should be over, whoever was to end it.
//!
//! A core that knows an expiry ends it by itself and says so to nobody, and in its web interface anybody may end it
//! before. So the core's state decides: what it still holds is removed, and what it no longer holds is told.

use crate::config::Core;
use crate::model::core_snapshot::Acknowledged;
use crate::model::notification::Kind;
use crate::model::object::Object;
use crate::model::problem::ActionTaken;
use crate::monitoring::state;
use std::collections::BTreeMap;

/// A core that ends it itself looks for what is over every few seconds.
pub(super) const GRACE_SECONDS: i64 = 10;

/// What the core holds when the time is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// The acknowledgement still, or nobody knows: it is to be removed.
    Due,
    /// None at all.
    Over,
    /// Somebody else's, or a later one.
    Another,
}

pub(super) fn look(core: &Core, object: &Object, author: &str, comment: &str) -> Ending {
    let Ok(snapshot) = state::read(core, std::slice::from_ref(object)) else {
        return Ending::Due;
    };
    let Some(state) = snapshot.states.get(object) else {
        return Ending::Due;
    };
    match state.acknowledgement() {
        _ if state.acknowledged == Acknowledged::No => Ending::Over,
        Some(last) if last.author != author || last.comment != comment => Ending::Another,
        Some(_) | None => Ending::Due,
    }
}

/// What the messages about the object are told when it is over.
pub(super) fn over(author: &str, now: i64) -> ActionTaken {
    ActionTaken {
        kind: Kind::Unacknowledged,
        time: now,
        author: author.to_owned(),
        comment: Some("its time is over".to_owned()),
        vars: BTreeMap::new(),
    }
}

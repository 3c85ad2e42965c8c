//! The end of an acknowledgement with an expiry time: the core's state is read when the time is over.
//!
//! A core that supports expiry ends the acknowledgement by itself and notifies nobody, and in the core's web interface
//! anybody may end it earlier. So the core's state decides: an acknowledgement that is still there is removed, and
//! where it is gone the messages are updated.

use crate::config::Core;
use crate::model::core_snapshot::Acknowledged;
use crate::model::notification::Kind;
use crate::model::object::Object;
use crate::model::problem::ActionTaken;
use crate::monitoring::state;
use std::collections::BTreeMap;

/// A core that supports expiry looks for ended acknowledgements every few seconds.
pub(super) const GRACE_SECONDS: i64 = 10;

/// The acknowledgement in the core when the time is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// Still there, or the state can't be read: to be removed.
    Due,
    /// Gone.
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

/// The action that the messages about the object will show.
pub(super) fn over(author: &str, now: i64) -> ActionTaken {
    ActionTaken {
        kind: Kind::Unacknowledged,
        time: now,
        author: author.to_owned(),
        comment: Some("its time is over".to_owned()),
        vars: BTreeMap::new(),
    }
}

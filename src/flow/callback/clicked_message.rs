//! The message that was clicked on, as the outbox knows it.
//!
//! A click names our message by its number, and numbers start again with a new database. So the message must be in the
//! place where it was clicked, and about the object that the click names or carries the mark of.

use super::request::{RequestedAction, Requester, Subject};
use crate::model::object::Object;
use crate::rules::authorise::Permission;
use crate::slack::buttons::mark;
use crate::store::{ShownMessage, Store, StoreError};

/// The object of a requested action, with the message that shows it. The outer error is the database's, the inner one a
/// sentence for the person.
pub(super) fn find(
    store: &Store,
    requested_action: &RequestedAction,
    requester: &Requester,
    permission: &Permission<'_>,
) -> Result<Result<(Object, Option<ShownMessage>), String>, StoreError> {
    let subject = match requested_action {
        RequestedAction::One { post: None, object, .. } | RequestedAction::Expire { object, .. } => {
            return Ok(Ok((object.clone(), store.shown_of(&object.key(), permission)?)));
        }
        RequestedAction::One { post, object, .. } => Subject { post: *post, mark: None, object: Some(object.clone()) },
        RequestedAction::Card { post, mark, .. } => Subject { post: Some(*post), mark: mark.clone(), object: None },
        RequestedAction::Reaction { .. } => Subject::default(),
        RequestedAction::AcknowledgeAll { .. } => return Ok(Err(forgotten(None))),
    };
    find_subject(store, &subject, requester, permission)
}

/// The same for a click that opens a form.
pub(super) fn find_subject(
    store: &Store,
    subject: &Subject,
    requester: &Requester,
    permission: &Permission<'_>,
) -> Result<Result<(Object, Option<ShownMessage>), String>, StoreError> {
    let named = subject.object.as_ref();
    let post = match (subject.post, named) {
        (Some(post), _) => post,
        (None, Some(object)) => return Ok(Ok((object.clone(), store.shown_of(&object.key(), permission)?))),
        // A shortcut and an emoji know the message alone.
        (None, None) => match store.post_at(requester.message_ref(), permission)? {
            Some(post) => post,
            None => return Ok(Err(NOT_OURS.to_owned())),
        },
    };
    let Some(shown) = store.shown(post, permission)? else {
        return Ok(Err(forgotten(named)));
    };
    let Some(object) = shown.problem.as_ref().map(|problem| Object::of(&problem.latest)) else {
        return Ok(Err(forgotten(named)));
    };
    let is_it =
        named.is_none_or(|named| *named == object) && subject.mark.as_ref().is_none_or(|known| *known == mark(&object));
    let is_named = named.is_some() || subject.mark.is_some();
    Ok(match is_there(&shown, requester) {
        Some(true) if is_it => Ok((object, Some(shown))),
        // No message to compare: in App Home, and where a webhook posts.
        None if is_it && is_named => Ok((object, Some(shown))),
        Some(_) | None => Err(forgotten(named)),
    })
}

/// For a message that no problem of ours is shown in.
const NOT_OURS: &str =
    "That message isn't about one host or service that ackbell knows. The slash command works for any of them.";

/// The digest that is that message.
pub(super) fn digest_at(
    store: &Store,
    requester: &Requester,
    permission: &Permission<'_>,
) -> Result<Option<i64>, StoreError> {
    store.digest_at(requester.message_ref(), permission)
}

/// Whether the message that was clicked on is that digest.
pub(super) fn is_digest(
    store: &Store,
    digest: i64,
    requester: &Requester,
    permission: &Permission<'_>,
) -> Result<Result<(), String>, StoreError> {
    let shown = store.shown_digest(digest, permission)?;
    let is_it = shown.is_some_and(|shown| is_there(&shown, requester) == Some(true));
    Ok(if is_it { Ok(()) } else { Err(forgotten(None)) })
}

/// Whether the message is where it was clicked; `None` where nothing can be compared.
fn is_there(shown: &ShownMessage, requester: &Requester) -> Option<bool> {
    let posted = shown.message_ref.as_ref()?;
    let message = requester.message.as_ref()?;
    Some(*message == posted.ts && requester.channel.as_ref().is_none_or(|clicked| *clicked == posted.channel))
}

fn forgotten(object: Option<&Object>) -> String {
    let what = object.map_or_else(|| "its object".to_owned(), ToString::to_string);
    format!("ackbell no longer remembers this card. The slash command still works for {what}.")
}

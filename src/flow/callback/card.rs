//! The message that was clicked on, as the outbox knows it.
//!
//! A click names our message by its number, and numbers start again with a new database: so the message must be where it
//! was clicked, and about the object that the click names or bears the mark of.

use super::request::{Asker, Subject, Wish};
use crate::model::object::Object;
use crate::rules::authorise::Permission;
use crate::slack::buttons::mark;
use crate::store::{ShownMessage, Store, StoreError};

/// What a wish is about, with the message that shows it. The outer failure is the database's, the inner the person's.
pub(super) fn of(
    store: &Store,
    wish: &Wish,
    asker: &Asker,
    leave: &Permission<'_>,
) -> Result<Result<(Object, Option<ShownMessage>), String>, StoreError> {
    let subject = match wish {
        Wish::One { post: None, object, .. } | Wish::Expire { object, .. } => {
            return Ok(Ok((object.clone(), store.shown_of(&object.key(), leave)?)));
        }
        Wish::One { post, object, .. } => Subject { post: *post, mark: None, object: Some(object.clone()) },
        Wish::Card { post, mark, .. } => Subject { post: Some(*post), mark: mark.clone(), object: None },
        Wish::AcknowledgeAll { .. } => return Ok(Err(older(None))),
    };
    find(store, &subject, asker, leave)
}

/// The same for a click that opens a form.
pub(super) fn find(
    store: &Store,
    subject: &Subject,
    asker: &Asker,
    leave: &Permission<'_>,
) -> Result<Result<(Object, Option<ShownMessage>), String>, StoreError> {
    let named = subject.object.as_ref();
    let Some(post) = subject.post else {
        let Some(object) = named else { return Ok(Err(older(None))) };
        return Ok(Ok((object.clone(), store.shown_of(&object.key(), leave)?)));
    };
    let Some(shown) = store.shown(post, leave)? else {
        return Ok(Err(older(named)));
    };
    let Some(object) = shown.problem.as_ref().map(|problem| Object::of(&problem.latest)) else {
        return Ok(Err(older(named)));
    };
    let is_it =
        named.is_none_or(|named| *named == object) && subject.mark.as_ref().is_none_or(|known| *known == mark(&object));
    let is_named = named.is_some() || subject.mark.is_some();
    Ok(match is_there(&shown, asker) {
        Some(true) if is_it => Ok((object, Some(shown))),
        // No message to compare: in App Home, and where a webhook posts.
        None if is_it && is_named => Ok((object, Some(shown))),
        Some(_) | None => Err(older(named)),
    })
}

/// Whether the digest that was clicked on is that one.
pub(super) fn is_digest(
    store: &Store,
    digest: i64,
    asker: &Asker,
    leave: &Permission<'_>,
) -> Result<Result<(), String>, StoreError> {
    let shown = store.shown_digest(digest, leave)?;
    let is_it = shown.is_some_and(|shown| is_there(&shown, asker) == Some(true));
    Ok(if is_it { Ok(()) } else { Err(older(None)) })
}

/// Whether the message is where it was clicked; `None` where that can't be said.
fn is_there(shown: &ShownMessage, asker: &Asker) -> Option<bool> {
    let place = shown.message_ref.as_ref()?;
    let message = asker.message.as_ref()?;
    Some(*message == place.ts && asker.channel.as_ref().is_none_or(|clicked| *clicked == place.channel))
}

fn older(object: Option<&Object>) -> String {
    let what = object.map_or_else(|| "it".to_owned(), ToString::to_string);
    format!("This card is older than what ackbell remembers. The slash command still acts on {what}.")
}

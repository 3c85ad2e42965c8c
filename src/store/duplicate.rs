//! The same notification for several contacts: a core runs one command per contact, a channel must show it once.

use super::db::{OptionalExtension, Transaction, named_params};
use super::delivery_queue::DeliveryQueue;
use super::{HISTORY, NewEntry, StoreError};
use crate::model::incoming::Incoming;
use crate::model::notification::{HostState, Kind, Notification, ServiceState};
use crate::system::clock::millis;
use std::time::Duration;

/// How far apart the runs for several contacts may be when the core says no notification id, and when it does.
const WINDOW: Duration = Duration::from_secs(60);
const WINDOW_BY_ID: Duration = Duration::from_secs(60 * 60);
/// A program that sends its message again does so within days: as long as the message is remembered.
const WINDOW_OF_DIRECT_MESSAGES: Duration = HISTORY;

/// Equal for all runs of one notification, and for no other of the same object within the window.
pub(super) fn key(incoming: &Incoming) -> String {
    match incoming {
        Incoming::Notification(notification) => key_of_notification(notification),
        Incoming::DirectMessage(message) => {
            format!("{}\u{1e}{}\u{1e}\u{1e}{}", message.object_key(), Kind::Custom.name(), message.key)
        }
    }
}

fn key_of_notification(notification: &Notification) -> String {
    let state = notification.state_name().unwrap_or_default();
    let what = format!("{}\u{1e}{}\u{1e}{state}", notification.object_key(), notification.kind.name());
    if let Some(id) = &notification.ids.notification {
        return format!("{what}\u{1e}{id}");
    }
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let number = notification.progress.notification_number.unwrap_or(0);
    format!(
        "{what}\u{1e}\u{1e}{}\u{1e}{number}\u{1e}{}\u{1e}{}\u{1e}{}",
        text(&notification.ids.problem),
        notification.output,
        text(&notification.author),
        text(&notification.comment)
    )
}

/// The contact it is for; empty where contacts aren't known.
pub(super) fn contact(incoming: &Incoming) -> &str {
    incoming.notification().and_then(|notification| notification.contact.name.as_deref()).unwrap_or_default()
}

/// The host that ran `notify`; empty where nobody said it.
pub(super) fn origin(incoming: &Incoming) -> &str {
    incoming.notification().map_or("", |notification| notification.origin.as_str())
}

/// Whether the same host told a later state of the object, in this queue; with none, anywhere. What a failover forgot is
/// offered again after what came since. A time that is yet to come proves nothing.
pub(super) fn is_history(
    db: &Transaction<'_>,
    entry: &NewEntry,
    seq: i64,
    queue: Option<&DeliveryQueue>,
    now: i64,
) -> Result<bool, StoreError> {
    let Incoming::Notification(notification) = &entry.incoming else { return Ok(false) };
    // What somebody sent by hand is a message of its own, whenever it comes.
    if !entry.is_repeated || notification.kind == Kind::Custom {
        return Ok(false);
    }
    let sql = "SELECT n.duplicate_key FROM notification n
        WHERE n.object = :object AND n.seq < :seq AND n.received > :received AND n.received <= :now AND n.origin = :origin
          AND n.duplicate_key <> :key
          AND (:anywhere OR EXISTS (SELECT 1 FROM delivery d WHERE d.notification = n.seq AND d.integration = :integration
                 AND d.target = :target))";
    let nowhere = DeliveryQueue::nowhere();
    let DeliveryQueue { integration, target } = queue.unwrap_or(&nowhere);
    let object = notification.object_key();
    let mut statement = db.prepare_cached(sql)?;
    let keys = statement
        .query_map(
            named_params! {
                ":object": object, ":seq": seq, ":received": entry.received, ":now": now, ":origin": notification.origin,
                ":key": key_of_notification(notification), ":anywhere": queue.is_none(), ":integration": integration,
                ":target": target,
            },
            |row| row.get::<String>(0),
        )?
        .collect::<Result<Vec<_>, _>>()?;
    Ok(keys.iter().any(|key| settles(key, &object)))
}

/// Whether an earlier word about the object is no news after the notification with this key. That one is a problem, a
/// recovery or an acknowledgement, or it was sent while the object was well.
fn settles(key: &str, object: &str) -> bool {
    let Some(rest) = key.strip_prefix(object).and_then(|rest| rest.strip_prefix('\u{1e}')) else { return false };
    let mut parts = rest.split('\u{1e}');
    let (kind, state) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let settling = [Kind::Problem, Kind::Recovery, Kind::Acknowledgement];
    let is_well = [ServiceState::Ok.name(), HostState::Up.name()].contains(&state);
    settling.iter().any(|one| one.name() == kind) || (is_well && kind != Kind::Custom.name())
}

/// Whether the same notification of the same origin already has a delivery in this queue, for another contact. What another
/// origin says the problem itself tells apart ([`Problem::hear`](crate::model::problem::Problem::hear)).
///
/// With the core's notification id that is certain. Without it, it must be recent, for another contact where contacts
/// are known, and no other notification about the object may have come in between: a service that fails again within
/// the minute is news. One that was tried here and then sent elsewhere counts; one that was merged itself doesn't.
pub(super) fn exists(
    db: &Transaction<'_>,
    incoming: &Incoming,
    seq: i64,
    received: i64,
    queue: &DeliveryQueue,
) -> Result<bool, StoreError> {
    let (by_id, window) = match incoming {
        Incoming::DirectMessage(_) => (true, WINDOW_OF_DIRECT_MESSAGES),
        Incoming::Notification(notification) if notification.ids.notification.is_some() => (true, WINDOW_BY_ID),
        Incoming::Notification(_) => (false, WINDOW),
    };
    // CASE and the sum keep a server that doesn't know its tables yet from looking at all of the queue's deliveries, or at
    // all earlier notifications: it is to search by the key.
    let sql = "SELECT 1 FROM notification n
        WHERE n.duplicate_key = :key AND n.seq + 0 < :seq AND ABS(n.received - :received) <= :window AND n.origin = :origin
          AND CASE WHEN EXISTS (SELECT 1 FROM delivery d WHERE d.notification = n.seq AND d.integration = :integration
                AND d.target = :target AND (d.state <> 'merged' OR d.attempts > 0)) THEN 1 ELSE 0 END = 1
          AND (:by_id OR ((n.contact = '' OR :contact = '' OR n.contact <> :contact)
               AND NOT EXISTS (SELECT 1 FROM notification o WHERE o.object = :object AND o.seq > n.seq
                                 AND o.seq < :seq AND o.duplicate_key <> :key
                                 AND o.origin = :origin)))
        LIMIT 1";
    let found = db
        .prepare_cached(sql)?
        .query_row(
            named_params! {
                ":key": key(incoming), ":seq": seq, ":received": received, ":window": millis(window),
                ":integration": queue.integration, ":target": queue.target, ":by_id": by_id,
                ":contact": contact(incoming), ":object": incoming.object_key(), ":origin": origin(incoming),
            },
            |_| Ok(()),
        )
        .optional()?;
    Ok(found.is_some())
}

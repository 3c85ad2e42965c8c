//! The same notification for several contacts: a core runs one command per contact, a channel must show it once.

use super::StoreError;
use super::outbox::Lane;
use crate::model::notification::Notification;
use rusqlite::{OptionalExtension, Transaction, named_params};
use std::time::Duration;

/// How far apart the runs for several contacts may be when the core says no notification id, and when it does.
const TWIN_WINDOW: Duration = Duration::from_secs(60);
const TWIN_WINDOW_BY_ID: Duration = Duration::from_secs(60 * 60);
/// A program that sends its message again does so within days: as long as it is remembered.
const TWIN_WINDOW_OF_LETTERS: Duration = super::outbox::HISTORY;

/// Equal for all runs of one notification, and for no other of the same object within the window.
pub(super) fn key(notification: &Notification) -> String {
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

/// Whether the same notification already has a delivery in this lane, for another contact.
///
/// With the core's notification id that is certain. Without it, it must be recent, for another contact where contacts
/// are known, and nothing else may have been said about the object in between: a service that fails again within the
/// minute is news. One that was tried here and then sent elsewhere counts; one that was merged itself doesn't.
pub(super) fn exists(
    db: &Transaction<'_>,
    notification: &Notification,
    seq: i64,
    received: i64,
    lane: &Lane,
) -> Result<bool, StoreError> {
    let by_id = notification.ids.notification.is_some();
    let window = crate::system::clock::millis(match by_id {
        _ if notification.letter.is_some() => TWIN_WINDOW_OF_LETTERS,
        true => TWIN_WINDOW_BY_ID,
        false => TWIN_WINDOW,
    });
    let sql = "SELECT 1 FROM notification n JOIN delivery d ON d.notification = n.seq
        WHERE n.twin = :twin AND n.seq < :seq AND ABS(n.received - :received) <= :window
          AND d.integration = :integration AND d.target = :target AND (d.state <> 'merged' OR d.attempts > 0)
          AND (:by_id OR ((n.contact = '' OR :contact = '' OR n.contact <> :contact)
               AND NOT EXISTS (SELECT 1 FROM notification o WHERE o.object = :object AND o.seq > n.seq
                                 AND o.seq < :seq AND o.twin <> :twin)))
        LIMIT 1";
    let found = db
        .prepare_cached(sql)?
        .query_row(
            named_params! {
                ":twin": key(notification), ":seq": seq, ":received": received, ":window": window,
                ":integration": lane.integration, ":target": lane.target, ":by_id": by_id,
                ":contact": notification.contact.name.as_deref().unwrap_or_default(),
                ":object": notification.object_key(),
            },
            |_| Ok(()),
        )
        .optional()?;
    Ok(found.is_some())
}

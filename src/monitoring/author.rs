//! Who acknowledged, scheduled a downtime or sent a message by hand, and what they wrote: the texts of a notification
//! that come by no command line, as several cores pass them with every quote in them.
//!
//! The core's log has the command before the core acts on it, and so before it notifies; a downtime of long ago, or a
//! command that isn't logged, is in the core's state, which may be written some seconds later.

use super::paths::Paths;
use super::{log, members, state};
use crate::config::{Core, CoreKind};
use crate::model::core_snapshot::State;
use crate::model::notification::{Kind, Notification, clean_line};
use crate::model::object::Object;

/// A command is applied, and its notification sent, within this time after it is logged.
const CARRIED_OUT_SECONDS: i64 = 60;
/// A notification's time and the log's may be of two sides of a second.
const SECOND: i64 = 1;

/// An author and a comment.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Authorship {
    author: String,
    comment: String,
}

/// Whether the notification is about a person's action and doesn't say whose.
pub(crate) fn is_missing(notification: &Notification) -> bool {
    let is_of_a_person = matches!(
        notification.kind,
        Kind::Acknowledgement | Kind::Custom | Kind::DowntimeStart | Kind::DowntimeEnd | Kind::DowntimeCancelled
    );
    is_of_a_person && notification.author.is_none() && notification.comment.is_none()
}

/// Fills in what the core says of these, all of one core. Returns of which it may still say it: for those another look
/// is worth the while.
pub(crate) fn fill(core: &Core, notifications: &mut [&mut Notification]) -> Vec<bool> {
    // Of several one may be on this machine.
    let own = members::several(core).and_then(|members| members.into_iter().find(|member| !member.is_remote()));
    let core = own.as_ref().unwrap_or(core);
    // Its relay has looked.
    if core.is_remote() {
        return vec![false; notifications.len()];
    }
    let paths = Paths::find(core);
    let log = paths.log_file.as_deref().and_then(log::tail).unwrap_or_default();
    for notification in notifications.iter_mut() {
        fill_in(notification, in_log(&log, notification));
    }
    let missing = notifications.iter().filter(|notification| is_missing(notification));
    let wanted: Vec<Object> = missing.map(|notification| Object::of(notification)).collect();
    // Icinga 2 passes these texts by itself: its API isn't asked for what isn't there.
    let is_silent = wanted.is_empty() || core.kind == CoreKind::Icinga2;
    let Some(snapshot) = (!is_silent).then(|| state::read(core, &wanted).ok()).flatten() else {
        return vec![false; notifications.len()];
    };
    let mut later = Vec::new();
    for notification in notifications.iter_mut() {
        if is_missing(notification)
            && let Some(state) = snapshot.states.get(&Object::of(notification))
        {
            fill_in(notification, in_state(state, notification));
        }
        // A message by hand stands in no state, and what ended stands there no more.
        let may_come = matches!(notification.kind, Kind::Acknowledgement | Kind::DowntimeStart);
        later.push(is_missing(notification) && may_come && snapshot.created <= notification.time + SECOND);
    }
    later
}

fn fill_in(notification: &mut Notification, authorship: Option<Authorship>) {
    if let Some(Authorship { author, comment }) = authorship.filter(|_| is_missing(notification)) {
        let text = |text: &str| Some(clean_line(text)).filter(|text| !text.is_empty());
        (notification.author, notification.comment) = (text(&author), text(&comment));
    }
}

/// The latest command in the log that is behind the notification.
fn in_log(log: &str, notification: &Notification) -> Option<Authorship> {
    if !is_missing(notification) {
        return None;
    }
    let found = log::commands(log).filter(|(time, _)| *time <= notification.time + SECOND);
    let found = found.filter_map(|(time, command)| {
        let (name, arguments) = command.split_once(';')?;
        let (skipped, rest) = about(name, arguments, notification)?;
        let fields: Vec<&str> = rest.splitn(skipped + 2, ';').collect();
        let &[author, comment] = fields.get(skipped..)? else { return None };
        let since = if name.starts_with("SCHEDULE_") {
            let (start, end) = (fields[0].parse().ok()?, fields[1].parse().ok()?);
            holds(notification, start, end).then_some(start)?
        } else {
            (time >= notification.time - CARRIED_OUT_SECONDS).then_some(time)?
        };
        Some((since, Authorship { author: author.to_owned(), comment: comment.to_owned() }))
    });
    // The last of equals.
    found.max_by_key(|(since, _)| *since).map(|(_, authorship)| authorship)
}

/// If the command is about the notification's object and of its kind: how many fields stand before the author, and the
/// fields after the object's names.
fn about<'a>(name: &str, arguments: &'a str, notification: &Notification) -> Option<(usize, &'a str)> {
    let host = notification.host.name.as_str();
    let service = notification.service.as_ref().map(|service| service.name.as_str());
    let after = |text: &'a str, name: &str| text.strip_prefix(name)?.strip_prefix(';');
    let own = match service {
        Some(service) => after(arguments, host).and_then(|rest| after(rest, service)),
        None => after(arguments, host),
    };
    let in_group = |groups: &[String]| groups.iter().find_map(|group| after(arguments, group));
    let (host_groups, service_groups) = (&notification.host_groups, &notification.service_groups);
    let is_downtime = matches!(notification.kind, Kind::DowntimeStart | Kind::DowntimeEnd | Kind::DowntimeCancelled);
    let (skipped, rest) = match (name, service.is_some()) {
        ("ACKNOWLEDGE_HOST_PROBLEM", false) | ("ACKNOWLEDGE_SVC_PROBLEM", true) => (3, own),
        ("ACKNOWLEDGE_HOST_PROBLEM_EXPIRE", false) | ("ACKNOWLEDGE_SVC_PROBLEM_EXPIRE", true) => (4, own),
        ("SEND_CUSTOM_HOST_NOTIFICATION", false) | ("SEND_CUSTOM_SVC_NOTIFICATION", true) => (1, own),
        (
            "SCHEDULE_HOST_DOWNTIME"
            | "SCHEDULE_AND_PROPAGATE_HOST_DOWNTIME"
            | "SCHEDULE_AND_PROPAGATE_TRIGGERED_HOST_DOWNTIME",
            false,
        )
        | ("SCHEDULE_SVC_DOWNTIME", true) => (5, own),
        ("SCHEDULE_HOST_SVC_DOWNTIME", true) => (5, after(arguments, host)),
        ("SCHEDULE_HOSTGROUP_HOST_DOWNTIME", false) | ("SCHEDULE_HOSTGROUP_SVC_DOWNTIME", true) => {
            (5, in_group(host_groups))
        }
        ("SCHEDULE_SERVICEGROUP_SVC_DOWNTIME", true) => (5, in_group(service_groups)),
        _ => return None,
    };
    let is_kind = match notification.kind {
        Kind::Acknowledgement => name.starts_with("ACKNOWLEDGE_"),
        Kind::Custom => name.starts_with("SEND_CUSTOM_"),
        _ => is_downtime && name.starts_with("SCHEDULE_"),
    };
    rest.filter(|_| is_kind).map(|rest| (skipped, rest))
}

/// Whether a downtime with these ends can be the one in the notification. A flexible one lies within.
fn holds(notification: &Notification, start: i64, end: i64) -> bool {
    start <= notification.time + SECOND && end >= notification.time - CARRIED_OUT_SECONDS
}

fn in_state(state: &State, notification: &Notification) -> Option<Authorship> {
    let authorship =
        |author: &str, comment: &str| Authorship { author: author.to_owned(), comment: comment.to_owned() };
    if notification.kind == Kind::Acknowledgement {
        let is_it = |time: i64| (time - notification.time).abs() <= CARRIED_OUT_SECONDS;
        return state.acknowledgement().filter(|found| is_it(found.time)).map(|a| authorship(&a.author, &a.comment));
    }
    if notification.kind == Kind::Custom {
        return None;
    }
    let in_force = state.downtimes.iter().filter(|downtime| holds(notification, downtime.start, downtime.end));
    in_force.max_by_key(|downtime| downtime.start).map(|downtime| authorship(&downtime.author, &downtime.comment))
}

#[cfg(test)]
mod tests;

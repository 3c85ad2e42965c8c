//! The words of a card: what each notification type and state is called, and the sentence under the title.

use super::Tone;
use crate::config::Field;
use crate::model::notification::{Kind, Notification, Severity};
use crate::model::time_text::span;

/// The colour of what is said: of the type, and of the state where the type is about one.
pub(super) fn tone(notification: &Notification) -> Tone {
    match &notification.kind {
        Kind::Recovery => Tone::Good,
        Kind::Acknowledgement | Kind::StillAsked | Kind::StillOnIt | Kind::HandedOver => Tone::Acknowledged,
        Kind::FlappingStart
        | Kind::FlappingStop
        | Kind::FlappingDisabled
        | Kind::DowntimeStart
        | Kind::DowntimeEnd
        | Kind::DowntimeCancelled
        | Kind::DowntimeScheduled
        | Kind::NotificationsStopped
        | Kind::NotificationsResumed => Tone::Quiet,
        Kind::Forgotten | Kind::Unacknowledged | Kind::Unanswered | Kind::Problem | Kind::Custom | Kind::Other(_) => {
            tone_of(notification.severity())
        }
    }
}

/// The colour of a state.
pub(super) fn tone_of(severity: Severity) -> Tone {
    match severity {
        Severity::Good => Tone::Good,
        Severity::Unknown => Tone::Unknown,
        Severity::Warning => Tone::Warning,
        Severity::Critical => Tone::Critical,
    }
}

/// The first word of the title.
pub(super) fn head(notification: &Notification) -> String {
    let state = notification.state_name().unwrap_or("UNKNOWN STATE");
    match &notification.kind {
        Kind::Problem if number(notification) > 1 && !is_change(notification) => format!("STILL {state}"),
        Kind::Problem => state.to_owned(),
        Kind::Recovery => match notification.state_name() {
            Some(state) => format!("RECOVERED, {state}"),
            None => "RECOVERED".to_owned(),
        },
        Kind::Acknowledgement => format!("ACKNOWLEDGED, {state}"),
        Kind::FlappingStart => "FLAPPING".to_owned(),
        Kind::FlappingStop => "FLAPPING STOPPED".to_owned(),
        Kind::FlappingDisabled => "FLAP DETECTION OFF".to_owned(),
        Kind::DowntimeStart => "DOWNTIME STARTED".to_owned(),
        Kind::DowntimeEnd => "DOWNTIME ENDED".to_owned(),
        Kind::DowntimeCancelled => "DOWNTIME CANCELLED".to_owned(),
        Kind::Custom => format!("MESSAGE, {state}"),
        Kind::Unacknowledged => format!("ACKNOWLEDGEMENT REMOVED, {state}"),
        Kind::DowntimeScheduled => format!("DOWNTIME SCHEDULED, {state}"),
        Kind::NotificationsStopped => format!("NOTIFICATIONS STOPPED, {state}"),
        Kind::NotificationsResumed => format!("NOTIFICATIONS RESUMED, {state}"),
        Kind::Unanswered => format!("UNANSWERED, {state}"),
        Kind::StillAsked => format!("STILL ON IT?, {state}"),
        Kind::StillOnIt => format!("STILL ON IT, {state}"),
        Kind::HandedOver => format!("HANDED OVER, {state}"),
        Kind::Forgotten => format!("NO ANSWER, {state}"),
        Kind::Other(kind) if kind.is_empty() => state.to_owned(),
        Kind::Other(kind) => match notification.state_name() {
            Some(state) => format!("{kind}, {state}"),
            None => kind.clone(),
        },
    }
}

/// The sentence under the title, where there is something to say.
pub(super) fn lead(notification: &Notification) -> Option<String> {
    let duration = notification.progress.duration.filter(|&seconds| seconds > 0).map(span);
    let by = |what: &str| match &notification.author {
        Some(author) => format!("{what} by {author}"),
        None => what.to_owned(),
    };
    match &notification.kind {
        Kind::Problem if number(notification) > 1 => {
            let for_how_long = duration.map_or_else(String::new, |span| format!(", for {span}"));
            Some(format!("{} notification{for_how_long}", ordinal(number(notification))))
        }
        Kind::Problem | Kind::Recovery | Kind::Other(_) => None,
        Kind::Acknowledgement => Some(by("acknowledged")),
        Kind::FlappingStart => {
            Some("changes its state too often; notifications are held back until it settles".to_owned())
        }
        Kind::FlappingStop => Some("has settled; notifications are sent again".to_owned()),
        Kind::FlappingDisabled => Some("flap detection was switched off; notifications are sent again".to_owned()),
        Kind::DowntimeStart => Some(by("no notifications during its downtime, scheduled")),
        Kind::DowntimeEnd => Some("its downtime is over; notifications are sent again".to_owned()),
        Kind::DowntimeCancelled => Some(by("its downtime was cancelled")),
        Kind::Custom => Some(by("sent by hand")),
        Kind::Unacknowledged => Some(by("acknowledgement removed")),
        Kind::DowntimeScheduled => Some(by(&planned(notification))),
        Kind::NotificationsStopped => Some(by("the core's notifications about it were stopped")),
        Kind::NotificationsResumed => Some(by("the core's notifications about it were resumed")),
        Kind::Unanswered | Kind::StillAsked | Kind::StillOnIt | Kind::HandedOver | Kind::Forgotten => {
            notification.comment.clone()
        }
    }
}

/// `downtime of 2 h scheduled`; its beginning is a mark of the card, in the reader's zone.
fn planned(notification: &Notification) -> String {
    let seconds = |key: &str| var(notification, key);
    match (seconds("start"), seconds("end"), seconds("flexible")) {
        (Some(start), Some(end), length) => {
            let between = span(u64::try_from(end.saturating_sub(start)).unwrap_or(0));
            match length.and_then(|length| u64::try_from(length).ok()) {
                Some(length) => format!("flexible downtime of {} within {between} scheduled", span(length)),
                None => format!("downtime of {between} scheduled"),
            }
        }
        _ => "downtime scheduled".to_owned(),
    }
}

/// When a scheduled downtime begins.
pub(super) fn downtime_start(notification: &Notification) -> Option<i64> {
    var(notification, "start").filter(|_| notification.kind == Kind::DowntimeScheduled)
}

fn var(notification: &Notification, key: &str) -> Option<i64> {
    notification.vars.get(key).and_then(|text| text.parse().ok())
}

/// Whether the state is a new one, although it isn't the first notification: cores count on while a problem gets worse
/// or better, and notify again at the earliest after a minute.
fn is_change(notification: &Notification) -> bool {
    notification.progress.duration.is_some_and(|seconds| seconds < 60)
}

/// One piece of the context line; `None` where the core said nothing.
pub(super) fn field(field: &Field, notification: &Notification) -> Option<String> {
    let progress = &notification.progress;
    let list = |what: &str, names: &[String]| (!names.is_empty()).then(|| format!("{what} {}", names.join(", ")));
    match field {
        Field::Address => notification.host.address.clone().filter(|address| *address != notification.host_label()),
        Field::Alias => notification.host.alias.clone().filter(|alias| *alias != notification.host_label()),
        Field::Duration if is_recovery(notification) => None,
        Field::Duration => {
            progress.duration.filter(|&seconds| seconds > 0).map(|seconds| format!("for {}", span(seconds)))
        }
        Field::Attempt => match (progress.attempt, progress.max_attempts) {
            (Some(attempt), Some(most)) => Some(format!("attempt {attempt}/{most}")),
            (Some(attempt), None) => Some(format!("attempt {attempt}")),
            _ => None,
        },
        Field::Contact => notification.contact.name.as_ref().map(|name| format!("to {name}")),
        Field::HostGroups => list("host groups", &notification.host_groups),
        Field::ServiceGroups => list("service groups", &notification.service_groups),
        Field::Time => None,
        Field::Var(key) => notification.vars.get(key).map(|value| format!("{key} {value}")),
    }
}

fn is_recovery(notification: &Notification) -> bool {
    notification.kind == Kind::Recovery
}

fn number(notification: &Notification) -> u32 {
    notification.progress.notification_number.unwrap_or(0)
}

/// `1st`, `2nd`, `3rd`, `11th`
fn ordinal(n: u32) -> String {
    let ending = match (n % 10, n % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{n}{ending}")
}

#[cfg(test)]
mod tests {
    use super::ordinal;

    #[test]
    fn ordinals_read_well() {
        assert_eq!(
            [1, 2, 3, 4, 11, 12, 13, 21, 112].map(ordinal),
            ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "112th"]
        );
    }
}

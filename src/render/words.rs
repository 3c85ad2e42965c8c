//! The words of a card: what each notification type and state is called, and the sentence under the title.

use super::Tone;
use crate::config::Field;
use crate::notification::{Kind, Notification, Severity};

/// The colour of what is said: of the type, and of the state where the type is about one.
pub(super) fn tone(notification: &Notification) -> Tone {
    match &notification.kind {
        Kind::Recovery => Tone::Good,
        Kind::Acknowledgement => Tone::Acknowledged,
        Kind::FlappingStart
        | Kind::FlappingStop
        | Kind::FlappingDisabled
        | Kind::DowntimeStart
        | Kind::DowntimeEnd
        | Kind::DowntimeCancelled
        | Kind::DowntimeScheduled
        | Kind::NotificationsStopped
        | Kind::NotificationsResumed => Tone::Quiet,
        Kind::Unacknowledged | Kind::Problem | Kind::Custom | Kind::Other(_) => tone_of(notification.severity()),
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
        Kind::Other(word) if word.is_empty() => state.to_owned(),
        Kind::Other(word) => match notification.state_name() {
            Some(state) => format!("{word}, {state}"),
            None => word.clone(),
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

/// `42 s`, `5 min`, `3 h 20 min`, `2 d 4 h`
pub(crate) fn span(seconds: u64) -> String {
    let two = |big: u64, unit: &str, small: u64, small_unit: &str| {
        if small == 0 { format!("{big} {unit}") } else { format!("{big} {unit} {small} {small_unit}") }
    };
    match seconds {
        s @ 0..120 => format!("{s} s"),
        s @ 120..3600 => format!("{} min", s / 60),
        s @ 3600..86_400 => two(s / 3600, "h", s % 3600 / 60, "min"),
        s => two(s / 86_400, "d", s % 86_400 / 3600, "h"),
    }
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

/// The date and time of Unix seconds in UTC, for fallbacks: `2026-11-21 06:53:12 UTC`.
pub(crate) fn utc(unix: i64) -> String {
    let days = unix.div_euclid(86_400);
    let second = unix.rem_euclid(86_400);
    let (year, month, day) = civil(days);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02} UTC", second / 3600, second % 3600 / 60, second % 60)
}

/// The Gregorian date of a count of days since 1970-01-01.
fn civil(days: i64) -> (i64, i64, i64) {
    // Years that start in March, in eras of 400: leap days then stand at the end.
    let shifted = days.saturating_add(719_468);
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_ordinals_read_well() {
        assert_eq!(
            [0, 119, 120, 3599, 3600, 12_000, 90_000].map(span),
            ["0 s", "119 s", "2 min", "59 min", "1 h", "3 h 20 min", "1 d 1 h"]
        );
        assert_eq!(
            [1, 2, 3, 4, 11, 12, 13, 21, 112].map(ordinal),
            ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "112th"]
        );
    }

    #[test]
    fn dates_are_gregorian() {
        assert_eq!(utc(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(utc(951_782_400), "2000-02-29 00:00:00 UTC");
        assert_eq!(utc(1_795_234_312), "2026-11-21 04:11:52 UTC");
        assert_eq!(utc(-1), "1969-12-31 23:59:59 UTC");
    }
}

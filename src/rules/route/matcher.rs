//! Whether a route's `match` takes a notification, and if not, why.

use super::LocalTime;
use crate::config::{Matcher, TimeWindows};
use crate::model::notification::Notification;
use crate::model::pattern::{Pattern, takes};

/// The first part that doesn't match, in words; `None` when all do.
pub(super) fn mismatch(matcher: &Matcher, notification: &Notification, at: LocalTime) -> Option<String> {
    let host = &notification.host;
    let hosts = [Some(host.name.as_str()), host.display_name.as_deref(), host.alias.as_deref()];
    let service = notification.service.as_ref();
    let services = [service.map(|s| s.name.as_str()), service.and_then(|s| s.display_name.as_deref())];
    let contact = [notification.contact.name.as_deref()];
    let core = [Some(notification.core.as_str())];
    let groups = |groups: &[String]| groups.iter().map(|group| Some(group.clone())).collect::<Vec<_>>();
    one("host", &matcher.host, &hosts)
        .or_else(|| one("service", &matcher.service, &services))
        .or_else(|| one("hostgroup", &matcher.host_group, &groups(&notification.host_groups)))
        .or_else(|| one("servicegroup", &matcher.service_group, &groups(&notification.service_groups)))
        .or_else(|| one("contact", &matcher.contact, &contact))
        .or_else(|| one("contact_group", &matcher.contact_group, &groups(&notification.contact.groups)))
        .or_else(|| one("core", &matcher.core, &core))
        .or_else(|| state(&matcher.state, notification))
        .or_else(|| kind(matcher, notification))
        .or_else(|| vars(matcher, notification))
        .or_else(|| time(matcher.time.as_ref(), at))
        .or_else(|| matcher.also.iter().find_map(|also| mismatch(also, notification, at)))
}

fn one<S: AsRef<str>>(what: &str, patterns: &[Pattern], values: &[Option<S>]) -> Option<String> {
    if patterns.is_empty() {
        return None;
    }
    if takes(patterns, values) {
        return None;
    }
    let values: Vec<&str> = values.iter().flatten().map(AsRef::as_ref).collect();
    let shown: Vec<String> = patterns.iter().map(|p| format!("\"{}\"", p.0)).collect();
    let found = values.first().map_or_else(|| "it has none".to_owned(), |value| format!("it is \"{value}\""));
    Some(format!("{what} must match {}, {found}", shown.join(" or ")))
}

fn state(states: &[String], notification: &Notification) -> Option<String> {
    let found = notification.state_name().unwrap_or("unknown");
    if states.is_empty() || states.iter().any(|state| state.eq_ignore_ascii_case(found)) {
        return None;
    }
    Some(format!("state must be {}, it is {found}", states.join(" or ")))
}

fn kind(matcher: &Matcher, notification: &Notification) -> Option<String> {
    if matcher.kind.is_empty() || matcher.kind.contains(&notification.kind) {
        return None;
    }
    let names: Vec<&str> = matcher.kind.iter().map(crate::model::notification::Kind::name).collect();
    Some(format!("type must be {}, it is {}", names.join(" or "), notification.kind.name()))
}

fn vars(matcher: &Matcher, notification: &Notification) -> Option<String> {
    matcher.vars.iter().find_map(|(key, patterns)| {
        one(&format!("var {key}"), patterns, &[notification.vars.get(key).map(String::as_str)])
    })
}

fn time(windows: Option<&TimeWindows>, at: LocalTime) -> Option<String> {
    let is_in = windows.is_none_or(|windows| {
        windows.0.iter().any(|window| {
            let (today, yesterday) = (usize::from(at.weekday % 7), usize::from((at.weekday + 6) % 7));
            let minute = at.minute_of_day;
            if window.from_minute < window.to_minute {
                window.days[today] && (window.from_minute..window.to_minute).contains(&minute)
            } else {
                (window.days[today] && minute >= window.from_minute)
                    || (window.days[yesterday] && minute < window.to_minute)
            }
        })
    });
    (!is_in).then(|| "it is outside of the route's time".to_owned())
}

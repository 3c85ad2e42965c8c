//! Where people can read more: the core's own page, and the links the core passed.

use crate::config::{Core, CoreKind};
use crate::notification::Notification;

/// The core's page about the object.
pub(super) fn page(notification: &Notification, core: &Core) -> Option<String> {
    let url = core.url.as_deref()?;
    let host = encode(&notification.host.name);
    let service = notification.service.as_ref().map(|service| encode(&service.name));
    Some(match (core.kind, service) {
        (CoreKind::Nagios | CoreKind::Naemon, service) => {
            let cgi = if url.ends_with("/cgi-bin") { String::new() } else { "/cgi-bin".to_owned() };
            match service {
                Some(service) => format!("{url}{cgi}/extinfo.cgi?type=2&host={host}&service={service}"),
                None => format!("{url}{cgi}/extinfo.cgi?type=1&host={host}"),
            }
        }
        (CoreKind::Icinga2, Some(service)) => format!("{url}/monitoring/service/show?host={host}&service={service}"),
        (CoreKind::Icinga2, None) => format!("{url}/monitoring/host/show?host={host}"),
        (CoreKind::OpenItCockpit, Some(service)) => format!("{url}/a/services/browser/{service}"),
        (CoreKind::OpenItCockpit, None) => format!("{url}/a/hosts/browser/{host}"),
        (CoreKind::Checkmk, Some(service)) => {
            format!("{url}/check_mk/view.py?view_name=service&host={host}&service={service}")
        }
        (CoreKind::Checkmk, None) => format!("{url}/check_mk/view.py?view_name=host&host={host}"),
    })
}

/// Labels and addresses, the core's page first. Only what a browser opens.
pub(super) fn all(notification: &Notification, page: Option<&str>) -> Vec<(String, String)> {
    let found = [
        ("Open in monitoring", page),
        ("Action", notification.action_url.as_deref()),
        ("Notes", notification.notes_url.as_deref()),
    ];
    let is_web = |url: &str| url.starts_with("https://") || url.starts_with("http://");
    found
        .into_iter()
        .filter_map(|(label, url)| Some((label.to_owned(), url.filter(|url| is_web(url))?.to_owned())))
        .collect()
}

/// Percent-encodes everything but unreserved characters (RFC 3986).
pub(crate) fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

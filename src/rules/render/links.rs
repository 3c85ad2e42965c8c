//! Where people can read more: the core's own page, and the links the core passed.

use crate::config::{Core, CoreKind, IcingaWeb};
use crate::model::notification::Notification;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

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
        (CoreKind::Icinga2, service) => icinga(url, core.web, &host, service.as_deref()),
        (CoreKind::OpenItCockpit, Some(service)) => format!("{url}/a/services/browser/{service}"),
        (CoreKind::OpenItCockpit, None) => format!("{url}/a/hosts/browser/{host}"),
        (CoreKind::Checkmk, Some(service)) => {
            format!("{url}/check_mk/view.py?view_name=service&host={host}&service={service}")
        }
        (CoreKind::Checkmk, None) => format!("{url}/check_mk/view.py?view_name=host&host={host}"),
        (CoreKind::Centreon, service) => return centreon(url, notification, service.is_some()),
    })
}

/// The page that Centreon's own notification scripts lead to (centreon-plugins, `src/notification/email/mode/alert.pm`): it wants the
/// objects' numbers, which our definitions pass.
fn centreon(url: &str, notification: &Notification, is_service: bool) -> Option<String> {
    let number = |key: &str| notification.vars.get(key).filter(|id| id.parse::<u64>().is_ok_and(|id| id > 0));
    let host = number("host_id")?;
    let (_, address) = url.split_once("://")?;
    let base = address.find('/').map_or("", |at| &address[at..]);
    let resources = format!("{base}/api/latest/monitoring/resources/hosts/{host}");
    let (id, endpoint) = if is_service {
        let service = number("service_id")?;
        (service, format!("{resources}/services/{service}"))
    } else {
        (host, resources)
    };
    let details = serde_json::json!({ "id": id, "resourcesDetailsEndpoint": endpoint, "tab": "details" });
    Some(format!("{url}/monitoring/resources?details={}", encode(&details.to_string())))
}

/// (<https://icinga.com/docs/icinga-db-web/latest/>)
fn icinga(url: &str, web: IcingaWeb, host: &str, service: Option<&str>) -> String {
    match (web, service) {
        (IcingaWeb::Monitoring, Some(service)) => {
            format!("{url}/monitoring/service/show?host={host}&service={service}")
        }
        (IcingaWeb::Monitoring, None) => format!("{url}/monitoring/host/show?host={host}"),
        (IcingaWeb::IcingaDb, Some(service)) => format!("{url}/icingadb/service?name={service}&host.name={host}"),
        (IcingaWeb::IcingaDb, None) => format!("{url}/icingadb/host?name={host}"),
    }
}

/// Labels and what they lead to, the core's page first.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Links {
    /// What a browser opens.
    pub(super) web: Vec<(String, String)>,
    /// What no browser can open from where the reader is, to be shown as text: nothing is dropped in silence.
    pub(super) other: Vec<(String, String)>,
}

/// The core's page, and the action and notes addresses that the core passed.
pub(super) fn all(notification: &Notification, page: Option<&str>, core: Option<&Core>) -> Links {
    let passed = |url: &Option<String>| url.as_deref().map(|url| resolved(url, core));
    let found = [
        ("Open in monitoring", page.map(str::to_owned)),
        ("Action", passed(&notification.action_url)),
        ("Notes", passed(&notification.notes_url)),
    ];
    let links =
        found.into_iter().filter_map(|(label, url)| Some((label.to_owned(), url.filter(|url| !url.is_empty())?)));
    let (web, other) = links.partition(|(_, url)| is_web(url));
    Links { web, other }
}

fn is_web(url: &str) -> bool {
    url.starts_with("https://") || url.starts_with("http://")
}

/// The address as a browser takes it: without the attributes that PNP's users add for their pages
/// (`' class='tips' rel='...`), and complete.
fn resolved(url: &str, core: Option<&Core>) -> String {
    let url = url[..url.find("' ").unwrap_or(url.len())].trim();
    match core.and_then(|core| core.url.as_deref()) {
        Some(base) if !has_scheme(url) => join(base, url),
        Some(_) | None => url.to_owned(),
    }
}

/// `https:`, `mailto:`, `ssh:`: a letter, then letters, digits and `+-.` up to a colon (RFC 3986, 3.1).
fn has_scheme(url: &str) -> bool {
    url.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    })
}

/// A reference relative to the core's own pages: `//host/x`, `/x` from the root of its machine, `x` from its directory.
fn join(base: &str, reference: &str) -> String {
    let (scheme, rest) = base.split_once("://").unwrap_or(("https", base));
    let machine = rest.split('/').next().unwrap_or(rest);
    if let Some(other) = reference.strip_prefix("//") {
        return format!("{scheme}://{other}");
    }
    match reference.strip_prefix('/') {
        Some(path) => format!("{scheme}://{machine}/{path}"),
        None => format!("{base}/{reference}"),
    }
}

/// Everything but unreserved characters (RFC 3986).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Percent-encodes everything but unreserved characters.
pub(crate) fn encode(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::notification::Fields;

    fn links(pairs: &[(&'static str, &str)], base: Option<&str>) -> Links {
        let mut fields = Fields::default();
        for (name, value) in [("hostname", "web 01"), ("servicedesc", "Disk C:")].iter().chain(pairs) {
            fields.put(name, value);
        }
        let core = Core { url: base.map(str::to_owned), ..Core::default() };
        all(&fields.into_notification(7), None, Some(&core))
    }

    fn action(url: &str, base: Option<&str>) -> Result<String, String> {
        let mut found = links(&[("action-url", url)], base);
        found.web.pop().map(|(_, url)| url).ok_or_else(|| found.other.pop().map(|(_, url)| url).unwrap_or_default())
    }

    #[test]
    fn an_icinga_shows_its_objects_in_one_of_two_modules() {
        let mut fields = Fields::default();
        for (name, value) in [("hostname", "web 01"), ("servicedesc", "Disk C:")] {
            fields.put(name, value);
        }
        let service = fields.into_notification(7);
        let host = Notification { service: None, ..service.clone() };
        let url = Some("https://mon.example.com/icingaweb2".to_owned());
        let core = |web| Core { kind: CoreKind::Icinga2, url: url.clone(), web, ..Core::default() };
        let shown = |about: &Notification, web| page(about, &core(web)).unwrap().split_off(34);
        assert_eq!(shown(&service, IcingaWeb::IcingaDb), "/icingadb/service?name=Disk%20C%3A&host.name=web%2001");
        assert_eq!(shown(&host, IcingaWeb::IcingaDb), "/icingadb/host?name=web%2001");
        assert_eq!(
            shown(&service, IcingaWeb::Monitoring),
            "/monitoring/service/show?host=web%2001&service=Disk%20C%3A"
        );
        assert_eq!(shown(&host, IcingaWeb::Monitoring), "/monitoring/host/show?host=web%2001");
    }

    #[test]
    fn a_centreon_finds_its_objects_by_number() {
        let mut fields = Fields::default();
        for (name, value) in [("hostname", "web01"), ("servicedesc", "Disk")] {
            fields.put(name, value);
        }
        let url = Some("https://mon.example.com/centreon".to_owned());
        let core = Core { kind: CoreKind::Centreon, url, ..Core::default() };
        let mut service = fields.into_notification(7);
        assert_eq!(page(&service, &core), None, "nothing tells the numbers");
        service.vars = [("host_id", "12"), ("service_id", "34")].map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        let start = "https://mon.example.com/centreon/monitoring/resources?details=";
        let details = |about: &Notification| page(about, &core).unwrap().strip_prefix(start).unwrap().to_owned();
        let of = |id: &str, path: &str| {
            let base = "/centreon/api/latest/monitoring/resources/hosts/12";
            encode(&format!("{{\"id\":\"{id}\",\"resourcesDetailsEndpoint\":\"{base}{path}\",\"tab\":\"details\"}}"))
        };
        assert_eq!(details(&service), of("34", "/services/34"));
        let mut host = Notification { service: None, ..service };
        assert_eq!(details(&host), of("12", ""));
        host.vars.insert("host_id".to_owned(), "1\"".to_owned());
        assert_eq!(page(&host, &core), None);
    }

    #[test]
    fn what_pages_add_to_an_address_is_cut() {
        let passed = "https://g.example.com/pnp4nagios/graph?host=web01&srv=Disk' class='tips' rel='https://g.example.com/p?x=1'";
        assert_eq!(action(passed, None), Ok("https://g.example.com/pnp4nagios/graph?host=web01&srv=Disk".to_owned()));
    }

    #[test]
    fn relative_addresses_are_the_cores() {
        let base = Some("https://mon.example.com/nagios");
        assert_eq!(action("/wiki/disk", base), Ok("https://mon.example.com/wiki/disk".to_owned()));
        assert_eq!(action("graph?x=1:2", base), Ok("https://mon.example.com/nagios/graph?x=1:2".to_owned()));
        assert_eq!(action("//wiki.example.com/disk", base), Ok("https://wiki.example.com/disk".to_owned()));
        assert_eq!(action("ssh://web01", base), Err("ssh://web01".to_owned()), "shown, as no browser opens it");
        assert_eq!(action("/wiki/disk", None), Err("/wiki/disk".to_owned()), "shown, as nobody knows where it is");
    }
}

//! From loose text to a strict [`Notification`]: arguments and macros are parsed here, once.

use super::{
    Contact, Host, HostState, Ids, Kind, Notification, Progress, Service, ServiceState, clean_line, clean_text,
    exact_name, present,
};
use crate::system::order;
use std::collections::BTreeMap;

/// One thing a core can say about a notification: its argument, and its macros for hosts and services.
#[derive(Debug)]
pub(crate) struct Field {
    /// The argument's name without dashes; also the key in [`Fields`].
    pub(crate) name: &'static str,
    pub(crate) aliases: &'static [&'static str],
    pub(crate) value: &'static str,
    pub(crate) help: &'static str,
    /// The core's macro in a host notification (without `$`), empty where there is none.
    pub(crate) host_macro: &'static str,
    /// The same in a service notification.
    pub(crate) service_macro: &'static str,
}

const fn field(
    name: &'static str,
    value: &'static str,
    help: &'static str,
    host_macro: &'static str,
    service_macro: &'static str,
) -> Field {
    Field { name, aliases: &[], value, help, host_macro, service_macro }
}

/// Every field, in the order of `--help`.
pub(crate) const FIELDS: [Field; 36] = [
    field("type", "Host|Service", "What it is about; a --servicedesc makes it a service", "", ""),
    field(
        "notificationtype",
        "TYPE",
        "$NOTIFICATIONTYPE$: PROBLEM, RECOVERY, ...",
        "NOTIFICATIONTYPE",
        "NOTIFICATIONTYPE",
    ),
    Field { aliases: &["hostuuid"], ..field("hostname", "HOST", "$HOSTNAME$", "HOSTNAME", "HOSTNAME") },
    field("hostaddress", "ADDRESS", "$HOSTADDRESS$", "HOSTADDRESS", "HOSTADDRESS"),
    field("hoststate", "STATE", "$HOSTSTATEID$ or $HOSTSTATE$", "HOSTSTATE", "HOSTSTATE"),
    Field { aliases: &["serviceuuid"], ..field("servicedesc", "SERVICE", "$SERVICEDESC$", "", "SERVICEDESC") },
    field("servicestate", "STATE", "$SERVICESTATEID$ or $SERVICESTATE$", "", "SERVICESTATE"),
    field("state", "STATE", "The state of whatever it is about", "", ""),
    Field {
        aliases: &["serviceoutput"],
        ..field("output", "TEXT", "$HOSTOUTPUT$ or $SERVICEOUTPUT$", "HOSTOUTPUT", "SERVICEOUTPUT")
    },
    Field {
        aliases: &["servicelongoutput", "hostlongoutput"],
        ..field("long-output", "TEXT", "$LONGHOSTOUTPUT$ or $LONGSERVICEOUTPUT$", "LONGHOSTOUTPUT", "LONGSERVICEOUTPUT")
    },
    field("perfdata", "TEXT", "$HOSTPERFDATA$ or $SERVICEPERFDATA$", "HOSTPERFDATA", "SERVICEPERFDATA"),
    Field {
        aliases: &["ackauthor", "hostackauthor", "serviceackauthor"],
        ..field("author", "NAME", "$NOTIFICATIONAUTHOR$", "NOTIFICATIONAUTHOR", "NOTIFICATIONAUTHOR")
    },
    Field {
        aliases: &["ackcomment", "hostackcomment", "serviceackcomment"],
        ..field("comment", "TEXT", "$NOTIFICATIONCOMMENT$", "NOTIFICATIONCOMMENT", "NOTIFICATIONCOMMENT")
    },
    field("contact", "NAME", "$CONTACTNAME$", "CONTACTNAME", "CONTACTNAME"),
    Field {
        aliases: &["contactmail"],
        ..field("contact-email", "ADDRESS", "$CONTACTEMAIL$", "CONTACTEMAIL", "CONTACTEMAIL")
    },
    field("contact-address", "TEXT", "$CONTACTADDRESS1$", "CONTACTADDRESS1", "CONTACTADDRESS1"),
    field("contact-groups", "A,B", "$CONTACTGROUPNAMES$", "CONTACTGROUPNAMES", "CONTACTGROUPNAMES"),
    field("hostgroups", "A,B", "$HOSTGROUPNAMES$", "HOSTGROUPNAMES", "HOSTGROUPNAMES"),
    field("servicegroups", "A,B", "$SERVICEGROUPNAMES$", "", "SERVICEGROUPNAMES"),
    field("hostalias", "TEXT", "$HOSTALIAS$", "HOSTALIAS", "HOSTALIAS"),
    field("host-display-name", "TEXT", "$HOSTDISPLAYNAME$", "HOSTDISPLAYNAME", "HOSTDISPLAYNAME"),
    field("service-display-name", "TEXT", "$SERVICEDISPLAYNAME$", "", "SERVICEDISPLAYNAME"),
    field(
        "notification-number",
        "N",
        "$SERVICENOTIFICATIONNUMBER$",
        "HOSTNOTIFICATIONNUMBER",
        "SERVICENOTIFICATIONNUMBER",
    ),
    field("notification-id", "ID", "$SERVICENOTIFICATIONID$", "HOSTNOTIFICATIONID", "SERVICENOTIFICATIONID"),
    field("problem-id", "ID", "$SERVICEPROBLEMID$", "HOSTPROBLEMID", "SERVICEPROBLEMID"),
    field("last-problem-id", "ID", "$LASTSERVICEPROBLEMID$", "LASTHOSTPROBLEMID", "LASTSERVICEPROBLEMID"),
    field("attempt", "N", "$SERVICEATTEMPT$", "HOSTATTEMPT", "SERVICEATTEMPT"),
    field("max-attempts", "N", "$MAXSERVICEATTEMPTS$", "MAXHOSTATTEMPTS", "MAXSERVICEATTEMPTS"),
    field("duration", "SECONDS", "$SERVICEDURATIONSEC$", "HOSTDURATIONSEC", "SERVICEDURATIONSEC"),
    field("last-state-change", "UNIX", "$LASTSERVICESTATECHANGE$", "LASTHOSTSTATECHANGE", "LASTSERVICESTATECHANGE"),
    field("action-url", "URL", "$SERVICEACTIONURL$", "HOSTACTIONURL", "SERVICEACTIONURL"),
    field("notes-url", "URL", "$SERVICENOTESURL$", "HOSTNOTESURL", "SERVICENOTESURL"),
    field("core", "NAME", "Which core sent it, if there are several", "", ""),
    field("time", "UNIX", "$TIMET$: when the core sent it; else now", "TIMET", "TIMET"),
    field("host-action-url", "URL", "$HOSTACTIONURL$ of a service's host", "", "HOSTACTIONURL"),
    field("host-notes-url", "URL", "$HOSTNOTESURL$ of a service's host", "", "HOSTNOTESURL"),
];

/// The given values by [`Field::name`]; raw text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Fields {
    pub(crate) values: BTreeMap<&'static str, String>,
    /// `KEY=VALUE`s.
    pub(crate) vars: Vec<(String, String)>,
    pub(crate) to: Vec<String>,
}

impl Fields {
    /// Adds a value, unless the core left it empty.
    pub(crate) fn put(&mut self, name: &'static str, raw: &str) {
        if let Some(value) = present(raw) {
            self.values.insert(name, value.to_owned());
        }
    }

    /// The values of `self` over those of `other`.
    #[must_use]
    pub(crate) fn over(mut self, other: Self) -> Self {
        for (name, value) in other.values {
            self.values.entry(name).or_insert(value);
        }
        let mut vars = other.vars;
        vars.append(&mut self.vars);
        self.vars = vars;
        if self.to.is_empty() {
            self.to = other.to;
        }
        self
    }

    /// Nothing that makes a notification was given: the kind of object, the core and the time alone don't.
    pub(crate) fn is_empty(&self) -> bool {
        self.values.keys().all(|name| ["type", "core", "time"].contains(name)) && self.vars.is_empty()
    }

    /// The strict notification. Whatever is missing is filled in as well as may be: nothing is refused.
    ///
    /// `now`: Unix seconds.
    pub(crate) fn into_notification(self, now: i64) -> Notification {
        let is_service = match self.line("type").map(|text| text.to_ascii_lowercase()) {
            Some(text) if text == "host" => false,
            Some(text) if text == "service" => true,
            _ => self.line("servicedesc").is_some(),
        };
        let host_state = self.line("hoststate").or_else(|| self.line("state").filter(|_| !is_service));
        let host = Host {
            name: self.name("hostname").unwrap_or_else(|| "(no host name given)".to_owned()),
            display_name: self.line("host-display-name"),
            alias: self.line("hostalias"),
            address: self.line("hostaddress"),
            state: host_state.map(HostState::from),
        };
        let service = is_service.then(|| Service {
            name: self.name("servicedesc").unwrap_or_else(|| "(no service given)".into()),
            display_name: self.line("service-display-name"),
            state: self.line("servicestate").or_else(|| self.line("state")).map(ServiceState::from),
        });
        let (output, long_output, long_output_is_raw) = self.output();
        let mut notification = Notification {
            core: self.line("core").unwrap_or_default(),
            origin: String::new(),
            is_redundant: false,
            kind: Kind::Problem,
            host,
            service,
            time: self.number("time").filter(|&time| time > 0).unwrap_or(now),
            output,
            long_output,
            long_output_is_raw,
            perfdata: self.line("perfdata").unwrap_or_default(),
            author: self.line("author"),
            comment: self.values.get("comment").map(|raw| clean_text(raw)).filter(|text| !text.is_empty()),
            contact: self.contact(),
            ids: self.ids(),
            progress: self.progress(),
            host_groups: self.list("hostgroups"),
            service_groups: self.list("servicegroups"),
            action_url: self.line("action-url").or_else(|| self.line("host-action-url")),
            notes_url: self.line("notes-url").or_else(|| self.line("host-notes-url")),
            vars: order::map(self.vars.iter().filter_map(|(key, value)| variable(key, value))),
            to: self.to.iter().filter_map(|raw| present(raw)).map(clean_line).collect(),
        };
        notification.kind = self.kind(&notification);
        notification
    }

    /// The type as given; else the type that the state suggests.
    fn kind(&self, notification: &Notification) -> Kind {
        match self.line("notificationtype") {
            Some(text) => Kind::from(text),
            None if notification.severity() == super::Severity::Good => Kind::Recovery,
            None => Kind::Problem,
        }
    }

    /// First line, the lines after it, and whether those are still as the core wrote them. Some cores pass them together.
    fn output(&self) -> (String, String, bool) {
        let output = clean_text(self.values.get("output").map_or("", String::as_str));
        let long = self.values.get("long-output").map_or("", String::as_str);
        let (first, rest) = output.split_once('\n').unwrap_or((&output, ""));
        let is_raw = long.contains('\\') && !long.contains('\n');
        let long = if is_raw && rest.is_empty() { long.to_owned() } else { clean_text(long) };
        let between = if rest.is_empty() || long.is_empty() { "" } else { "\n" };
        (clean_line(first), format!("{rest}{between}{long}"), is_raw && rest.is_empty())
    }

    fn contact(&self) -> Contact {
        Contact {
            name: self.line("contact"),
            email: self.line("contact-email"),
            address: self.line("contact-address"),
            groups: self.list("contact-groups"),
        }
    }

    fn ids(&self) -> Ids {
        let id = |name| self.line(name).filter(|id| id != "0");
        Ids { notification: id("notification-id"), problem: id("problem-id"), last_problem: id("last-problem-id") }
    }

    fn progress(&self) -> Progress {
        Progress {
            notification_number: self.number("notification-number"),
            attempt: self.number("attempt"),
            max_attempts: self.number("max-attempts"),
            duration: self.number("duration"),
            last_state_change: self.number("last-state-change").filter(|&time: &i64| time > 0),
        }
    }

    fn name(&self, field: &str) -> Option<String> {
        self.values.get(field).map(|raw| exact_name(raw)).filter(|name| !clean_line(name).is_empty())
    }

    fn line(&self, name: &str) -> Option<String> {
        self.values.get(name).map(|raw| clean_line(raw)).filter(|line| !line.is_empty())
    }

    fn number<N: std::str::FromStr>(&self, name: &str) -> Option<N> {
        self.line(name)?.parse().ok()
    }

    fn list(&self, name: &str) -> Vec<String> {
        let line = self.line(name).unwrap_or_default();
        line.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
    }
}

fn variable(key: &str, value: &str) -> Option<(String, String)> {
    let key = clean_line(key).to_ascii_lowercase();
    let value = clean_line(present(value)?);
    (!key.is_empty()).then_some((key, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(pairs: &[(&'static str, &str)]) -> Fields {
        let mut fields = Fields::default();
        for (name, value) in pairs {
            fields.put(name, value);
        }
        fields
    }

    #[test]
    fn a_service_description_makes_a_service() {
        let made = fields(&[("hostname", "web01"), ("servicedesc", "Disk"), ("state", "2")]).into_notification(7);
        assert_eq!(made.object_label(), "Disk on web01");
        assert_eq!((made.state_name(), &made.kind, made.time), (Some("CRITICAL"), &Kind::Problem, 7));
    }

    #[test]
    fn leftover_macros_are_absent() {
        let made =
            fields(&[("hostname", "web01"), ("hoststate", "0"), ("servicedesc", "$SERVICEDESC$"), ("author", "$")])
                .into_notification(7);
        assert_eq!((made.service, made.author, made.kind), (None, None, Kind::Recovery));
    }

    #[test]
    fn arguments_win_over_the_environment() {
        let made = fields(&[("hostname", "a")]).over(fields(&[("hostname", "b"), ("output", "o\np")]));
        let made = made.into_notification(7);
        assert_eq!((made.host.name.as_str(), made.output.as_str(), made.long_output.as_str()), ("a", "o", "p"));
    }

    #[test]
    fn a_backslash_is_a_backslash() {
        let made =
            fields(&[("output", r"C:\nagios\tmp \\nas01\new"), ("comment", r"\\fs1\new"), ("long-output", r"a\nb")]);
        let mut made = made.into_notification(7);
        assert_eq!(made.output, r"C:\nagios\tmp \\nas01\new");
        assert_eq!(made.comment.as_deref(), Some(r"\\fs1\new"));
        assert_eq!(
            (made.long_output.as_str(), made.long_output_is_raw),
            (r"a\nb", true),
            "whose it is isn't known yet"
        );
        made.read_long_output(super::super::LongOutput::Nagios);
        assert_eq!((made.long_output.as_str(), made.long_output_is_raw), ("a\nb", false));
    }

    #[test]
    fn names_that_look_alike_are_two_objects() {
        let made = |name: &str| fields(&[("hostname", "web01"), ("servicedesc", name)]).into_notification(7);
        let (odd, plain) = (made("a\u{200b}b"), made("ab"));
        assert_ne!(odd.object_key(), plain.object_key());
        assert_eq!(odd.object_label(), plain.object_label(), "only the look is made safe");
        assert_eq!(made("سرویس\u{200c}ها").object_label(), "سرویس\u{200c}ها on web01");
    }

    #[test]
    fn a_type_alone_says_nothing() {
        assert!(fields(&[("type", "Host"), ("core", "branch"), ("time", "7")]).is_empty());
        assert!(!fields(&[("type", "Host"), ("hostname", "web01")]).is_empty());
    }

    #[test]
    fn nothing_is_refused() {
        let made = fields(&[("notificationtype", "WEIRD"), ("hoststate", "77"), ("attempt", "x")]).into_notification(7);
        assert_eq!((made.kind.name(), made.state_name(), made.progress.attempt), ("WEIRD", Some("77"), None));
    }
}

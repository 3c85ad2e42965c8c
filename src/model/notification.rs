//! One notification of a monitoring core about one host or service, in the field's own words.
//!
//! Pure: no clock, file, socket, environment or log. A [`Notification`] is made once from loose text
//! ([`Fields`]) and is strict from then on. [`crate::model::incoming`] says how it stands in the spool and in the outbox.

mod environment;
mod example;
mod fields;
mod state;
mod text;

pub(crate) use example::EXAMPLE_TIME;
pub(crate) use fields::{FIELDS, Field, Fields};
pub(crate) use state::{HostState, Kind, ServiceState, Severity};
pub(crate) use text::{
    LongOutput, clean_field, clean_line, clean_text, exact_name, is_uuid, present, without_controls,
};

use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// One notification of a core, as durable in the spool and in the outbox.
///
/// Every text in it is clean: valid UTF-8 without control characters (long texts keep their newlines); the names of host
/// and service are exactly the core's.
/// Times are Unix seconds. Absent values are `None` or empty; the core's `$MACRO$` leftovers never get here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Notification {
    /// Which core sent it (`--core`); empty means the only or default one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) core: String,
    /// Which host ran `notify` for the core; empty where nobody said it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) origin: String,
    /// Each origin of its core checks by itself, as the configuration says. Whatever the spool says, it is set at the import.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) is_redundant: bool,
    pub(crate) kind: Kind,
    pub(crate) host: Host,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) service: Option<Service>,
    /// When the core sent it (`$TIMET$`), else when `notify` was run.
    pub(crate) time: i64,
    /// First line of the plugin's output.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) output: String,
    /// The following lines of the plugin's output.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) long_output: String,
    /// The long output stands as the core wrote it; [`Notification::read_long_output`] makes lines of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) long_output_is_raw: bool,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) perfdata: String,
    /// Who acknowledged, scheduled the downtime or sent the custom notification.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) author: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) comment: Option<String>,
    #[serde(default)]
    pub(crate) contact: Contact,
    #[serde(default)]
    pub(crate) ids: Ids,
    #[serde(default)]
    pub(crate) progress: Progress,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) host_groups: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) service_groups: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) action_url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) notes_url: Option<String>,
    /// Custom variables (`--var KEY=VALUE`, `NAGIOS__HOSTKEY`), keys in lower case.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) vars: BTreeMap<String, String>,
    /// Destinations given on the command line; they override the routes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) to: Vec<String>,
}

/// The host a notification is about, or whose service it is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Host {
    /// The core's own name (a UUID in openITCOCKPIT), for commands and links.
    pub(crate) name: String,
    /// What people call it, where the core passed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) display_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) alias: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) address: Option<String>,
    /// Absent where a service notification didn't say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) state: Option<HostState>,
}

/// The service a notification is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Service {
    /// The core's own name (`$SERVICEDESC$`, a UUID in openITCOCKPIT).
    pub(crate) name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) display_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) state: Option<ServiceState>,
}

/// For whom the core ran the command; a core runs one per contact.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Contact {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) email: Option<String>,
    /// `$CONTACTADDRESSn$`: free for the administrator to use, often a Slack id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) address: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) groups: Vec<String>,
}

/// The core's own identities. Text: Nagios counts, Naemon uses UUIDs. `0` counts as absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ids {
    /// `$SERVICENOTIFICATIONID$`: the same for all contacts of one notification.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) notification: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) problem: Option<String>,
    /// On a recovery the problem's id is here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) last_problem: Option<String>,
}

/// How far the problem has come.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Progress {
    /// `$SERVICENOTIFICATIONNUMBER$`: 1 is the first, 3 the second reminder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) notification_number: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) attempt: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) max_attempts: Option<u32>,
    /// Seconds in the present state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) duration: Option<u64>,
    /// Unix seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) last_state_change: Option<i64>,
}

impl Contact {
    /// Every address in `email`: people write several, with commas or semicolons between them.
    pub(crate) fn emails(&self) -> Vec<&str> {
        addresses(self.email.as_deref().unwrap_or_default())
    }
}

/// The e-mail addresses of a contact's `email`.
pub(crate) fn addresses(email: &str) -> Vec<&str> {
    email.split([',', ';', ' ']).filter(|address| !address.is_empty()).collect()
}

impl Notification {
    /// Says which host it comes from: the one that ran `notify`.
    #[must_use]
    pub(crate) fn with_origin(mut self, origin: &str) -> Self {
        self.origin = clean_line(origin);
        self
    }

    /// What people call the host: its display name where known, else the core's name as it may be shown.
    pub(crate) fn host_label(&self) -> Cow<'_, str> {
        label(self.host.display_name.as_deref(), &self.host.name)
    }

    /// What people call the service, for a service notification.
    pub(crate) fn service_label(&self) -> Option<Cow<'_, str>> {
        self.service.as_ref().map(|service| label(service.display_name.as_deref(), &service.name))
    }

    /// Makes lines of the long output, once it is known which core wrote it. Until then the spool holds it raw: `notify`
    /// doesn't read the configuration.
    pub(crate) fn read_long_output(&mut self, written: LongOutput) {
        if std::mem::take(&mut self.long_output_is_raw) {
            self.long_output = written.lines(&self.long_output);
        }
    }

    /// `Disk on web01`, or `web01` for a host.
    pub(crate) fn object_label(&self) -> String {
        match self.service_label() {
            Some(service) => format!("{service} on {}", self.host_label()),
            None => self.host_label().into_owned(),
        }
    }

    /// How bad the object is, by its state. What the notification *means* is [`Kind`]'s.
    pub(crate) fn severity(&self) -> Severity {
        match &self.service {
            Some(service) => service.state.as_ref().map_or(Severity::Unknown, ServiceState::severity),
            None => self.host.state.as_ref().map_or(Severity::Unknown, HostState::severity),
        }
    }

    /// The state as the core writes it, e.g. `CRITICAL` or `DOWN`; `None` if the core didn't say it.
    pub(crate) fn state_name(&self) -> Option<&str> {
        match &self.service {
            Some(service) => service.state.as_ref().map(ServiceState::name),
            None => self.host.state.as_ref().map(HostState::name),
        }
    }

    /// The object's key: core, host and service, with separators no name can contain.
    pub(crate) fn object_key(&self) -> String {
        let service = self.service.as_ref().map_or("", |service| service.name.as_str());
        format!("{}\u{1f}{}\u{1f}{service}", self.core, self.host.name)
    }
}

/// A name is the core's exactly, its look is safe.
fn label<'a>(display_name: Option<&'a str>, name: &'a str) -> Cow<'a, str> {
    display_name.map_or_else(|| Cow::Owned(clean_line(name)), Cow::Borrowed)
}

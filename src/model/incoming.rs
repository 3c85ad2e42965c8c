//! Everything that enters the spool: a core's notification, or a message that another program sent to a person or channel.
//!
//! Pure. The JSON of both is the one that version 1 of the spool's format knows. There a direct message is a `CUSTOM`
//! notification about the host `letter KEY`, with the message itself in `letter`: a reader of the first releases, which
//! knows notifications only, still finds every field that it needs. [`Incoming`] is the only place that knows this.

use crate::model::notification::{Contact, Ids, Kind, Notification, Progress};
use serde::{Deserialize, Serialize, Serializer};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// One entry of the spool and of the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all are notifications: a box would be one allocation more for each"
)]
pub(crate) enum Incoming {
    Notification(Notification),
    DirectMessage(DirectMessage),
}

/// A message that another program sent through the message API. It is about no object of a core.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DirectMessage {
    /// Two messages with one key to one destination are the same message.
    #[serde(skip)]
    pub(crate) key: String,
    /// When it was handed in; Unix seconds.
    #[serde(skip)]
    pub(crate) time: i64,
    /// The destination as the message API found it: `#channel`, an id, or `@` and an e-mail address.
    #[serde(skip)]
    pub(crate) to: String,
    /// The e-mail address of the person it is for, unless it is for a channel.
    #[serde(skip)]
    pub(crate) email: Option<String>,
    /// One line of plain text.
    pub(crate) title: String,
    /// Plain text of several lines.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) body: String,
    /// The same text in Markdown, if the program sent Markdown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) markdown: Option<String>,
    /// Labels and web addresses, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) links: Vec<(String, String)>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) labels: BTreeMap<String, String>,
    /// How many links were left out because they don't lead to the web or are too many.
    #[serde(default)]
    pub(crate) links_left_out: usize,
}

/// The part of an entry's JSON that only a direct message has. Read beside [`Notification`], as flattening one into the
/// other would cost every notification a copy.
#[derive(Debug, Deserialize)]
pub(crate) struct DirectMessagePart {
    #[serde(default, rename = "letter")]
    message: Option<DirectMessage>,
}

/// A direct message as version 1 of the spool's format has it.
#[derive(Serialize)]
struct StoredDirectMessage<'a> {
    kind: &'static str,
    host: StoredHost<'a>,
    time: i64,
    contact: Contact,
    ids: Ids,
    progress: Progress,
    to: [&'a str; 1],
    #[serde(rename = "letter")]
    message: &'a DirectMessage,
}

#[derive(Serialize)]
struct StoredHost<'a> {
    name: String,
    display_name: &'a str,
}

impl Incoming {
    /// Whether the JSON may be a direct message's: if not, [`DirectMessagePart`] needn't be read. Within a text the
    /// quotes are escaped, so only a key or a whole text is found.
    pub(crate) fn may_be_direct_message(json: &[u8]) -> bool {
        const KEY: &[u8] = b"\"letter\"";
        json.windows(KEY.len()).any(|found| found == KEY)
    }

    /// Puts the two parts of an entry's JSON together.
    pub(crate) fn from_parts(notification: Notification, part: Option<DirectMessagePart>) -> Self {
        match part.and_then(|part| part.message) {
            None => Self::Notification(notification),
            Some(message) => Self::DirectMessage(DirectMessage {
                key: notification.ids.notification.unwrap_or_default(),
                time: notification.time,
                to: notification.to.into_iter().next().unwrap_or_default(),
                email: notification.contact.email,
                ..message
            }),
        }
    }

    /// Reads an entry's JSON.
    pub(crate) fn from_json(json: &str) -> serde_json::Result<Self> {
        let notification = serde_json::from_str(json)?;
        let is_worth_it = Self::may_be_direct_message(json.as_bytes());
        let part = if is_worth_it { Some(serde_json::from_str(json)?) } else { None };
        Ok(Self::from_parts(notification, part))
    }

    pub(crate) fn notification(&self) -> Option<&Notification> {
        match self {
            Self::Notification(notification) => Some(notification),
            Self::DirectMessage(_) => None,
        }
    }

    pub(crate) fn notification_mut(&mut self) -> Option<&mut Notification> {
        match self {
            Self::Notification(notification) => Some(notification),
            Self::DirectMessage(_) => None,
        }
    }

    /// When the core or the program sent it; Unix seconds.
    pub(crate) fn time(&self) -> i64 {
        match self {
            Self::Notification(notification) => notification.time,
            Self::DirectMessage(message) => message.time,
        }
    }

    /// Order is kept among all with the same key: the object's, or the message's own.
    pub(crate) fn object_key(&self) -> String {
        match self {
            Self::Notification(notification) => notification.object_key(),
            Self::DirectMessage(message) => message.object_key(),
        }
    }

    /// The object as people call it, or the message's title.
    pub(crate) fn label(&self) -> String {
        match self {
            Self::Notification(notification) => notification.object_label(),
            Self::DirectMessage(message) => message.title.clone(),
        }
    }

    /// The host's own name; a direct message has none.
    pub(crate) fn host_name(&self) -> Option<&str> {
        self.notification().map(|notification| notification.host.name.as_str())
    }

    /// Type, state and object, for a line of a list.
    pub(crate) fn summary(&self) -> String {
        let (kind, state): (Cow<'_, str>, _) = match self {
            Self::Notification(notification) => (notification.kind.name().into(), notification.state_name()),
            Self::DirectMessage(_) => (Kind::Custom.name().to_owned().into(), None),
        };
        format!("{kind} {} {}", state.unwrap_or("-"), self.label())
    }
}

impl DirectMessage {
    /// Of its own kind: no object of a core has this key, as its host would be called like that.
    pub(crate) fn object_key(&self) -> String {
        format!("\u{1f}{}\u{1f}", self.stored_host())
    }

    fn stored_host(&self) -> String {
        format!("letter {}", self.key)
    }
}

impl Serialize for Incoming {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Notification(notification) => notification.serialize(serializer),
            Self::DirectMessage(message) => StoredDirectMessage {
                kind: "CUSTOM",
                host: StoredHost { name: message.stored_host(), display_name: &message.title },
                time: message.time,
                contact: Contact { email: message.email.clone(), ..Contact::default() },
                ids: Ids { notification: Some(message.key.clone()), ..Ids::default() },
                progress: Progress::default(),
                to: [&message.to],
                message,
            }
            .serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the released version wrote into the spool for a body of the message API.
    const RELEASED: &str = r#"{"kind":"CUSTOM","host":{"name":"letter k1","display_name":"Title"},"time":7,
        "contact":{"email":"bob@example.com"},"ids":{"notification":"k1"},"progress":{},"to":["@bob@example.com"],
        "letter":{"title":"Title","body":"text","links":[["Log","https://example.com/"]],"links_left_out":1}}"#;

    #[test]
    fn a_direct_message_of_the_released_version_is_read_and_written_as_it_was() {
        let incoming = Incoming::from_json(RELEASED).unwrap();
        let Incoming::DirectMessage(message) = &incoming else { panic!("{incoming:?}") };
        assert_eq!((message.key.as_str(), message.time, message.to.as_str()), ("k1", 7, "@bob@example.com"));
        assert_eq!((message.email.as_deref(), message.title.as_str()), (Some("bob@example.com"), "Title"));
        let written: serde_json::Value = serde_json::to_value(&incoming).unwrap();
        assert_eq!(written, serde_json::from_str::<serde_json::Value>(RELEASED).unwrap());
        // A reader of the first version sees a notification.
        let old: Notification = serde_json::from_value(written).unwrap();
        assert_eq!((old.object_key(), old.object_label()), (incoming.object_key(), "Title".to_owned()));
    }

    #[test]
    fn a_notification_that_speaks_of_a_letter_stays_a_notification() {
        let mut notification = Notification::example();
        notification.output = "\"letter\":{}".to_owned();
        notification.vars.insert("letter".to_owned(), "letter".to_owned());
        let json = serde_json::to_string(&notification).unwrap();
        assert_eq!(Incoming::from_json(&json).unwrap(), Incoming::Notification(notification));
    }
}

//! The host or service that a notification or a command is about.

use crate::model::notification::Notification;
use serde::{Deserialize, Serialize};

/// A host or service, by the core's own names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Object {
    /// Empty for the only or default one.
    #[serde(default)]
    pub(crate) core: String,
    pub(crate) host: String,
    #[serde(default)]
    pub(crate) service: Option<String>,
}

impl Object {
    /// Equal to [`Notification::object_key`] of a notification about it.
    pub(crate) fn key(&self) -> String {
        format!("{}\u{1f}{}\u{1f}{}", self.core, self.host, self.service.as_deref().unwrap_or_default())
    }

    /// The object of a notification.
    pub(crate) fn of(notification: &Notification) -> Self {
        Self {
            core: notification.core.clone(),
            host: notification.host.name.clone(),
            service: notification.service.as_ref().map(|service| service.name.clone()),
        }
    }
}

/// `Disk on web01`, or `web01` for a host.
impl std::fmt::Display for Object {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.service {
            Some(service) => write!(f, "{service} on {}", self.host),
            None => f.write_str(&self.host),
        }
    }
}

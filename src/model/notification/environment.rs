//! A notification in the environment of the command that the core runs.

use super::fields::{FIELDS, Fields};
use crate::system::environment::Environment;

impl Fields {
    /// What the core exports: Nagios's `NAGIOS_*` variables (`enable_environment_macros=1`), Icinga 1's `ICINGA_*`, or the
    /// plain names that Icinga 2's definitions set with `env`.
    pub(crate) fn from_environment(env: &Environment) -> Self {
        let exports = |prefix: &&str| {
            ["NOTIFICATIONTYPE", "HOSTNAME"].iter().any(|name| env.get(&format!("{prefix}{name}")).is_some())
        };
        let prefix = ["NAGIOS_", "ICINGA_"].into_iter().find(exports);
        // Every shell has a HOSTNAME of its own: alone it says nothing about a notification.
        if prefix.is_none() && env.get("NOTIFICATIONTYPE").is_none() {
            return Self::default();
        }
        let prefix = prefix.unwrap_or_default();
        let read = |name: &str| env.get(&format!("{prefix}{name}"));
        let is_service = read("SERVICEDESC").is_some_and(|name| !name.is_empty());
        let mut fields = Self::default();
        for field in &FIELDS {
            let name = if is_service { field.service_macro } else { field.host_macro };
            if let Some(value) = read(name).filter(|_| !name.is_empty()) {
                fields.put(field.name, &value);
            }
        }
        // A service's own variables win over its host's, and those over the contact's.
        for owner in ["CONTACT", "HOST", "SERVICE"] {
            let of_owner = format!("{}_{owner}", if prefix.is_empty() { "NAGIOS_" } else { prefix });
            let found = env.with_prefix(&of_owner).filter(|(key, _)| !key.is_empty());
            fields.vars.extend(found.map(|(key, value)| (key.to_owned(), value)));
        }
        fields
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_cores_variables_are_read() {
        for prefix in ["NAGIOS_", "ICINGA_"] {
            let pairs = [
                ("NOTIFICATIONTYPE", "PROBLEM"),
                ("HOSTNAME", "web01"),
                ("SERVICEDESC", "Disk"),
                ("SERVICESTATE", "CRITICAL"),
                ("_SERVICETEAM", "dba"),
            ];
            let env = pairs.map(|(name, value)| (format!("{prefix}{name}").into(), value.into()));
            let made = Fields::from_environment(&Environment::new(env)).into_notification(7);
            assert_eq!(
                (made.object_label().as_str(), made.state_name()),
                ("Disk on web01", Some("CRITICAL")),
                "{prefix}"
            );
            assert_eq!(made.vars.get("team").map(String::as_str), Some("dba"), "{prefix}");
        }
        assert!(Fields::from_environment(&Environment::new([("HOSTNAME".into(), "me".into())])).is_empty());
    }
}

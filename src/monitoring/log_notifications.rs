//! From a line of a core's log to the notification that `notify` would have got.
//!
//! The log has less than a command line: no ids, no long output, no performance data, and of a service's host only the name.

use super::log_events::{LogEntry, LogEvent};
use crate::model::notification::{Fields, Notification};

/// The notification in a line, and the command that the core ran for it; `None` for a line of another kind.
pub(crate) fn notification<'a>(event: &LogEvent<'a>, core: &str) -> Option<(Notification, &'a str)> {
    let LogEntry::Notification { contact, object, kind, state, command, output, author_and_comment } = &event.entry
    else {
        return None;
    };
    let mut fields = Fields::default();
    let time = event.at.to_string();
    let (author, comment) = author_and_comment.unwrap_or_default();
    let is_service = !object.service.is_empty();
    for (name, value) in [
        ("core", core),
        ("type", if is_service { "Service" } else { "Host" }),
        ("time", &time),
        ("notificationtype", kind),
        ("hostname", object.host),
        ("servicedesc", object.service),
        (if is_service { "servicestate" } else { "hoststate" }, state),
        ("output", output),
        ("contact", contact),
        ("author", author),
        ("comment", comment),
    ] {
        fields.put(name, value);
    }
    Some((fields.into_notification(event.at), command))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::notification::Kind;
    use crate::monitoring::log_events::event;

    #[test]
    fn a_line_of_the_log_becomes_what_notify_would_have_got() {
        let line = "[1790000000] SERVICE NOTIFICATION: ops;web01;Disk;ACKNOWLEDGEMENT (CRITICAL);notify-by-mail;full;bob;on it";
        let (made, command) = notification(&event(line).unwrap(), "branch").unwrap();
        assert_eq!(
            (made.core.as_str(), made.object_label().as_str(), command),
            ("branch", "Disk on web01", "notify-by-mail")
        );
        assert_eq!(
            (&made.kind, made.state_name(), made.time),
            (&Kind::Acknowledgement, Some("CRITICAL"), 1_790_000_000)
        );
        assert_eq!((made.author.as_deref(), made.comment.as_deref()), (Some("bob"), Some("on it")));
        assert_eq!((made.output.as_str(), made.contact.name.as_deref()), ("full", Some("ops")));
        let line = "[1790000000] HOST NOTIFICATION: ops;web01;UP;cmd;alive; again";
        let (made, _) = notification(&event(line).unwrap(), "").unwrap();
        assert_eq!((made.service.is_none(), &made.kind, made.state_name()), (true, &Kind::Recovery, Some("UP")));
        assert_eq!(made.output, "alive; again");
        assert!(notification(&event("[1790000000] HOST ALERT: web01;UP;HARD;1;alive").unwrap(), "").is_none());
    }
}

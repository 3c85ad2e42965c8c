//! What is known to help: an object's notes, its runbook, and the page of its notes, as the administrator wrote them.

use crate::model::notification::Notification;

/// The variables that hold it; `notes` is also the object's own `notes` in the core's configuration.
pub(crate) const KNOWN_FIX_VARS: [&str; 3] = ["notes", "runbook", "runbook_url"];

/// Shown above all else.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct KnownFix {
    pub(crate) text: Option<String>,
    /// Label and address.
    pub(crate) links: Vec<(String, String)>,
}

impl KnownFix {
    /// Of a notification; the link to its notes is taken out of the others.
    pub(super) fn take(notification: &Notification, links: &mut Vec<(String, String)>) -> Self {
        let var = |key: &str| notification.vars.get(key).filter(|value| !value.trim().is_empty());
        let mut fix = Self::default();
        let runbook = [var("runbook_url"), var("runbook")].into_iter().flatten();
        let mut texts: Vec<&str> = var("notes").map(String::as_str).into_iter().collect();
        for value in runbook {
            if value.starts_with("https://") || value.starts_with("http://") {
                fix.links.push(("Runbook".to_owned(), value.clone()));
            } else {
                texts.push(value);
            }
        }
        fix.text = (!texts.is_empty()).then(|| texts.join(" · "));
        let (notes, others) = std::mem::take(links).into_iter().partition(|(label, _)| label == "Notes");
        fix.links.extend::<Vec<_>>(notes);
        *links = others;
        fix
    }
}

//! Cards for tests.

use super::{Card, RenderContext, card};
use crate::config::{Field, Message, Thread};
use crate::model::notification::Fields;

pub(super) fn style() -> Message {
    Message {
        title: None,
        body: None,
        formatter: "formatter".to_owned(),
        formatters: std::collections::BTreeMap::new(),
        fields: vec![Field::Address, Field::Duration, Field::Attempt, Field::Contact],
        redact: Vec::new(),
        thread: Thread::Replies,
    }
}

/// The card of a service of `web01` whose custom variable names the formatter.
pub(super) fn card_of(pairs: &[(&'static str, &str)], formatter: &str, style: &Message) -> Card {
    let mut fields = Fields::default();
    for (name, value) in
        [("hostname", "web01"), ("notificationtype", "PROBLEM"), ("servicestate", "2")].iter().chain(pairs)
    {
        fields.put(name, value);
    }
    if pairs.iter().all(|(name, _)| *name != "servicedesc") {
        fields.put("servicedesc", "Check");
    }
    let mut notification = fields.into_notification(7);
    notification.vars.insert("formatter".to_owned(), formatter.to_owned());
    card(&notification, &RenderContext::bare(style, None, 7))
}

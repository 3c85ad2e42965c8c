//! Which templates a notification is shown by: those of the formatter that a custom variable names, else those of
//! `[message]`. Three formatters are shipped; `[formatters.NAME]` replaces them and makes others.

use super::perfdata::Metric;
use crate::config::Message;
use crate::model::notification::Notification;
use minijinja::Value;
use std::borrow::Cow;

/// Shipped with the program.
const SHIPPED: [(&str, &str); 3] = [
    ("disk", include_str!("formatters/disk.jinja")),
    ("load", include_str!("formatters/load.jinja")),
    ("http", include_str!("formatters/http.jinja")),
];

/// The templates for one notification.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Templates<'a> {
    pub(super) title: Option<Cow<'a, str>>,
    pub(super) body: Option<Cow<'a, str>>,
    /// The variable names a formatter that there isn't.
    pub(super) error: Option<String>,
}

/// By the notification's custom variable.
pub(super) fn templates<'a>(notification: &Notification, style: &'a Message) -> Templates<'a> {
    let borrowed = |text: &'a Option<String>| text.as_deref().map(Cow::Borrowed);
    let (title, body) = (borrowed(&style.title), borrowed(&style.body));
    let Some(name) = notification.vars.get(&style.formatter) else { return Templates { title, body, error: None } };
    if let Some(own) = style.formatters.get(name) {
        return Templates {
            title: own.title.as_deref().map(Cow::Borrowed).or(title),
            body: own.body.as_deref().map(Cow::Borrowed).or(body),
            error: None,
        };
    }
    if let Some((_, body)) = SHIPPED.iter().find(|(shipped, _)| shipped == name) {
        return Templates { title, body: Some(Cow::Borrowed(body)), error: None };
    }
    let known: Vec<&str> = style.formatters.keys().map(String::as_str).chain(SHIPPED.map(|(name, _)| name)).collect();
    let object = notification.object_label();
    let error = format!("{object} names the formatter \"{name}\", which doesn't exist; known: {}", known.join(", "));
    Templates { title, body, error: Some(error) }
}

/// The measurements, as templates have them.
pub(super) fn metrics(all: &[Metric]) -> Value {
    let value = |metric: &Metric| {
        minijinja::context! {
            label => &metric.label, value => &metric.value, number => metric.number, level => metric.level,
            limits => &metric.limits, line => metric.line(),
        }
    };
    all.iter().map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests_support::{card_of, style};
    use crate::config::Formatter;

    #[test]
    fn a_custom_variable_chooses_the_formatter() {
        let perfdata = "/=5GB;8;9;0;10 /home=95GB;80;90;0;100";
        let card =
            card_of(&[("servicedesc", "Disk"), ("output", "DISK CRITICAL"), ("perfdata", perfdata)], "disk", &style());
        let body = card.body.unwrap();
        let lines: Vec<&str> = body.lines().collect();
        assert!(
            lines[0] == "DISK CRITICAL" && lines[1].contains("/home") && lines[2].contains(" / "),
            "the fullest first: {body}"
        );
        let perfdata = "load1=9;4;8 load5=5;4;8 load15=3;4;8";
        let card = card_of(&[("output", "LOAD"), ("perfdata", perfdata)], "load", &style());
        assert!(
            card.body.as_deref().unwrap().ends_with("Rising: the last minute is above the last 15."),
            "{:?}",
            card.body
        );
        let perfdata = "time=2.5s;1;2 size=120B;;;0";
        let card = card_of(&[("output", "HTTP CRITICAL"), ("perfdata", perfdata)], "http", &style());
        assert!(
            card.body.as_deref().unwrap().starts_with("HTTP CRITICAL\n")
                && card.body.as_deref().unwrap().contains("time 2.5 s"),
            "{:?}",
            card.body
        );
    }

    #[test]
    fn own_formatters_win_and_an_unknown_one_is_reported_beside_the_default_card() {
        let mut own = style();
        let formatter = Formatter { title: Some("T {{ host }}".into()), body: Some("mine".into()) };
        own.formatters.insert("disk".into(), formatter);
        let card = card_of(&[("output", "x")], "disk", &own);
        assert_eq!((card.title.as_deref(), card.body.as_deref()), (Some("T web01"), Some("mine")));
        let card = card_of(&[("output", "x")], "dsik", &own);
        assert_eq!((card.body, card.output.as_str()), (None, "x"));
        let error = card.template_error.unwrap();
        assert!(error.contains("names the formatter \"dsik\", which doesn't exist; known: disk"), "{error}");
    }

    #[test]
    fn a_shipped_formatter_takes_whatever_a_plugin_writes() {
        for (name, _) in super::SHIPPED {
            for perfdata in ["", "load1=NaN", "x", "load1=1 load15=0", "'a b'=1;2"] {
                let card = card_of(&[("output", "x"), ("perfdata", perfdata)], name, &style());
                assert_eq!((card.template_error, card.body.is_some()), (None, true), "{name} {perfdata}");
            }
        }
    }
}

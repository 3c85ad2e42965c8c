//! `[message]` templates: minijinja without a loader, so without files, and with fuel, so without endless loops.

use crate::model::notification::Notification;
use crate::model::time_text::span;
use minijinja::{Environment, Value, context};

/// Instructions a template may take; a sensible one takes some dozens.
const FUEL: u64 = 20_000;

/// The rendered text of a template, or why there is none. Without a template nothing is set up at all.
pub(crate) fn render(
    source: Option<&str>,
    notification: &Notification,
    metrics: &Value,
) -> (Option<String>, Option<String>) {
    let Some(source) = source else {
        return (None, None);
    };
    match expand(source, notification, metrics) {
        Ok(text) => (Some(text.trim().to_owned()).filter(|text| !text.is_empty()), None),
        Err(e) => (None, Some(describe(&e))),
    }
}

/// Whether the template can be used, tried on an ordinary service problem.
pub(crate) fn check_template(source: &str) -> Result<(), String> {
    try_on(source, &Notification::example())
}

/// Whether the template can be used for this notification; if not, why.
pub(crate) fn try_on(source: &str, notification: &Notification) -> Result<(), String> {
    expand(source, notification, &example_metrics()).map(drop).map_err(|e| describe(&e))
}

/// One measurement, as a template is tried on.
fn example_metrics() -> Value {
    let one = context! {
        label => "/", value => "97 %", number => 97.0, level => 0.97, limits => "warn 80 %, crit 90 %",
        line => "▓▓▓▓▓▓▓▓▓▓  / 97 %  (warn 80 %, crit 90 %)",
    };
    Value::from(vec![one])
}

fn expand(source: &str, notification: &Notification, metrics: &Value) -> Result<String, minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_fuel(Some(FUEL));
    let progress = &notification.progress;
    environment.render_str(
        source,
        context! {
            type => notification.kind.name(),
            state => notification.state_name(),
            host => notification.host_label(),
            service => notification.service_label(),
            object => notification.object_label(),
            host_name => &notification.host.name,
            service_name => notification.service.as_ref().map(|service| service.name.as_str()),
            alias => &notification.host.alias,
            address => &notification.host.address,
            output => &notification.output,
            long_output => &notification.long_output,
            perfdata => &notification.perfdata,
            metrics => metrics,
            author => &notification.author,
            comment => &notification.comment,
            contact => &notification.contact.name,
            duration => progress.duration.map(span),
            attempt => progress.attempt,
            number => progress.notification_number,
            vars => notification.vars.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect::<Value>(),
            core => &notification.core,
        },
    )
}

fn describe(error: &minijinja::Error) -> String {
    let line = error.line().map_or_else(String::new, |line| format!(" (line {line} of the template)"));
    format!("{error}{line}")
}

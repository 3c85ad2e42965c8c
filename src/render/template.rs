//! `[message]` templates: minijinja without a loader, so without files, and with fuel, so without endless loops.

use crate::notification::Notification;
use minijinja::{Environment, context};

/// Instructions a template may take; a sensible one takes some dozens.
const FUEL: u64 = 20_000;

/// The rendered text of a template, or why there is none. Without a template nothing is set up at all.
pub(super) fn render(source: Option<&str>, notification: &Notification) -> (Option<String>, Option<String>) {
    let Some(source) = source else {
        return (None, None);
    };
    match expand(source, notification) {
        Ok(text) => (Some(text.trim().to_owned()).filter(|text| !text.is_empty()), None),
        Err(e) => (None, Some(describe(&e))),
    }
}

/// Whether the template can be used, tried on a sample.
pub(crate) fn check_template(source: &str) -> Result<(), String> {
    let sample = super::samples().into_iter().next().map(|(_, notification)| notification);
    sample.map_or(Ok(()), |sample| expand(source, &sample).map(drop).map_err(|e| describe(&e)))
}

/// The first sample that the template fails on, and why.
pub(crate) fn failing_sample(source: &str) -> Option<String> {
    let mut samples = super::samples().into_iter();
    samples.find_map(|(name, sample)| expand(source, &sample).err().map(|e| format!("{name}: {}", describe(&e))))
}

fn expand(source: &str, notification: &Notification) -> Result<String, minijinja::Error> {
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
            author => &notification.author,
            comment => &notification.comment,
            contact => &notification.contact.name,
            duration => progress.duration.map(super::span),
            attempt => progress.attempt,
            number => progress.notification_number,
            vars => notification.vars.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect::<minijinja::Value>(),
            core => &notification.core,
        },
    )
}

fn describe(error: &minijinja::Error) -> String {
    let line = error.line().map_or_else(String::new, |line| format!(" (line {line} of the template)"));
    format!("{error}{line}")
}

//! The core's files, as a real core writes them: the status file every second, to a temporary file and renamed; the
//! objects once.

use super::fake_core::{Core, Object};
use std::path::Path;
use std::{fs, io};

/// One block: its kind, and its keys with their values.
fn block(text: &mut String, kind: &str, pairs: &[(&str, &str)]) {
    text.push_str(kind);
    text.push_str(" {\n");
    for (key, value) in pairs {
        text.push_str(&format!("\t{key}={value}\n"));
    }
    text.push_str("\t}\n\n");
}

/// The status file's text.
pub(super) fn status(core: &Core, now: i64) -> String {
    let mut text = String::from("# Written by the core of `ackbell demo`.\n\n");
    block(&mut text, "info", &[("created", &now.to_string()), ("version", "demo")]);
    let program = [
        ("nagios_pid", std::process::id().to_string()),
        ("program_start", core.started.to_string()),
        ("enable_notifications", "1".to_owned()),
    ];
    block(&mut text, "programstatus", &program.each_ref().map(|(key, value)| (*key, value.as_str())));
    // Hosts before services, and states before what is said about them.
    let hosts = core.objects.iter().filter(|object| object.service.is_none());
    let services = core.objects.iter().filter(|object| object.service.is_some());
    for object in hosts.chain(services) {
        state(&mut text, object);
    }
    for object in &core.objects {
        notes(&mut text, object);
    }
    text
}

/// The keys that name the object, and the start of its blocks' kinds.
fn named(object: &Object) -> (&'static str, Vec<(&'static str, &str)>) {
    match &object.service {
        Some(service) => ("service", vec![("host_name", &object.host), ("service_description", service)]),
        None => ("host", vec![("host_name", &object.host)]),
    }
}

fn state(text: &mut String, object: &Object) {
    let (kind, mut pairs) = named(object);
    let flag = |value: bool| i64::from(value);
    let depth = i64::try_from(object.downtime_depth()).unwrap_or(i64::MAX);
    let numbers = [
        ("has_been_checked", 1),
        ("current_state", i64::from(object.now.code)),
        ("current_problem_id", i64::from(object.problem_id)),
        ("last_problem_id", i64::from(object.last_problem_id)),
        ("last_check", object.last_check),
        ("next_check", object.next_check()),
        ("current_attempt", 1),
        ("max_attempts", 1),
        ("state_type", 1),
        ("last_state_change", object.since),
        ("last_hard_state_change", object.since),
        ("current_notification_number", i64::from(object.notifications)),
        ("notifications_enabled", flag(object.notifications_enabled)),
        ("problem_has_been_acknowledged", flag(object.acknowledged > 0)),
        ("acknowledgement_type", i64::from(object.acknowledged)),
        ("active_checks_enabled", 1),
        ("scheduled_downtime_depth", depth),
    ]
    .map(|(key, value)| (key, value.to_string()));
    pairs.extend([("plugin_output", object.now.output), ("performance_data", object.now.perfdata)]);
    pairs.extend(numbers.iter().map(|(key, value)| (*key, value.as_str())));
    block(text, &format!("{kind}status"), &pairs);
}

fn notes(text: &mut String, object: &Object) {
    let (kind, names) = named(object);
    for comment in &object.comments {
        let numbers = [
            ("entry_type", i64::from(comment.entry_type)),
            ("comment_id", i64::from(comment.id)),
            ("persistent", i64::from(comment.persistent)),
            ("entry_time", comment.time),
        ];
        annotation_block(
            text,
            &format!("{kind}comment"),
            &names,
            &numbers,
            &comment.author,
            ("comment_data", &comment.text),
        );
    }
    for downtime in &object.downtimes {
        let numbers = [
            ("downtime_id", i64::from(downtime.id)),
            ("entry_time", downtime.entered),
            ("start_time", downtime.start),
            ("end_time", downtime.end),
            ("fixed", i64::from(downtime.fixed)),
            ("duration", downtime.duration),
            ("is_in_effect", i64::from(downtime.since.is_some())),
        ];
        annotation_block(
            text,
            &format!("{kind}downtime"),
            &names,
            &numbers,
            &downtime.author,
            ("comment", &downtime.text),
        );
    }
}

fn annotation_block(
    text: &mut String,
    kind: &str,
    names: &[(&str, &str)],
    numbers: &[(&str, i64)],
    author: &str,
    text_pair: (&str, &str),
) {
    let numbers: Vec<(&str, String)> = numbers.iter().map(|(key, value)| (*key, value.to_string())).collect();
    let mut pairs = names.to_vec();
    pairs.extend(numbers.iter().map(|(key, value)| (*key, value.as_str())));
    pairs.extend([("author", author), text_pair]);
    block(text, kind, &pairs);
}

/// The objects file's text.
pub(super) fn objects(core: &Core) -> String {
    let mut text = String::from(
        "define contact {\n\tcontact_name\tops\n\talias\tOperators\n\temail\tops@example.com\n\tcan_submit_commands\t1\n\t}\n\n",
    );
    for object in &core.objects {
        let (kind, names) = named(object);
        let names: String = names.iter().map(|(key, value)| format!("\t{key}\t{value}\n")).collect();
        let host_only = if object.service.is_none() {
            format!("\talias\t{}\n\taddress\t{}\n", object.alias, object.address)
        } else {
            String::new()
        };
        text.push_str(&format!("define {kind} {{\n{names}{host_only}\tcontacts\tops\n\t}}\n\n"));
    }
    text
}

/// Whole or not at all for whoever reads it.
pub(super) fn write(path: &Path, text: &str) -> io::Result<()> {
    let new = path.with_extension("new");
    fs::write(&new, text)?;
    fs::rename(new, path)
}

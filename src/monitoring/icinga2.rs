//! The Icinga 2 API: it answers, it knows every object, and an acknowledgement's expiry.
//! (<https://icinga.com/docs/icinga-2/latest/doc/12-icinga2-api/>)
//!
//! No name is spliced into a filter: names travel as filter variables.

pub(crate) mod state;

use super::error::{Receipt, SendError};
use super::http::{Answer, Client, Commanded};
use crate::config::Api;
use crate::model::action::Action;
use crate::model::object::Object;
use crate::rules::command::ExternalCommand;
use serde_json::{Map, Value, json};

const NAME: &str = "Icinga 2 API";

/// Sends the command as an action, or as a change of the object.
pub(super) fn send(api: &Api, command: &ExternalCommand) -> Result<Receipt, SendError> {
    let unreachable = |reason| SendError::Unreachable { transport: NAME, reason };
    let (path, body) = request(command);
    match Client::new(api).and_then(|client| client.command(&path, &body)).map_err(unreachable)? {
        Commanded::Answered(answer) => verdict(command, &answer),
        Commanded::Unknown => Ok(Receipt { transport: NAME, ..Receipt::default() }),
    }
}

/// Whether it answers and knows the user (reading a type takes the permission `types`; without it the login alone is proven).
pub(super) fn probe(api: &Api) -> Result<(), SendError> {
    let unreachable = |reason| SendError::Unreachable { transport: NAME, reason };
    let answer = Client::new(api).and_then(|client| client.post("/v1/types/Host", &json!({}), true));
    match answer.map_err(unreachable)? {
        Answer { status: 200..300 | 404, .. } => Ok(()),
        Answer { status, body } => {
            Err(failure(status, &crate::model::notification::clean_line(body["status"].as_str().unwrap_or_default())))
        }
    }
}

/// The path of the request, and its body.
fn request(command: &ExternalCommand) -> (String, Value) {
    let (author, mut body) = (command.author(), target(command.object()));
    let action = |name: &str| format!("/v1/actions/{name}");
    let (path, more) = match command.action() {
        Action::Acknowledge { sticky, notify, persistent, comment, expiry } => {
            let mut more = json!({
                "author": author, "comment": comment, "sticky": sticky, "notify": notify, "persistent": persistent,
            });
            if let Some(expiry) = expiry {
                more["expiry"] = json!(expiry);
            }
            (action("acknowledge-problem"), more)
        }
        Action::RemoveAcknowledgement => (action("remove-acknowledgement"), json!({ "author": author })),
        Action::Downtime { start, end, flexible, comment, host_services } => {
            let mut more = json!({
                "author": author, "comment": comment, "start_time": start, "end_time": end,
                "fixed": flexible.is_none(),
                "duration": flexible.map_or((end - start).unsigned_abs(), |duration| duration.as_secs()),
            });
            if *host_services && command.object().service.is_none() {
                more["all_services"] = json!(true);
            }
            (action("schedule-downtime"), more)
        }
        Action::CancelDowntime { id } => {
            // Its object is part of the filter: nobody cancels another object's downtime.
            let service = if command.object().service.is_some() { "ackbell_service" } else { "\"\"" };
            body["type"] = json!("Downtime");
            body["filter"] = json!(format!(
                "downtime.__name==ackbell_downtime && downtime.host_name==ackbell_host && downtime.service_name=={service}"
            ));
            body["filter_vars"]["ackbell_downtime"] = json!(id);
            (action("remove-downtime"), json!({ "author": author }))
        }
        Action::Recheck { at } => (action("reschedule-check"), json!({ "next_check": at, "force": true })),
        Action::StopNotifications | Action::ResumeNotifications => {
            let kind = if command.object().service.is_some() { "services" } else { "hosts" };
            let enabled = *command.action() == Action::ResumeNotifications;
            (format!("/v1/objects/{kind}"), json!({ "attrs": { "enable_notifications": enabled } }))
        }
        Action::Comment { comment, .. } => (action("add-comment"), json!({ "author": author, "comment": comment })),
    };
    if let (Value::Object(body), Value::Object(more)) = (&mut body, more) {
        body.extend(more);
    }
    (path, body)
}

/// Which object is meant.
fn target(object: &Object) -> Value {
    let mut vars = Map::new();
    vars.insert("ackbell_host".to_owned(), json!(object.host));
    match &object.service {
        Some(service) => {
            vars.insert("ackbell_service".to_owned(), json!(service));
            let filter = "host.name==ackbell_host && service.name==ackbell_service";
            json!({ "type": "Service", "filter": filter, "filter_vars": vars })
        }
        None => json!({ "type": "Host", "filter": "host.name==ackbell_host", "filter_vars": vars }),
    }
}

/// Each object has its own code in the answer; the first that isn't good speaks for all.
fn verdict(command: &ExternalCommand, answer: &Answer) -> Result<Receipt, SendError> {
    let (object, action) = (command.object(), command.action());
    let results = answer.body["results"].as_array().map(Vec::as_slice);
    let code_of = |result: &Value| result["code"].as_f64().unwrap_or_default();
    let text_of = |value: &Value| {
        let text = crate::model::notification::clean_line(value["status"].as_str().unwrap_or_default());
        text.trim_end_matches('.').chars().take(300).collect::<String>()
    };
    if let Some(bad) = results.unwrap_or_default().iter().find(|result| !(200.0..300.0).contains(&code_of(result))) {
        return Err(SendError::Refused(text_of(bad)));
    }
    match (answer.status, results) {
        (200..300, Some([good, ..])) => {
            Ok(Receipt { transport: NAME, answer: Some(text_of(good)), ..Receipt::default() })
        }
        // An action that matches nothing has been seen to answer 500 with no results, by 2.13.6.
        (_, Some([])) => Err(SendError::Refused(format!("it doesn't know {object}"))),
        // The same answer as for a user without the permission, as 2.13.6 gives it.
        (404, _) => {
            Err(SendError::Refused(format!("it doesn't know {object}, or its API user may not {}", action.phrase())))
        }
        (status, _) => Err(failure(status, &text_of(&answer.body))),
    }
}

/// The error in an answer without results.
fn failure(status: u16, text: &str) -> SendError {
    match status {
        401 => SendError::Login { transport: NAME, reason: "401, unknown user or wrong password".to_owned() },
        403 => SendError::Login { transport: NAME, reason: format!("403, the API user lacks a permission: {text}") },
        503 => SendError::Unreachable { transport: NAME, reason: "it is reloading; try again".to_owned() },
        _ if text.is_empty() => SendError::Unreachable { transport: NAME, reason: format!("it answered {status}") },
        _ => SendError::Refused(text.to_owned()),
    }
}

/// For the fuzzer: what this answer to a command says.
#[cfg(any(fuzzing, test))]
pub(crate) fn verdict_of(status: u16, answer: &str, command: &ExternalCommand) -> Result<Receipt, SendError> {
    verdict(command, &Answer { status, body: serde_json::from_str(answer).unwrap_or_default() })
}

#[cfg(test)]
mod tests;

//! openITCOCKPIT's API: it queues a command for the master or the satellite that owns the object.
//!
//! Its queue says only that it took it, and comments aren't known there: those take the core's own transport, which is the
//! master's. Services' downtimes and cancelled ones are known since 4.4.0; an older one says so.
//! (<https://github.com/openITCOCKPIT/openITCOCKPIT/blob/development/plugins/NagiosModule/src/Controller/CmdController.php>)

use super::error::{Receipt, SendError};
use super::http::{Client, Commanded};
use crate::config::Api;
use crate::model::action::Action;
use crate::rules::command::ExternalCommand;
use serde_json::{Map, Value, json};

const NAME: &str = "openITCOCKPIT API";
const PATH: &str = "/nagios_module/cmd/submit.json";

/// Whether the API has such a command.
pub(super) fn takes(command: &ExternalCommand) -> bool {
    !matches!(command.action(), Action::Comment { .. })
}

/// Sends each of the command's lines as its typed fields.
pub(super) fn send(api: &Api, command: &ExternalCommand) -> Result<Receipt, SendError> {
    let client = Client::new(api).map_err(|reason| SendError::Unreachable { transport: NAME, reason })?;
    let mut answer = None;
    for (done, line) in command.lines().iter().enumerate() {
        match post(&client, &body(command, line)) {
            Ok(reply) => answer = reply,
            Err(e) if done == 0 => return Err(e),
            Err(e) => return Err(SendError::Half(Box::new(e))),
        }
    }
    Ok(Receipt { transport: NAME, answer, ..Receipt::default() })
}

/// The fields by the names the API has for them.
fn body(command: &ExternalCommand, line: &str) -> Value {
    let after_stamp = line.split_once("] ").map_or(line, |(_, rest)| rest);
    let name = after_stamp.split([';', '\n']).next().unwrap_or_default();
    let mut body = Map::new();
    body.insert("command".to_owned(), json!(name));
    body.insert("hostUuid".to_owned(), json!(command.object().host));
    if let Some(service) = &command.object().service {
        body.insert("serviceUuid".to_owned(), json!(service));
    }
    let more = match command.action() {
        Action::Acknowledge { sticky, notify, persistent, comment, expiry: _ } => json!({
            "sticky": u8::from(*sticky) * 2, "notify": u8::from(*notify), "persistent": u8::from(*persistent),
            "author": command.author(), "comment": comment,
        }),
        Action::Downtime { start, end, flexible, comment, host_services: _ } => json!({
            "start_time": start, "end_time": end, "fixed": u8::from(flexible.is_none()), "trigger_id": 0,
            "duration": flexible.map_or((end - start).unsigned_abs(), |duration| duration.as_secs()),
            "author": command.author(), "comment": comment,
        }),
        Action::Recheck { at } => json!({ "check_time": at }),
        // By the number that the master's core has for it; its services' own downtimes are not meant.
        Action::CancelDowntime { id } if command.object().service.is_none() => {
            json!({ "downtime_id": id, "include_services": 0 })
        }
        Action::CancelDowntime { id } => json!({ "downtime_id": id }),
        Action::RemoveAcknowledgement
        | Action::StopNotifications
        | Action::ResumeNotifications
        | Action::Comment { .. } => json!({}),
    };
    if let Value::Object(more) = more {
        body.extend(more);
    }
    Value::Object(body)
}

/// Whether it answers and knows the key: an order without a command is refused, but not the login.
pub(super) fn probe(api: &Api) -> Result<(), SendError> {
    let unreachable = |reason| SendError::Unreachable { transport: NAME, reason };
    let client = Client::new(api).map_err(unreachable)?;
    match client.post(PATH, &json!({}), false).map_err(unreachable)?.status {
        status @ (401 | 403 | 301..=308) => Err(login(status)),
        status @ 502..=504 => Err(unreachable(format!("it answered {status}"))),
        _ => Ok(()),
    }
}

/// The answer, if one came.
fn post(client: &Client<'_>, body: &Value) -> Result<Option<String>, SendError> {
    let unreachable = |reason| SendError::Unreachable { transport: NAME, reason };
    let Commanded::Answered(answer) = client.command(PATH, body).map_err(unreachable)? else { return Ok(None) };
    let message = answer.body["message"].as_str().unwrap_or_default();
    let message: String = crate::model::notification::clean_line(message).chars().take(300).collect();
    match answer.status {
        200 if answer.body["command"] == body["command"] => Ok(Some(message)),
        status @ (401 | 403 | 301..=308) => Err(login(status)),
        // An object that isn't there, a command that this version doesn't know.
        400 | 404 if !message.is_empty() => {
            let reason = message.strip_prefix("CmdController: ").unwrap_or(&message);
            Err(SendError::Refused(reason.to_owned()))
        }
        status => Err(unreachable(format!("it answered {status} {message}").trim_end().to_owned())),
    }
}

/// Without a login it sends to its login page.
fn login(status: u16) -> SendError {
    let what = match status {
        403 => "the API key's user group lacks the right to NagiosModule, Cmd, submit",
        _ => "the API key isn't known there",
    };
    SendError::Login { transport: NAME, reason: format!("{status}, {what}") }
}

#[cfg(test)]
mod tests;

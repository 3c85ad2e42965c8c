//! openITCOCKPIT's API: it queues a command for the master or the satellite that owns the object.
//!
//! Its queue says only that it took it. Not every command goes this way: a service's downtime loses its service there,
//! and comments aren't known; those take the core's own door.
//! (<https://github.com/openITCOCKPIT/openITCOCKPIT/blob/development/plugins/NagiosModule/src/Controller/CmdController.php>)

use super::door::{DoorError, Receipt};
use super::http::Client;
use crate::command::{Action, ExternalCommand};
use crate::config::Api;
use serde_json::{Map, Value, json};

const DOOR: &str = "openITCOCKPIT API";

/// Whether the API passes this command on as it is meant.
pub(super) fn takes(command: &ExternalCommand) -> bool {
    match command.action() {
        Action::Downtime { .. } => command.object().service.is_none(),
        Action::CancelDowntime { .. } | Action::Comment { .. } => false,
        Action::Acknowledge { .. }
        | Action::RemoveAcknowledgement
        | Action::Recheck { .. }
        | Action::StopNotifications
        | Action::ResumeNotifications => true,
    }
}

/// Sends each of the command's lines as its typed fields.
pub(super) fn send(api: &Api, command: &ExternalCommand) -> Result<Receipt, DoorError> {
    let client = Client::new(api).map_err(|reason| DoorError::Unreachable { door: DOOR, reason })?;
    let mut answer = None;
    for (done, line) in command.lines().iter().enumerate() {
        match post(&client, &body(command, line)) {
            Ok(said) => answer = Some(said),
            Err(e) if done == 0 => return Err(e),
            Err(e) => return Err(DoorError::Half(Box::new(e))),
        }
    }
    Ok(Receipt { door: DOOR, answer })
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
        Action::RemoveAcknowledgement
        | Action::StopNotifications
        | Action::ResumeNotifications
        | Action::CancelDowntime { .. }
        | Action::Comment { .. } => json!({}),
    };
    if let Value::Object(more) = more {
        body.extend(more);
    }
    Value::Object(body)
}

/// Whether it answers and knows the key: an order without a command is refused, but not the login.
pub(super) fn probe(api: &Api) -> Result<(), DoorError> {
    let unreachable = |reason| DoorError::Unreachable { door: DOOR, reason };
    let client = Client::new(api).map_err(unreachable)?;
    match client.post("/nagios_module/cmd/submit.json", &json!({}), false).map_err(unreachable)?.status {
        status @ (401 | 403 | 301..=308) => {
            Err(DoorError::Login { door: DOOR, reason: format!("{status}, the API key isn't known there") })
        }
        status @ 502..=504 => Err(unreachable(format!("it answered {status}"))),
        _ => Ok(()),
    }
}

fn post(client: &Client<'_>, body: &Value) -> Result<String, DoorError> {
    let unreachable = |reason| DoorError::Unreachable { door: DOOR, reason };
    let answer = client.post("/nagios_module/cmd/submit.json", body, false).map_err(unreachable)?;
    let message = answer.body["message"].as_str().unwrap_or_default();
    let message: String = crate::notification::clean_line(message).chars().take(300).collect();
    match answer.status {
        200 if answer.body["command"] == body["command"] => Ok(message),
        // Without a login it sends to its login page.
        401 | 403 | 301..=308 => {
            Err(DoorError::Login { door: DOOR, reason: format!("{}, the API key isn't known there", answer.status) })
        }
        404 if !message.is_empty() => Err(DoorError::Refused(message)),
        status => Err(unreachable(format!("it answered {status} {message}").trim_end().to_owned())),
    }
}

#[cfg(test)]
mod tests;

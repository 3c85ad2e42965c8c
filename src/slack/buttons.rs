//! The buttons of a message: building them, and decoding a click on one.
//!
//! A click brings back the block's id, which names our message, and the button's value, which names the object; an
//! overflow menu's options have room for neither (<https://docs.slack.dev/reference/block-kit/block-elements/>).

use crate::model::object::Object;
use crate::rules::render::AvailableAction;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Before the number of the message in an `actions` block's id.
const BLOCK: &str = "ackbell-";
/// The longest value of a button.
const VALUE_MAX: usize = 2000;
/// Options of an overflow menu.
const OVERFLOW_MAX: usize = 5;
/// So many buttons stand side by side on a phone.
const BUTTONS_MAX: usize = 2;

/// The row of buttons; none where no action is available.
pub(super) fn actions(available: &[AvailableAction], post: i64, subject: &Object) -> Option<Value> {
    let (buttons, menu) = available.split_at(available.len().min(if available.len() == BUTTONS_MAX + 1 {
        available.len()
    } else {
        BUTTONS_MAX
    }));
    let mut elements: Vec<Value> = buttons.iter().map(|action| button(*action, subject)).collect();
    if !menu.is_empty() {
        let options: Vec<Value> = menu.iter().take(OVERFLOW_MAX).map(|action| option(*action)).collect();
        elements.push(json!({ "type": "overflow", "action_id": "more", "options": options }));
    }
    (!elements.is_empty())
        .then(|| json!({ "type": "actions", "block_id": block_id(post, subject), "elements": elements }))
}

/// Names our message by its number, and the object that it is about by a mark: after the database was replaced the
/// same number is another message's.
fn block_id(post: i64, subject: &Object) -> String {
    if subject.host.is_empty() { format!("{BLOCK}{post}") } else { format!("{BLOCK}{post}-{}", mark(subject)) }
}

/// A short hash that distinguishes an object from any other.
pub(crate) fn mark(object: &Object) -> String {
    data_encoding::HEXLOWER.encode(&Sha256::digest(object.key())[..8])
}

fn button(action: AvailableAction, subject: &Object) -> Value {
    let mut button = json!({ "type": "button", "action_id": name(action), "text": plain_text(label(action)) });
    if let Some(value) = serde_json::to_string(subject).ok().filter(|value| value.chars().count() <= VALUE_MAX) {
        button["value"] = Value::from(value);
    }
    match action {
        AvailableAction::Acknowledge => button["style"] = Value::from("primary"),
        AvailableAction::AcknowledgeAll => {
            button["style"] = Value::from("primary");
            button["confirm"] =
                confirm("Acknowledge all?", "Every problem of this list that is still open.", "Acknowledge");
        }
        AvailableAction::StopNotifications => {
            button["confirm"] = confirm("Stop notifications?", "Nobody is notified until they are resumed.", "Stop");
        }
        _ => {}
    }
    button
}

fn option(action: AvailableAction) -> Value {
    json!({ "text": plain_text(label(action)), "value": name(action) })
}

fn confirm(title: &str, text: &str, yes: &str) -> Value {
    let text = plain_text(text);
    json!({ "title": plain_text(title), "text": text, "confirm": plain_text(yes), "deny": plain_text("Cancel") })
}

pub(super) fn plain_text(text: &str) -> Value {
    json!({ "type": "plain_text", "text": text, "emoji": false })
}

/// The name of an action on the wire.
fn name(action: AvailableAction) -> &'static str {
    AVAILABLE_ACTIONS.iter().find(|(known, ..)| *known == action).map_or("", |(_, name, _)| name)
}

fn label(action: AvailableAction) -> &'static str {
    AVAILABLE_ACTIONS.iter().find(|(known, ..)| *known == action).map_or("", |(.., label)| label)
}

const AVAILABLE_ACTIONS: [(AvailableAction, &str, &str); 8] = [
    (AvailableAction::Acknowledge, "acknowledge", "Acknowledge"),
    (AvailableAction::AcknowledgeWith, "acknowledge_with", "Acknowledge…"),
    (AvailableAction::RemoveAcknowledgement, "unacknowledge", "Remove acknowledgement"),
    (AvailableAction::Downtime, "downtime", "Downtime…"),
    (AvailableAction::Recheck, "recheck", "Re-check"),
    (AvailableAction::StopNotifications, "stop_notifications", "Stop notifications"),
    (AvailableAction::ResumeNotifications, "resume_notifications", "Resume notifications"),
    (AvailableAction::AcknowledgeAll, "acknowledge_all", "Acknowledge all"),
];

/// The action of a click, by its action id or the chosen option.
pub(crate) fn clicked_action(action_id: &str, chosen: Option<&str>) -> Option<AvailableAction> {
    let wanted = if action_id == "more" { chosen? } else { action_id };
    AVAILABLE_ACTIONS.iter().find(|(_, name, _)| *name == wanted).map(|(action, ..)| *action)
}

/// The number of our message and the mark of its object, of a block's id. Messages of an older ackbell have no mark.
pub(crate) fn post(block_id: &str) -> Option<(i64, Option<&str>)> {
    let rest = block_id.strip_prefix(BLOCK)?;
    let (number, mark) = rest.split_once('-').map_or((rest, None), |(number, mark)| (number, Some(mark)));
    Some((number.parse().ok()?, mark))
}

/// The object that a button names.
pub(crate) fn subject(value: &str) -> Option<Object> {
    serde_json::from_str(value).ok().filter(|object: &Object| !object.host.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_click_leads_back_to_its_button() {
        let subject_of = Object { core: "c".into(), host: "h".into(), service: Some("s".into()) };
        let all = AVAILABLE_ACTIONS.map(|(action, ..)| action);
        let row = actions(&all[..6], 12, &subject_of).unwrap();
        assert_eq!(post(row["block_id"].as_str().unwrap()), Some((12, Some(mark(&subject_of).as_str()))));
        assert_eq!((post("ackbell-7"), post("ackbell-x-1")), (Some((7, None)), None));
        let first = &row["elements"][0];
        assert_eq!(clicked_action(first["action_id"].as_str().unwrap(), None), Some(all[0]));
        assert_eq!(subject(first["value"].as_str().unwrap()), Some(subject_of));
        let option = row["elements"][2]["options"][1]["value"].as_str();
        assert_eq!(clicked_action("more", option), Some(all[3]));
        assert_eq!((clicked_action("more", None), clicked_action("x", None), post("other-1")), (None, None, None));
        assert!(actions(&[], 1, &Object::default()).is_none());
    }
}

//! The modals: an acknowledgement with comment and options, a downtime. This module builds and parses them.
//!
//! <https://docs.slack.dev/surfaces/modals>; a form carries its object and message in its `private_metadata` (at most 3000
//! characters).

use super::buttons::plain_text;
use super::limits::cut;
use crate::config::{Acknowledge, CommentRule};
use crate::model::action::Action;
use crate::model::object::Object;
use crate::model::time_text::span;
use crate::rules::render::AvailableAction;
use crate::slack::interaction::{Input, View};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// The object and the message of a form; they travel with the form.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct About {
    pub(crate) post: Option<i64>,
    pub(crate) object: Object,
    pub(crate) channel: Option<String>,
    pub(crate) message: Option<String>,
    pub(crate) response_url: Option<String>,
}

/// Which form was submitted, in its `callback_id`.
const ACKNOWLEDGE: &str = "acknowledge";
const DOWNTIME: &str = "downtime";
const HAND_OVER: &str = "hand_over";
/// How a comment begins that hands a problem over.
pub(crate) const HANDED_OVER: &str = "handed over to ";
/// A comment's length: all of it fits into a command with the longest names.
const COMMENT_MAX: usize = 1000;
/// The lengths that the downtime form offers, in seconds.
const LENGTHS: [u64; 8] = [1800, 3600, 7200, 14_400, 28_800, 86_400, 259_200, 604_800];
/// The length that is chosen at first.
const LENGTH_DEFAULT: u64 = 7200;
/// How far ahead a downtime may start.
const AHEAD_MAX: i64 = 366 * 86_400;
/// So long a form may stay open before its start counts as in the past.
const OPEN_SECONDS_MAX: i64 = 3600;

/// The choice of the next morning as the end of an acknowledgement.
const MORNING: &str = "morning";

/// The next eight o'clock by the machine's clock on the wall: which day that is, and its Unix time.
fn morning(now: i64) -> (&'static str, i64) {
    let zone = jiff::tz::TimeZone::system();
    let wall = zone.to_datetime(jiff::Timestamp::from_second(now).unwrap_or_default());
    let is_today = wall.hour() < 8;
    let date = if is_today { wall.date() } else { wall.date().tomorrow().unwrap_or(wall.date()) };
    let at = zone.to_timestamp(date.at(8, 0, 0, 0)).map_or(now + 86_400, jiff::Timestamp::as_second);
    (if is_today { "today" } else { "tomorrow" }, at)
}

/// The mistakes in a form: by block, a sentence each.
pub(crate) type Errors = BTreeMap<String, String>;

/// The form for an action that has one.
pub(crate) fn form(
    available_action: AvailableAction,
    about: &About,
    label: &str,
    rules: &Acknowledge,
    now: i64,
) -> Option<Value> {
    let (callback, title, submit, blocks) = match available_action {
        AvailableAction::AcknowledgeWith => (ACKNOWLEDGE, "Acknowledge", "Acknowledge", acknowledge(label, rules, now)),
        AvailableAction::Downtime => (DOWNTIME, "Schedule a downtime", "Schedule", downtime(label, about, now)),
        AvailableAction::HandOver => (HAND_OVER, "Hand over", "Hand over", hand_over(label)),
        _ => return None,
    };
    Some(json!({
        "type": "modal",
        "callback_id": callback,
        "private_metadata": serde_json::to_string(about).ok().filter(|text| text.len() <= 3000)?,
        "title": plain_text(title),
        "submit": plain_text(submit),
        "close": plain_text("Cancel"),
        "blocks": blocks,
    }))
}

fn acknowledge(label: &str, rules: &Acknowledge, now: i64) -> Vec<Value> {
    let options = [
        ("sticky", "Until it recovers", "Otherwise it ends with the next change of state", rules.sticky),
        ("notify", "Tell the contacts", "The monitoring notifies them of the acknowledgement", rules.notify),
        ("persistent", "Keep the comment", "It stays after the recovery", rules.persistent),
    ];
    let all: Vec<Value> = options.iter().map(|(value, text, hint, _)| described(value, text, hint)).collect();
    let chosen: Vec<Value> =
        options.iter().filter(|(.., on)| *on).map(|(value, text, hint, _)| described(value, text, hint)).collect();
    let mut boxes = json!({ "type": "checkboxes", "action_id": "options", "options": all });
    if !chosen.is_empty() {
        boxes["initial_options"] = Value::from(chosen);
    }
    let mut blocks = vec![
        about_text(label),
        comment(rules.comment == CommentRule::Optional, "What are you doing about it?"),
        input("options", "Options", &boxes, true),
    ];
    if !rules.expire.is_empty() {
        let never = option("never", "never");
        let times = rules
            .expire
            .iter()
            .map(|time| option(&time.as_secs().to_string(), &format!("after {}", span(time.as_secs()))));
        let (day, _) = morning(now);
        let until_morning = option(MORNING, &format!("until {day} 8:00"));
        let all: Vec<Value> = std::iter::once(never.clone()).chain(times).chain([until_morning]).collect();
        let select = json!({ "type": "static_select", "action_id": "expire", "options": all, "initial_option": never });
        blocks.push(input("expire", "Ends", &select, false));
    }
    blocks
}

fn downtime(label: &str, about: &About, now: i64) -> Vec<Value> {
    let lengths: Vec<Value> = LENGTHS.iter().map(|&length| option(&length.to_string(), &span(length))).collect();
    let initial = option(&LENGTH_DEFAULT.to_string(), &span(LENGTH_DEFAULT));
    let kinds = [
        described("fixed", "Fixed", "From the start, for that long"),
        described("flexible", "Flexible", "Starts with the next problem within that time, and then lasts that long"),
    ];
    let start = json!({ "type": "datetimepicker", "action_id": "start", "initial_date_time": now });
    let length =
        json!({ "type": "static_select", "action_id": "length", "options": lengths, "initial_option": initial });
    let kind = json!({ "type": "radio_buttons", "action_id": "kind", "options": kinds, "initial_option": kinds[0] });
    let mut blocks = vec![
        about_text(label),
        input("start", "Start", &start, false),
        input("length", "Length", &length, false),
        input("kind", "Kind", &kind, false),
        comment(false, "Why?"),
    ];
    if about.object.service.is_none() {
        let all = [option("services", "Its services, too")];
        let boxes = json!({ "type": "checkboxes", "action_id": "services", "options": all });
        blocks.push(input("services", "Services", &boxes, true));
    }
    blocks
}

fn hand_over(label: &str) -> Vec<Value> {
    let person = json!({ "type": "users_select", "action_id": "person", "placeholder": plain_text("Who takes it?") });
    vec![about_text(label), input("person", "Hand over to", &person, false)]
}

fn about_text(label: &str) -> Value {
    json!({ "type": "section", "text": plain_text(&cut(label, 500).0) })
}

fn comment(is_optional: bool, placeholder: &str) -> Value {
    let element = json!({ "type": "plain_text_input", "action_id": "comment", "multiline": true,
        "max_length": COMMENT_MAX, "placeholder": plain_text(placeholder) });
    input("comment", "Comment", &element, is_optional)
}

fn input(block: &str, label: &str, element: &Value, is_optional: bool) -> Value {
    json!({ "type": "input", "block_id": block, "label": plain_text(label), "element": element, "optional": is_optional })
}

fn option(value: &str, text: &str) -> Value {
    json!({ "text": plain_text(text), "value": value })
}

fn described(value: &str, text: &str, description: &str) -> Value {
    json!({ "text": plain_text(text), "value": value, "description": plain_text(&cut(description, 75).0) })
}

/// Parses a submitted form; Slack shows each error at its block. `None`: it isn't one of ours.
pub(crate) fn parse(view: &View, rules: &Acknowledge, now: i64) -> Option<Result<(About, Action), Errors>> {
    let about: About = serde_json::from_str(&view.private_metadata).ok()?;
    let action = match view.callback.as_ref()?.as_ref() {
        ACKNOWLEDGE => parse_acknowledge(view, rules, now),
        DOWNTIME => parse_downtime(view, now),
        HAND_OVER => parse_hand_over(view),
        _ => return None,
    };
    Some(action.map(|action| (about, action)))
}

fn parse_acknowledge(view: &View, rules: &Acknowledge, now: i64) -> Result<Action, Errors> {
    let comment = text(view, "comment");
    if comment.trim().is_empty() && rules.comment == CommentRule::Required {
        return Err(error("comment", "Please say what you are doing about it."));
    }
    let chosen = |name: &str| values(view, "options").iter().any(|value| value == name);
    let expiry = match text(view, "expire").as_str() {
        "" | "never" => None,
        MORNING if !rules.expire.is_empty() => Some(morning(now).1),
        seconds => match rules.expire.iter().find(|time| time.as_secs().to_string() == seconds) {
            Some(time) => Some(now.saturating_add(crate::system::clock::millis(*time) / 1000)),
            None => return Err(error("expire", "This choice is no longer offered; please choose again.")),
        },
    };
    Ok(Action::Acknowledge {
        sticky: chosen("sticky"),
        notify: chosen("notify"),
        persistent: chosen("persistent"),
        comment,
        expiry,
    })
}

/// The comment names the person by id; before it goes to the core, their name is put beside it.
fn parse_hand_over(view: &View) -> Result<Action, Errors> {
    match text(view, "person") {
        person if person.starts_with(['U', 'W']) => {
            Ok(Action::Comment { persistent: false, comment: format!("{HANDED_OVER}{person}") })
        }
        _ => Err(error("person", "Please choose who takes it.")),
    }
}

fn parse_downtime(view: &View, now: i64) -> Result<Action, Errors> {
    let comment = text(view, "comment");
    let length = text(view, "length").parse::<u64>().ok().filter(|length| LENGTHS.contains(length));
    let start = match value(view, "start") {
        Input::Moment(start) => start,
        Input::Empty | Input::Value(_) | Input::Values(_) => now,
    };
    let mut errors = Errors::new();
    if comment.trim().is_empty() {
        errors.extend(error("comment", "Please say why."));
    }
    if start < now - OPEN_SECONDS_MAX {
        errors.extend(error("start", "The start is in the past."));
    }
    if start > now + AHEAD_MAX {
        errors.extend(error("start", "The start is more than a year ahead."));
    }
    let Some(length) = length else {
        errors.extend(error("length", "Please choose how long."));
        return Err(errors);
    };
    if !errors.is_empty() {
        return Err(errors);
    }
    // A form that was opened with "now" starts when it is submitted.
    let start = start.max(now);
    Ok(Action::Downtime {
        start,
        end: start.saturating_add(i64::try_from(length).unwrap_or(0)),
        flexible: (text(view, "kind") == "flexible").then(|| Duration::from_secs(length)),
        comment,
        host_services: values(view, "services").iter().any(|value| value == "services"),
    })
}

fn error(block: &str, sentence: &str) -> Errors {
    Errors::from([(block.to_owned(), sentence.to_owned())])
}

/// The input of a block's only element.
fn value(view: &View, block: &str) -> Input {
    let found =
        view.inputs.iter().find(|(id, _)| id.as_ref() == block).and_then(|(_, elements)| elements.values().next());
    found.cloned().unwrap_or_default()
}

fn text(view: &View, block: &str) -> String {
    match value(view, block) {
        Input::Value(text) => text,
        Input::Empty | Input::Values(_) | Input::Moment(_) => String::new(),
    }
}

fn values(view: &View, block: &str) -> Vec<String> {
    match value(view, block) {
        Input::Values(values) => values,
        Input::Value(value) => vec![value],
        Input::Empty | Input::Moment(_) => Vec::new(),
    }
}

//! What people can touch in blocks, and the state it is in.
//! <https://docs.slack.dev/reference/interaction-payloads/block_actions-payload>

use serde_json::{Map, Value, json};

/// Type, where its state stands, where its first state comes from.
const STATEFUL: [(&str, &str, &str); 18] = [
    ("plain_text_input", "value", "initial_value"),
    ("number_input", "value", "initial_value"),
    ("email_text_input", "value", "initial_value"),
    ("url_text_input", "value", "initial_value"),
    ("static_select", "selected_option", "initial_option"),
    ("external_select", "selected_option", "initial_option"),
    ("radio_buttons", "selected_option", "initial_option"),
    ("checkboxes", "selected_options", "initial_options"),
    ("multi_static_select", "selected_options", "initial_options"),
    ("users_select", "selected_user", "initial_user"),
    ("conversations_select", "selected_conversation", "initial_conversation"),
    ("channels_select", "selected_channel", "initial_channel"),
    ("multi_users_select", "selected_users", "initial_users"),
    ("multi_conversations_select", "selected_conversations", "initial_conversations"),
    ("multi_channels_select", "selected_channels", "initial_channels"),
    ("datepicker", "selected_date", "initial_date"),
    ("timepicker", "selected_time", "initial_time"),
    ("datetimepicker", "selected_date_time", "initial_date_time"),
];

/// The blocks as Slack keeps them: whoever has no id gets one.
pub(super) fn with_ids(blocks: &Value, prefix: &str) -> Value {
    let mut blocks = blocks.clone();
    for (index, block) in blocks.as_array_mut().into_iter().flatten().enumerate() {
        fill(block, "block_id", || format!("{prefix}{index}"));
        for (number, element) in elements_mut(block).into_iter().enumerate() {
            fill(element, "action_id", || format!("{prefix}{index}a{number}"));
        }
    }
    blocks
}

fn fill(value: &mut Value, key: &str, id: impl Fn() -> String) {
    if let Some(fields) = value.as_object_mut() {
        fields.entry(key).or_insert_with(|| id().into());
    }
}

fn elements_mut(block: &mut Value) -> Vec<&mut Value> {
    let in_actions = block["type"] == "actions";
    let Some(fields) = block.as_object_mut() else { return Vec::new() };
    let mut found = Vec::new();
    for (name, value) in fields {
        match name.as_str() {
            "element" | "accessory" => found.push(value),
            "elements" if in_actions => found.extend(value.as_array_mut().into_iter().flatten()),
            _ => {}
        }
    }
    found.retain(|element| element["type"] != "image");
    found
}

/// Every element of the blocks, with its block.
pub(super) fn all(blocks: &Value) -> impl Iterator<Item = (&Value, &Value)> {
    blocks.as_array().into_iter().flatten().flat_map(|block| {
        let several = block["elements"].as_array().filter(|_| block["type"] == "actions");
        let one = ["element", "accessory"].into_iter().filter_map(|name| block.get(name));
        let found = one.chain(several.into_iter().flatten());
        found.filter(|element| element["type"] != "image").map(move |element| (block, element))
    })
}

/// The element of that action id, with its block.
pub(super) fn find<'a>(blocks: &'a Value, action: &str, block_id: Option<&str>) -> Option<(&'a Value, &'a Value)> {
    all(blocks).find(|(block, element)| {
        element["action_id"] == action && block_id.is_none_or(|wanted| block["block_id"] == wanted)
    })
}

/// What a touch of the element says in `actions`: a button its text and value, anything else what was chosen.
pub(super) fn touched(block: &Value, element: &Value, option: &Value, now_ms: u64) -> Result<Value, String> {
    let mut action = match element["type"].as_str().unwrap_or_default() {
        "button" => json!({"type": "button", "text": element["text"]}),
        "overflow" => json!({"type": "overflow", "selected_option": offered(element, option)?}),
        kind if option.is_null() && kind != "plain_text_input" => return Err(format!("a {kind} needs an option")),
        _ => chosen(element, option)?.ok_or("this element can't be touched")?,
    };
    for name in ["value", "style", "placeholder"] {
        if element.get(name).is_some() {
            action[name] = element[name].clone();
        }
    }
    action["action_id"] = element["action_id"].clone();
    action["block_id"] = block["block_id"].clone();
    action["action_ts"] = format!("{}.{:03}000", now_ms / 1000, now_ms % 1000).into();
    Ok(action)
}

/// The option of that value, whole.
fn offered(element: &Value, value: &Value) -> Result<Value, String> {
    let grouped = element["option_groups"].as_array().into_iter().flatten();
    let grouped = grouped.filter_map(|group| group["options"].as_array()).flatten();
    let mut all = element["options"].as_array().into_iter().flatten().chain(grouped);
    let found = all.find(|option| option["value"] == *value).cloned();
    found.ok_or_else(|| format!("{value} isn't among the options of {}", element["action_id"]))
}

/// The state of an element that was given this; `None` if it has no state.
fn chosen(element: &Value, given: &Value) -> Result<Option<Value>, String> {
    let kind = element["type"].as_str().unwrap_or_default();
    let Some((_, field, _)) = STATEFUL.iter().find(|(name, ..)| *name == kind) else { return Ok(None) };
    let digits = |pattern: &str| {
        let text = given.as_str().unwrap_or_default();
        let fits = |(want, have): (char, char)| if want == '0' { have.is_ascii_digit() } else { want == have };
        text.len() == pattern.len() && pattern.chars().zip(text.chars()).all(fits)
    };
    let value = match *field {
        "value" => match given {
            Value::Null => Value::Null,
            Value::String(text) if text.is_empty() => Value::Null,
            Value::String(text) => text.clone().into(),
            other => other.to_string().into(),
        },
        "selected_option" | "selected_date" | "selected_time" | "selected_date_time" if given.is_null() => Value::Null,
        "selected_option" => offered(element, given)?,
        "selected_options" => {
            let each = given.as_array().into_iter().flatten().map(|value| offered(element, value));
            Value::Array(each.collect::<Result<_, _>>()?)
        }
        "selected_date" if !digits("0000-00-00") => return Err(format!("{given} isn't a date like 2026-03-31")),
        "selected_time" if !digits("00:00") => return Err(format!("{given} isn't a time like 09:30")),
        "selected_date_time" if given.as_u64().is_none_or(|seconds| seconds.to_string().len() != 10) => {
            return Err(format!("{given} isn't a time in seconds since 1970"));
        }
        _ => given.clone(),
    };
    let mut state = json!({"type": kind});
    state[field] = value;
    Ok(Some(state))
}

fn initial(element: &Value) -> Option<Value> {
    let kind = element["type"].as_str()?;
    let (_, field, first) = STATEFUL.iter().find(|(name, ..)| *name == kind)?;
    let empty = if *field == "selected_options" { json!([]) } else { Value::Null };
    let mut state = json!({"type": kind});
    state[field] = element.get(first).cloned().unwrap_or(empty);
    Some(state)
}

/// What stands in every element, with what the client would complain about, per block id.
#[derive(Debug, Default)]
pub(super) struct Filled {
    /// `state.values`.
    pub(super) values: Map<String, Value>,
    pub(super) complaints: Map<String, Value>,
}

/// Fills in what was given per action id or block id; everything else keeps its first state.
pub(super) fn fill_in(blocks: &Value, given: &Value) -> Result<Filled, String> {
    let known =
        |name: &str| all(blocks).any(|(block, element)| block["block_id"] == name || element["action_id"] == name);
    if let Some((name, _)) = given.as_object().into_iter().flatten().find(|(name, _)| !known(name)) {
        return Err(format!("there is no input {name:?}"));
    }
    let mut filled = Filled::default();
    for (block, element) in all(blocks) {
        let (block_id, action) = (&block["block_id"], &element["action_id"]);
        let (block_id, action) = (block_id.as_str().unwrap_or_default(), action.as_str().unwrap_or_default());
        let Some(first) = initial(element) else { continue };
        let state = match given.get(action).or_else(|| given.get(block_id)) {
            None => first,
            Some(value) => match chosen(element, value) {
                Ok(state) => state.unwrap_or(first),
                Err(complaint) => {
                    filled.complaints.insert(block_id.to_owned(), complaint.into());
                    continue;
                }
            },
        };
        if let Some(complaint) = complaint(block, element, &state) {
            filled.complaints.insert(block_id.to_owned(), complaint.into());
        }
        filled.values.entry(block_id).or_insert_with(|| json!({}))[action] = state;
    }
    Ok(filled)
}

/// What Slack's client says before it sends anything.
fn complaint(block: &Value, element: &Value, state: &Value) -> Option<String> {
    let fields = state.as_object()?;
    let (_, value) = fields.iter().find(|(name, _)| *name != "type")?;
    if value.is_null() || value.as_array().is_some_and(Vec::is_empty) {
        let required = block["type"] == "input" && block["optional"] != true;
        return required.then(|| "Please complete this required field.".to_owned());
    }
    let count = value.as_str()?.chars().count();
    let bound = |name: &str| element[name].as_u64().and_then(|bound| usize::try_from(bound).ok());
    if let Some(most) = bound("max_length").or(Some(3000)).filter(|most| count > *most) {
        return Some(format!("{count} characters, at most {most} fit"));
    }
    bound("min_length")
        .filter(|least| count < *least)
        .map(|least| format!("{count} characters, at least {least} needed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form() -> Value {
        let option = |value: &str| json!({"text": {"type": "plain_text", "text": value}, "value": value});
        with_ids(
            &json!([
                {"type": "input", "block_id": "why", "element": {"type": "plain_text_input", "max_length": 5}},
                {"type": "input", "element": {"type": "static_select", "action_id": "how", "options": [option("a"), option("b")],
                    "initial_option": option("b")}},
                {"type": "input", "optional": true, "element": {"type": "checkboxes", "action_id": "flags", "options": [option("x")]}},
                {"type": "actions", "elements": [{"type": "button", "action_id": "go", "text": {}, "value": "v", "style": "danger"}]},
                {"type": "context", "elements": [{"type": "image"}]},
            ]),
            "b",
        )
    }

    #[test]
    fn every_input_is_in_the_state_under_block_and_action() {
        let filled = fill_in(&form(), &json!({"why": "mine", "flags": ["x"]})).unwrap();
        assert!(filled.complaints.is_empty());
        assert_eq!(filled.values["why"]["b0a0"], json!({"type": "plain_text_input", "value": "mine"}));
        assert_eq!(filled.values["b1"]["how"]["selected_option"]["value"], "b");
        assert_eq!(filled.values["b2"]["flags"]["selected_options"][0]["value"], "x");
        assert!(!filled.values.contains_key("b3"));
    }

    #[test]
    fn the_client_complains_by_itself() {
        let filled = fill_in(&form(), &json!({"how": "c"})).unwrap();
        assert!(filled.complaints.contains_key("why") && filled.complaints.contains_key("b1"));
        assert!(fill_in(&form(), &json!({"why": "123456"})).unwrap().complaints.contains_key("why"));
        assert!(fill_in(&form(), &json!({"what": "?"})).is_err());
    }

    #[test]
    fn a_button_says_its_value_and_a_menu_its_choice() {
        let form = form();
        let (block, element) = find(&form, "go", None).unwrap();
        let action = touched(block, element, &Value::Null, 1_548_426_417_840).unwrap();
        assert_eq!(
            (&action["value"], &action["style"], &action["block_id"]),
            (&json!("v"), &json!("danger"), &json!("b3"))
        );
        assert_eq!(action["action_ts"], "1548426417.840000");
        let (block, element) = find(&form, "how", Some("b1")).unwrap();
        assert!(touched(block, element, &json!("z"), 0).is_err() && touched(block, element, &Value::Null, 0).is_err());
        assert_eq!(touched(block, element, &json!("a"), 0).unwrap()["selected_option"]["value"], "a");
    }
}

//! `views.*`: modals and App Home.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::state::State;
use super::validate::{self, Surface};
use super::web_api::{Call, Refusal, Reply};

/// The largest view. <https://docs.slack.dev/reference/methods/views.open>
const VIEW_BYTES_MAX: usize = 250_000;
/// How many modals lie on each other. <https://docs.slack.dev/surfaces/modals>
const STACK_MAX: usize = 3;

/// The views that are open, and the triggers that are used up.
#[derive(Debug, Default)]
pub(super) struct Views {
    open: Vec<Value>,
    used: HashSet<String>,
    made: u64,
}

impl Views {
    /// Every view, for the control API.
    pub(super) fn json(&self) -> Value {
        Value::Array(self.open.clone())
    }

    fn add(&mut self, mut view: Value) -> Value {
        self.made += 1;
        view["id"] = format!("V0SANDBOX{:04}", self.made).into();
        view["hash"] = format!("{}.sandbox", self.made).into();
        view["team_id"] = "T0SANDBOX".into();
        view["app_id"] = "A0SANDBOX".into();
        view["bot_id"] = "B0SANDBOX".into();
        self.open.push(view.clone());
        view
    }

    fn replace(&mut self, index: usize, mut view: Value, hash: Option<&str>) -> Reply {
        let old = &self.open[index];
        if hash.is_some_and(|hash| old["hash"] != hash) {
            return Err(Refusal::new("hash_conflict"));
        }
        self.made += 1;
        for key in ["id", "team_id", "app_id", "bot_id", "user_id"] {
            view[key] = old[key].clone();
        }
        view["hash"] = format!("{}.sandbox", self.made).into();
        self.open[index] = view.clone();
        Ok(json!({"view": view}))
    }
}

/// Answers any of them.
pub(super) fn answer(state: &mut State, call: &Call) -> Reply {
    let home = call.method == "views.publish";
    let surface = if home { Surface::Home } else { Surface::Modal };
    let view = call.structure("view").map_err(|()| Refusal::new("invalid_arguments"))?;
    let view = view.ok_or_else(|| Refusal::missing("view"))?;
    if view.to_string().len() > VIEW_BYTES_MAX {
        return Err(Refusal::new("view_too_large"));
    }
    let findings = validate::view(&view, surface);
    if !findings.problems.is_empty() {
        return Err(Refusal::with_messages("invalid_arguments", &findings.problems));
    }
    match call.method.as_str() {
        "views.publish" => publish(state, call, view),
        "views.update" => update(state, call, view),
        _ => open(state, call, view),
    }
}

/// A trigger lives 3 s and works once. <https://docs.slack.dev/reference/methods/views.open>
fn open(state: &mut State, call: &Call, view: Value) -> Reply {
    let trigger = call.text("trigger_id").ok_or_else(|| Refusal::missing("trigger_id"))?;
    if trigger.starts_with("expired") {
        return Err(Refusal::new("expired_trigger_id"));
    }
    if trigger.starts_with("invalid") {
        return Err(Refusal::new("invalid_trigger_id"));
    }
    let external = view["external_id"].as_str().filter(|id| !id.is_empty());
    if external.is_some_and(|id| state.views.open.iter().any(|other| other["external_id"] == id)) {
        return Err(Refusal::new("duplicate_external_id"));
    }
    let modals = state.views.open.iter().filter(|view| view["type"] == "modal").count();
    if call.method == "views.push" && modals >= STACK_MAX {
        return Err(Refusal::new("push_limit_reached"));
    }
    if !state.views.used.insert(trigger.to_owned()) {
        return Err(Refusal::new("exchanged_trigger_id"));
    }
    if call.method == "views.open" {
        state.views.open.retain(|view| view["type"] != "modal");
    }
    Ok(json!({"view": state.views.add(view)}))
}

/// <https://docs.slack.dev/reference/methods/views.update>
fn update(state: &mut State, call: &Call, view: Value) -> Reply {
    let (key, id) = match (call.text("view_id"), call.text("external_id")) {
        (Some(id), _) => ("id", id),
        (None, Some(id)) => ("external_id", id),
        (None, None) => return Err(Refusal::missing("view_id")),
    };
    let index = state.views.open.iter().position(|view| view[key] == id).ok_or_else(|| Refusal::new("not_found"))?;
    state.views.replace(index, view, call.text("hash"))
}

/// One Home for each person. <https://docs.slack.dev/reference/methods/views.publish>
fn publish(state: &mut State, call: &Call, mut view: Value) -> Reply {
    let user = call.text("user_id").ok_or_else(|| Refusal::missing("user_id"))?;
    if !state.workspace.users.iter().any(|known| known.id == user && !known.deleted) {
        return Err(Refusal::new("invalid_arguments"));
    }
    let old = state.views.open.iter().position(|view| view["type"] == "home" && view["user_id"] == user);
    view["user_id"] = user.into();
    match old {
        Some(index) => state.views.replace(index, view, call.text("hash")),
        None => Ok(json!({"view": state.views.add(view)})),
    }
}

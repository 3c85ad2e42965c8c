//! `views.*`: modals and App Home.

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};

use super::app::APP_ID;
use super::elements;
use super::state::State;
use super::validate::{self, Surface};
use super::web_api::{Call, Refusal, Reply};

/// The largest view. <https://docs.slack.dev/reference/methods/views.open>
const VIEW_BYTES_MAX: usize = 250_000;
/// How many modals lie on each other. <https://docs.slack.dev/surfaces/modals>
pub(super) const STACK_MAX: usize = 3;

/// How long a trigger lives. <https://docs.slack.dev/interactivity/handling-user-interaction>
const TRIGGER_MS: u64 = 3000;

/// What a change of a view leaves as it is.
const KEPT: [&str; 8] =
    ["id", "team_id", "app_id", "app_installed_team_id", "bot_id", "user_id", "root_view_id", "previous_view_id"];

/// A view and who sees it.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) view: Value,
    /// Whose trigger opened it, if it was one that was handed out.
    pub(super) owner: Option<String>,
}

/// The views that are open, and the triggers that were handed out or used up.
#[derive(Debug, Default)]
pub(super) struct Views {
    pub(super) open: Vec<Open>,
    /// Who may open a view with it, and since when. While none was handed out, any trigger is taken.
    triggers: HashMap<String, (String, u64)>,
    used: HashSet<String>,
    made: u64,
}

impl Views {
    /// Every view, for the control API.
    pub(super) fn json(&self) -> Value {
        let shown = |open: &Open| {
            let mut view = open.view.clone();
            view["owner"] = open.owner.clone().into();
            view
        };
        self.open.iter().map(shown).collect()
    }

    /// A fresh trigger for what this person did.
    pub(super) fn hand_out(&mut self, user: &str, now_ms: u64) -> String {
        let trigger = format!("{now_ms}.0000000001.{:032x}", self.triggers.len() + 1);
        self.triggers.insert(trigger.clone(), (user.to_owned(), now_ms));
        trigger
    }

    /// Uses a trigger up and tells whose it is.
    fn redeem(&mut self, trigger: &str, now_ms: u64) -> Result<Option<String>, Refusal> {
        let known = self.triggers.get(trigger);
        let expired = known.is_some_and(|(_, born_ms)| now_ms.saturating_sub(*born_ms) > TRIGGER_MS);
        if expired || trigger.starts_with("expired") {
            return Err(Refusal::new("expired_trigger_id"));
        }
        if trigger.starts_with("invalid") || (known.is_none() && !self.triggers.is_empty()) {
            return Err(Refusal::new("invalid_trigger_id"));
        }
        let owner = known.map(|(user, _)| user.clone());
        if self.used.insert(trigger.to_owned()) { Ok(owner) } else { Err(Refusal::new("exchanged_trigger_id")) }
    }

    /// The view of that id, or the topmost modal.
    pub(super) fn find(&self, id: Option<&str>) -> Option<usize> {
        self.open.iter().rposition(|open| match id {
            Some(id) => open.view["id"] == id,
            None => open.view["type"] == "modal",
        })
    }

    /// Puts a view on top of `below`, or at the bottom.
    pub(super) fn add(&mut self, mut view: Value, owner: Option<String>, below: Option<&Value>) -> Value {
        self.made += 1;
        let id = format!("V0SANDBOX{:04}", self.made);
        view["root_view_id"] = below.map_or_else(|| id.clone().into(), |below| below["root_view_id"].clone());
        view["previous_view_id"] = below.map_or(Value::Null, |below| below["id"].clone());
        view["id"] = id.into();
        view["team_id"] = "T0SANDBOX".into();
        view["app_id"] = APP_ID.into();
        view["app_installed_team_id"] = "T0SANDBOX".into();
        view["bot_id"] = "B0SANDBOX".into();
        let view = self.finish(view);
        self.open.push(Open { view: view.clone(), owner });
        view
    }

    /// What every view has, and ids for blocks that have none.
    fn finish(&mut self, mut view: Value) -> Value {
        view["hash"] = format!("{}.sandbox", self.made).into();
        view["blocks"] = elements::with_ids(&view["blocks"], &format!("v{}", self.made));
        if let Some(fields) = view.as_object_mut() {
            for name in ["private_metadata", "callback_id", "external_id"] {
                fields.entry(name).or_insert_with(|| "".into());
            }
            for name in ["clear_on_close", "notify_on_close"] {
                fields.entry(name).or_insert_with(|| false.into());
            }
        }
        view
    }

    /// Changes a view, if it is still the one the client thinks it is.
    pub(super) fn replace(&mut self, index: usize, mut view: Value, hash: Option<&str>) -> Reply {
        let old = &self.open[index].view;
        if hash.is_some_and(|hash| old["hash"] != hash) {
            return Err(Refusal::new("hash_conflict"));
        }
        self.made += 1;
        for key in KEPT {
            if !old[key].is_null() {
                view[key] = old[key].clone();
            }
        }
        let view = self.finish(view);
        self.open[index].view = view.clone();
        Ok(json!({"view": view}))
    }
}

/// Whether Slack would take the view; its complaints if not.
pub(super) fn check(view: &Value, surface: Surface) -> Result<(), Refusal> {
    if view.to_string().len() > VIEW_BYTES_MAX {
        return Err(Refusal::new("view_too_large"));
    }
    let findings = validate::view(view, surface);
    if findings.problems.is_empty() {
        Ok(())
    } else {
        Err(Refusal::with_messages("invalid_arguments", &findings.problems))
    }
}

/// Answers any of them.
pub(super) fn answer(state: &mut State, call: &Call, now_ms: u64) -> Reply {
    let view = call.structure("view").map_err(|()| Refusal::new("invalid_arguments"))?;
    let view = view.ok_or_else(|| Refusal::missing("view"))?;
    check(&view, if call.method == "views.publish" { Surface::Home } else { Surface::Modal })?;
    match call.method.as_str() {
        "views.publish" => publish(state, call, view),
        "views.update" => update(state, call, view),
        _ => open(state, call, view, now_ms),
    }
}

/// A trigger lives 3 s and works once. <https://docs.slack.dev/reference/methods/views.open>
fn open(state: &mut State, call: &Call, view: Value, now_ms: u64) -> Reply {
    let trigger = call.text("trigger_id").ok_or_else(|| Refusal::missing("trigger_id"))?;
    let external = view["external_id"].as_str().filter(|id| !id.is_empty());
    if external.is_some_and(|id| state.views.open.iter().any(|other| other.view["external_id"] == id)) {
        return Err(Refusal::new("duplicate_external_id"));
    }
    let modals = state.views.open.iter().filter(|open| open.view["type"] == "modal").count();
    let push = call.method == "views.push";
    if push && modals >= STACK_MAX {
        return Err(Refusal::new("push_limit_reached"));
    }
    let owner = state.views.redeem(trigger, now_ms)?;
    if !push {
        // A person sees one modal, or one pile of them.
        state.views.open.retain(|open| open.view["type"] != "modal" || open.owner != owner);
    }
    let below = state.views.open.iter().rfind(|open| push && open.view["type"] == "modal" && open.owner == owner);
    let below = below.map(|open| open.view.clone());
    Ok(json!({"view": state.views.add(view, owner, below.as_ref())}))
}

/// <https://docs.slack.dev/reference/methods/views.update>
fn update(state: &mut State, call: &Call, view: Value) -> Reply {
    let (key, id) = match (call.text("view_id"), call.text("external_id")) {
        (Some(id), _) => ("id", id),
        (None, Some(id)) => ("external_id", id),
        (None, None) => return Err(Refusal::missing("view_id")),
    };
    let index = state.views.open.iter().position(|open| open.view[key] == id);
    state.views.replace(index.ok_or_else(|| Refusal::new("not_found"))?, view, call.text("hash"))
}

/// One Home for each person. <https://docs.slack.dev/reference/methods/views.publish>
fn publish(state: &mut State, call: &Call, mut view: Value) -> Reply {
    let user = call.text("user_id").ok_or_else(|| Refusal::missing("user_id"))?;
    if !state.workspace.users.iter().any(|known| known.id == user && !known.deleted) {
        return Err(Refusal::new("invalid_arguments"));
    }
    let home = |open: &Open| open.view["type"] == "home" && open.view["user_id"] == user;
    let old = state.views.open.iter().position(home);
    view["user_id"] = user.into();
    match old {
        Some(index) => state.views.replace(index, view, call.text("hash")),
        None => Ok(json!({"view": state.views.add(view, Some(user.to_owned()), None)})),
    }
}

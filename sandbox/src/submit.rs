//! Modals sent off or closed. <https://docs.slack.dev/reference/interaction-payloads/view-interactions-payload>

use serde_json::{Value, json};

use super::app::Parcel;
use super::click::Order;
use super::elements;
use super::state::State;
use super::user_actions::Refused;
use super::validate::Surface;
use super::views::{self, Open, STACK_MAX};

/// The modal that is meant, and who looks at it.
fn modal(state: &State, order: Order) -> Result<(Value, String), String> {
    let index = state.views.find(order.text("view_id")).ok_or("this view isn't open")?;
    let Open { view, owner } = &state.views.open[index];
    let user = order.user_or(owner.as_deref());
    if owner.as_ref().is_some_and(|owner| *owner != user) {
        return Err(format!("{user} doesn't see this view"));
    }
    if view["type"] == "modal" { Ok((view.clone(), user)) } else { Err("this view isn't a modal".to_owned()) }
}

/// `view_submission`, unless Slack's client would complain first.
pub(super) fn submission(state: &mut State, order: Order) -> Result<Parcel, Refused> {
    let (mut view, user) = modal(state, order)?;
    if view["submit"].is_null() {
        return Err("the modal has no submit button".into());
    }
    let filled = elements::fill_in(&view["blocks"], &order.given["values"])?;
    if !filled.complaints.is_empty() {
        return Err(Refused::Client(filled.complaints));
    }
    view["state"] = json!({"values": filled.values});
    let mut payload = order.frame(state, "view_submission", &user)?;
    payload["trigger_id"] = state.views.hand_out(&user, order.now_ms).into();
    payload["view"] = view;
    payload["response_urls"] = json!([]);
    Ok(Parcel::interactive(payload, true))
}

/// `view_closed`, if the view asked for it; `"clear": true` closes the whole pile.
pub(super) fn closing(state: &mut State, order: Order) -> Result<Parcel, Refused> {
    let (mut view, user) = modal(state, order)?;
    let cleared = order.given["clear"] == true || view["clear_on_close"] == true;
    close(state, &view, cleared);
    if view["notify_on_close"] != true {
        return Ok(Parcel::interactive(Value::Null, false));
    }
    let mut payload = order.frame(state, "view_closed", &user)?;
    view["state"] = json!({"values": {}});
    payload["view"] = view;
    payload["is_cleared"] = cleared.into();
    Ok(Parcel::interactive(payload, false))
}

fn close(state: &mut State, view: &Value, whole_pile: bool) {
    let gone =
        |open: &Open| open.view["id"] == view["id"] || whole_pile && open.view["root_view_id"] == view["root_view_id"];
    state.views.open.retain(|open| !gone(open));
}

/// Does what the answer says. What Slack would take without a word but show nobody is a violation.
/// <https://docs.slack.dev/surfaces/modals>
pub(super) fn take_answer(state: &mut State, payload: &Value, body: &[u8]) -> Result<(), String> {
    let view = &payload["view"];
    if body.iter().all(u8::is_ascii_whitespace) {
        close(state, view, false);
        return Ok(());
    }
    let taken = serde_json::from_slice(body)
        .map_err(|_| "the answer is neither empty nor JSON".to_owned())
        .and_then(|given: Value| perform(state, view, &given));
    if let Err(error) = &taken {
        state.journal.violate(0, "bad_view_response", error.clone());
    }
    taken
}

fn perform(state: &mut State, view: &Value, given: &Value) -> Result<(), String> {
    match given["response_action"].as_str().unwrap_or_default() {
        "errors" => errors(view, given),
        "clear" => {
            close(state, view, true);
            Ok(())
        }
        action @ ("update" | "push") => {
            views::check(&given["view"], Surface::Modal).map_err(|refusal| {
                let more = Value::Object(refusal.more);
                format!("{}: {}", refusal.error, more["response_metadata"]["messages"])
            })?;
            show(state, view, given["view"].clone(), action == "push")
        }
        other => Err(format!("unknown response_action {other:?}")),
    }
}

/// Every key must be the id of an input block, every value a text.
fn errors(view: &Value, given: &Value) -> Result<(), String> {
    let errors = given["errors"].as_object().filter(|errors| !errors.is_empty()).ok_or("errors is empty")?;
    for (id, text) in errors {
        let mut inputs = view["blocks"].as_array().into_iter().flatten().filter(|block| block["type"] == "input");
        if !inputs.any(|block| block["block_id"] == id.as_str()) {
            return Err(format!("errors: there is no input block {id:?}"));
        }
        if text.as_str().is_none_or(str::is_empty) {
            return Err(format!("errors: {id:?} needs a text"));
        }
    }
    Ok(())
}

fn show(state: &mut State, view: &Value, new: Value, push: bool) -> Result<(), String> {
    let index = state.views.find(view["id"].as_str()).ok_or("the view was closed meanwhile")?;
    if !push {
        return state.views.replace(index, new, None).map(|_| ()).map_err(|refusal| refusal.error);
    }
    let pile = state.views.open.iter().filter(|open| open.view["root_view_id"] == view["root_view_id"]).count();
    if pile >= STACK_MAX {
        return Err("push_limit_reached".to_owned());
    }
    let owner = state.views.open[index].owner.clone();
    state.views.add(new, owner, Some(view));
    Ok(())
}

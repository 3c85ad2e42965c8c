//! Clicks: what Slack sends when somebody touches a button or a menu.
//! <https://docs.slack.dev/reference/interaction-payloads/block_actions-payload>

use serde_json::{Value, json};

use super::app::{APP_ID, Parcel};
use super::elements;
use super::journal::Message;
use super::response_url::ResponseUrl;
use super::state::State;
use super::user_actions::Refused;
use super::workspace::BOT_USER;

/// Who does something if the test doesn't say.
const USER: &str = "U0ALICE001";
/// The deprecated shared secret in every payload.
pub(super) const TOKEN: &str = "sandbox-verification-token";

/// What a test ordered, and where the sandbox is to be reached.
#[derive(Debug, Clone, Copy)]
pub(super) struct Order<'a> {
    pub(super) given: &'a Value,
    /// `http://HOST` of the sandbox.
    pub(super) origin: &'a str,
    pub(super) now_ms: u64,
}

impl Order<'_> {
    /// A text that isn't empty.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.given[name].as_str().filter(|text| !text.is_empty())
    }

    /// A text that must be there.
    pub(super) fn required(&self, name: &str) -> Result<&str, String> {
        self.text(name).ok_or_else(|| format!("{name} is missing"))
    }

    /// Who does it.
    pub(super) fn user_or(&self, default: Option<&str>) -> String {
        self.text("user").or(default).unwrap_or(USER).to_owned()
    }

    /// What every interaction says about its author and workspace.
    pub(super) fn frame(&self, state: &mut State, kind: &str, user: &str) -> Result<Value, String> {
        let known = state.workspace.users.iter().find(|known| known.id == user && !known.deleted);
        let known = known.ok_or_else(|| format!("there is no user {user:?}"))?;
        let home = self.text("team").unwrap_or(&known.team);
        Ok(json!({
            "type": kind, "api_app_id": APP_ID, "token": TOKEN,
            "user": {"id": user, "username": known.name, "name": known.name, "team_id": home},
            "team": {"id": self.text("team").unwrap_or("T0SANDBOX"), "domain": "sandbox"},
            "enterprise": null, "is_enterprise_install": false,
        }))
    }
}

/// The payload of a click on a message or, with `view_id`, in a view.
pub(super) fn prepare(state: &mut State, order: Order) -> Result<Parcel, Refused> {
    let parcel = if order.text("view_id").is_some() { in_view(state, order) } else { on_message(state, order) };
    parcel.map_err(Refused::from)
}

fn on_message(state: &mut State, order: Order) -> Result<Parcel, String> {
    let (channel, ts) = (order.required("channel")?, order.required("ts")?);
    let outdated = order.given["stale"] == true;
    let channel = state.workspace.find(channel).ok_or_else(|| format!("there is no channel {channel:?}"))?;
    let message = state.journal.any_message(&channel, ts).ok_or("there is no such message")?.clone();
    if message.deleted && !outdated {
        return Err("the message is deleted".to_owned());
    }
    let user = order.user_or(message.ephemeral_for.as_deref());
    if message.ephemeral_for.as_ref().is_some_and(|only| *only != user) {
        return Err(format!("{user} doesn't see this message"));
    }
    if order.text("name").is_some() {
        return legacy(state, order, &message, &user);
    }
    let touch = touch(order, &message, outdated)?;
    let mut payload = order.frame(state, "block_actions", &user)?;
    let kind = if touch.attachment.is_some() { "message_attachment" } else { "message" };
    payload["container"] = json!({"type": kind, "message_ts": ts, "channel_id": channel,
        "is_ephemeral": message.ephemeral_for.is_some()});
    if let Some(number) = touch.attachment {
        payload["container"]["attachment_id"] = number.into();
        payload["container"]["is_app_unfurl"] = false.into();
    }
    if let Some(thread) = &message.thread_ts {
        payload["container"]["thread_ts"] = thread.clone().into();
    }
    payload["trigger_id"] = state.views.hand_out(&user, order.now_ms).into();
    payload["channel"] = json!({"id": channel, "name": message.channel_name});
    // Slack sends no copy of what only one person sees.
    if message.ephemeral_for.is_none() {
        payload["message"] = shown(&message);
    }
    payload["state"] = json!({"values": touch.values});
    payload["response_url"] = response_url(state, order, "actions", &channel, Some(ts), &user).into();
    payload["actions"] = json!([touch.action]);
    Ok(Parcel::interactive(payload, false))
}

/// A fresh response URL.
pub(super) fn response_url(
    state: &mut State,
    order: Order,
    kind: &str,
    channel: &str,
    ts: Option<&str>,
    user: &str,
) -> String {
    let (channel, ts, user) = (channel.to_owned(), ts.map(str::to_owned), user.to_owned());
    let url = ResponseUrl { born_ms: order.now_ms, uses: 0, channel, ts, user };
    format!("{}{}", order.origin, state.response_urls.hand_out(kind, url))
}

struct Touch {
    action: Value,
    /// The number of the attachment it is in.
    attachment: Option<usize>,
    values: Value,
}

/// Finds the element; in an earlier version only if the client is said to be stale.
fn touch(order: Order, message: &Message, stale: bool) -> Result<Touch, String> {
    let (wanted, block_id) = (order.required("action_id")?, order.text("block_id"));
    for (blocks, attachments) in message.versions().take(if stale { usize::MAX } else { 1 }) {
        let own = std::iter::once((None, elements::with_ids(blocks, "b")));
        let attached = attachments.as_array().into_iter().flatten().enumerate();
        let attached = attached
            .map(|(index, one)| (Some(index + 1), elements::with_ids(&one["blocks"], &format!("a{}b", index + 1))));
        for (attachment, blocks) in own.chain(attached) {
            let Some((block, element)) = elements::find(&blocks, wanted, block_id) else { continue };
            let action = elements::touched(block, element, &order.given["option"], order.now_ms)?;
            let values = elements::fill_in(&blocks, &json!({}))?.values;
            return Ok(Touch { action, attachment, values: Value::Object(values) });
        }
    }
    Err(format!("the message has no element {wanted:?}"))
}

/// The message as a payload has it: with the ids that Slack gave, and colours without their `#`.
fn shown(message: &Message) -> Value {
    let mut shown = message.as_slack(BOT_USER);
    if shown["blocks"].is_array() {
        shown["blocks"] = elements::with_ids(&shown["blocks"], "b");
    }
    for (index, attachment) in shown["attachments"].as_array_mut().into_iter().flatten().enumerate() {
        attachment["id"] = (index + 1).into();
        if attachment["fallback"].is_null() {
            attachment["fallback"] = "[no preview available]".into();
        }
        if let Some(color) = attachment["color"].as_str() {
            attachment["color"] = color.trim_start_matches('#').into();
        }
        if attachment["blocks"].is_array() {
            attachment["blocks"] = elements::with_ids(&attachment["blocks"], &format!("a{}b", index + 1));
        }
    }
    shown
}

/// A legacy button or menu.
/// <https://docs.slack.dev/legacy/legacy-messaging/legacy-interactive-message-field-guide>
fn legacy(state: &mut State, order: Order, message: &Message, user: &str) -> Result<Parcel, String> {
    let (name, value) = (order.required("name")?, order.text("value").or(order.text("option")));
    let attachments = message.attachments.as_array().into_iter().flatten().enumerate();
    let mut all = attachments.flat_map(|(index, attachment)| {
        let actions = attachment["actions"].as_array().into_iter().flatten();
        actions.map(move |action| (index + 1, attachment, action))
    });
    let is_it = |action: &Value| {
        let menu = action["type"] == "select";
        action["name"] == name && (menu || value.is_none_or(|value| action["value"] == value))
    };
    let found = all.find(|(.., action)| is_it(action)).ok_or_else(|| format!("the message has no action {name:?}"))?;
    let (number, attachment, action) = found;
    let mut payload = order.frame(state, "interactive_message", user)?;
    payload["actions"] = if action["type"] == "select" {
        let value = value.ok_or("a menu needs an option")?;
        json!([{"name": name, "type": "select", "selected_options": [{"value": value}]}])
    } else {
        json!([{"name": name, "type": "button", "value": action["value"]}])
    };
    payload["callback_id"] = attachment["callback_id"].clone();
    payload["channel"] = json!({"id": message.channel, "name": message.channel_name});
    payload["action_ts"] = format!("{}.{:03}000", order.now_ms / 1000, order.now_ms % 1000).into();
    payload["message_ts"] = message.ts.clone().into();
    payload["attachment_id"] = number.to_string().into();
    payload["is_app_unfurl"] = false.into();
    if message.ephemeral_for.is_none() {
        payload["original_message"] = shown(message);
    }
    let url = response_url(state, order, "actions", &message.channel, Some(&message.ts), user);
    payload["response_url"] = url.into();
    payload["trigger_id"] = state.views.hand_out(user, order.now_ms).into();
    Ok(Parcel::interactive(payload, true))
}

/// A click inside a modal or App Home.
fn in_view(state: &mut State, order: Order) -> Result<Parcel, String> {
    let index = state.views.find(order.text("view_id")).ok_or("this view isn't open")?;
    let open = &state.views.open[index];
    let (mut view, user) = (open.view.clone(), order.user_or(open.owner.as_deref()));
    if open.owner.as_ref().is_some_and(|owner| *owner != user) {
        return Err(format!("{user} doesn't see this view"));
    }
    let wanted = order.required("action_id")?;
    let found = elements::find(&view["blocks"], wanted, order.text("block_id"));
    let (block, element) = found.ok_or_else(|| format!("the view has no element {wanted:?}"))?;
    let action = elements::touched(block, element, &order.given["option"], order.now_ms)?;
    let values = elements::fill_in(&view["blocks"], &order.given["values"])?.values;
    view["state"] = json!({"values": values});
    let mut payload = order.frame(state, "block_actions", &user)?;
    payload["container"] = json!({"type": "view", "view_id": view["id"]});
    payload["trigger_id"] = state.views.hand_out(&user, order.now_ms).into();
    payload["view"] = view;
    payload["actions"] = json!([action]);
    Ok(Parcel::interactive(payload, false))
}

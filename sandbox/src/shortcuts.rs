//! Shortcuts. <https://docs.slack.dev/reference/interaction-payloads/shortcuts-interaction-payload>

use serde_json::{Value, json};

use super::app::Parcel;
use super::click::{Order, response_url};
use super::state::State;
use super::user_actions::Refused;
use super::workspace::BOT_USER;

/// `{"callback_id", "user"?}` for the one beside the message field; with `channel` and `ts` one in a message's menu.
pub(super) fn prepare(state: &mut State, order: Order) -> Result<Parcel, Refused> {
    let callback = order.required("callback_id")?;
    let user = order.user_or(None);
    let Some(ts) = order.text("ts") else {
        let mut payload = order.frame(state, "shortcut", &user)?;
        payload["callback_id"] = callback.into();
        payload["action_ts"] = state.journal.next_ts(order.now_ms).into();
        payload["trigger_id"] = state.views.hand_out(&user, order.now_ms).into();
        return Ok(Parcel::interactive(payload, false));
    };
    let channel = order.required("channel")?;
    let channel = state.workspace.find(channel).ok_or_else(|| format!("there is no channel {channel:?}"))?;
    let message = state.journal.message(&channel, ts).ok_or("there is no such message")?;
    let (shown, name): (Value, _) = (message.as_slack(BOT_USER), message.channel_name.clone());
    let mut payload = order.frame(state, "message_action", &user)?;
    payload["callback_id"] = callback.into();
    payload["action_ts"] = state.journal.next_ts(order.now_ms).into();
    payload["message_ts"] = ts.into();
    payload["message"] = shown;
    payload["channel"] = json!({"id": channel, "name": name});
    payload["trigger_id"] = state.views.hand_out(&user, order.now_ms).into();
    payload["response_url"] = response_url(state, order, "actions", &channel, Some(ts), &user).into();
    Ok(Parcel::interactive(payload, false))
}

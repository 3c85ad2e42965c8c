//! Incoming webhooks. <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>

use serde_json::Value;

use super::chat;
use super::content::Content;
use super::respond::Exchange;
use super::state::State;
use super::wire::{Answer, Request, form_fields};

/// What an app's webhook knows; channel, username and icon come from the app.
const FIELDS: [&str; 8] =
    ["text", "blocks", "attachments", "thread_ts", "unfurl_links", "unfurl_media", "metadata", "mrkdwn"];

/// Takes a message, or says why not with a status and a word.
pub(super) fn answer(state: &mut State, request: &Request, exchange: &Exchange) -> Answer {
    match take(state, request, exchange) {
        Ok(()) => Answer::text(200, "ok"),
        Err((status, body)) => Answer::text(status, &body),
    }
}

type Refused = (u16, String);

fn refused(status: u16, reason: &str) -> Refused {
    (status, reason.to_owned())
}

fn take(state: &mut State, request: &Request, exchange: &Exchange) -> Result<(), Refused> {
    if let Some(refuses) = state.workspace.hooks.get(&request.path).and_then(|hook| hook.refuses.clone()) {
        return Err(refuses);
    }
    if request.path.split('/').filter(|part| !part.is_empty()).count() != 4 {
        return Err(refused(404, "no_service"));
    }
    if request.method != "POST" {
        state.journal.violate(exchange.seq, "wrong_http_method", request.method.clone());
        return Err(refused(400, "invalid_payload"));
    }
    let channel = exchange.channel.as_deref().and_then(|id| state.workspace.channel(id)).cloned();
    let channel = channel.ok_or_else(|| refused(404, "channel_not_found"))?;
    let given = payload(state, request, exchange).ok_or_else(|| refused(400, "invalid_payload"))?;
    if channel.archived {
        return Err(refused(410, "channel_is_archived"));
    }
    if let Some(reason) = &channel.refuses {
        return Err(refused(403, reason));
    }
    let content = Content::read(&given, exchange.seq, &mut state.journal).map_err(|unfit| {
        let reason = if unfit.error == "invalid_blocks_format" { "invalid_blocks" } else { unfit.error };
        refused(400, reason)
    })?;
    let thread_ts =
        chat::parent(state, &given["thread_ts"], &channel.id, exchange.seq).map_err(|reason| refused(400, reason))?;
    let mut message = content.into_message("webhook", given);
    message.received_ms = exchange.now_ms;
    message.ts = state.journal.next_ts(exchange.now_ms);
    message.thread_ts = thread_ts;
    message.channel = channel.id;
    message.channel_name = channel.name;
    state.journal.store(message);
    Ok(())
}

/// The JSON object, also from the old form field `payload`; notes fields an app's webhook doesn't have.
fn payload(state: &mut State, request: &Request, exchange: &Exchange) -> Option<Value> {
    let given = json_or_form(request).or_else(|| {
        let media = request.media_type();
        if media != "application/json" && media != "application/x-www-form-urlencoded" {
            state.journal.violate(exchange.seq, "wrong_content_type", media);
        }
        None
    })?;
    for (name, value) in given.as_object()? {
        if ["channel", "username", "icon_url", "icon_emoji"].contains(&name.as_str()) {
            state.journal.violate(exchange.seq, "webhook_override", name.clone());
        } else if !FIELDS.contains(&name.as_str()) {
            state.journal.violate(exchange.seq, "unknown_field", format!("webhook: {name}"));
        } else if value.is_null() {
            state.journal.violate(exchange.seq, "null_value", format!("webhook: {name}"));
        }
    }
    Some(given)
}

/// The object of a JSON body or of a form's `payload`.
pub(super) fn json_or_form(request: &Request) -> Option<Value> {
    let given: Value = match request.media_type().as_str() {
        "application/json" => serde_json::from_slice(&request.body).ok()?,
        "application/x-www-form-urlencoded" => {
            let fields = form_fields(std::str::from_utf8(&request.body).ok()?);
            let (_, payload) = fields.into_iter().find(|(name, _)| name == "payload")?;
            serde_json::from_str(&payload).ok()?
        }
        _ => return None,
    };
    given.is_object().then_some(given)
}

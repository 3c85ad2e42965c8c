//! `conversations.*`.

use serde_json::{Value, json};

use super::journal::Message;
use super::state::State;
use super::web_api::{Call, Refusal, Reply, require};
use super::workspace::{BOT_USER, Channel, TEAM};

/// The largest page. <https://docs.slack.dev/apis/web-api/pagination>
const PAGE_MAX: usize = 1000;
/// The most people `conversations.open` takes.
const OPEN_USERS_MAX: usize = 8;

/// The kinds of channels that can be listed, and the scope of each.
const KINDS: [(&str, &str); 4] =
    [("public_channel", "channels:read"), ("private_channel", "groups:read"), ("im", "im:read"), ("mpim", "mpim:read")];

/// Answers any of them.
pub(super) fn answer(state: &mut State, call: &Call, scopes: &[String]) -> Reply {
    match call.method.as_str() {
        "conversations.info" => info(state, call, scopes),
        "conversations.list" => list(state, call, scopes),
        "conversations.join" => join(state, call),
        "conversations.open" => open(state, call),
        "conversations.members" => members(state, call),
        "conversations.history" => history(state, call),
        "conversations.replies" => replies(state, call),
        _ => Err(Refusal::new("unknown_method")),
    }
}

/// These methods take ids only; a private channel is hidden from whoever isn't in it.
fn channel<'a>(state: &'a State, call: &Call) -> Result<&'a Channel, Refusal> {
    let id = call.text("channel").ok_or_else(|| Refusal::missing("channel"))?;
    let found = state.workspace.channel(id).filter(|channel| channel.member || !channel.private);
    found.ok_or_else(|| Refusal::new("channel_not_found"))
}

/// <https://docs.slack.dev/reference/methods/conversations.info>
fn info(state: &State, call: &Call, scopes: &[String]) -> Reply {
    let channel = channel(state, call)?;
    require(scopes, &[scope_of(channel)])?;
    Ok(json!({"channel": channel.as_slack()}))
}

/// The scope by which a channel of its kind is read.
fn scope_of(channel: &Channel) -> &'static str {
    match (channel.users.len(), channel.private) {
        (0, false) => "channels:read",
        (0, true) => "groups:read",
        (1, _) => "im:read",
        _ => "mpim:read",
    }
}

/// <https://docs.slack.dev/reference/methods/conversations.list>
fn list(state: &State, call: &Call, scopes: &[String]) -> Reply {
    let types: Vec<&str> = call.text("types").unwrap_or("public_channel").split(',').map(str::trim).collect();
    for (_, scope) in KINDS.iter().filter(|(kind, _)| types.contains(kind)) {
        require(scopes, &[scope])?;
    }
    let wanted = |channel: &&Channel| {
        let is_asked = KINDS.iter().any(|(kind, scope)| *scope == scope_of(channel) && types.contains(kind));
        let hidden = channel.private && !channel.member || channel.archived && call.flag("exclude_archived");
        is_asked && !hidden
    };
    let all: Vec<Value> = state.workspace.channels().filter(wanted).map(Channel::as_slack).collect();
    page(call, &all, "channels")
}

pub(super) fn page(call: &Call, all: &[Value], field: &str) -> Reply {
    let start: usize = match call.text("cursor") {
        Some(cursor) => {
            let number = cursor.strip_prefix("after_").and_then(|number| number.parse().ok());
            number.ok_or_else(|| Refusal::new("invalid_cursor"))?
        }
        None => 0,
    };
    let limit = call.number("limit").unwrap_or(100).clamp(1, PAGE_MAX);
    let rows: Vec<&Value> = all.iter().skip(start).take(limit).collect();
    let end = start + rows.len();
    let next = if end < all.len() { format!("after_{end}") } else { String::new() };
    let mut body = json!({"response_metadata": {"next_cursor": next}});
    body[field] = json!(rows);
    Ok(body)
}

/// <https://docs.slack.dev/reference/methods/conversations.join>
fn join(state: &mut State, call: &Call) -> Reply {
    let found = channel(state, call)?.clone();
    if found.is_direct() || found.private {
        return Err(Refusal::new("method_not_supported_for_channel_type"));
    }
    if found.archived {
        return Err(Refusal::new("is_archived"));
    }
    if let Some(channel) = state.workspace.channel_mut(&found.id) {
        channel.member = true;
        let shown = channel.as_slack();
        return Ok(if found.member {
            json!({"channel": shown, "warning": "already_in_channel"})
        } else {
            json!({"channel": shown})
        });
    }
    Err(Refusal::new("channel_not_found"))
}

/// <https://docs.slack.dev/reference/methods/conversations.open>
fn open(state: &mut State, call: &Call) -> Reply {
    if call.text("channel").is_some() {
        return Ok(json!({"channel": channel(state, call)?.as_slack(), "no_op": true, "already_open": true}));
    }
    let given = call.text("users").ok_or_else(|| Refusal::new("users_list_not_supplied"))?;
    let users: Vec<String> = given.split(',').map(|user| user.trim().to_owned()).collect();
    if users.len() > OPEN_USERS_MAX {
        return Err(Refusal::new("too_many_users"));
    }
    for id in &users {
        match state.workspace.users.iter().find(|user| user.id == *id) {
            None => return Err(Refusal::new("user_not_found")),
            Some(user) if user.deleted => return Err(Refusal::new("user_disabled")),
            Some(user) if user.id == BOT_USER => return Err(Refusal::new("cannot_dm_bot")),
            Some(_) => {}
        }
    }
    let id = state.workspace.open_direct(&users);
    Ok(json!({"channel": {"id": id}}))
}

/// <https://docs.slack.dev/reference/methods/conversations.members>
fn members(state: &State, call: &Call) -> Reply {
    let other = channel(state, call)?.shared_with.as_ref();
    let people =
        state.workspace.users.iter().filter(|user| !user.deleted && (user.team == TEAM || Some(&user.team) == other));
    let all: Vec<Value> = people.map(|user| user.id.clone().into()).collect();
    page(call, &all, "members")
}

fn readable<'a>(state: &'a State, call: &Call) -> Result<&'a Channel, Refusal> {
    let found = channel(state, call)?;
    if found.member { Ok(found) } else { Err(Refusal::new("not_in_channel")) }
}

fn shown(message: &Message, call: &Call) -> Value {
    let mut shown = message.as_slack(BOT_USER);
    if !call.flag("include_all_metadata")
        && let Some(fields) = shown.as_object_mut()
    {
        fields.remove("metadata");
    }
    shown
}

/// Newest first, without the replies of threads.
/// <https://docs.slack.dev/reference/methods/conversations.history>
fn history(state: &State, call: &Call) -> Reply {
    let found = readable(state, call)?;
    let oldest = call.text("oldest").unwrap_or("0");
    let latest = call.text("latest").unwrap_or("9999999999.999999");
    let inclusive = call.flag("inclusive");
    let in_range = |ts: &str| (ts > oldest && ts < latest) || (inclusive && (ts == oldest || ts == latest));
    let heads = state.journal.visible_in(&found.id).rev().filter(|message| {
        message.thread_ts.as_ref().is_none_or(|thread| *thread == message.ts) && in_range(&message.ts)
    });
    let all: Vec<Value> = heads.map(|message| shown(message, call)).collect();
    let mut body = page(call, &all, "messages")?;
    body["has_more"] = (body["response_metadata"]["next_cursor"] != "").into();
    Ok(body)
}

/// The parent first, then its replies. <https://docs.slack.dev/reference/methods/conversations.replies>
fn replies(state: &State, call: &Call) -> Reply {
    let found = readable(state, call)?;
    let ts = call.text("ts").ok_or_else(|| Refusal::missing("ts"))?;
    if state.journal.message(&found.id, ts).is_none() {
        return Err(Refusal::new("thread_not_found"));
    }
    let thread = state.journal.visible_in(&found.id);
    let thread = thread.filter(|message| message.ts == ts || message.thread_ts.as_deref() == Some(ts));
    let all: Vec<Value> = thread.map(|message| shown(message, call)).collect();
    page(call, &all, "messages")
}

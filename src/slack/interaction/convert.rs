//! From the shapes on the wire to their meaning.

use super::wire::{AppHome, Callback, Element, Payload, ReactionEvent, Revoked, Slash, WireView};
use super::{
    Action, ActionId, BlockActions, BlockId, CallbackId, ChannelId, DecodeError, Event, EventId, EventKind, Input,
    Interaction, MessageTs, Origin, Reaction, Shortcut, ShortcutName, SlashCommand, TeamId, TriggerId, Unsupported,
    UserId, View, ViewAction, ViewId, brief_kind,
};
use crate::system::order;
use crate::system::secret::Secret;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeMap;

/// Any JSON that Slack sends but a slash command's; of an unknown kind nothing more is decoded.
pub(super) fn payload(value: Value) -> Result<Interaction, DecodeError> {
    let kind = match value.get("type") {
        Some(Value::String(kind)) => brief_kind(kind),
        _ => return Err(DecodeError::Missing { kind: "payload", field: "type" }),
    };
    match kind.as_str() {
        "block_actions" => block_actions(value),
        "view_submission" => view_action("view_submission", value).map(Interaction::ViewSubmission),
        "interactive_message" => unsupported("interactive_message", value),
        "shortcut" => shortcut("shortcut", value),
        "message_action" => shortcut("message_action", value),
        "event_callback" => event(value),
        _ => Ok(Interaction::Unknown { kind }),
    }
}

/// A slash command, from a form or from Socket Mode.
pub(super) fn command(value: Value) -> Result<Interaction, DecodeError> {
    const KIND: &str = "slash command";
    let wire: Slash = from_object(KIND, value)?;
    let team = wire.team_id.and_then(TeamId::new);
    Ok(Interaction::SlashCommand(SlashCommand {
        origin: Origin {
            user: required(wire.user_id.and_then(UserId::new), KIND, "user_id")?,
            user_name: filled(wire.user_name),
            user_team: team.clone(),
            team,
            channel: wire.channel_id.and_then(ChannelId::new),
            trigger: wire.trigger_id.and_then(TriggerId::new),
            response_url: filled(wire.response_url).map(Secret::new),
        },
        command: required(filled(wire.command), KIND, "command")?,
        text: wire.text.unwrap_or_default(),
    }))
}

fn block_actions(value: Value) -> Result<Interaction, DecodeError> {
    const KIND: &str = "block_actions";
    let mut wire: Payload = from_object(KIND, value)?;
    let actions = wire.actions.take().unwrap_or_default();
    let view = wire.view.take().map(|view| view_of(KIND, view)).transpose()?;
    Ok(Interaction::BlockActions(BlockActions {
        message: message(&wire),
        origin: origin(KIND, wire)?,
        actions: actions.into_iter().map(|element| action(KIND, element)).collect::<Result<_, _>>()?,
        view,
    }))
}

fn action(kind: &'static str, mut element: Element) -> Result<Action, DecodeError> {
    Ok(Action {
        id: required(element.action_id.take().and_then(ActionId::new), kind, "action_id")?,
        block: element.block_id.take().and_then(BlockId::new),
        kind: element.kind.take().unwrap_or_default(),
        value: element.value.clone(),
        ts: element.action_ts.take().and_then(MessageTs::new),
        is_url: element.url.is_some(),
        input: input(element),
    })
}

fn input(element: Element) -> Input {
    if let Some(moment) = element.selected_date_time {
        return Input::Moment(moment);
    }
    if let Some(choices) = element.selected_options {
        return Input::Values(choices.into_iter().filter_map(|choice| choice.value).collect());
    }
    if let Some(users) = element.selected_users {
        return Input::Values(users);
    }
    let one = [
        element.value,
        element.selected_option.and_then(|choice| choice.value),
        element.selected_date,
        element.selected_time,
        element.selected_user,
        element.selected_channel,
        element.selected_conversation,
    ];
    one.into_iter().flatten().find(|value| !value.is_empty()).map_or(Input::Empty, Input::Value)
}

fn view_action(kind: &'static str, value: Value) -> Result<ViewAction, DecodeError> {
    let mut wire: Payload = from_object(kind, value)?;
    let view = required(wire.view.take(), kind, "view")?;
    Ok(ViewAction { view: view_of(kind, view)?, origin: origin(kind, wire)? })
}

fn view_of(kind: &'static str, wire: WireView) -> Result<View, DecodeError> {
    let mut inputs: BTreeMap<BlockId, BTreeMap<ActionId, Input>> = BTreeMap::new();
    for (block, elements) in wire.state.and_then(|state| state.values).unwrap_or_default() {
        let elements = elements.into_iter().filter_map(|(name, element)| Some((ActionId::new(name)?, input(element))));
        inputs.extend(BlockId::new(block).map(|block| (block, order::map(elements))));
    }
    Ok(View {
        id: required(wire.id.and_then(ViewId::new), kind, "view.id")?,
        callback: wire.callback_id.and_then(CallbackId::new),
        private_metadata: wire.private_metadata.unwrap_or_default(),
        inputs,
    })
}

fn unsupported(kind: &'static str, value: Value) -> Result<Interaction, DecodeError> {
    let wire: Payload = from_object(kind, value)?;
    Ok(Interaction::Unsupported(Unsupported { kind, message: message(&wire), origin: origin(kind, wire)? }))
}

/// One that isn't in our manifest is answered as a button that isn't ours.
fn shortcut(kind: &'static str, value: Value) -> Result<Interaction, DecodeError> {
    let wire: Payload = from_object(kind, value.clone())?;
    let is_it = |name: &ShortcutName| wire.callback_id.as_deref() == Some(name.as_str());
    let Some(name) = ShortcutName::ALL.into_iter().find(is_it) else {
        return unsupported(kind, value);
    };
    let thread = wire.message.as_ref().and_then(|message| message.thread_ts.clone()).and_then(MessageTs::new);
    let message = thread.or_else(|| message(&wire));
    Ok(Interaction::Shortcut(Shortcut { name, message, origin: origin(kind, wire)? }))
}

fn origin(kind: &'static str, wire: Payload) -> Result<Origin, DecodeError> {
    let user = wire.user.unwrap_or_default();
    let team = wire.team.and_then(|team| team.id).and_then(TeamId::new);
    let channel = wire.channel.and_then(|channel| channel.id);
    let channel = channel.or_else(|| wire.container.and_then(|container| container.channel_id));
    Ok(Origin {
        user: required(user.id.and_then(UserId::new), kind, "user.id")?,
        user_name: filled(user.username).or_else(|| filled(user.name)),
        // The payloads of views don't say it.
        user_team: user.team_id.and_then(TeamId::new).or_else(|| team.clone()),
        team,
        channel: channel.and_then(ChannelId::new),
        trigger: wire.trigger_id.and_then(TriggerId::new),
        response_url: filled(wire.response_url).map(Secret::new),
    })
}

fn message(wire: &Payload) -> Option<MessageTs> {
    let ts = wire.container.as_ref().and_then(|container| container.message_ts.clone());
    let ts = ts.or_else(|| wire.message_ts.clone());
    ts.or_else(|| wire.message.as_ref().and_then(|message| message.ts.clone())).and_then(MessageTs::new)
}

fn event(value: Value) -> Result<Interaction, DecodeError> {
    let wire: Callback = from_object("event_callback", value)?;
    Ok(Interaction::Event(Event {
        id: wire.event_id.and_then(EventId::new),
        team: wire.team_id.and_then(TeamId::new),
        time: wire.event_time,
        kind: event_kind(required(wire.event, "event_callback", "event")?)?,
    }))
}

fn event_kind(event: Value) -> Result<EventKind, DecodeError> {
    let kind = event.get("type").and_then(Value::as_str).map(brief_kind);
    let kind = required(kind, "event_callback", "event.type")?;
    Ok(match kind.as_str() {
        "app_uninstalled" => EventKind::AppUninstalled,
        "tokens_revoked" => {
            let tokens = from_object::<Revoked>("tokens_revoked", event)?.tokens.unwrap_or_default();
            let users =
                |ids: Option<Vec<String>>| ids.unwrap_or_default().into_iter().filter_map(UserId::new).collect();
            EventKind::TokensRevoked { people: users(tokens.oauth), bots: users(tokens.bot) }
        }
        "app_home_opened" => {
            let wire: AppHome = from_object("app_home_opened", event)?;
            let user = required(wire.user.and_then(UserId::new), "app_home_opened", "user")?;
            EventKind::AppHomeOpened { user, tab: wire.tab.unwrap_or_default() }
        }
        "reaction_added" | "reaction_removed" => reaction(kind, event)?,
        _ => EventKind::Other { kind },
    })
}

/// One on anything but a message is of no use here.
fn reaction(kind: String, event: Value) -> Result<EventKind, DecodeError> {
    let is_added = kind == "reaction_added";
    let wire: ReactionEvent = from_object("reaction", event)?;
    let item = wire.item.unwrap_or_default();
    let Some((channel, message)) = item.channel.and_then(ChannelId::new).zip(item.ts.and_then(MessageTs::new)) else {
        return Ok(EventKind::Other { kind });
    };
    let user = required(wire.user.and_then(UserId::new), "reaction", "user")?;
    Ok(EventKind::Reaction(Reaction { user, emoji: wire.reaction.unwrap_or_default(), is_added, channel, message }))
}

fn from_object<T: DeserializeOwned>(kind: &'static str, value: Value) -> Result<T, DecodeError> {
    // serde would take a list for a struct, too.
    if !value.is_object() {
        return Err(DecodeError::Shape(kind));
    }
    serde_json::from_value(value).map_err(|_| DecodeError::Shape(kind))
}

fn required<T>(value: Option<T>, kind: &'static str, field: &'static str) -> Result<T, DecodeError> {
    value.ok_or(DecodeError::Missing { kind, field })
}

fn filled(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

//! From the shapes on the wire to what they mean.

use super::wire::{AppHome, Callback, Element, Payload, Revoked, Slash, Verification, WireView};
use super::{
    Action, ActionId, AppId, BlockActions, BlockId, CallbackId, ChannelId, DecodeError, EnterpriseId, Event, EventId,
    EventKind, Input, Interaction, LegacyMessage, MessageTs, Origin, Place, Shortcut, SlashCommand, TeamId, TriggerId,
    UserId, View, ViewAction, ViewId, brief_kind,
};
use crate::system::secret::Secret;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeMap;

/// Any JSON that Slack sends but a slash command's; a kind that isn't known is read no further.
pub(super) fn payload(value: Value) -> Result<Interaction, DecodeError> {
    let kind = match value.get("type") {
        Some(Value::String(kind)) => brief_kind(kind),
        _ => return Err(DecodeError::Missing { kind: "payload", field: "type" }),
    };
    match kind.as_str() {
        "block_actions" => block_actions(value),
        "view_submission" => view_action("view_submission", value).map(Interaction::ViewSubmission),
        "view_closed" => view_action("view_closed", value).map(Interaction::ViewClosed),
        "interactive_message" => legacy_message(value),
        "shortcut" => shortcut("shortcut", value),
        "message_action" => shortcut("message_action", value),
        "block_suggestion" => Ok(Interaction::BlockSuggestion),
        "event_callback" => event(value),
        "url_verification" => {
            let wire: Verification = read("url_verification", value)?;
            let challenge = required(wire.challenge, "url_verification", "challenge")?;
            Ok(Interaction::UrlVerification { challenge })
        }
        _ => Ok(Interaction::Unknown { kind }),
    }
}

/// A slash command, from a form or from Socket Mode.
pub(super) fn command(value: Value) -> Result<Interaction, DecodeError> {
    const KIND: &str = "slash command";
    let wire: Slash = read(KIND, value)?;
    let team = wire.team_id.and_then(TeamId::new);
    Ok(Interaction::SlashCommand(SlashCommand {
        origin: Origin {
            user: required(wire.user_id.and_then(UserId::new), KIND, "user_id")?,
            user_name: filled(wire.user_name),
            user_team: team.clone(),
            team,
            enterprise: wire.enterprise_id.and_then(EnterpriseId::new),
            app: wire.api_app_id.and_then(AppId::new),
            channel: wire.channel_id.and_then(ChannelId::new),
            trigger: wire.trigger_id.and_then(TriggerId::new),
            response_url: filled(wire.response_url).map(Secret::new),
            is_ext_shared_channel: false,
        },
        command: required(filled(wire.command), KIND, "command")?,
        text: wire.text.unwrap_or_default(),
    }))
}

fn block_actions(value: Value) -> Result<Interaction, DecodeError> {
    const KIND: &str = "block_actions";
    let mut wire: Payload = read(KIND, value)?;
    let actions = wire.actions.take().unwrap_or_default();
    let view = wire.view.take().map(|view| view_of(KIND, view)).transpose()?;
    Ok(Interaction::BlockActions(BlockActions {
        place: place(&wire),
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
    let mut wire: Payload = read(kind, value)?;
    let view = required(wire.view.take(), kind, "view")?;
    Ok(ViewAction { view: view_of(kind, view)?, origin: origin(kind, wire)? })
}

fn view_of(kind: &'static str, wire: WireView) -> Result<View, DecodeError> {
    let mut inputs: BTreeMap<BlockId, BTreeMap<ActionId, Input>> = BTreeMap::new();
    for (block, elements) in wire.state.and_then(|state| state.values).unwrap_or_default() {
        let elements = elements.into_iter().filter_map(|(name, element)| Some((ActionId::new(name)?, input(element))));
        inputs.extend(BlockId::new(block).map(|block| (block, elements.collect())));
    }
    Ok(View {
        id: required(wire.id.and_then(ViewId::new), kind, "view.id")?,
        hash: filled(wire.hash),
        callback: wire.callback_id.and_then(CallbackId::new),
        private_metadata: wire.private_metadata.unwrap_or_default(),
        inputs,
    })
}

fn legacy_message(value: Value) -> Result<Interaction, DecodeError> {
    const KIND: &str = "interactive_message";
    let mut wire: Payload = read(KIND, value)?;
    let element = wire.actions.take().unwrap_or_default().into_iter().next();
    let element = required(element, KIND, "actions")?;
    let chosen = element.selected_options.unwrap_or_default().into_iter().next().and_then(|choice| choice.value);
    Ok(Interaction::LegacyMessage(LegacyMessage {
        place: place(&wire),
        callback: wire.callback_id.take().and_then(CallbackId::new),
        action_ts: wire.action_ts.take().and_then(MessageTs::new),
        origin: origin(KIND, wire)?,
        name: element.name.unwrap_or_default(),
        value: element.value.or(chosen),
    }))
}

fn shortcut(kind: &'static str, value: Value) -> Result<Interaction, DecodeError> {
    let mut wire: Payload = read(kind, value)?;
    Ok(Interaction::Shortcut(Shortcut {
        place: place(&wire),
        callback: wire.callback_id.take().and_then(CallbackId::new),
        origin: origin(kind, wire)?,
    }))
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
        enterprise: wire.enterprise.and_then(|enterprise| enterprise.id).and_then(EnterpriseId::new),
        app: wire.api_app_id.and_then(AppId::new),
        channel: channel.and_then(ChannelId::new),
        trigger: wire.trigger_id.and_then(TriggerId::new),
        response_url: filled(wire.response_url).map(Secret::new),
        is_ext_shared_channel: wire.is_ext_shared_channel.unwrap_or_default(),
    })
}

fn place(wire: &Payload) -> Place {
    let (container, message) = (wire.container.as_ref(), wire.message.as_ref());
    let ts = container.and_then(|c| c.message_ts.clone()).or_else(|| wire.message_ts.clone());
    let ts = ts.or_else(|| message.and_then(|message| message.ts.clone()));
    let thread = container.and_then(|c| c.thread_ts.clone());
    let thread = thread.or_else(|| message.and_then(|message| message.thread_ts.clone()));
    Place {
        message: ts.and_then(MessageTs::new),
        thread: thread.and_then(MessageTs::new),
        is_ephemeral: container.and_then(|container| container.is_ephemeral).unwrap_or_default(),
    }
}

fn event(value: Value) -> Result<Interaction, DecodeError> {
    let wire: Callback = read("event_callback", value)?;
    Ok(Interaction::Event(Event {
        id: wire.event_id.and_then(EventId::new),
        team: wire.team_id.and_then(TeamId::new),
        enterprise: wire.enterprise_id.and_then(EnterpriseId::new),
        app: wire.api_app_id.and_then(AppId::new),
        is_ext_shared_channel: wire.is_ext_shared_channel.unwrap_or_default(),
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
            let tokens = read::<Revoked>("tokens_revoked", event)?.tokens.unwrap_or_default();
            let users =
                |ids: Option<Vec<String>>| ids.unwrap_or_default().into_iter().filter_map(UserId::new).collect();
            EventKind::TokensRevoked { people: users(tokens.oauth), bots: users(tokens.bot) }
        }
        "app_home_opened" => {
            let wire: AppHome = read("app_home_opened", event)?;
            let user = required(wire.user.and_then(UserId::new), "app_home_opened", "user")?;
            EventKind::AppHomeOpened { user, tab: wire.tab.unwrap_or_default() }
        }
        _ => EventKind::Other { kind },
    })
}

fn read<T: DeserializeOwned>(kind: &'static str, value: Value) -> Result<T, DecodeError> {
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

//! What a person can do about an error of Slack: the only table of it. Another remedy is another row here.

use crate::model::slack_error::SlackError;

/// Where the error is shown, and so to whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Context {
    /// In the default channel, which got the message instead: to the people on call.
    Reroute,
    /// `ackbell doctor`, about the bot token.
    DoctorToken,
    /// `ackbell doctor`, about the app-level token.
    DoctorSocket,
    /// `ackbell doctor`, when it looks for a channel or person, and with `--send` for the test message.
    DoctorPost,
    /// `ackbell setup`, about the bot token, the webhook and the channel.
    Setup,
    /// `ackbell setup`, about the app-level token.
    SetupSocket,
    /// The log, when the Home tab can't be published.
    HomeTab,
    /// The log and `check`, when the dead man's switch can't be renewed.
    DeadMan,
}

/// The remedy as a clause without a full stop; `None` where nothing is known to help. `error` is `None` when it wasn't
/// Slack that failed.
pub(crate) fn remedy(error: Option<&SlackError>, context: Context) -> Option<&'static str> {
    error.and_then(|error| by_error(error, context)).or(match context {
        Context::DoctorToken => Some("look at the app's page: api.slack.com/apps"),
        Context::DoctorSocket => {
            Some("api.slack.com/apps, Basic Information, App-Level Tokens: one with connections:write into app_token")
        }
        Context::DoctorPost => Some("ackbell doctor without --send names the cause in an earlier line"),
        Context::Reroute | Context::Setup | Context::SetupSocket | Context::HomeTab | Context::DeadMan => None,
    })
}

fn by_error(error: &SlackError, context: Context) -> Option<&'static str> {
    use Context::{DeadMan, DoctorPost, DoctorToken, HomeTab, Reroute, Setup, SetupSocket};
    use SlackError as E;
    Some(match (error, context) {
        (E::InvalidAuth, DoctorToken) => {
            "copy the Bot User OAuth Token again (api.slack.com/apps, OAuth & Permissions) into bot_token"
        }
        (E::InvalidAuth, Setup | SetupSocket) => {
            "copy the token again, whole, from OAuth & Permissions (or Basic Information) of your app"
        }
        (E::NotAuthed, Setup | SetupSocket) => "copy the token again, whole",
        (E::AccountInactive | E::TokenRevoked, DoctorToken) => {
            "the app was removed: install it again (api.slack.com/apps, Install App) and put the new token into bot_token"
        }
        (E::AccountInactive | E::TokenRevoked | E::TokenExpired, Setup | SetupSocket) => {
            "install the app to the workspace again, and copy the new token"
        }
        (E::TokenExpired, DoctorToken) => "switch token rotation off in the app and put the new token into bot_token",
        (E::MissingScope { .. } | E::NotAllowedTokenType, SetupSocket) => {
            "generate the app-level token with the scope connections:write"
        }
        (E::NotAllowedTokenType, Setup) => "copy the Bot User OAuth Token (xoxb-...), not another one",
        (E::MissingScope { .. }, Setup) => "add the scope under OAuth & Permissions, then reinstall the app",
        (E::MissingScope { .. }, DoctorPost) => {
            "api.slack.com/apps, OAuth & Permissions: add the scope, then reinstall the app"
        }
        (E::MissingScope { .. }, Reroute) => {
            "add the scope to the app and reinstall it, or take channel out of the configuration"
        }
        (E::NoTeam, Setup) => "the webhook's workspace is gone: add a webhook in the right one",
        (E::NoService | E::InvalidToken, Setup) => "the webhook was removed or never existed: copy its address again",
        (webhook, DoctorPost) if webhook.is_about_webhook() => {
            "the webhook was revoked: make a new one (api.slack.com/apps, Incoming Webhooks) and put it into webhook_url"
        }
        (E::NotInChannel | E::ChannelNotFound, Reroute) => {
            "if that channel exists, type /invite and the app's name there"
        }
        (E::NotInChannel | E::ChannelNotFound, DoctorPost) => "in that channel type /invite and the app's name",
        (E::NotInChannel, Setup) => "in Slack, write `/invite @` and the app's name in that channel",
        (E::ChannelNotFound, Setup) => {
            "check the name; in a private channel, `/invite` the app and give the channel's id"
        }
        (E::IsArchived | E::IsInactive | E::ChannelIsArchived, Reroute) => "unarchive it or change the route",
        (E::IsArchived | E::ChannelIsArchived, DoctorPost) => {
            "in Slack: unarchive the channel, or name another one in the configuration"
        }
        (E::IsArchived | E::ChannelIsArchived, Setup) => "name another channel",
        (E::NotInChannel | E::ChannelNotFound, DeadMan) => {
            "in the channel of [deadman] type /invite and the app's name"
        }
        (E::Other(code), DeadMan) => match code.as_str() {
            "time_in_past" => "this host's clock is behind Slack's: set it",
            "restricted_too_many" => "other programs schedule messages for that channel, too: choose another one",
            _ => return None,
        },
        (E::NotEnabled, HomeTab) => "enable the Home Tab (App Home, in the app's settings)",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_context_has_its_own_remedy_for_an_error() {
        let of = |error, context| remedy(Some(&error), context);
        for (error, context, expected) in [
            (
                SlackError::NotInChannel,
                Context::Reroute,
                "if that channel exists, type /invite and the app's name there",
            ),
            (SlackError::NotInChannel, Context::DoctorPost, "in that channel type /invite and the app's name"),
            (
                SlackError::NotInChannel,
                Context::Setup,
                "in Slack, write `/invite @` and the app's name in that channel",
            ),
            (
                SlackError::NoServiceId,
                Context::DoctorPost,
                "the webhook was revoked: make a new one (api.slack.com/apps, Incoming Webhooks) and put it into webhook_url",
            ),
            (SlackError::NotEnabled, Context::HomeTab, "enable the Home Tab (App Home, in the app's settings)"),
            (SlackError::Other("odd".into()), Context::DoctorToken, "look at the app's page: api.slack.com/apps"),
        ] {
            assert_eq!(of(error, context), Some(expected));
        }
        assert_eq!(of(SlackError::Other("odd".into()), Context::Setup), None);
        assert_eq!(remedy(None, Context::Reroute), None);
    }
}

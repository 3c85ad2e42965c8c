//! The errors that Slack names, and the reason of a failure with its error beside the text.

use std::fmt;
use std::ops::Deref;

/// An error code of Slack: of the Web API, of a webhook, or the event that reports the same
/// (<https://docs.slack.dev/reference/methods/chat.postMessage#errors>). Those that ackbell treats by name; any other
/// keeps its code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SlackError {
    InvalidAuth,
    NotAuthed,
    AccountInactive,
    TokenRevoked,
    TokenExpired,
    /// `needed` is empty where Slack didn't name the scope, and where the error comes from the database.
    MissingScope {
        needed: String,
    },
    NotAllowedTokenType,
    NoPermission,
    TeamAccessNotGranted,
    TwoFactorSetupRequired,
    EkmAccessDenied,
    AccessLimited,
    /// The events by which Slack reports that an app was removed.
    AppUninstalled,
    TokensRevoked,
    /// Six answers of a webhook that no longer works.
    NoService,
    NoServiceId,
    NoActiveHooks,
    InvalidToken,
    NoTeam,
    TeamDisabled,
    NotInChannel,
    ChannelNotFound,
    /// The Web API's code, and the webhooks' one.
    IsArchived,
    ChannelIsArchived,
    IsInactive,
    UserNotFound,
    UsersNotFound,
    /// The app has no Home tab.
    NotEnabled,
    Other(String),
}

/// All but `Other`.
const NAMED: [SlackError; 28] = [
    SlackError::InvalidAuth,
    SlackError::NotAuthed,
    SlackError::AccountInactive,
    SlackError::TokenRevoked,
    SlackError::TokenExpired,
    SlackError::MissingScope { needed: String::new() },
    SlackError::NotAllowedTokenType,
    SlackError::NoPermission,
    SlackError::TeamAccessNotGranted,
    SlackError::TwoFactorSetupRequired,
    SlackError::EkmAccessDenied,
    SlackError::AccessLimited,
    SlackError::AppUninstalled,
    SlackError::TokensRevoked,
    SlackError::NoService,
    SlackError::NoServiceId,
    SlackError::NoActiveHooks,
    SlackError::InvalidToken,
    SlackError::NoTeam,
    SlackError::TeamDisabled,
    SlackError::NotInChannel,
    SlackError::ChannelNotFound,
    SlackError::IsArchived,
    SlackError::ChannelIsArchived,
    SlackError::IsInactive,
    SlackError::UserNotFound,
    SlackError::UsersNotFound,
    SlackError::NotEnabled,
];

impl SlackError {
    /// Slack's code. [`SlackError::from`] turns it back into the same error, without the scope that was needed.
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::InvalidAuth => "invalid_auth",
            Self::NotAuthed => "not_authed",
            Self::AccountInactive => "account_inactive",
            Self::TokenRevoked => "token_revoked",
            Self::TokenExpired => "token_expired",
            Self::MissingScope { .. } => "missing_scope",
            Self::NotAllowedTokenType => "not_allowed_token_type",
            Self::NoPermission => "no_permission",
            Self::TeamAccessNotGranted => "team_access_not_granted",
            Self::TwoFactorSetupRequired => "two_factor_setup_required",
            Self::EkmAccessDenied => "ekm_access_denied",
            Self::AccessLimited => "accesslimited",
            Self::AppUninstalled => "app_uninstalled",
            Self::TokensRevoked => "tokens_revoked",
            Self::NoService => "no_service",
            Self::NoServiceId => "no_service_id",
            Self::NoActiveHooks => "no_active_hooks",
            Self::InvalidToken => "invalid_token",
            Self::NoTeam => "no_team",
            Self::TeamDisabled => "team_disabled",
            Self::NotInChannel => "not_in_channel",
            Self::ChannelNotFound => "channel_not_found",
            Self::IsArchived => "is_archived",
            Self::ChannelIsArchived => "channel_is_archived",
            Self::IsInactive => "is_inactive",
            Self::UserNotFound => "user_not_found",
            Self::UsersNotFound => "users_not_found",
            Self::NotEnabled => "not_enabled",
            Self::Other(code) => code,
        }
    }

    /// Whether nothing works with this token or webhook until a person replaces or repairs it.
    pub(crate) fn is_about_credentials(&self) -> bool {
        match self {
            Self::InvalidAuth
            | Self::NotAuthed
            | Self::AccountInactive
            | Self::TokenRevoked
            | Self::TokenExpired
            | Self::MissingScope { .. }
            | Self::NotAllowedTokenType
            | Self::NoPermission
            | Self::TeamAccessNotGranted
            | Self::TwoFactorSetupRequired
            | Self::EkmAccessDenied
            | Self::AccessLimited
            | Self::AppUninstalled
            | Self::TokensRevoked => true,
            Self::NotInChannel
            | Self::ChannelNotFound
            | Self::IsArchived
            | Self::ChannelIsArchived
            | Self::IsInactive
            | Self::UserNotFound
            | Self::UsersNotFound
            | Self::NotEnabled
            | Self::Other(_) => false,
            webhook => webhook.is_about_webhook(),
        }
    }

    /// Whether a webhook's address no longer works.
    pub(crate) fn is_about_webhook(&self) -> bool {
        matches!(
            self,
            Self::NoService
                | Self::NoServiceId
                | Self::NoActiveHooks
                | Self::InvalidToken
                | Self::NoTeam
                | Self::TeamDisabled
        )
    }

    /// The first error named in a kept text: for rows that a version without the code beside the text wrote.
    pub(crate) fn find_in(text: &str) -> Option<Self> {
        let codes = text.split(|c: char| !(c.is_ascii_lowercase() || c == '_'));
        codes.map(Self::from).find(|error| !matches!(error, Self::Other(_)))
    }
}

impl From<&str> for SlackError {
    fn from(code: &str) -> Self {
        NAMED.into_iter().find(|error| error.as_str() == code).unwrap_or_else(|| Self::Other(code.to_owned()))
    }
}

impl fmt::Display for SlackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why an attempt failed: a text for people, and the error where Slack named one. Used as a `str` it is the text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Reason {
    /// `None` when it wasn't Slack that refused: the network, a proxy, the configuration.
    pub(crate) error: Option<SlackError>,
    pub(crate) text: String,
}

impl Reason {
    /// Slack's code, if it was Slack that refused.
    pub(crate) fn code(&self) -> Option<&str> {
        self.error.as_ref().map(SlackError::as_str)
    }

    /// An error of Slack, with the text that is shown and kept.
    pub(crate) fn new(error: SlackError, text: String) -> Self {
        Self { error: Some(error), text }
    }
}

impl From<SlackError> for Reason {
    fn from(error: SlackError) -> Self {
        let text = error.as_str().to_owned();
        Self::new(error, text)
    }
}

impl From<String> for Reason {
    fn from(text: String) -> Self {
        Self { error: None, text }
    }
}

impl From<&str> for Reason {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl From<Reason> for String {
    fn from(reason: Reason) -> Self {
        reason.text
    }
}

impl Deref for Reason {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_names_the_same_error_again() {
        for error in NAMED {
            assert_eq!(SlackError::from(error.as_str()), error);
        }
        assert_eq!(SlackError::from("odd_code"), SlackError::Other("odd_code".into()));
        assert_eq!(SlackError::from("odd_code").as_str(), "odd_code");
    }

    #[test]
    fn a_kept_text_still_names_its_error() {
        assert_eq!(SlackError::find_in("404 no_service"), Some(SlackError::NoService));
        let kept = "missing_scope (needs chat:write, has none)";
        assert!(SlackError::find_in(kept).is_some_and(|error| error.is_about_credentials()));
        assert_eq!(SlackError::find_in("HTTP 503"), None);
    }
}

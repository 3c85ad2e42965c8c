//! The credentials of an integration: its webhook, its bot token, or the token from an installation by a browser.

use super::problem::{Mistake, Problems};
use super::secrets::LoadContext;
use super::tree::Span;
use super::{Config, DEFAULT_INTEGRATION, Integration};
use crate::model::time_text::utc;
use crate::state_dir::installation::{self, Install, Revoked};
use crate::system::secret::Secret;
use std::fmt;

/// By which right an integration posts.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Credentials {
    /// By none: it is disabled, or `ackbell setup` is about to give it one.
    None,
    /// An incoming webhook posts to its own channel, and can do nothing else.
    Webhook { url: Secret },
    /// A bot token from the configuration. The webhook beside it posts where the token has no channel or no right to.
    Bot { token: Secret, webhook: Option<Secret> },
    /// A browser installs the app: the installation, once there is one, brings the bot token.
    Installable { installation: Option<Install>, webhook: Option<Secret> },
}

/// The path below the public address where a browser begins an installation.
pub(crate) const INSTALL_PATH: &str = "/slack/install";

impl Credentials {
    /// From the configuration's values; a bot token is preferred to an installation, and both to a webhook.
    pub(super) fn new(token: Option<Secret>, webhook: Option<Secret>, is_installable: bool) -> Self {
        match (token, webhook) {
            (Some(token), webhook) => Self::Bot { token, webhook },
            (None, webhook) if is_installable => Self::Installable { installation: None, webhook },
            (None, Some(url)) => Self::Webhook { url },
            (None, None) => Self::None,
        }
    }

    /// The same with this bot token from the configuration.
    pub(crate) fn with_token(self, token: Secret) -> Self {
        Self::Bot { token, webhook: self.into_webhook() }
    }

    /// The same with this webhook.
    pub(crate) fn with_webhook(self, url: Secret) -> Self {
        match self {
            Self::None | Self::Webhook { .. } => Self::Webhook { url },
            Self::Bot { token, .. } => Self::Bot { token, webhook: Some(url) },
            Self::Installable { installation, .. } => Self::Installable { installation, webhook: Some(url) },
        }
    }

    /// The same without any bot's token.
    pub(crate) fn without_token(self) -> Self {
        self.into_webhook().map_or(Self::None, |url| Self::Webhook { url })
    }

    fn into_webhook(self) -> Option<Secret> {
        match self {
            Self::None => None,
            Self::Webhook { url } => Some(url),
            Self::Bot { webhook, .. } | Self::Installable { webhook, .. } => webhook,
        }
    }
}

impl Integration {
    /// The token to call the Web API with: its own, or that of an installation which holds.
    pub(crate) fn bot_token(&self) -> Option<&Secret> {
        match &self.credentials {
            Credentials::Bot { token, .. } => Some(token),
            Credentials::Installable { installation: Some(installation), .. } => {
                installation.revoked.is_none().then_some(&installation.bot_token)
            }
            Credentials::Installable { installation: None, .. } | Credentials::Webhook { .. } | Credentials::None => {
                None
            }
        }
    }

    pub(crate) fn webhook_url(&self) -> Option<&Secret> {
        match &self.credentials {
            Credentials::Webhook { url } => Some(url),
            Credentials::Bot { webhook, .. } | Credentials::Installable { webhook, .. } => webhook.as_ref(),
            Credentials::None => None,
        }
    }

    /// The installation by a browser, which may have been revoked.
    pub(crate) fn installation(&self) -> Option<&Install> {
        match &self.credentials {
            Credentials::Installable { installation, .. } => installation.as_ref(),
            Credentials::Bot { .. } | Credentials::Webhook { .. } | Credentials::None => None,
        }
    }

    /// It posts as a bot, as soon as there is a token.
    pub(crate) fn is_bot(&self) -> bool {
        matches!(self.credentials, Credentials::Bot { .. } | Credentials::Installable { .. })
    }

    /// A browser can install it.
    pub(crate) fn is_installable(&self) -> bool {
        matches!(self.credentials, Credentials::Installable { .. })
    }

    /// Why there is no token although there should be one, and the remedy.
    pub(crate) fn missing_token(&self) -> Option<Missing> {
        if self.bot_token().is_some() || !self.is_installable() {
            return None;
        }
        let (what, again) = match self.installation().and_then(|install| install.revoked.as_ref()) {
            Some(Revoked { reason, at }) => {
                (format!("\"{}\" isn't installed any more ({reason}, since {})", self.name, utc(*at)), " again")
            }
            None => (format!("\"{}\" isn't installed yet", self.name), ""),
        };
        Some(Missing { what, remedy: self.how_to_install(again) })
    }

    /// `again`: empty, or that word after a blank.
    pub(crate) fn how_to_install(&self, again: &str) -> String {
        let (first, address) = match &self.install_at {
            Some(address) => ("", address.as_str()),
            None => ("set public_url in [listen] (or ACKBELL_PUBLIC_URL), then ", INSTALL_PATH),
        };
        format!("to install it{again} {first}open {address} in a browser")
    }
}

/// The message about an integration that should have a token and has none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Missing {
    /// Which integration, why, since when.
    pub(crate) what: String,
    pub(crate) remedy: String,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.remedy)
    }
}

/// Loads the installation of an integration that a browser installs, if there is one.
pub(super) fn load_installation(
    integration: &mut Integration,
    context: &mut LoadContext<'_>,
    span: Option<Span>,
    problems: &mut Problems<'_>,
) {
    let Credentials::Installable { installation, .. } = &mut integration.credentials else { return };
    if !installation::is_plain(&integration.name) {
        let mistake = Mistake::new(format!("\"{}\" can't be installed by a browser", integration.name));
        problems.error(span, mistake.remedy("give it a name of letters, digits, - and _: it is part of an address"));
        return;
    }
    let path = installation::path(context.state_dir, &integration.name);
    match installation::read(&path) {
        Ok(found) => *installation = found,
        Err(e) => {
            let mistake = Mistake::new(format!("the installation {} can't be read: {e}", path.display()));
            problems.warning(span, mistake.remedy("run as the listener's user, or install the app again"));
        }
    }
    context.sources.push(path);
}

/// Checks that need the public address, too.
pub(super) fn check(config: &mut Config, problems: &mut Problems<'_>) {
    let has_no_key = config.database.as_ref().is_some_and(|database| database.seal_keys.is_none());
    for integration in &mut config.integrations {
        if has_no_key && integration.enabled && integration.is_installable() {
            let name = &integration.name;
            let what =
                format!("\"{name}\" is installed by a browser, and [database] has no key_file to seal its token with");
            let remedy = "write [database] key_file = \"seal-key\", a file with the output of openssl rand -base64 32, the same \
                 on each listener; or give the integration bot_token_file";
            problems.error(None, Mistake::new(what).remedy(remedy));
            continue;
        }
        let own =
            if integration.name == DEFAULT_INTEGRATION { String::new() } else { format!("/{}", integration.name) };
        integration.install_at = config.listen.public_url.as_ref().map(|url| format!("{url}{INSTALL_PATH}{own}"));
        if let Some(missing) = integration.missing_token().filter(|_| integration.enabled) {
            problems.warning(None, Mistake::new(missing.what).remedy(missing.remedy));
        }
    }
}

impl Config {
    /// The same configuration with another installation of one integration: its token was renewed.
    pub(crate) fn with_installation(&self, name: &str, renewed: &Install) -> Self {
        let mut config = self.clone();
        for integration in config.integrations.iter_mut().filter(|integration| integration.name == name) {
            if let Credentials::Installable { installation, .. } = &mut integration.credentials {
                *installation = Some(renewed.clone());
            }
        }
        config
    }
}

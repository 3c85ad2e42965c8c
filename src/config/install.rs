//! The token that an integration has from an installation by a browser, in place of one in the configuration.

use super::problem::{Mistake, Problems};
use super::secrets::Around;
use super::tree::Span;
use super::{Config, DEFAULT_INTEGRATION, Integration};
use crate::model::time_text::utc;
use crate::state_dir::installation::{self, Revoked};
use std::fmt;

/// Where a browser begins an installation, below the public address.
pub(crate) const INSTALL_PATH: &str = "/slack/install";

impl Integration {
    /// It posts as a bot, as soon as there is a token: one of its own, or that of an installation.
    pub(crate) fn is_bot(&self) -> bool {
        self.bot_token.is_some() || self.is_installable()
    }

    /// A browser can install it.
    pub(crate) fn is_installable(&self) -> bool {
        let has_own_token = self.bot_token.is_some() && self.install.is_none();
        self.client_id.is_some() && self.client_secret.is_some() && !has_own_token
    }

    /// Why there is no token although there should be one, and the remedy.
    pub(crate) fn missing_token(&self) -> Option<Missing> {
        if self.bot_token.is_some() || !self.is_installable() {
            return None;
        }
        let (what, again) = match self.install.as_ref().and_then(|install| install.revoked.as_ref()) {
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

/// What is said of an integration that should have a token and has none.
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

/// The installation of one that has no token of its own, if a browser made one and it holds.
pub(super) fn take(
    integration: &mut Integration,
    around: &mut Around<'_>,
    span: Option<Span>,
    report: &mut Problems<'_>,
) {
    if !integration.is_installable() {
        return;
    }
    if !installation::is_plain(&integration.name) {
        let mistake = Mistake::new(format!("\"{}\" can't be installed by a browser", integration.name));
        report.error(span, mistake.remedy("give it a name of letters, digits, - and _: it is part of an address"));
        return;
    }
    let path = installation::path(around.state_dir, &integration.name);
    match installation::read(&path) {
        Ok(found) => integration.install = found,
        Err(e) => {
            let mistake = Mistake::new(format!("the installation {} can't be read: {e}", path.display()));
            report.warning(span, mistake.remedy("run as the listener's user, or install the app again"));
        }
    }
    around.sources.push(path);
    let valid = integration.install.as_ref().filter(|install| install.revoked.is_none());
    integration.bot_token = valid.map(|install| install.bot_token.clone());
}

/// What only shows when the public address is known, too.
pub(super) fn check(config: &mut Config, report: &mut Problems<'_>) {
    for integration in &mut config.integrations {
        let own =
            if integration.name == DEFAULT_INTEGRATION { String::new() } else { format!("/{}", integration.name) };
        integration.install_at = config.listen.public_url.as_ref().map(|url| format!("{url}{INSTALL_PATH}{own}"));
        if let Some(missing) = integration.missing_token().filter(|_| integration.enabled) {
            report.warning(None, Mistake::new(missing.what).remedy(missing.remedy));
        }
    }
}

//! Slack's events about the end of an installation (<https://docs.slack.dev/reference/events/app_uninstalled>,
//! <https://docs.slack.dev/reference/events/tokens_revoked>): both come in any order, and may be repeated for up to
//! a day.
//!
//! An installation is marked as ended, which is durable and counts once, at whichever node; the main loop of each sees the
//! change and stops using the token. A token of the configuration can't be removed from there: its integration is paused
//! until Slack accepts the token again.

use crate::config::{Config, Integration};
use crate::flow::installs::Installs;
use crate::model::slack_error::{Reason, SlackError};
use crate::model::time_text::utc;
use crate::rules::manifest::at_its_site;
use crate::slack::interaction::{Event, EventKind};
use crate::state_dir::installation::Install;
use crate::state_dir::wake;
use crate::store::Store;
use crate::system::clock;
use log::{debug, error, info};
use std::collections::VecDeque;
use std::time::Duration;

/// How long an integration is paused before its token is tried again.
const PAUSE: Duration = Duration::from_secs(60);
/// For a token of the configuration.
const REINSTALL: &str = "install the app again (api.slack.com/apps, Install App) and put the new token into bot_token";
/// How many ids of events are remembered.
const EVENTS_MAX: usize = 64;

/// The events about tokens of the configuration that were handled.
#[derive(Debug, Default)]
pub(super) struct SeenEvents(VecDeque<String>);

impl SeenEvents {
    fn is_new(&mut self, id: Option<&str>) -> bool {
        let Some(id) = id else { return true };
        if self.0.iter().any(|known| known == id) {
            return false;
        }
        self.0.push_back(id.to_owned());
        if self.0.len() > EVENTS_MAX {
            self.0.pop_front();
        }
        true
    }
}

/// Stops using the installation. After an error Slack sends the event again.
pub(super) fn handle(
    event: &Event,
    integration: &Integration,
    config: &Config,
    store: &Store,
    seen: &mut SeenEvents,
) -> Result<(), String> {
    let name = &integration.name;
    let bot_user = integration.installation().map_or("", |install| install.bot_user.as_str());
    let reason = match &event.kind {
        EventKind::AppUninstalled => "app_uninstalled",
        EventKind::TokensRevoked { bots, .. } => {
            let is_ours = bots.iter().any(|bot| bot_user.is_empty() || bot.as_ref() == bot_user);
            if !is_ours {
                debug!("other tokens were revoked integration={name}");
                return Ok(());
            }
            "tokens_revoked"
        }
        EventKind::AppHomeOpened { .. } | EventKind::Reaction(_) | EventKind::Other { .. } => return Ok(()),
    };
    let now = clock::wall_ms();
    let at = event.time.unwrap_or(now / 1000);
    let id = event.id.as_ref().map(AsRef::as_ref);
    let remedy = if integration.is_installable() {
        integration.how_to_install(" again")
    } else {
        at_its_site(REINSTALL, &integration.api_url)
    };
    let is_news = if integration.is_installable() {
        let mut is_new = false;
        let end = |known: Option<Install>| known?.revoked(reason, id, at).inspect(|_| is_new = true);
        Installs::of(config, Some(store)).update(name, end).map_err(|e| e.to_string())?;
        is_new
    } else {
        let is_new = seen.is_new(id);
        if is_new {
            let until = now.saturating_add(clock::millis(PAUSE));
            let text = format!("the app was removed in Slack ({reason}, since {}): {remedy}", utc(at));
            let reason = Reason::new(SlackError::from(reason), text);
            store.pause_integration(name, until, now, &reason).map_err(|e| e.to_string())?;
        }
        is_new
    };
    if is_news {
        let since = utc(at);
        error!(
            "the installation ended integration={name} event={reason} since={since:?} messages=waiting remedy={remedy:?}"
        );
        // Only for speed: the file's stamp is looked at every few seconds anyway.
        wake::hint(&config.runtime_dir);
    } else {
        info!("end of the installation known already integration={name} event={reason}");
    }
    Ok(())
}

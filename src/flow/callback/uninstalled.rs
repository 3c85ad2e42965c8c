//! Slack tells that an installation ended (<https://docs.slack.dev/reference/events/app_uninstalled>,
//! <https://docs.slack.dev/reference/events/tokens_revoked>): both come in any order, and again for up to a day.
//!
//! An installation's own file is marked, which is durable and counts once; the main loop sees the change and uses the
//! token no more. A token of the configuration can't be taken out of it: its integration rests, and as long as Slack
//! refuses the token it goes on resting.

use crate::config::{Config, Integration};
use crate::model::time_text::utc;
use crate::rules::manifest::at_its_site;
use crate::slack::interaction::{Event, EventKind};
use crate::state_dir::{installation, wake};
use crate::store::Store;
use crate::system::clock;
use log::{debug, error, info};
use std::collections::VecDeque;
use std::time::Duration;

/// How long a refused token rests until it is tried again.
const REST: Duration = Duration::from_secs(60);
/// For a token of the configuration.
const REINSTALL: &str = "install the app again (api.slack.com/apps, Install App) and put the new token into bot_token";
/// How many ids of events are remembered.
const EVENTS_MAX: usize = 64;

/// The events about tokens of the configuration that were taken.
#[derive(Debug, Default)]
pub(super) struct Taken(VecDeque<String>);

impl Taken {
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

/// Stops using the installation; an error means that it couldn't be noted, so that Slack tells it again.
pub(super) fn take(
    event: &Event,
    integration: &Integration,
    config: &Config,
    store: &Store,
    taken: &mut Taken,
) -> Result<(), String> {
    let name = &integration.name;
    let bot_user = integration.installation().map_or("", |install| install.bot_user.as_str());
    let reason = match &event.kind {
        EventKind::AppUninstalled => "app_uninstalled",
        EventKind::TokensRevoked { bots, .. } => {
            let is_ours = bots.iter().any(|bot| bot_user.is_empty() || bot.as_ref() == bot_user);
            if !is_ours {
                debug!("tokens that aren't ours were revoked integration={name}");
                return Ok(());
            }
            "tokens_revoked"
        }
        EventKind::AppHomeOpened { .. } | EventKind::Other { .. } => return Ok(()),
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
        installation::revoke(&config.state_dir, name, reason, id, at).map_err(|e| e.to_string())?
    } else {
        let is_new = taken.is_new(id);
        if is_new {
            let until = now.saturating_add(clock::millis(REST));
            let what = format!("the app was removed in Slack ({reason}, since {}): {remedy}", utc(at));
            store.rest(name, until, now, &what).map_err(|e| e.to_string())?;
        }
        is_new
    };
    if is_news {
        let since = utc(at);
        error!(
            "the installation ended integration={name} reason={reason} since={since} what=its messages wait remedy={remedy}"
        );
        // Only for speed: the file's stamp is looked at every few seconds anyway.
        wake::hint(&config.runtime_dir);
    } else {
        info!("known already integration={name} event={reason}");
    }
    Ok(())
}

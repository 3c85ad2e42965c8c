//! Tokens that live for 12 hours are renewed an hour before their end, by whoever delivers
//! (<https://docs.slack.dev/authentication/using-token-rotation>).
//!
//! A refresh token works once. So before it is spent the file is written once as it is: a disk that refuses is found
//! while nothing is lost. The new pair is on disk before it is used, and takes the place of the old one only, never that
//! of a newer installation. A crash between Slack's answer and the disk loses the new pair; the next deliverer asks
//! again with the old one, which Slack grants for a short while. After that the token still works to its end, and the
//! log says to install the app again before.
//!
//! Where nodes share the outbox the leader renews, and all this is said of the row in the database, which is written in the
//! name of the lease. What the database doesn't take (it is away, or another node leads since) may be the only pair that
//! Slack still knows: it is kept in this node's file, and offered to the database again, which takes it unless the row was
//! renewed meanwhile (`flow/installs`).

use super::Deliverer;
use crate::flow::installs::{InstallError, Installs};
use crate::model::outcome::Outcome;
use crate::model::time_text::utc;
use crate::slack::api::Client;
use crate::slack::oauth;
use crate::state_dir::installation::Install;
use crate::system::clock::millis;
use log::{error, info, warn};
use std::time::Duration;

/// So long before its end a token is renewed.
const AHEAD: Duration = Duration::from_secs(60 * 60);
/// Between two tries that failed, and after a refusal, which hardly ends by waiting.
const RETRY: Duration = Duration::from_secs(60);
const RETRY_REFUSED: Duration = Duration::from_secs(10 * 60);
/// A call may take so long of a delivery's time.
const CALL_MAX: Duration = Duration::from_secs(5);

/// The state of an integration's renewal.
#[derive(Debug, Default)]
pub(super) struct Renewal {
    /// Unix ms; not before.
    due: i64,
    /// Slack gave it, and it couldn't be written anywhere yet.
    unsaved: Option<(Install, Install)>,
}

impl Deliverer {
    /// Renews the tokens that end soon.
    pub(super) fn renew(&mut self, budget: Duration) {
        let now = self.now_ms();
        let soon = now.saturating_add(millis(AHEAD)) / 1000;
        let ending = self.config.integrations.iter().filter(|i| i.enabled && self.share.has(&i.name)).filter_map(|i| {
            let install = i.installation().filter(|install| install.revoked.is_none())?;
            let ends_soon = install.refresh_token.is_some() && install.expires_at.is_some_and(|end| end <= soon);
            ends_soon.then(|| (i.name.clone(), install.clone()))
        });
        for (name, old) in ending.collect::<Vec<_>>() {
            let renewal = self.renewals.entry(name.clone()).or_default();
            if renewal.due > now {
                continue;
            }
            let pair = renewal.unsaved.take();
            if let Err((why, pause)) = self.renew_one(&name, &old, pair, budget.min(CALL_MAX)) {
                let end = utc(old.expires_at.unwrap_or(0));
                let renewal = self.renewals.entry(name.clone()).or_default();
                renewal.due = now.saturating_add(millis(pause));
                if self.last_logged.insert(format!("renewal of {name}"), why.clone()).as_ref() == Some(&why) {
                    continue;
                }
                if pause == RETRY_REFUSED {
                    error!("token renewal refused integration={name} reason={why:?} install_again_before={end:?}");
                } else {
                    warn!("token not renewed yet integration={name} ends={end:?} reason={why:?}");
                }
            }
        }
    }

    /// One of them; an error says when to try again.
    fn renew_one(
        &mut self,
        name: &str,
        old: &Install,
        pair: Option<(Install, Install)>,
        budget: Duration,
    ) -> Result<(), (String, Duration)> {
        let unwritable = |e: &InstallError| (e.to_string(), RETRY);
        let (old, new) = if let Some(pair) = pair {
            pair
        } else {
            match self.installs().update(name, |known| known).map_err(|e| unwritable(&e))? {
                Some(current) if current.refresh_token == old.refresh_token => {}
                // Another deliverer or a browser was here.
                Some(current) => {
                    self.use_installation(name, &current);
                    return Ok(());
                }
                None => return Ok(()),
            }
            let Some(integration) = self.integration(name) else { return Ok(()) };
            let client = Client::new(integration, &self.env).map_err(|e| (e.to_string(), RETRY_REFUSED))?;
            let client = client.within(self.term());
            let granted = oauth::refresh(&client, old, self.now_ms() / 1000, budget);
            (old.clone(), granted.map_err(|outcome| when(&outcome))?)
        };
        let replace = |known: Option<Install>| {
            let same = known.filter(|known| known.refresh_token == old.refresh_token)?;
            Some(Install { revoked: same.revoked, events: same.events, ..new.clone() })
        };
        match self.installs().update(name, replace) {
            Ok(Some(newest)) => {
                let end = utc(newest.expires_at.unwrap_or(0));
                info!("token renewed integration={name} ends={end:?}");
                self.use_installation(name, &newest);
                Ok(())
            }
            Ok(None) => Ok(()),
            Err(e) => {
                if self.installs().are_shared() && self.keep_here(name, &new, replace) {
                    let why = format!(
                        "Slack gave the next token, and the database didn't take it: {e}; it is kept here, and offered again"
                    );
                    return Err((why, RETRY));
                }
                self.renewals.entry(name.to_owned()).or_default().unsaved = Some((old, new));
                Err(unwritable(&e))
            }
        }
    }

    /// Keeps a pair in this node's file; whether it is there.
    fn keep_here(&self, name: &str, new: &Install, replace: impl FnOnce(Option<Install>) -> Option<Install>) -> bool {
        let kept = self.installs().update_file(name, replace).ok().flatten();
        kept.is_some_and(|kept| kept.refresh_token == new.refresh_token)
    }

    fn installs(&self) -> Installs<'_> {
        Installs::of(&self.config, Some(&self.store))
    }

    /// Uses the installation that counts now.
    fn use_installation(&mut self, name: &str, install: &Install) {
        self.last_logged.remove(&format!("renewal of {name}"));
        // Whatever Slack says of its life: never one renewal after the other.
        let due = self.now_ms().saturating_add(millis(RETRY));
        self.renewals.insert(name.to_owned(), Renewal { due, unsaved: None });
        self.clients.remove(name);
        self.config = self.config.with_installation(name, install);
        if let Err(e) = self.store.end_integration_pause(name) {
            warn!("pause not ended integration={name} reason={:?}", e.to_string());
        }
    }
}

/// Why there is no new token, and when to ask again.
fn when(outcome: &Outcome) -> (String, Duration) {
    match outcome {
        Outcome::TokenNever { reason } | Outcome::MessageNever { reason } | Outcome::DestinationNever { reason } => {
            (reason.to_string(), RETRY_REFUSED)
        }
        Outcome::Temporary { reason, .. } | Outcome::Plain { reason } | Outcome::PostAnew { reason } => {
            (reason.to_string(), RETRY)
        }
        Outcome::Wait { after } => (format!("Slack asks to wait {} s", after.as_secs()), (*after).max(RETRY)),
        Outcome::Unsure { .. } => (outcome.reason().to_string(), RETRY),
        Outcome::Delivered(_) => ("no answer".to_owned(), RETRY),
    }
}

//! The picture of a curve, uploaded into the thread of the message that shows it.
//!
//! The bytes go first; then the row ends, and then Slack is asked to show them: a crash leaves a thread without a picture,
//! never with two. Whatever is refused is given up, and the log says why.

use super::{Curves, GRAFANA, of_object};
use crate::model::curve::Series;
use crate::model::outcome::Outcome;
use crate::monitoring::curve::grafana;
use crate::rules::curve::picture::picture;
use crate::rules::curve::{Watched, watched};
use crate::rules::retry::CHANNEL_PACE;
use crate::slack::api::upload::Picture;
use crate::store::{StoreError, WantedPicture};
use crate::system::clock::millis;
use log::info;
use std::time::Duration;

/// For one call.
const CALL_MAX: Duration = Duration::from_secs(10);
/// How often it is asked whether the channel is free, and how often in one go.
const TURN_INTERVAL: Duration = Duration::from_millis(150);
const TURNS_MAX: usize = 20;
/// A picture that took longer is the last one in this go.
const LONG_MS: i64 = 2000;

impl Curves {
    /// Uploads what is to be uploaded now. `stop` is asked between two of them.
    pub(super) fn upload_pictures(&mut self, stop: &dyn Fn() -> bool) -> Result<(), StoreError> {
        for wanted in self.store.wanted_pictures(self.clock.now_ms())? {
            if stop() {
                break;
            }
            let started = self.clock.now_ms();
            if let Err(outcome) = self.upload(&wanted)? {
                self.store.end_picture(&wanted)?;
                let reason = outcome.reason().text;
                let integration = &wanted.queue.integration;
                if self.logged.insert(format!("picture {integration} {reason}")) {
                    info!(
                        "no picture of a curve integration={integration} channel={} reason={reason:?}",
                        wanted.channel
                    );
                }
            }
            // Somebody else's curve may be due meanwhile.
            if self.clock.now_ms().saturating_sub(started) > LONG_MS {
                break;
            }
        }
        Ok(())
    }

    fn upload(&mut self, wanted: &WantedPicture) -> Result<Result<(), Outcome>, StoreError> {
        let never = |reason: &str| Ok(Err(Outcome::MessageNever { reason: reason.to_owned().into() }));
        let drawn = &wanted.drawn;
        let Some(watched) = watched(&drawn.perfdata) else { return never("its value isn't known any more") };
        let rendered = self.rendered(wanted, &watched);
        let own = || picture(&watched, &Series::new(drawn.points.clone()), drawn.times);
        let Some(png) = rendered.or_else(own) else { return never("too few values") };
        let Some(client) = self.clients.get(&wanted.queue.integration) else {
            return never("there is no such integration any more");
        };
        let picture = Picture { name: "curve.png", title: &watched.label, text: &drawn.text, png: &png };
        let file = match client.upload(&picture, CALL_MAX) {
            Ok(file) => file,
            Err(outcome) => return Ok(Err(outcome)),
        };
        for _ in 0..TURNS_MAX {
            let now = self.clock.now_ms();
            if now >= wanted.until {
                break;
            }
            if self.store.take_picture(wanted, millis(CHANNEL_PACE), now)? {
                return Ok(client.show_file(&file, (&wanted.channel, &wanted.ts), CALL_MAX));
            }
            std::thread::sleep(TURN_INTERVAL);
        }
        never("the channel was busy")
    }

    /// Grafana's picture, unless there is none: then ours is drawn, where there are values for it.
    fn rendered(&mut self, wanted: &WantedPicture, watched: &Watched) -> Option<Vec<u8>> {
        let source = self.config.curve.as_ref()?.grafana.clone()?;
        let now = self.clock.now_ms();
        if self.slow.get(GRAFANA).is_some_and(|slow| slow.until > now) {
            return None;
        }
        let (host, service) = &wanted.drawn.object;
        let wanted = of_object((host, service.as_deref()), watched, wanted.drawn.times);
        let rendered = grafana::render(&source, &wanted, &self.env);
        self.remember_answer(GRAFANA, rendered.as_ref().err(), self.clock.now_ms());
        rendered.ok()
    }
}

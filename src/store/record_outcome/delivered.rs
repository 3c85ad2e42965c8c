//! After Slack accepted a message: the deliveries that it covers end, and the message's reference is kept.

use super::Recorder;
use crate::model::outcome::Posted;
use crate::model::slack_error::Reason;
use crate::rules::digest::{DigestStats, DigestStep};
use crate::store::claim::{Claimed, Work};
use crate::store::db::params;
use crate::store::pause::end_outage;
use crate::store::state::DeliveryState;
use crate::store::{StoreError, curve, escalation, to_json};

/// The reason of deliveries that a digest's message covers.
const IN_A_DIGEST: &str = "shown in a digest";

impl Recorder<'_> {
    /// The deliveries that end depend on the work; the message's failures end in any case.
    pub(super) fn delivered(self, posted: Option<&Posted>, covered: usize) -> Result<(), StoreError> {
        let Claimed { message, queue, work, queued, .. } = self.claimed;
        if let Some(Posted { channel, .. }) = posted {
            let sql = "INSERT INTO channel (integration, target, id) VALUES (?1, ?2, ?3)
                       ON CONFLICT (integration, target) DO UPDATE SET id = excluded.id";
            self.db.prepare_cached(sql)?.execute_later(params![queue.integration, queue.target, channel])?;
        }
        end_outage(self.db, &queue.integration)?;
        match work {
            Work::Post(_) => {
                self.mark_shown()?;
                self.keep_message_ref(posted)?;
                // The others go into the message's thread. Without a ts there is no thread.
                let has_thread = posted.is_some() && queued.len() > 1;
                let ends = if has_thread { self.without_lines() } else { self.first(covered) };
                self.end(&ends, DeliveryState::Delivered, posted)?;
            }
            Work::DirectMessage(_) => {
                self.mark_shown()?;
                self.keep_message_ref(posted)?;
                self.end(&self.first(covered), DeliveryState::Delivered, posted)?;
            }
            Work::PostOnce(_) => {
                self.mark_shown()?;
                self.end(&self.first(covered), DeliveryState::Delivered, posted)?;
            }
            Work::Update(_) => {
                self.mark_shown()?;
                self.end(&self.without_lines(), DeliveryState::Delivered, posted)?;
            }
            Work::Reply(_) => self.end(&self.first(covered), DeliveryState::Delivered, posted)?,
            Work::List(_) => {
                self.mark_shown()?;
                self.end(&self.first(covered), DeliveryState::Merged, posted)?;
            }
            Work::Digest(step, stats) => self.digest_step_done(*step, stats, posted, covered)?,
        }
        if self.claimed.wants_curve {
            curve::want(self.db, message.id, self.now)?;
        }
        message.id.update(self.db, "leased = NULL, attempts = 0, due = 0, reason = NULL", &[])
    }

    fn digest_step_done(
        self,
        step: DigestStep,
        stats: &DigestStats,
        posted: Option<&Posted>,
        covered: usize,
    ) -> Result<(), StoreError> {
        let id = self.claimed.message.id;
        match step {
            DigestStep::Post | DigestStep::Edit => {
                self.mark_shown()?;
                if step == DigestStep::Post {
                    self.remember_mentioned(covered)?;
                    self.keep_message_ref(posted)?;
                }
                // When all is over, the closing line is still to come.
                if stats.recovered < stats.problems { self.end_counted(stats.covers, posted) } else { Ok(()) }
            }
            DigestStep::Lines => {
                self.remember_mentioned(covered)?;
                let mut ends = self.first(covered);
                self.keep_for_the_edit(&mut ends)?;
                self.end(&ends, DeliveryState::Merged, posted)
            }
            DigestStep::Close | DigestStep::MarkShown => {
                let reason = Reason::from(IN_A_DIGEST.to_owned());
                self.end_waiting(DeliveryState::Merged, &reason)?;
                // One of its problems may have come back while the closing line was sent: then it goes on.
                id.update(
                    self.db,
                    "open = CASE WHEN ?2 OR EXISTS (SELECT 1 FROM delivery d
                                WHERE d.digest = digest.id AND d.state = 'waiting') THEN 1 ELSE 0 END",
                    &[&(step == DigestStep::MarkShown)],
                )
            }
        }
    }

    /// People see the newest version now.
    fn mark_shown(self) -> Result<(), StoreError> {
        let message = &self.claimed.message;
        message.id.update(self.db, "shown = ?2, edited = ?3, plain = 0", &[&message.version, &self.now])?;
        escalation::seen(self.db, message.id, self.now)
    }

    fn keep_message_ref(self, posted: Option<&Posted>) -> Result<(), StoreError> {
        let (channel, ts) = posted.map(|posted| (&posted.channel, &posted.ts)).unzip();
        self.claimed.message.id.update(self.db, "channel = ?2, ts = ?3", &[&channel, &ts])
    }

    /// The claimed deliveries that need no line of their own in the thread.
    fn without_lines(self) -> Vec<i64> {
        self.claimed.queued.iter().filter(|queued| !queued.has_line).map(|queued| queued.id).collect()
    }

    /// The first claimed deliveries, as many as the message covers.
    fn first(self, covered: usize) -> Vec<i64> {
        self.claimed.queued.iter().take(covered).map(|queued| queued.id).collect()
    }

    /// Where the message is that covers the deliveries: where Slack put it now, else where it was already.
    fn message_ref<'a>(self, posted: Option<&'a Posted>) -> (Option<&'a str>, Option<&'a str>)
    where
        Self: 'a,
    {
        let message = &self.claimed.message;
        match posted {
            Some(posted) => (Some(&posted.channel), Some(&posted.ts)),
            None => (message.channel.as_deref(), message.ts.as_deref()),
        }
    }

    /// Ends deliveries.
    fn end(self, ids: &[i64], state: DeliveryState, posted: Option<&Posted>) -> Result<(), StoreError> {
        let (channel, ts) = self.message_ref(posted);
        let reason = (state == DeliveryState::Merged).then_some(IN_A_DIGEST);
        let sql = "UPDATE delivery SET state = ?2, reason = ?3, code = NULL, channel = ?4, ts = ?5, recorded = ?6,
                     attempts = ?7 WHERE id = ?1";
        let mut statement = self.db.prepare_cached(sql)?;
        for id in ids {
            statement.execute_later(params![
                id,
                state,
                reason,
                channel,
                ts,
                self.now,
                self.claimed.message.attempts
            ])?;
        }
        Ok(())
    }

    /// Ends the deliveries of a digest that need no line: its numbers cover them, up to the last that was counted.
    fn end_counted(self, last: i64, posted: Option<&Posted>) -> Result<(), StoreError> {
        let (channel, ts) = self.message_ref(posted);
        let sql = "UPDATE delivery SET state = 'merged', reason = ?6, channel = ?3, ts = ?4, recorded = ?5,
                     attempts = attempts + 1 WHERE state = 'waiting' AND digest = ?1 AND line = 0 AND id <= ?2";
        let digest = self.claimed.message.id.number();
        self.db.prepare_cached(sql)?.execute_later(params![digest, last, channel, ts, self.now, IN_A_DIGEST])?;
        Ok(())
    }

    /// Keeps the people that a digest has mentioned, so that it mentions nobody twice.
    fn remember_mentioned(self, covered: usize) -> Result<(), StoreError> {
        let Claimed { message, queued, .. } = self.claimed;
        let mut mentioned = message.mentioned.clone();
        mentioned.extend(queued.iter().take(covered).flat_map(|queued| queued.mentions.clone()));
        mentioned.sort();
        mentioned.dedup();
        message.id.update(self.db, "mentioned = ?2", &[&to_json(&mentioned)?])
    }

    /// The thread has these lines, the numbers above it may not: then the last one waits for the edit that counts it.
    fn keep_for_the_edit(self, ends: &mut Vec<i64>) -> Result<(), StoreError> {
        let digest = self.claimed.message.id.number();
        let sql = "SELECT shown < version FROM digest WHERE id = ?1";
        let is_stale = self.db.query_row(sql, [digest], |row| row.get(0))?;
        if let Some(last) = ends.pop_if(|_| is_stale) {
            self.db.execute("UPDATE delivery SET line = 0 WHERE id = ?1", [last])?;
        }
        Ok(())
    }
}

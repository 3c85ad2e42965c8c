//! The dead man's switch: one message lies scheduled at Slack and says that nothing is heard of this host. While all lives
//! it is replaced by a later one before its time. When nobody replaces it any more, Slack sends it.
//!
//! Pure: what to do next, and what follows from an answer. [`Switch`] is kept before and after each call, so that a process
//! that was killed in between is followed by one that asks Slack first what lies there.
//!
//! What Slack does: it schedules up to 120 days ahead and says the message's id, but never its `ts`; it sends none that has
//! `metadata`; one can't be taken back within 60 s of its time
//! (<https://docs.slack.dev/reference/methods/chat.scheduleMessage>,
//! <https://docs.slack.dev/reference/methods/chat.deleteScheduledMessage>).

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Slack takes none back later than that before its time; with some seconds for the call itself. In seconds.
const LAST_DELETION: i64 = 90;
/// So many are remembered that couldn't be corrected, as when Slack takes no more of them.
const SENT_MAX: usize = 10;

/// What is known of the messages at Slack. Times are Unix seconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Switch {
    /// The last one is in force; those before it are to be deleted.
    scheduled: Vec<Scheduled>,
    /// The call to schedule it was begun; whether Slack has it isn't known.
    begun: Option<Scheduled>,
    /// Slack sent them, and nobody corrected them yet.
    sent: Vec<Sent>,
}

/// A message that lies at Slack.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Scheduled {
    /// Slack's id of it; empty while it isn't known.
    pub(crate) id: String,
    /// Slack's id of the channel; empty while it isn't known.
    pub(crate) channel: String,
    /// When Slack sends it.
    pub(crate) post_at: i64,
    /// When the last sign of life was seen.
    pub(crate) since: i64,
}

/// A message that Slack sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sent {
    pub(crate) message: Scheduled,
    /// The cores that were silent then. They are watched again when the message is corrected.
    pub(crate) cores: Vec<String>,
}

/// What is seen here now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sight {
    /// Unix seconds, by the wall clock: Slack goes by it.
    pub(crate) now: i64,
    /// By core: how many seconds ago it gave its last sign of life. One entry with an empty name where no core's state can
    /// be read: then it is about this host alone.
    pub(crate) ages: BTreeMap<String, i64>,
    /// After how many seconds of silence Slack speaks.
    pub(crate) after: i64,
}

/// The next call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// Ask which messages lie at Slack.
    List,
    Schedule(Scheduled),
    Delete(Scheduled),
    /// What Slack sent is over: say so.
    Correct(Sent),
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// These of ours lie at Slack.
    Listed(Vec<Scheduled>),
    /// Slack has it, under this id and in this channel.
    Scheduled {
        id: String,
        channel: String,
    },
    Deleted,
    /// Slack has no such message any more: it was sent, or somebody deleted it.
    Gone,
    Corrected,
    /// Slack didn't do it.
    Refused,
    /// Nobody knows whether Slack did it.
    Unknown,
}

impl Sight {
    /// How often the message is replaced, in seconds.
    fn interval(&self) -> i64 {
        (self.after / 5).clamp(60, 600)
    }
}

impl Switch {
    /// The next call, if one is due. `listed`: Slack was asked just now which messages lie there.
    pub(crate) fn next(&self, sight: &Sight, listed: bool) -> Option<Step> {
        let is_over = |message: &Scheduled| message.post_at <= sight.now;
        if self.begun.is_some() || !listed && self.scheduled.iter().any(is_over) {
            return Some(Step::List);
        }
        if let Some(message) = self.wanted(sight) {
            return Some(Step::Schedule(message));
        }
        let old = self.scheduled.split_last().and_then(|(_, old)| old.first());
        let over = || self.sent.iter().find(|sent| sent.is_over(sight));
        old.cloned().map(Step::Delete).or_else(|| over().cloned().map(Step::Correct))
    }

    /// The next call when nobody wants the switch any more; `None` when all is taken back, or was sent meanwhile.
    pub(crate) fn next_of_end(&self, now: i64) -> Option<Step> {
        if self.begun.as_ref().is_some_and(|begun| begun.post_at > now) {
            return Some(Step::List);
        }
        self.scheduled.iter().find(|message| message.post_at > now).cloned().map(Step::Delete)
    }

    /// The message that must lie at Slack, unless one like it does.
    fn wanted(&self, sight: &Sight) -> Option<Scheduled> {
        let is_covered = |core: &String| self.sent.iter().any(|sent| sent.cores.contains(core) && !sent.is_over(sight));
        let age = sight.ages.iter().filter(|(core, _)| !is_covered(core)).map(|(_, age)| *age).max()?;
        let (since, due) = (sight.now - age, sight.now - age + sight.after);
        let message = |post_at| Scheduled { post_at, since, ..Scheduled::default() };
        match self.scheduled.last() {
            // A core that is silent already when nothing lies there yet.
            None => Some(message(due.max(sight.now + 2 * LAST_DELETION))),
            // Too late to be taken back.
            Some(_) if due - sight.now <= LAST_DELETION => None,
            Some(last) if due - last.post_at >= sight.interval() => Some(message(due)),
            // The clock was set back: what lies there would come an hour late.
            Some(last) if last.post_at - due > sight.interval() => Some(message(due)),
            Some(_) => None,
        }
    }

    /// To be kept before the call is made.
    pub(crate) fn begin(&mut self, step: &Step) {
        if let Step::Schedule(message) = step {
            self.begun = Some(message.clone());
        }
    }

    /// What follows from the answer to a step.
    pub(crate) fn end(&mut self, step: &Step, answer: Answer, sight: &Sight) {
        match (step, answer) {
            (Step::Schedule(message), Answer::Scheduled { id, channel }) => {
                self.begun = None;
                self.scheduled.push(Scheduled { id, channel, ..message.clone() });
            }
            (Step::Schedule(_), Answer::Refused) => self.begun = None,
            (Step::Delete(message), Answer::Deleted) => self.forget(message),
            (Step::Delete(message), Answer::Gone) => self.gone(message, sight),
            (Step::Correct(sent), Answer::Corrected) => self.sent.retain(|other| other != sent),
            (Step::List, Answer::Listed(found)) => self.listed(&found, sight),
            _ => {}
        }
    }

    fn forget(&mut self, message: &Scheduled) {
        self.scheduled.retain(|other| other.id != message.id);
    }

    /// One isn't at Slack any more: it was sent if its time is over, else somebody deleted it.
    fn gone(&mut self, message: &Scheduled, sight: &Sight) {
        self.forget(message);
        if message.post_at <= sight.now + LAST_DELETION {
            let silent = |age: &i64| sight.now - age <= message.since + sight.interval();
            let mut cores: Vec<String> =
                sight.ages.iter().filter(|(_, age)| silent(age)).map(|(core, _)| core.clone()).collect();
            if cores.is_empty() {
                // This process was dead itself: it was about all of them.
                cores = sight.ages.keys().cloned().collect();
            }
            self.sent.push(Sent { message: message.clone(), cores });
            let surplus = self.sent.len().saturating_sub(SENT_MAX);
            self.sent.drain(..surplus);
        }
    }

    /// Slack's list is the truth: of a call that was begun, and of those that are due by a clock that may be wrong.
    fn listed(&mut self, found: &[Scheduled], sight: &Sight) {
        let is_there = |message: &Scheduled| found.iter().any(|found| found.id == message.id);
        for missing in self.scheduled.clone().iter().filter(|message| !is_there(message)) {
            self.gone(missing, sight);
        }
        if let Some(begun) = self.begun.take() {
            let known = |id: &str| self.scheduled.iter().any(|message| message.id == id);
            let adopted = found.iter().filter(|found| found.post_at == begun.post_at && !known(&found.id));
            let adopted = adopted.map(|found| Scheduled { since: begun.since, ..found.clone() });
            let adopted: Vec<Scheduled> = adopted.collect();
            if adopted.is_empty() && begun.post_at <= sight.now {
                // Nobody knows whether Slack had it. If it did, it was sent.
                self.gone(&begun, sight);
            }
            self.scheduled.extend(adopted);
        }
    }
}

impl Sent {
    /// Whether all that it was about live again.
    fn is_over(&self, sight: &Sight) -> bool {
        let is_back = |core: &String| sight.ages.get(core).is_none_or(|age| sight.now - age > self.message.post_at);
        self.cores.iter().all(is_back)
    }
}

#[cfg(test)]
mod tests;

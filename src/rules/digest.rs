//! When many problems at once become one digest, and the digest's next step.
//!
//! Pure. Times are Unix milliseconds.

use crate::config::Limits;
use crate::model::problem::Problem;
use crate::rules::retry::CHANNEL_PACE;
use std::collections::HashMap;

/// A digest's message is edited at most this often; its thread gets the time between.
const EDIT_PACE_MS: i64 = 5_000;

/// The problems that wait in a channel for a message of their own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) all: u32,
    /// Those that came within the window before the newest.
    pub(crate) recent: u32,
}

/// Whether the waiting problems are a storm: more than the threshold came together, or so many wait that sending them one by one
/// would take longer than the window.
pub(crate) fn begins(waiting: Waiting, limits: Limits) -> bool {
    let one_by_one = CHANNEL_PACE.saturating_mul(waiting.all);
    waiting.recent > limits.threshold || (waiting.all > limits.threshold && one_by_one > limits.window)
}

/// The facts about a digest by which its next step is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(crate) struct Digest {
    /// It has a message that can be edited.
    pub(crate) is_posted: bool,
    /// Its message lacks the newest changes.
    pub(crate) is_stale: bool,
    /// It takes no new problems, and all that it has are over.
    pub(crate) is_over: bool,
    /// Problems wait for their line in the thread.
    pub(crate) has_lines: bool,
    /// When its message was last edited.
    pub(crate) edited: i64,
    /// Not before, after a failure.
    pub(crate) due: i64,
}

/// A digest's next step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DigestStep {
    /// Post its message.
    Post,
    /// Edit its message.
    Edit,
    /// Post lines into its thread.
    Lines,
    /// Post the closing line into its thread: all problems are over.
    Close,
    /// Send nothing: its message shows everything that still waits.
    MarkShown,
}

/// So many problems a digest's message names.
pub(crate) const NAMED_MAX: usize = 20;

/// Hosts and services that are below a host.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Below {
    pub(crate) hosts: u32,
    pub(crate) services: u32,
}

impl Below {
    /// `41 hosts and 212 services`; `None` for nothing.
    pub(crate) fn text(self) -> Option<String> {
        let count = |number: u32, noun: &str| match number {
            0 => None,
            1 => Some(format!("1 {noun}")),
            more => Some(format!("{more} {noun}s")),
        };
        let parts: Vec<String> =
            [count(self.hosts, "host"), count(self.services, "service")].into_iter().flatten().collect();
        (!parts.is_empty()).then(|| parts.join(" and "))
    }
}

impl DigestStats {
    /// Lets a problem stand for those that hang below its host: `above` names the host that another one hangs below. Then
    /// keeps as many as a message names.
    pub(crate) fn fold(&mut self, above: &dyn Fn(&Problem) -> Option<String>) {
        let key = |core: &str, host: &str| (core.to_owned(), host.to_owned());
        let of = |problem: &Problem| key(&problem.latest.core, &problem.latest.host.name);
        let lines: HashMap<(String, String), usize> = self
            .worst
            .iter()
            .enumerate()
            .filter(|(_, (problem, _))| problem.latest.service.is_none())
            .map(|(at, (problem, _))| (of(problem), at))
            .collect();
        let uppers: Vec<Option<usize>> = self
            .worst
            .iter()
            .map(|(problem, _)| lines.get(&key(&problem.latest.core, &above(problem)?)).copied())
            .collect();
        // The topmost stands for all; within a ring nothing is topmost.
        let topmost = |at: usize| {
            let way = std::iter::successors(uppers[at], |upper| uppers[*upper]);
            way.take(self.worst.len()).last().filter(|top| uppers[*top].is_none())
        };
        let tops: Vec<Option<usize>> = (0..self.worst.len()).map(topmost).collect();
        for (at, top) in tops.iter().enumerate() {
            let Some(top) = *top else { continue };
            let (problem, below) = &self.worst[at];
            let is_host = problem.latest.service.is_none();
            let more =
                Below { hosts: below.hosts + u32::from(is_host), services: below.services + u32::from(!is_host) };
            let stands_for = &mut self.worst[top].1;
            stands_for.hosts += more.hosts;
            stands_for.services += more.services;
        }
        let mut tops = tops.into_iter();
        self.worst.retain(|_| tops.next().flatten().is_none());
        self.name_only(NAMED_MAX);
    }

    /// Keeps so many of the worst; the others count as not named.
    fn name_only(&mut self, most: usize) {
        let left_out = self.worst.len().saturating_sub(most);
        self.worst.truncate(most);
        self.unnamed = self.unnamed.saturating_add(u32::try_from(left_out).unwrap_or(u32::MAX));
    }
}

/// A digest in numbers, and its worst problems.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct DigestStats {
    pub(crate) problems: u32,
    pub(crate) hosts: u32,
    pub(crate) recovered: u32,
    pub(crate) acknowledged: u32,
    /// Of those that go on: how many of each rank, unknown, warning, critical.
    pub(crate) ranks: [u32; 3],
    /// When the first and the last of them began, and the last ended: Unix ms of the import.
    pub(crate) first: i64,
    pub(crate) last: i64,
    /// The worst that go on, each with what it stands for: its host's services, and what is behind that host.
    pub(crate) worst: Vec<(Problem, Below)>,
    /// How many that go on are neither named nor stood for.
    pub(crate) unnamed: u32,
    /// The last waiting delivery that this takes into account.
    pub(crate) covers: i64,
    /// They waited until a time of their route, and didn't come together.
    pub(crate) was_deferred: bool,
}

/// The next step of a digest in a channel where messages can be edited, and when it may be done. `edits_from`: when
/// the integration may edit again.
pub(crate) fn next(digest: Digest, edits_from: i64, now: i64) -> (i64, DigestStep) {
    if !digest.is_posted {
        return (digest.due, DigestStep::Post);
    }
    let edit_at = digest.due.max(edits_from).max(digest.edited.saturating_add(EDIT_PACE_MS));
    match (digest.is_stale, digest.has_lines) {
        // The thread takes what time the edits leave.
        (true, true) if edit_at > now => (digest.due, DigestStep::Lines),
        (true, _) => (edit_at, DigestStep::Edit),
        (false, true) => (digest.due, DigestStep::Lines),
        (false, false) if digest.is_over => (digest.due, DigestStep::Close),
        (false, false) => (digest.due, DigestStep::MarkShown),
    }
}

/// When a digest in a channel without edits may list its new problems: no more often than an edit would come.
pub(crate) fn next_list(digest: Digest) -> i64 {
    digest.due.max(digest.edited.saturating_add(EDIT_PACE_MS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_topmost_host_stands_for_all_that_hangs_below_it() {
        let problem = |host: &str, service: &str| {
            let mut fields = crate::model::notification::Fields::default();
            for (key, value) in [("hostname", host), ("servicedesc", service), ("state", "1")] {
                fields.put(key, value);
            }
            Problem::begin(&fields.into_notification(7))
        };
        let own = Below { hosts: 0, services: 2 };
        let worst = [("sw1", ""), ("sw2", ""), ("web", ""), ("db", "Disk"), ("a", ""), ("b", ""), ("far", "")];
        let worst =
            worst.map(|(host, service)| (problem(host, service), if host == "web" { own } else { Below::default() }));
        let mut stats = DigestStats { worst: worst.to_vec(), unnamed: 1, ..DigestStats::default() };
        stats.fold(&|problem| {
            let above = match problem.latest.host.name.as_str() {
                "sw2" => "sw1",
                "web" | "db" => "sw2",
                // Rings, and a host that isn't in the digest.
                "a" => "b",
                "b" => "a",
                "far" => "elsewhere",
                _ => return None,
            };
            Some(above.to_owned())
        });
        let named: Vec<(&str, Below)> =
            stats.worst.iter().map(|(problem, below)| (problem.latest.host.name.as_str(), *below)).collect();
        let none = Below::default();
        assert_eq!(named, [("sw1", Below { hosts: 2, services: 3 }), ("a", none), ("b", none), ("far", none)]);
        assert_eq!(stats.worst[0].1.text().as_deref(), Some("2 hosts and 3 services"));
        let many = (0..30).map(|n| (problem(&format!("h{n}"), ""), none)).collect();
        let mut stats = DigestStats { worst: many, unnamed: 1, ..DigestStats::default() };
        stats.fold(&|_| None);
        assert_eq!((stats.worst.len(), stats.unnamed), (NAMED_MAX, 11));
    }

    const LIMITS: Limits = Limits { threshold: 5, window: Duration::from_secs(30) };
    const POSTED: Digest =
        Digest { is_posted: true, is_stale: false, is_over: false, has_lines: false, edited: 1000, due: 0 };

    #[test]
    fn a_storm_is_many_at_once_or_more_than_can_be_sent() {
        let begins = |all, recent| begins(Waiting { all, recent }, LIMITS);
        assert!(!begins(5, 5));
        assert!(begins(6, 6));
        assert!(!begins(20, 3), "these came one by one while Slack was away");
        assert!(begins(40, 3));
    }

    #[test]
    fn edits_keep_their_pace_and_the_thread_takes_the_time_between() {
        let stale = Digest { is_stale: true, has_lines: true, ..POSTED };
        assert_eq!(next(stale, 0, 2000), (0, DigestStep::Lines));
        assert_eq!(next(stale, 0, 6000), (6000, DigestStep::Edit));
        assert_eq!(next(stale, 9000, 6000), (0, DigestStep::Lines), "another digest was edited just now");
        assert_eq!(next(Digest { has_lines: false, ..stale }, 0, 2000), (6000, DigestStep::Edit));
    }

    #[test]
    fn it_ends_when_all_is_shown_and_over() {
        assert_eq!(next(Digest { is_posted: false, ..POSTED }, 0, 0).1, DigestStep::Post);
        assert_eq!(next(POSTED, 0, 0).1, DigestStep::MarkShown);
        assert_eq!(next(Digest { is_over: true, ..POSTED }, 0, 0).1, DigestStep::Close);
        assert_eq!(next(Digest { is_over: true, has_lines: true, ..POSTED }, 0, 0).1, DigestStep::Lines);
    }
}

//! Each origin of a core and its last word about one object. An origin is a host that runs `notify` for the core.
//!
//! Mostly there is one. Several are of two kinds. Usually they are doors of one core (its workers, the masters of an Icinga
//! cluster): whoever speaks is right, and an older word that comes late is history. With `redundant = true` each is a core
//! that checks by itself: the problem goes on as long as one of them calls it bad.

use crate::model::notification::{Kind, Notification};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Two origins that say the same within this time say one thing.
const SAME_NEWS_SECONDS: i64 = 5 * 60;

/// The origins, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Origins(BTreeMap<String, LastNews>);

/// The last word of one origin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct LastNews {
    /// Type and state.
    reported: (String, String),
    /// How many times in a row.
    times: u32,
    /// Its place among the words of all origins.
    order: u64,
    /// When it was heard here, by our clock; Unix seconds.
    heard: i64,
    is_bad: bool,
    /// The origin's own id of the problem.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

impl Origins {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes note of a word, heard at `now`; `true` when another origin has said the same just before.
    ///
    /// Each word of one origin covers one of another: so a reminder of both shows once, and isn't taken for the one before
    /// it. What was said before somebody said something else covers nothing: it is about what was then.
    pub(crate) fn record(&mut self, notification: &Notification, now: i64) -> bool {
        let reported = (notification.kind.name().to_owned(), notification.state_name().unwrap_or_default().to_owned());
        let own = self.0.get(&notification.origin);
        let is_recent = |news: &LastNews| now.saturating_sub(news.heard).abs() <= SAME_NEWS_SECONDS;
        let times =
            own.filter(|own| own.reported == reported && is_recent(own)).map_or(1, |own| own.times.saturating_add(1));
        let turn = self.0.values().filter(|news| news.reported != reported).map(|news| news.order).max().unwrap_or(0);
        let covers = |(origin, other): (&String, &LastNews)| {
            *origin != notification.origin
                && other.reported == reported
                && other.times >= times
                && is_recent(other)
                && other.order > turn
                && own.is_none_or(|own| own.order < other.order)
        };
        let is_known = self.0.iter().any(covers);
        let is_bad = match notification.kind {
            Kind::Problem => true,
            Kind::Recovery => false,
            Kind::Acknowledgement
            | Kind::FlappingStart
            | Kind::FlappingStop
            | Kind::FlappingDisabled
            | Kind::DowntimeStart
            | Kind::DowntimeEnd
            | Kind::DowntimeCancelled
            | Kind::Custom
            | Kind::Unacknowledged
            | Kind::DowntimeScheduled
            | Kind::NotificationsStopped
            | Kind::NotificationsResumed
            | Kind::Unanswered
            | Kind::StillAsked
            | Kind::StillOnIt
            | Kind::HandedOver
            | Kind::Forgotten
            | Kind::Other(_) => own.is_some_and(|own| own.is_bad),
        };
        if notification.is_redundant && own.is_none() && !is_bad {
            // It never called this problem bad: its word is about an earlier one. What it says next may be about this one.
            return is_known;
        }
        let problem = notification.ids.problem.clone().or_else(|| own.and_then(|own| own.problem.clone()));
        let order = self.0.values().map(|news| news.order).max().unwrap_or(0).saturating_add(1);
        let news = LastNews { reported, times, order, heard: now, is_bad, problem };
        self.0.insert(notification.origin.clone(), news);
        is_known
    }

    /// Whether this origin calls it bad.
    pub(crate) fn calls_it_bad(&self, origin: &str) -> bool {
        self.0.get(origin).is_some_and(|news| news.is_bad)
    }

    /// Whether any other does.
    pub(crate) fn others_call_it_bad(&self, origin: &str) -> bool {
        self.0.iter().any(|(name, news)| name != origin && news.is_bad)
    }

    /// Whether some call it bad and some say that it has recovered.
    pub(crate) fn disagree(&self) -> bool {
        self.0.values().any(|news| news.is_bad) && self.0.values().any(|news| !news.is_bad)
    }

    /// Whether this origin said anything of it.
    pub(crate) fn knows(&self, origin: &str) -> bool {
        self.0.contains_key(origin)
    }

    /// The origin's own id of the problem, if it has said one.
    pub(crate) fn problem_id(&self, origin: &str) -> Option<&String> {
        self.0.get(origin)?.problem.as_ref()
    }
}

//! A storm in one message, and the lines in its thread.

use super::{AvailableAction, Interactivity, RenderContext, Tone, links, phrases};
use crate::config::Config;
use crate::model::notification::Notification;
use crate::model::time_text::span;
use crate::rules::digest::DigestStats;

/// How much of an output a line shows, in characters.
const OUTPUT_MAX: usize = 160;

/// A message about many problems. All texts are plain and unescaped.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Digest {
    pub(crate) tone: Tone,
    /// `47 problems on 31 hosts`
    pub(crate) title: String,
    /// `12 recovered, 3 acknowledged`
    pub(crate) counts: String,
    pub(crate) lines: Vec<Line>,
    /// What the list leaves out, in words.
    pub(crate) rest: Option<String>,
    pub(crate) annotation: Option<String>,
    pub(crate) available_actions: Vec<AvailableAction>,
    /// By which number a click names the message.
    pub(crate) post: i64,
}

/// One problem in one line.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Line {
    pub(crate) tone: Tone,
    pub(crate) head: String,
    pub(crate) object: String,
    /// The core's page about the object.
    pub(crate) page: Option<String>,
    pub(crate) output: String,
    /// Unix seconds.
    pub(crate) time: i64,
}

/// The digest as it is now, its worst problems named.
pub(crate) fn digest(
    stats: &DigestStats,
    config: &Config,
    annotation: Option<&str>,
    (interactivity, post): (Interactivity, i64),
) -> Digest {
    let lines = stats
        .worst
        .iter()
        .map(|(problem, below)| {
            let mut line = line(&problem.latest, config);
            line.head = super::problem_card::problem_card(
                problem,
                &RenderContext::bare(&config.message, None, problem.latest.time),
            )
            .head;
            if let Some(below) = below.text() {
                line.object.push_str(&format!(" and {below}"));
            }
            line
        })
        .collect();
    let rest = (stats.unnamed > 0).then(|| format!("… and {} more, in the thread", stats.unnamed));
    let can_acknowledge =
        interactivity != Interactivity::Nothing && stats.recovered + stats.acknowledged < stats.problems;
    let available_actions = can_acknowledge.then_some(AvailableAction::AcknowledgeAll).into_iter().collect();
    Digest { lines, rest, available_actions, post, ..plain(stats, annotation) }
}

/// Where messages can't be edited: what came together, as a list.
pub(crate) fn list(
    stats: &DigestStats,
    notifications: &[&Notification],
    config: &Config,
    annotation: Option<&str>,
) -> Digest {
    let lines = notifications.iter().map(|notification| line(notification, config)).collect();
    Digest { lines, ..plain(stats, annotation) }
}

fn plain(stats: &DigestStats, annotation: Option<&str>) -> Digest {
    Digest {
        tone: tone(stats),
        title: title(stats),
        counts: counts(stats),
        lines: Vec::new(),
        rest: None,
        annotation: annotation.map(str::to_owned),
        available_actions: Vec::new(),
        post: 0,
    }
}

/// The last words in a digest's thread.
pub(crate) fn closing(stats: &DigestStats) -> String {
    let seconds = stats.last.saturating_sub(stats.first) / 1000;
    let span = span(u64::try_from(seconds).unwrap_or(0));
    let what = if stats.was_deferred { "all is over" } else { "the storm is over" };
    format!("{what}: {} of {} recovered, after {span}", stats.recovered, stats.problems)
}

/// One notification in one line.
pub(crate) fn line(notification: &Notification, config: &Config) -> Line {
    let core = config.cores.iter().find(|core| core.name == notification.core);
    let output: String = notification.output.replace('\n', " ");
    let cut = output.chars().count() > OUTPUT_MAX;
    let mut shown: String = output.chars().take(OUTPUT_MAX).collect();
    if cut {
        shown.push('…');
    }
    Line {
        tone: phrases::tone(notification),
        head: phrases::head(notification),
        object: notification.object_label(),
        page: core.and_then(|core| links::page(notification, core)),
        output: shown,
        time: notification.time,
    }
}

impl Digest {
    /// The whole message in one line: for a phone's notification, a screen reader, a search.
    pub(crate) fn summary(&self) -> String {
        let mut text = self.title.clone();
        if !self.counts.is_empty() {
            text.push_str(&format!(" ({})", self.counts));
        }
        for line in self.lines.iter().take(5) {
            text.push_str(&format!(" · {}: {}", line.head, line.object));
        }
        text
    }
}

fn tone(stats: &DigestStats) -> Tone {
    let [_, warning, critical] = stats.ranks;
    match stats {
        _ if stats.recovered == stats.problems => Tone::Good,
        _ if stats.recovered + stats.acknowledged == stats.problems => Tone::Acknowledged,
        _ if critical > 0 => Tone::Critical,
        _ if warning > 0 => Tone::Warning,
        _ => Tone::Unknown,
    }
}

fn title(stats: &DigestStats) -> String {
    if stats.recovered == stats.problems {
        return format!("{} of {} recovered", stats.recovered, stats.problems);
    }
    let hosts = count(stats.hosts, "host", "hosts");
    format!("{} on {hosts}", count(stats.problems, "problem", "problems"))
}

fn counts(stats: &DigestStats) -> String {
    let [unknown, warning, critical] = stats.ranks;
    let mut parts = Vec::new();
    let goes_on = stats.recovered < stats.problems;
    for (number, what) in [
        (critical, "critical"),
        (warning, "warning"),
        (unknown, "unknown"),
        (if goes_on { stats.recovered } else { 0 }, "recovered"),
        (stats.acknowledged, "acknowledged"),
    ] {
        if number > 0 {
            parts.push(format!("{number} {what}"));
        }
    }
    parts.join(", ")
}

fn count(number: u32, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

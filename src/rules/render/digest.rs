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
    pub(crate) note: Option<String>,
    pub(crate) offers: Vec<AvailableAction>,
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
    tally: &DigestStats,
    config: &Config,
    note: Option<&str>,
    (reach, post): (Interactivity, i64),
) -> Digest {
    let lines = tally
        .worst
        .iter()
        .map(|(problem, services)| {
            let mut line = line(&problem.latest, config);
            line.head =
                super::problem_card::living(problem, &RenderContext::bare(&config.message, None, problem.latest.time))
                    .head;
            if *services > 0 {
                line.object.push_str(&format!(" and {}", count(*services, "service", "services")));
            }
            line
        })
        .collect();
    let rest = (tally.unnamed > 0).then(|| format!("… and {} more, in the thread", tally.unnamed));
    let can_acknowledge = reach != Interactivity::Nothing && tally.recovered + tally.acknowledged < tally.problems;
    let offers = can_acknowledge.then_some(AvailableAction::AcknowledgeAll).into_iter().collect();
    Digest { lines, rest, offers, post, ..plain(tally, note) }
}

/// Where messages can't be edited: what came together, as a list.
pub(crate) fn list(tally: &DigestStats, said: &[&Notification], config: &Config, note: Option<&str>) -> Digest {
    let lines = said.iter().map(|notification| line(notification, config)).collect();
    Digest { lines, ..plain(tally, note) }
}

fn plain(tally: &DigestStats, note: Option<&str>) -> Digest {
    Digest {
        tone: tone(tally),
        title: title(tally),
        counts: counts(tally),
        lines: Vec::new(),
        rest: None,
        note: note.map(str::to_owned),
        offers: Vec::new(),
        post: 0,
    }
}

/// The last words in a digest's thread.
pub(crate) fn closing(tally: &DigestStats) -> String {
    let seconds = tally.last.saturating_sub(tally.first) / 1000;
    let span = span(u64::try_from(seconds).unwrap_or(0));
    format!("the storm is over: {} of {} recovered, after {span}", tally.recovered, tally.problems)
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

fn tone(tally: &DigestStats) -> Tone {
    let [_, warning, critical] = tally.ranks;
    match tally {
        _ if tally.recovered == tally.problems => Tone::Good,
        _ if tally.recovered + tally.acknowledged == tally.problems => Tone::Acknowledged,
        _ if critical > 0 => Tone::Critical,
        _ if warning > 0 => Tone::Warning,
        _ => Tone::Unknown,
    }
}

fn title(tally: &DigestStats) -> String {
    if tally.recovered == tally.problems {
        return format!("{} of {} recovered", tally.recovered, tally.problems);
    }
    let hosts = count(tally.hosts, "host", "hosts");
    format!("{} on {hosts}", count(tally.problems, "problem", "problems"))
}

fn counts(tally: &DigestStats) -> String {
    let [unknown, warning, critical] = tally.ranks;
    let mut parts = Vec::new();
    let goes_on = tally.recovered < tally.problems;
    for (number, what) in [
        (critical, "critical"),
        (warning, "warning"),
        (unknown, "unknown"),
        (if goes_on { tally.recovered } else { 0 }, "recovered"),
        (tally.acknowledged, "acknowledged"),
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

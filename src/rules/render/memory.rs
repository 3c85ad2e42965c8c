//! The line of a card that says how it went before: only what was counted.
//!
//! Each sentence is a count over the object's earlier problems, which a search of the core's log confirms. Below three
//! occurrences only the last one is named.

use crate::model::past_problem::PastProblem;
use crate::model::time_text::span;

/// How far back occurrences are counted.
pub(crate) const WINDOW_DAYS: i64 = 30;
/// So many of them are looked at; more are said to be more.
pub(crate) const LOOKED_AT: usize = 200;
/// From so many occurrences on a pattern is named.
const PATTERN_MIN: usize = 3;
const DAY_SECONDS: i64 = 86_400;
/// So many neighbours are named; the rest is counted.
const NEIGHBOURS_MAX: usize = 4;
const REMARK_CHARS_MAX: usize = 160;

/// A time as it is on the wall of the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WallTime {
    /// Monday is 0.
    pub(crate) weekday: u8,
    pub(crate) hour: u8,
    /// `19 Nov`
    pub(crate) date: String,
}

/// One line, and the rest below it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Memory {
    pub(crate) line: Option<String>,
    pub(crate) more: Vec<String>,
}

/// The earlier problems of a card's object, and its neighbours.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Earlier {
    /// The newest first, each with its time on the wall.
    pub(crate) problems: Vec<(PastProblem, WallTime)>,
    /// The same time of the problem that the card shows.
    pub(crate) own: Option<(i64, WallTime)>,
    /// The hosts where the same service is not well now, as people call them.
    pub(crate) neighbours: Vec<String>,
    /// There are more neighbours than these.
    pub(crate) has_more_neighbours: bool,
}

impl Earlier {
    /// The sentences.
    pub(crate) fn memory(&self) -> Memory {
        let Some((began, own)) = &self.own else { return Memory::default() };
        let window = began.saturating_sub(WINDOW_DAYS * DAY_SECONDS);
        let recent: Vec<&(PastProblem, WallTime)> =
            self.problems.iter().filter(|(past, _)| past.began >= window).collect();
        let times = recent.len() + 1;
        let counted = (times >= PATTERN_MIN).then(|| {
            let or_more = if recent.len() >= LOOKED_AT { " or later" } else { "" };
            let mut parts = vec![format!("{}{or_more} time in {WINDOW_DAYS} days", ordinal(times))];
            parts.extend(mostly(recent.iter().map(|(_, at)| at).chain([own])));
            let line = parts.join(", ");
            let ended = by_itself(&recent);
            ended.map_or_else(|| line.clone(), |ended| format!("{line}; {ended}"))
        });
        let last = self.problems.first().map(last_time);
        let (line, mut more) = match (counted, last) {
            (Some(counted), last) => (Some(counted), last.into_iter().collect::<Vec<_>>()),
            (None, last) => (last, Vec::new()),
        };
        more.extend(self.neighbours());
        Memory {
            line: line.map(|line| format!("{line}.")),
            more: more.into_iter().map(|text| format!("{text}.")).collect(),
        }
    }

    /// The hour in which most of them began, and how many were over by themselves; of a list without a present problem.
    pub(crate) fn pattern(&self) -> Option<String> {
        let all: Vec<&(PastProblem, WallTime)> = self.problems.iter().collect();
        if all.len() < PATTERN_MIN {
            return None;
        }
        let parts: Vec<String> = mostly(all.iter().map(|(_, at)| at)).into_iter().chain(by_itself(&all)).collect();
        (!parts.is_empty()).then(|| parts.join("; "))
    }

    fn neighbours(&self) -> Option<String> {
        if self.neighbours.is_empty() {
            return None;
        }
        let named: Vec<&str> = self.neighbours.iter().take(NEIGHBOURS_MAX).map(String::as_str).collect();
        let more = if self.has_more_neighbours || self.neighbours.len() > NEIGHBOURS_MAX { " and others" } else { "" };
        Some(format!("The same service also has a problem on {}{more}", named.join(", ")))
    }
}

/// `Last time (19 Nov) alice answered after 4 min: "restarted mysqld"; it was over after 12 min`
fn last_time((past, at): &(PastProblem, WallTime)) -> String {
    let end = if past.ended_by_itself() {
        format!("it was over by itself after {}", span(past.lasted()))
    } else {
        match past.ending {
            crate::model::past_problem::Ending::Recovered => format!("it was over after {}", span(past.lasted())),
            crate::model::past_problem::Ending::Unseen => {
                format!("its end, within {}, was not reported", span(past.lasted()))
            }
        }
    };
    match &past.answer {
        Some(answer) => {
            let by = answer.by.as_deref().unwrap_or("somebody");
            let after = span(answer.after(past.began));
            let remark = answer.remark.as_deref().map(one_line).filter(|remark| !remark.is_empty());
            let remark = remark.map(|remark| format!(": \"{remark}\"")).unwrap_or_default();
            format!("Last time ({}) {by} answered after {after}{remark}; {end}", at.date)
        }
        None => format!("Last time ({}) nobody acknowledged it; {end}", at.date),
    }
}

fn one_line(remark: &str) -> String {
    let line = remark.split_whitespace().collect::<Vec<_>>().join(" ");
    let cut: String = line.chars().take(REMARK_CHARS_MAX).collect();
    if cut.len() < line.len() { format!("{cut}…") } else { cut }
}

/// The hour of the week, else the hour of the day, in which more than half of them began.
fn mostly<'a>(times: impl Iterator<Item = &'a WallTime>) -> Option<String> {
    let times: Vec<&WallTime> = times.collect();
    let is_most = |count: usize| count >= PATTERN_MIN && count * 2 > times.len();
    let same = |at: &WallTime, day: bool| {
        times.iter().filter(|other| other.hour == at.hour && (!day || other.weekday == at.weekday)).count()
    };
    if let Some(at) = times.iter().find(|at| is_most(same(at, true))) {
        return Some(format!("mostly {} {:02}:00", day(at.weekday), at.hour));
    }
    let at = times.iter().find(|at| is_most(same(at, false)))?;
    Some(format!("mostly between {:02}:00 and {:02}:00", at.hour, (at.hour + 1) % 24))
}

fn day(weekday: u8) -> &'static str {
    ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"][usize::from(weekday % 7)]
}

/// `over by itself after 12 min in 4 of 5`: of those that ended, and the median of how long those lasted.
fn by_itself(recent: &[&(PastProblem, WallTime)]) -> Option<String> {
    let mut lasted: Vec<u64> =
        recent.iter().filter(|(past, _)| past.ended_by_itself()).map(|(past, _)| past.lasted()).collect();
    if lasted.is_empty() {
        return None;
    }
    Some(format!("over by itself after {} in {} of {}", span(median(&mut lasted)?), lasted.len(), recent.len()))
}

/// The lower median: one that was measured, not a mean of two.
pub(crate) fn median(values: &mut [u64]) -> Option<u64> {
    values.sort_unstable();
    values.get(values.len().checked_sub(1)? / 2).copied()
}

fn ordinal(number: usize) -> String {
    let ending = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

#[cfg(test)]
mod tests;

//! The summary of a time: which objects notified most, and which of it was noise. Objects and destinations, never persons.
//!
//! Pure. Every number is a count over the ended problems that began within the time, and the same of the time before
//! stands beside it.
#![warn(clippy::wildcard_enum_match_arm)]

use super::render::memory::median;
use crate::model::object::Object;
use crate::model::past_problem::PastProblem;
use crate::model::time_text::span;
use crate::system::order;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// So many objects are named in each list.
const NAMED_MAX: usize = 10;
/// What was over by itself within so many seconds needed nobody.
const SHORT_SECONDS: u64 = 5 * 60;

/// What one object did within the time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ObjectCounts {
    pub(crate) problems: usize,
    pub(crate) notified: u64,
    /// Problems that nobody acknowledged.
    pub(crate) unanswered: usize,
    /// Of those, over by themselves within five minutes.
    pub(crate) short: usize,
    pub(crate) flapped: usize,
    pub(crate) noise: u64,
    pub(crate) worth_it: u64,
}

/// All that is counted within one time.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    all: ObjectCounts,
    by_object: BTreeMap<Object, ObjectCounts>,
    /// Seconds to the first acknowledgement, by destination.
    answers: BTreeMap<String, Vec<u64>>,
}

impl Counts {
    /// Counts one more problem, with how many found it noise and how many worth it.
    pub(crate) fn add(&mut self, object: Object, past: &PastProblem, (noise, worth_it): (u32, u32)) {
        let one = ObjectCounts {
            problems: 1,
            notified: past.notified.into(),
            unanswered: usize::from(past.answer.is_none()),
            short: usize::from(past.ended_by_itself() && past.lasted() <= SHORT_SECONDS),
            flapped: usize::from(past.has_flapped),
            noise: noise.into(),
            worth_it: worth_it.into(),
        };
        self.all.add(&one);
        self.by_object.entry(object).or_default().add(&one);
        if let (Some(answer), Some(destination)) = (&past.answer, &past.destination) {
            self.answers.entry(destination.clone()).or_default().push(answer.after(past.began));
        }
    }
}

impl ObjectCounts {
    fn add(&mut self, one: &Self) {
        self.problems += one.problems;
        self.notified += one.notified;
        self.unanswered += one.unanswered;
        self.short += one.short;
        self.flapped += one.flapped;
        self.noise += one.noise;
        self.worth_it += one.worth_it;
    }
}

/// The summary, ready to be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) all: ObjectCounts,
    pub(crate) before: ObjectCounts,
    /// A heading, and a row for each object: its name, what counts under this heading, and its counts.
    pub(crate) lists: Vec<NamedList>,
    /// By destination: the median to the first acknowledgement, of how many, and the median before.
    pub(crate) answers: Vec<(String, u64, usize, Option<u64>)>,
}

/// The objects that lead under one heading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NamedList {
    pub(crate) key: &'static str,
    pub(crate) heading: &'static str,
    /// The name, this time's number and the number before.
    pub(crate) rows: Vec<(String, u64, u64)>,
    /// How many objects have such a number.
    pub(crate) objects: usize,
}

/// Which number leads under which heading.
type ListKind = (&'static str, &'static str, fn(&ObjectCounts) -> u64);

const LISTS: [ListKind; 5] = [
    ("notified", "Notified most", |counts| counts.notified),
    ("never_answered", "Never acknowledged, in so many problems", |counts| {
        if counts.unanswered == counts.problems { as_number(counts.problems) } else { 0 }
    }),
    ("short", "Over by themselves within 5 minutes", |counts| as_number(counts.short)),
    ("flapping", "Flapping", |counts| as_number(counts.flapped)),
    ("noise", "Called noise", |counts| counts.noise),
];

fn as_number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

impl Summary {
    /// Of a time and the time before. `label`: an object as people call it.
    pub(crate) fn new(now: &Counts, before: &Counts, label: &mut dyn FnMut(&Object) -> String) -> Self {
        let lists = LISTS.iter().map(|(key, heading, number)| {
            let mut leading: Vec<(&Object, u64)> =
                now.by_object.iter().map(|(object, counts)| (object, number(counts))).collect();
            leading.retain(|(_, number)| *number > 0);
            order::by(&mut leading, |one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(other.0)));
            let objects = leading.len();
            let rows = leading
                .into_iter()
                .take(NAMED_MAX)
                .map(|(object, count)| (label(object), count, before.by_object.get(object).map_or(0, number)));
            NamedList { key, heading, rows: rows.collect(), objects }
        });
        let lists = lists.filter(|list| !list.rows.is_empty()).collect();
        let middle = |counts: &Counts, name: &str| median(&mut counts.answers.get(name)?.clone());
        let answers = now
            .answers
            .iter()
            .filter_map(|(name, spans)| Some((name.clone(), middle(now, name)?, spans.len(), middle(before, name))));
        Self { all: now.all.clone(), before: before.all.clone(), lists, answers: answers.collect() }
    }

    /// One sentence: what it was in all.
    pub(crate) fn headline(&self) -> String {
        let ObjectCounts { problems, notified, unanswered, short, .. } = self.all;
        let verdicts = match (self.all.worth_it, self.all.noise) {
            (0, 0) => String::new(),
            (worth_it, noise) => format!("; {worth_it} times called worth it, {noise} times noise"),
        };
        format!(
            "{} ({}), notified {notified} times ({}); {unanswered} never acknowledged, {short} over by themselves within 5 min{verdicts}",
            if problems == 1 { "1 problem".to_owned() } else { format!("{problems} problems") },
            self.before.problems,
            self.before.notified
        )
    }

    /// The whole as lines of text; in parentheses stands the time before.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("{}. In parentheses: the same time before.", self.headline())];
        for list in &self.lists {
            lines.push(String::new());
            let more = if list.objects > list.rows.len() {
                format!(" (the first {} of {})", list.rows.len(), list.objects)
            } else {
                String::new()
            };
            lines.push(format!("{}{more}:", list.heading));
            lines.extend(list.rows.iter().map(|(name, now, before)| format!("{now:>5} ({before})  {name}")));
        }
        if !self.answers.is_empty() {
            lines.push(String::new());
            lines.push("Median to the first acknowledgement, by destination:".to_owned());
            lines.extend(self.answers.iter().map(|(name, middle, count, before)| {
                let before = before.map_or_else(|| "none".to_owned(), span);
                format!("  {} ({before})  {name}, of {count}", span(*middle))
            }));
        }
        lines
    }

    pub(crate) fn json(&self) -> Value {
        let counts = |counts: &ObjectCounts| {
            json!({ "problems": counts.problems, "notified": counts.notified, "never_acknowledged": counts.unanswered,
                    "short": counts.short, "flapped": counts.flapped, "noise": counts.noise, "worth_it": counts.worth_it })
        };
        let rows = |list: &NamedList| {
            list.rows
                .iter()
                .map(|(name, now, before)| json!({ "object": name, "count": now, "before": before }))
                .collect::<Vec<_>>()
        };
        let lists: serde_json::Map<String, Value> =
            self.lists.iter().map(|list| (list.key.to_owned(), json!(rows(list)))).collect();
        let answers: Vec<Value> = self
            .answers
            .iter()
            .map(|(name, middle, count, before)| {
                json!({ "destination": name, "median_seconds": middle, "of": count, "before": before })
            })
            .collect();
        json!({ "now": counts(&self.all), "before": counts(&self.before), "lists": lists, "answers": answers })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::past_problem::{Answer, Ending, Worst};

    fn past(lasted: i64, notified: u32, answered_after: Option<i64>) -> PastProblem {
        PastProblem {
            began: 1000,
            ended: 1000 + lasted,
            worst: Worst::Critical,
            notified,
            has_flapped: false,
            ending: Ending::Recovered,
            answer: answered_after.map(|after| Answer { at: 1000 + after, by: Some("alice".into()), remark: None }),
            destination: Some("#ops".into()),
        }
    }

    fn object(host: &str) -> Object {
        Object { core: String::new(), host: host.into(), service: None }
    }

    fn summary() -> Summary {
        let (mut now, mut before) = (Counts::default(), Counts::default());
        for (host, past, verdicts) in [
            ("a", past(60, 1, None), (2, 0)),
            ("a", past(60, 3, None), (0, 0)),
            ("b", past(3600, 9, Some(240)), (0, 1)),
            ("b", past(60, 1, Some(60)), (0, 0)),
            ("c", past(301, 1, None), (0, 0)),
        ] {
            now.add(object(host), &past, verdicts);
        }
        before.add(object("a"), &past(60, 2, None), (0, 0));
        before.add(object("b"), &past(60, 2, Some(30)), (0, 0));
        Summary::new(&now, &before, &mut ToString::to_string)
    }

    #[test]
    fn each_list_counts_what_it_says() {
        let summary = summary();
        let list = |key: &str| summary.lists.iter().find(|list| list.key == key).map(|list| list.rows.clone());
        let row = |name: &str, now, before| (name.to_owned(), now, before);
        assert_eq!(list("notified").unwrap(), [row("b", 10, 2), row("a", 4, 2), row("c", 1, 0)]);
        assert_eq!(list("never_answered").unwrap(), [row("a", 2, 1), row("c", 1, 0)]);
        assert_eq!(list("short").unwrap(), [row("a", 2, 1)], "301 s are more than five minutes");
        assert_eq!((list("noise").unwrap(), list("flapping")), (vec![row("a", 2, 0)], None));
        assert_eq!(summary.answers, [("#ops".to_owned(), 60, 2, Some(30))]);
        let headline = "5 problems (2), notified 15 times (4); 3 never acknowledged, 2 over by themselves within 5 min; \
                        1 times called worth it, 2 times noise";
        assert_eq!(summary.headline(), headline);
    }

    #[test]
    fn no_person_is_in_it() {
        let summary = summary();
        let all = format!("{}{}", summary.lines().join("\n"), summary.json());
        assert!(!all.contains("alice") && all.contains("#ops"), "{all}");
    }
}

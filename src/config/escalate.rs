//! `[[escalate]]`: who is told when nobody answers a problem, and when.

use super::matcher::{self, Matcher};
use super::problem::{Mistake, Problems};
use super::reader::Table;
use super::{Destination, Mention, tree, values};
use serde_json::{Value, json};
use std::time::Duration;

/// A step may be told so often.
const TIMES_MAX: u32 = 100;
/// How often a step is told that repeats, where nothing else is said.
const TIMES_DEFAULT: u32 = 3;
/// The timers are looked at about so often.
const SPAN_MIN: Duration = Duration::from_secs(1);

/// One `[[escalate]]`: a step that is told when a problem was not answered for so long.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct EscalationStep {
    /// Line of its `[[escalate]]` in the file.
    pub(crate) line: usize,
    pub(crate) matches: Matcher,
    /// So long after people could first see the problem.
    pub(crate) after: Duration,
    pub(crate) to: Vec<Destination>,
    pub(crate) mention: Vec<Mention>,
    /// Told again after so long.
    pub(crate) repeat: Option<Duration>,
    /// How often it is told in all.
    pub(crate) times: u32,
}

impl EscalationStep {
    /// The people and channels that it tells, as they are written.
    pub(crate) fn whom(&self) -> String {
        let mention = self.mention.iter().map(|mention| match mention {
            Mention::Here | Mention::Channel | Mention::Everyone => format!("@{mention}"),
            other => other.to_string(),
        });
        let all: Vec<String> = mention.chain(self.to.iter().map(ToString::to_string)).collect();
        all.join(", ")
    }
}

/// Reads all steps.
pub(super) fn read(top: &mut Table<'_>, problems: &mut Problems<'_>) -> Vec<EscalationStep> {
    let mut steps: Vec<(EscalationStep, Option<tree::Span>)> = Vec::new();
    for table in top.tables("escalate", problems) {
        let span = table.span;
        let step = read_step(table, problems);
        let earlier = steps.iter().find(|(other, _)| other.matches == step.matches && other.after == step.after);
        if let Some((other, _)) = earlier {
            let message = format!("two steps at once: the step at line {} comes after the same time", other.line);
            let remedy = "write all people into one step, or give the later step a longer \"after\"";
            problems.error(span, Mistake::new(message).remedy(remedy));
        }
        steps.push((step, span));
    }
    steps.into_iter().map(|(step, _)| step).collect()
}

fn read_step(mut table: Table<'_>, problems: &mut Problems<'_>) -> EscalationStep {
    let span = table.span;
    let line = span.map_or(0, |span| problems.line(span));
    let matches = table.table("match", problems).map(|table| matcher::load(table, problems)).unwrap_or_default();
    let after = table.parsed("after", problems, long_enough);
    if after.is_none() && table.node("after").is_none() {
        let mistake = Mistake::new("a step without \"after\"").remedy("write when it is told, as in after = \"10m\"");
        problems.error(span, mistake);
    }
    let repeat = table.parsed("repeat", problems, long_enough);
    let times = table.count("times", problems);
    if times.is_some_and(|times| times > 1) && repeat.is_none() {
        let mistake =
            Mistake::new("\"times\" without \"repeat\"").remedy("write the pause too, as in repeat = \"15m\"");
        problems.error(span, mistake);
    }
    if times.is_some_and(|times| !(1..=TIMES_MAX).contains(&times)) {
        let mistake = Mistake::new(format!("\"times\" must be between 1 and {TIMES_MAX}"));
        problems.error(span, mistake.remedy("leave it out to tell it 3 times, or once without \"repeat\""));
    }
    let step = EscalationStep {
        line,
        matches,
        after: after.unwrap_or_default(),
        to: table.parsed_list("to", problems, str::parse),
        mention: table.parsed_list("mention", problems, str::parse),
        repeat,
        times: times.unwrap_or(if repeat.is_some() { TIMES_DEFAULT } else { 1 }),
    };
    if table.node("to").is_none() && table.node("mention").is_none() {
        let mistake = Mistake::new("a step that names nobody");
        problems.error(span, mistake.remedy("write mention = \"@group\" or to = \"@alice@example.com\""));
    }
    if step.to.contains(&Destination::Contact) {
        let mistake = Mistake::new("a step can't be for \"contact\": a core notifies several, and a step has none");
        problems.error(span, mistake.remedy("name people, or a shift plan as in to = \"@oncall:dba\""));
    }
    if !step.matches.kind.is_empty() {
        let mistake = Mistake::new("\"type\" in the match of a step: every step is about problems");
        problems.error(span, mistake.remedy("leave it out"));
    }
    table.finish(problems);
    step
}

pub(super) fn long_enough(text: &str) -> Result<Duration, Mistake> {
    match values::duration(text)? {
        short if short < SPAN_MIN => {
            Err(Mistake::new(format!("\"{text}\" is too short")).remedy("at least \"1s\"; people need some minutes"))
        }
        good => Ok(good),
    }
}

/// For `config show`.
pub(super) fn show(step: &EscalationStep) -> Value {
    json!({
        "line": step.line,
        "match": matcher::show(&step.matches),
        "after": super::show::seconds(step.after),
        "to": step.to.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "mention": step.mention.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "repeat": step.repeat.map(super::show::seconds),
        "times": step.times,
    })
}

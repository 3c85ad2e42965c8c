//! `[history]` and `[report]`: how long ended problems are remembered, and where the week's summary is posted.

use super::problem::{Mistake, Problems};
use super::reader::Table;
use super::{Config, Destination, suggest, values};
use std::time::Duration;

/// `[history]`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct History {
    /// How long problems that ended are remembered.
    pub(crate) keep: Duration,
}

/// `[report]`: the week's summary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Weekly {
    pub(crate) channel: Destination,
    /// By name; else the default one.
    pub(crate) integration: Option<String>,
    pub(crate) at: WeeklyTime,
}

/// A time of the week in the machine's time zone: `Mon 08:00`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WeeklyTime {
    /// Monday is 0.
    pub(crate) weekday: u8,
    pub(crate) minute_of_day: u16,
}

const DAY: Duration = Duration::from_secs(86_400);
const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

pub(super) fn history(top: &mut Table<'_>, problems: &mut Problems<'_>) -> History {
    let mut history = History { keep: DAY * 365 };
    if let Some(mut table) = top.table("history", problems) {
        history.keep = table.parsed("keep", problems, keep).unwrap_or(history.keep);
        table.finish(problems);
    }
    history
}

fn keep(text: &str) -> Result<Duration, Mistake> {
    match values::duration(text)? {
        short if short < DAY => Err(Mistake::new(format!("\"{text}\" is too short")).remedy("at least \"1d\"")),
        good => Ok(good),
    }
}

pub(super) fn weekly(top: &mut Table<'_>, problems: &mut Problems<'_>) -> Option<Weekly> {
    let mut table = top.table("report", problems)?;
    let channel = table.parsed("channel", problems, str::parse::<Destination>);
    let integration = table.text("integration", problems).map(|text| text.text.to_owned());
    let at = table.parsed("at", problems, weekly_time).unwrap_or(WeeklyTime { weekday: 0, minute_of_day: 8 * 60 });
    if table.node("channel").is_none() {
        let mistake =
            Mistake::new("[report] without a channel").remedy("write channel = \"#ops\", or remove the table");
        problems.error(table.span, mistake);
    }
    table.finish(problems);
    Some(Weekly { channel: channel?, integration, at })
}

fn weekly_time(text: &str) -> Result<WeeklyTime, Mistake> {
    values::weekly_time(text)
        .ok_or_else(|| Mistake::new(format!("\"{text}\" isn't a time of the week")).remedy("write \"Mon 08:00\""))
}

/// Checks that need the integrations, too.
pub(super) fn check(config: &Config, problems: &mut Problems<'_>) {
    let Some(weekly) = &config.weekly else { return };
    if weekly.channel == Destination::Contact {
        let mistake = Mistake::new("the channel of [report] can't be \"contact\": no notification is behind it");
        problems.error(None, mistake.remedy("write a channel or a person: \"#ops\", \"@alice@example.com\""));
    }
    let names: Vec<&str> = config.integrations.iter().map(|integration| integration.name.as_str()).collect();
    let Some(name) = weekly.integration.as_deref().filter(|name| !names.contains(name)) else { return };
    let remedy = suggest::did_you_mean(name, names.iter().copied());
    let remedy = remedy.unwrap_or_else(|| format!("known: {}", suggest::one_of(&names)));
    problems.error(None, Mistake::new(format!("[report] names no integration of ours, \"{name}\"")).remedy(remedy));
}

/// As it is written.
impl std::fmt::Display for WeeklyTime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let day = WEEKDAYS[usize::from(self.weekday % 7)];
        write!(f, "{day} {:02}:{:02}", self.minute_of_day / 60, self.minute_of_day % 60)
    }
}

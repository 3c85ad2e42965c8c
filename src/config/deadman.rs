//! `[deadman]`: Slack itself says when nothing is heard of this host any more.

use super::problem::{Mistake, Problems};
use super::reader::Table;
use super::{Config, Destination, suggest, tree, values};
use crate::system::host::host_name;
use std::time::Duration;

/// `[deadman]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DeadMan {
    pub(super) span: Option<tree::Span>,
    /// By name; else the first one.
    pub(crate) integration: Option<String>,
    pub(crate) channel: Destination,
    /// After which silence Slack speaks.
    pub(crate) after: Duration,
    /// This host, as the message names it.
    pub(crate) name: String,
}

/// Below, a restart or a slow minute of Slack would be an alarm.
const AFTER_MIN: Duration = Duration::from_secs(5 * 60);
/// After a day nobody needs to be told any more.
const AFTER_MAX: Duration = Duration::from_secs(24 * 60 * 60);
const AFTER_DEFAULT: Duration = Duration::from_secs(15 * 60);

pub(super) fn read(top: &mut Table<'_>, problems: &mut Problems<'_>) -> Option<DeadMan> {
    let mut table = top.table("deadman", problems)?;
    let integration = table.text("integration", problems);
    let read = DeadMan {
        span: integration.map(|text| text.span).or(table.span),
        integration: integration.map(|text| text.text.to_owned()),
        channel: table.parsed("channel", problems, channel).unwrap_or_else(|| missing(&table, problems)),
        after: table.parsed("after", problems, after).unwrap_or(AFTER_DEFAULT),
        name: table.parsed("name", problems, name).unwrap_or_else(host_name),
    };
    table.finish(problems);
    Some(read)
}

/// Whether the integration is there and has a token: a webhook can't schedule.
pub(super) fn check(config: &Config, problems: &mut Problems<'_>) {
    let Some(wanted) = &config.deadman else { return };
    let names: Vec<&str> = config.integrations.iter().map(|integration| integration.name.as_str()).collect();
    let asked = wanted.integration.as_deref();
    let found = config.integrations.iter().find(|integration| asked.is_none_or(|name| integration.name == name));
    let mistake = match (found, asked) {
        (Some(integration), _) if integration.is_bot() => return,
        (Some(integration), _) => {
            Mistake::new(format!("[deadman] has no effect: \"{}\" has no bot token", integration.name))
                .remedy("give it one: only an app can schedule messages, an incoming webhook can't")
        }
        (None, Some(name)) => Mistake::new(format!("there is no integration \"{name}\"")).remedy(
            suggest::did_you_mean(name, names.iter().copied())
                .unwrap_or_else(|| format!("known: {}", suggest::one_of(&names))),
        ),
        (None, None) => Mistake::new("[deadman] has no effect: there is no integration"),
    };
    problems.error(wanted.span, mistake);
}

/// A person's direct message can't be taken back from here.
fn channel(text: &str) -> Result<Destination, Mistake> {
    match text.parse()? {
        channel @ (Destination::ChannelName(_) | Destination::ChannelId(_)) => Ok(channel),
        _ => Err(Mistake::new(format!("\"{text}\" isn't a channel")).remedy("write \"#ops\" or the channel's id")),
    }
}

fn after(text: &str) -> Result<Duration, Mistake> {
    match values::duration(text)? {
        short if short < AFTER_MIN => {
            Err(Mistake::new(format!("\"{text}\" is too short")).remedy("at least \"5m\": a restart takes a while"))
        }
        long if long > AFTER_MAX => Err(Mistake::new(format!("\"{text}\" is too long")).remedy("at most \"24h\"")),
        good => Ok(good),
    }
}

fn name(text: &str) -> Result<String, Mistake> {
    match crate::model::notification::clean_line(text).trim() {
        "" => Err(Mistake::new("the name is empty").remedy("write the host's name, or leave it out")),
        name => Ok(name.to_owned()),
    }
}

fn missing(table: &Table<'_>, problems: &mut Problems<'_>) -> Destination {
    problems.error(table.span, Mistake::new("[deadman] has no channel").remedy("add channel = \"#ops\""));
    Destination::ChannelName(String::new())
}

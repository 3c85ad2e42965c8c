//! Parses the text behind the slash command: `text ─▶ Order`.
//!
//! Pure. A phone writes curly quotes and long dashes, Slack escapes three characters and makes links of names; all that is
//! undone before anything is matched (<https://docs.slack.dev/interactivity/implementing-slash-commands>). A comment stays
//! as it was typed.

pub(crate) mod tokens;

use crate::config::{Matcher, duration, filter, suggest};
use crate::model::action::Action;
use crate::model::object::Object;
use std::time::Duration;
use tokens::{Token, quoted, split, tokens, unformatted};

/// Longer than any host, service and comment; Slack's own limit is further away.
const TEXT_CHARS_MAX: usize = 2000;
/// Of a filter: it is shown again in answers and in the values of buttons.
const FILTER_CHARS_MAX: usize = 500;
const FILTER_TOKENS_MAX: usize = 20;
/// Each is compared with every object.
const FILTER_PATTERNS_MAX: usize = 50;
/// In an object's name: each may be where its service begins.
const SLASHES_MAX: usize = 20;

/// No name has more words.
pub(crate) const NAME_TOKENS_MAX: usize = 12;

/// A parsed command.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Order {
    pub(crate) what: SlashOrder,
    /// The answer is for everybody in the channel.
    pub(crate) is_public: bool,
    /// The slash command's name in that workspace.
    pub(crate) command: String,
    /// The core that was named with `--core`.
    pub(crate) core: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum SlashOrder {
    Help,
    Problems(Filter),
    /// The tokens begin with the object's name.
    Status(Vec<String>),
    Action(SlashAction, WrittenName),
    Subscribe(Filter),
    /// The person, by direct messages.
    Me(Filter),
    /// `None`: everything this channel has.
    Unsubscribe(Option<Filter>),
    Subscriptions,
    Whoami,
    /// Who is on call now.
    OnCall,
    /// The earlier problems of an object; the tokens begin with its name.
    History(Vec<String>),
    /// A button of a card that changes nothing in the core.
    Clicked(ClickedQuestion, ClickedCard),
}

/// What a button asks that needs no command for the core.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClickedQuestion {
    LastTimes,
    WorthIt,
    Noise,
}

/// The card that was clicked on, as far as the click names it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ClickedCard {
    /// Our message, by its number.
    pub(crate) post: Option<i64>,
    /// The mark of the object that the message is about.
    pub(crate) mark: Option<String>,
    /// The object that a button names.
    pub(crate) object: Option<Object>,
}

/// Tokens that begin with an object's name, and the text behind each of them, as typed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct WrittenName {
    pub(crate) tokens: Vec<String>,
    behind: Vec<String>,
}

impl WrittenName {
    /// The text behind a name of so many tokens.
    pub(crate) fn behind(&self, name: usize) -> &str {
        name.checked_sub(1).and_then(|at| self.behind.get(at)).map_or("", String::as_str)
    }
}

/// The action for the named object; the text behind the name is the comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SlashAction {
    Acknowledge,
    RemoveAcknowledgement,
    /// The first word behind the name is how long.
    Downtime,
    Recheck,
}

impl SlashAction {
    /// The action without its details: enough to decide whether somebody may.
    pub(crate) fn stand_in(self) -> Action {
        match self {
            Self::Acknowledge => Action::Acknowledge {
                sticky: true,
                notify: true,
                persistent: false,
                comment: String::new(),
                expiry: None,
            },
            Self::RemoveAcknowledgement => Action::RemoveAcknowledgement,
            Self::Downtime => {
                Action::Downtime { start: 0, end: 1, flexible: None, comment: String::new(), host_services: false }
            }
            Self::Recheck => Action::Recheck { at: 0 },
        }
    }
}

/// A filter, and its text.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Filter {
    pub(crate) text: String,
    pub(crate) matches: Matcher,
}

impl Filter {
    /// Parses a filter that a person writes: within the limits.
    pub(crate) fn written(text: &str) -> Result<Self, String> {
        Self::bounded(&tokens(text)?)
    }

    fn bounded(tokens: &[String]) -> Result<Self, String> {
        let filter = Self::from_tokens(tokens)?;
        most(filter.text.chars().count(), FILTER_CHARS_MAX, "characters in a filter")?;
        most(tokens.len(), FILTER_TOKENS_MAX, "words in a filter")?;
        most(filter.matches.patterns(), FILTER_PATTERNS_MAX, "patterns in a filter")?;
        Ok(filter)
    }

    /// Parses a filter that was kept.
    pub(crate) fn of(text: &str) -> Result<Self, String> {
        Self::from_tokens(&tokens(text)?)
    }

    fn from_tokens(tokens: &[String]) -> Result<Self, String> {
        let matches = filter::read(tokens)?;
        Ok(Self { text: tokens.iter().map(|token| quoted(token)).collect::<Vec<_>>().join(" "), matches })
    }
}

/// Each verb with its arguments and its help; also the suggestions for a mistyped verb.
pub(crate) const VERBS: [(&str, &str, &str); 14] = [
    ("problems", "[FILTER]", "open problems; `problems critical`, `problems db*`, `problems web*/Disk*`"),
    ("status", "HOST[/SERVICE]", "current state, acknowledgement and downtimes"),
    ("history", "HOST[/SERVICE]", "its earlier problems: when, how long, who answered"),
    ("ack", "HOST[/SERVICE] [COMMENT]", "acknowledge the problem"),
    ("unack", "HOST[/SERVICE]", "remove the acknowledgement"),
    ("downtime", "HOST[/SERVICE] 2h [COMMENT]", "schedule a downtime from now on"),
    ("recheck", "HOST[/SERVICE]", "check it now"),
    ("subscribe", "[FILTER]", "send matching notifications to this channel; without FILTER, all of them"),
    ("me", "[FILTER]", "send matching notifications to you alone; `unsubscribe` in the app's own tab ends it"),
    ("unsubscribe", "[FILTER]", "stop matching notifications; without FILTER, all of them"),
    ("subscriptions", "", "list the subscriptions of this channel"),
    ("oncall", "", "who is on call now, and until when"),
    ("whoami", "", "your identity in the monitoring, and your rights here"),
    ("help", "", "this help"),
];

/// The syntax of filters, for the help.
pub(crate) const FILTERS: &str = "A filter is made of words that must all match: `HOST` or `HOST/SERVICE` with `*` and `?`, a state \
     (`critical`), or `KEY=VALUE` with host, service, state, type, hostgroup, servicegroup, contact, contact_group, core \
     or var.NAME; `!` before a value excludes it, commas separate several. Quote names that contain spaces: \
     `status \"web 01/Disk C:\"`.";

/// Parses the text behind the command; an error is a sentence for the person.
pub(crate) fn parse(command: &str, text: &str) -> Result<Order, String> {
    most(text.chars().count(), TEXT_CHARS_MAX, "characters")?;
    let text = unformatted(text);
    // Behind the name of these stands a comment, with dashes, quotes and all.
    let has_comment = text
        .split_whitespace()
        .find(|token| flag(token).is_none())
        .is_some_and(|verb| ["ack", "acknowledge", "downtime"].contains(&verb.to_lowercase().as_str()));
    let mut written = split(&text, has_comment)?;
    let flags = take_flags(&mut written, has_comment)?;
    let order =
        |what| Order { what, is_public: flags.is_public, core: flags.core.clone(), command: command.to_owned() };
    if written.is_empty() {
        return Ok(order(SlashOrder::Help));
    }
    let verb = written.remove(0).text;
    let tokens: Vec<String> = written.iter().map(|token| token.text.clone()).collect();
    let name = || -> Result<WrittenName, String> {
        let tokens = named(command, &verb, tokens.clone())?;
        let behind = written.iter().take(NAME_TOKENS_MAX).map(|token| text[token.end..].trim().to_owned()).collect();
        Ok(WrittenName { tokens, behind })
    };
    let what = match verb.to_lowercase().as_str() {
        "help" | "?" => SlashOrder::Help,
        "problems" | "list" => SlashOrder::Problems(Filter::bounded(&tokens)?),
        "status" | "show" => SlashOrder::Status(named(command, &verb, tokens)?),
        "ack" | "acknowledge" => SlashOrder::Action(SlashAction::Acknowledge, name()?),
        "history" => SlashOrder::History(named(command, &verb, tokens)?),
        "unack" | "unacknowledge" => SlashOrder::Action(SlashAction::RemoveAcknowledgement, name()?),
        "downtime" => SlashOrder::Action(SlashAction::Downtime, name()?),
        "recheck" | "check" => SlashOrder::Action(SlashAction::Recheck, name()?),
        "subscribe" => SlashOrder::Subscribe(Filter::bounded(&tokens)?),
        "me" => SlashOrder::Me(Filter::bounded(&tokens)?),
        "unsubscribe" if tokens.is_empty() => SlashOrder::Unsubscribe(None),
        "unsubscribe" => SlashOrder::Unsubscribe(Some(Filter::bounded(&tokens)?)),
        "subscriptions" => SlashOrder::Subscriptions,
        "oncall" | "on-call" => SlashOrder::OnCall,
        "whoami" => SlashOrder::Whoami,
        other => return Err(unknown_verb(command, other)),
    };
    Ok(order(what))
}

/// The downtime's length and comment, from the text behind the object's name.
pub(crate) fn downtime(command: &str, behind: &str) -> Result<(Duration, String), String> {
    let usage = format!("Say how long: `{command} downtime HOST[/SERVICE] 2h [COMMENT]`");
    let (length, comment) = behind.split_once(char::is_whitespace).unwrap_or((behind, ""));
    if length.is_empty() {
        return Err(format!("{usage}."));
    }
    match duration(length) {
        Ok(length) if length >= Duration::from_secs(60) => Ok((length, comment.trim().to_owned())),
        Ok(_) => Err(format!("\"{length}\" is too short for a downtime; the minimum is one minute.")),
        Err(_) => Err(format!("\"{length}\" isn't a duration. {usage}, with 30m, 2h or 1d.")),
    }
}

fn named(command: &str, verb: &str, tokens: Vec<String>) -> Result<Vec<String>, String> {
    if tokens.is_empty() {
        let usage = format!("{command} {verb}");
        return Err(format!(
            "Which host or service? Usage: `{usage} HOST` or `{usage} HOST/SERVICE`; quote names that contain spaces."
        ));
    }
    let name = tokens.iter().take(NAME_TOKENS_MAX);
    most(name.map(|token| token.matches('/').count()).sum(), SLASHES_MAX, "slashes in a name")?;
    Ok(tokens)
}

/// Checks one limit.
fn most(count: usize, most: usize, of: &str) -> Result<(), String> {
    if count > most { Err(format!("Too many {of}: {count}; the maximum is {most}.")) } else { Ok(()) }
}

fn unknown_verb(command: &str, verb: &str) -> String {
    let near = suggest::nearest(verb, VERBS.iter().map(|(name, ..)| *name));
    match near {
        Some(name) => {
            format!("Unknown command \"{verb}\". Did you mean `{command} {name}`? See `{command} help`.")
        }
        None => format!("Unknown command \"{verb}\". See `{command} help`."),
    }
}

/// The flags of a command.
#[derive(Debug, Default)]
struct Flags {
    is_public: bool,
    core: Option<String>,
}

/// The name of a flag. A phone makes one dash of two.
fn flag(token: &str) -> Option<&str> {
    let name = token.strip_prefix("--").unwrap_or_else(|| token.trim_start_matches(['—', '–']));
    (name.len() < token.len() && name.starts_with(|c: char| c.is_ascii_alphabetic())).then_some(name)
}

/// Removes the flags from the tokens; where a comment follows, only those before the name.
fn take_flags(tokens: &mut Vec<Token>, has_comment: bool) -> Result<Flags, String> {
    let (mut flags, mut at, mut others) = (Flags::default(), 0, 0);
    // The verb is one, and the name begins with the next.
    while at < tokens.len() && !(has_comment && others > 1) {
        match flag(&tokens[at].text).filter(|_| !tokens[at].is_quoted) {
            None => {
                at += 1;
                others += 1;
            }
            Some("public") => {
                flags.is_public = true;
                tokens.remove(at);
            }
            Some("core") if at + 1 < tokens.len() => {
                tokens.remove(at);
                flags.core = Some(tokens.remove(at).text);
            }
            Some("core") => return Err("--core needs a value.".to_owned()),
            Some(other) => {
                return Err(format!("Unknown flag --{other}; the flags are --public and --core NAME."));
            }
        }
    }
    Ok(flags)
}

#[cfg(test)]
mod tests;

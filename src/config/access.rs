//! `[acknowledge]` and `[access]`: what a click does by default, and who may click.

use super::problem::{Mistake, Problems};
use super::reader::{Table, texts_of};
use super::{Config, suggest, values};
use crate::model::pattern::Pattern;
use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

/// `[acknowledge]`: what the one-tap acknowledgement says, and what the form starts with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Acknowledge {
    /// It lasts until the recovery, not only until the next change of state.
    pub(crate) sticky: bool,
    /// The core notifies the contacts.
    pub(crate) notify: bool,
    /// The comment outlives the acknowledgement.
    pub(crate) persistent: bool,
    pub(crate) comment: CommentRule,
    /// The expiry times that the form offers, beside never.
    pub(crate) expire: Vec<Duration>,
    /// So long after it whoever acknowledged is asked whether they are still on it.
    pub(crate) still: Option<Duration>,
    /// How long they have to answer.
    pub(crate) still_wait: Duration,
}

/// Whether the form wants a comment. The one-tap acknowledgement needs none: it opens the form where one is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CommentRule {
    Optional,
    Required,
}

/// `[access]`: who may do what; [`crate::rules::authorise`] says how it is read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Access {
    /// Guests of the workspace count as its people.
    pub(crate) guests: bool,
    /// Only the object's own contacts may act on it.
    pub(crate) require_contact: bool,
    /// The person or channel named to a user who is refused.
    pub(crate) ask: Option<String>,
    /// Contact names by Slack id or e-mail.
    pub(crate) people: BTreeMap<Who, String>,
    pub(crate) rules: Vec<AccessRule>,
}

/// `[audit]`
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Audit {
    /// How long its rows are kept; for good where nothing is said.
    pub(crate) keep: Option<Duration>,
}

/// One `[[access.rule]]`; every given part must match, an empty one matches all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AccessRule {
    /// Its line in the file, for refusals and problems.
    pub(crate) line: usize,
    pub(crate) allows: bool,
    pub(crate) who: Vec<Who>,
    /// Names.
    pub(crate) integrations: Vec<String>,
    /// Ids.
    pub(crate) channels: Vec<String>,
    /// Names of actions.
    pub(crate) actions: Vec<String>,
    pub(crate) hosts: Vec<Pattern>,
    pub(crate) services: Vec<Pattern>,
    pub(crate) cores: Vec<Pattern>,
}

/// The people that a rule is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Who {
    /// `*`
    Everyone,
    /// `U…` or `W…`
    User(String),
    /// In ASCII's lower case.
    Email(String),
    /// A user group's id (`S…`), or its handle in lower case, without `@`.
    Group(String),
}

/// The actions that a rule may name: [`crate::model::action::Action::name`]'s, and those that need no command.
const ACTIONS: [&str; 8] =
    ["acknowledge", "unacknowledge", "downtime", "recheck", "notifications", "comment", "view", "subscribe"];
const HOUR: Duration = Duration::from_secs(3600);

pub(super) fn acknowledge(top: &mut Table<'_>, problems: &mut Problems<'_>) -> Acknowledge {
    let mut acknowledge = Acknowledge {
        sticky: true,
        notify: true,
        persistent: false,
        comment: CommentRule::Optional,
        expire: vec![HOUR, HOUR * 4, HOUR * 24],
        still: None,
        still_wait: HOUR / 2,
    };
    let Some(mut table) = top.table("acknowledge", problems) else {
        return acknowledge;
    };
    let comment = |text: &str| values::choice(text, &super::names::COMMENT_RULES);
    acknowledge.sticky = table.flag("sticky", problems).unwrap_or(acknowledge.sticky);
    acknowledge.notify = table.flag("notify", problems).unwrap_or(acknowledge.notify);
    acknowledge.persistent = table.flag("persistent", problems).unwrap_or(acknowledge.persistent);
    acknowledge.comment = table.parsed("comment", problems, comment).unwrap_or(acknowledge.comment);
    if table.node("expire").is_some() {
        acknowledge.expire = table.parsed_list("expire", problems, expiry);
    }
    acknowledge.still = table.parsed("still", problems, super::escalate::long_enough);
    acknowledge.still_wait =
        table.parsed("still_wait", problems, super::escalate::long_enough).unwrap_or(acknowledge.still_wait);
    table.finish(problems);
    acknowledge
}

/// A minute or more: the core's clock has seconds, and its state is written every ten.
fn expiry(text: &str) -> Result<Duration, Mistake> {
    match values::duration(text)? {
        short if short < Duration::from_secs(60) => {
            Err(Mistake::new(format!("\"{text}\" is too short")).remedy("at least \"1m\""))
        }
        good => Ok(good),
    }
}

pub(super) fn access(top: &mut Table<'_>, problems: &mut Problems<'_>) -> Access {
    let Some(mut table) = top.table("access", problems) else {
        return Access::default();
    };
    let mut access = Access {
        guests: table.flag("guests", problems).unwrap_or(false),
        require_contact: table.flag("require_contact", problems).unwrap_or(false),
        ask: table.text("ask", problems).map(|text| crate::model::notification::clean_line(text.text)),
        people: BTreeMap::new(),
        rules: Vec::new(),
    };
    if let Some(people) = table.table("people", problems) {
        for entry in people.entries() {
            let texts = texts_of(entry, "[access.people]", problems);
            match (entry.key.parse::<Who>(), texts.as_slice()) {
                (Ok(who @ (Who::User(_) | Who::Email(_))), [contact]) if !contact.text.is_empty() => {
                    access.people.insert(who, contact.text.to_owned());
                }
                (Ok(Who::User(_) | Who::Email(_)), _) => {
                    let mistake = Mistake::new(format!("\"{}\" in [access.people] must be one contact", entry.key));
                    problems.error(Some(entry.node.span), mistake.remedy("write the contact's name in the core"));
                }
                _ => {
                    let mistake = Mistake::new(format!("\"{}\" in [access.people] isn't a person", entry.key));
                    let remedy =
                        "write a Slack id or an e-mail: U0123ABCDEF = \"alice\", \"alice@example.com\" = \"alice\"";
                    problems.error(Some(entry.key_span), mistake.remedy(remedy));
                }
            }
        }
    }
    for mut rule in table.tables("rule", problems) {
        "[[access.rule]]".clone_into(&mut rule.name);
        access.rules.extend(read_rule(rule, problems));
    }
    table.finish(problems);
    access
}

fn read_rule(mut table: Table<'_>, problems: &mut Problems<'_>) -> Option<AccessRule> {
    let (has_allow, has_deny) = (table.node("allow").is_some(), table.node("deny").is_some());
    if has_allow == has_deny {
        let message = if has_allow { "a rule can't both allow and deny" } else { "a rule without allow or deny" };
        let remedy = "write allow = \"...\" or deny = \"...\" with people: \"*\", \"U0123ABCDEF\", \"alice@example.com\", \"@group\"";
        problems.error(table.span, Mistake::new(message).remedy(remedy));
    }
    let action = |text: &str| values::choice(text, &ACTIONS.map(|name| (name, name))).map(str::to_owned);
    let rule = AccessRule {
        line: table.span.map_or(0, |span| problems.line(span)),
        allows: has_allow,
        who: table.parsed_list(if has_allow { "allow" } else { "deny" }, problems, str::parse),
        integrations: integrations(&mut table, problems),
        channels: table.parsed_list("channel", problems, channel),
        actions: table.parsed_list("action", problems, action),
        hosts: table.parsed_list("host", problems, values::pattern),
        services: table.parsed_list("service", problems, values::pattern),
        cores: table.parsed_list("core", problems, values::pattern),
    };
    table.finish(problems);
    (has_allow != has_deny).then_some(rule)
}

/// The names of integrations; [`check`] looks whether there are such.
fn integrations(table: &mut Table<'_>, problems: &mut Problems<'_>) -> Vec<String> {
    table.texts("integration", problems).unwrap_or_default().iter().map(|text| text.text.to_owned()).collect()
}

/// Checks that need the integrations, too.
pub(super) fn check(config: &Config, problems: &mut Problems<'_>) {
    let names: Vec<&str> = config.integrations.iter().map(|integration| integration.name.as_str()).collect();
    for rule in &config.access.rules {
        for name in rule.integrations.iter().filter(|name| !names.contains(&name.as_str())) {
            let remedy = suggest::did_you_mean(name, names.iter().copied());
            let remedy = remedy.unwrap_or_else(|| format!("known: {}", suggest::one_of(&names)));
            let message = format!("the rule at line {} names no integration of ours, \"{name}\"", rule.line);
            problems.error(None, Mistake::new(message).remedy(remedy));
        }
    }
    for integration in &config.integrations {
        let hears = integration.app_token.is_some() || !integration.signing_secrets.is_empty();
        if hears && integration.enabled && integration.acts && !integration.is_bot() && !config.access.guests {
            let message = format!(
                "no user can act from \"{}\": with only a webhook ackbell can't see who is a guest, and guests aren't allowed to act",
                integration.name
            );
            let remedy = "give it a bot_token, or let guests act, too: guests = true under [access]";
            problems.warning(None, Mistake::new(message).remedy(remedy));
        }
    }
}

/// `[audit]`
pub(super) fn audit(top: &mut Table<'_>, problems: &mut Problems<'_>) -> Audit {
    let Some(mut table) = top.table("audit", problems) else {
        return Audit::default();
    };
    let keep = |text: &str| match values::duration(text)? {
        short if short < HOUR * 24 => Err(Mistake::new(format!("\"{text}\" is too short")).remedy("at least \"1d\"")),
        good => Ok(good),
    };
    let audit = Audit { keep: table.parsed("keep", problems, keep) };
    table.finish(problems);
    audit
}

/// By id: a click names the channel by its id, and its name may change.
fn channel(text: &str) -> Result<String, Mistake> {
    if values::is_id(text, &['C', 'G', 'D']) {
        return Ok(text.to_owned());
    }
    Err(Mistake::new(format!("\"{text}\" isn't a channel's id"))
        .remedy("write its id, such as \"C0123ABCDEF\": it stands at the end of the channel's details in Slack"))
}

impl FromStr for Who {
    type Err = Mistake;

    fn from_str(text: &str) -> Result<Self, Mistake> {
        let text = text.trim();
        let name = text.strip_prefix('@').unwrap_or(text);
        match name {
            "*" => Ok(Self::Everyone),
            email if values::is_email(email) => Ok(Self::Email(email.to_ascii_lowercase())),
            id if values::is_id(id, &['U', 'W']) => Ok(Self::User(id.to_owned())),
            id if values::is_id(id, &['S']) => Ok(Self::Group(id.to_owned())),
            handle if text.starts_with('@') && !handle.is_empty() && !handle.contains(char::is_whitespace) => {
                Ok(Self::Group(handle.to_lowercase()))
            }
            _ => {
                let names = ["*", "U0123ABCDEF", "alice@example.com", "@group"];
                Err(Mistake::new(format!("unknown subject \"{text}\" in [access]")).remedy(suggest::one_of(&names)))
            }
        }
    }
}

impl std::fmt::Display for Who {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Everyone => f.write_str("*"),
            Self::User(text) | Self::Email(text) => f.write_str(text),
            Self::Group(id) if values::is_id(id, &['S']) => f.write_str(id),
            Self::Group(handle) => write!(f, "@{handle}"),
        }
    }
}

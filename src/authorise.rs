//! Who may do what: decided before any command is built.
//!
//! Pure: the person, the object's contacts and the rules are arguments. The only way to an [`Authorised`], and so to an
//! external command, is [`authorise`].
//!
//! The order, the first that speaks decides:
//! 1. Another workspace's people and bots are refused, whatever the rules say; guests unless `guests = true`.
//! 2. A person who is a contact in the core that may submit no commands (`can_submit_commands 0`) is refused.
//! 3. With `require_contact`, whoever isn't one of the object's contacts is refused.
//! 4. The first `[[access.rule]]` whose every given part matches allows or denies.
//! 5. No rule matched: allowed, unless there is an `allow` rule, as then those say who may.
//!
//! Looking at what is wrong ([`Right::View`]) takes no contact, and is closed only by `allow` rules that name it.

use crate::command::{Action, Object, clean};
use crate::config::{Access, AccessRule, Pattern, Who};
use crate::notification::is_uuid;
use crate::route::matcher::takes;

/// An author's name is cut to so many characters.
const AUTHOR_CHARS_MAX: usize = 100;

/// Who clicked, as Slack and the installation know it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Person {
    pub(crate) integration: String,
    pub(crate) team_id: String,
    pub(crate) user_id: String,
    /// The display name or real name; may be anything, and may change.
    pub(crate) name: String,
    pub(crate) email: Option<String>,
    /// A single- or multi-channel guest (`is_restricted`, `is_ultra_restricted`:
    /// <https://docs.slack.dev/reference/objects/user-object>).
    pub(crate) is_guest: bool,
    /// From another workspace, in a shared channel (`is_stranger`).
    pub(crate) is_stranger: bool,
    pub(crate) is_bot: bool,
    /// Ids and handles of the user groups the person is in.
    pub(crate) groups: Vec<String>,
}

/// A contact of the core.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Contact {
    pub(crate) name: String,
    pub(crate) email: Option<String>,
    pub(crate) can_submit_commands: bool,
    /// Belongs to the object asked about, by name or by one of its groups.
    pub(crate) is_objects: bool,
}

/// What somebody wants to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Right<'a> {
    Act(&'a Action),
    /// To be shown the state of an object.
    View,
    /// To let a channel be sent what matches; then the object's names are patterns.
    Subscribe,
}

impl Right<'_> {
    /// Its name in rules.
    fn name(self) -> &'static str {
        match self {
            Self::Act(action) => action.name(),
            Self::View => "view",
            Self::Subscribe => "subscribe",
        }
    }

    /// What a person does with it, after "may not".
    fn phrase(self) -> &'static str {
        match self {
            Self::Act(action) => action.phrase(),
            Self::View => "look at this",
            Self::Subscribe => "subscribe channels to this",
        }
    }
}

/// Who asks, where, and about what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) person: &'a Person,
    /// The workspace the integration is installed in.
    pub(crate) team_id: &'a str,
    /// The channel's id; absent where there is none, as in App Home.
    pub(crate) channel: Option<&'a str>,
    pub(crate) object: &'a Object,
    /// What people call the host and the service, where that differs from the core's names; rules match both.
    pub(crate) host_label: Option<&'a str>,
    pub(crate) service_label: Option<&'a str>,
}

/// A person's right to one action on one object. Only [`authorise`] makes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Authorised {
    action: Action,
    object: Object,
    author: String,
}

impl Authorised {
    pub(crate) fn action(&self) -> &Action {
        &self.action
    }

    pub(crate) fn object(&self) -> &Object {
        &self.object
    }

    /// Whom the core names: never empty, one line, without `;`.
    pub(crate) fn author(&self) -> &str {
        &self.author
    }
}

/// The decision.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub(crate) enum Verdict {
    Allowed(Authorised),
    Refused(Refusal),
}

/// Why not, for the person who asked; its `Display` is the whole text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// A sentence without its full stop.
    pub(crate) reason: String,
    /// Whom to ask.
    pub(crate) ask: Option<String>,
    /// The line of the rule that said so, for the audit and the log.
    pub(crate) rule: Option<usize>,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.", self.reason)?;
        match &self.ask {
            Some(ask) => write!(f, " Ask {ask}."),
            None => f.write_str(" Ask whoever runs your monitoring."),
        }
    }
}

/// Decides about an act. `contacts` are the core's, where they are known.
pub(crate) fn authorise(asked: &Asked<'_>, action: &Action, access: &Access, contacts: Option<&[Contact]>) -> Verdict {
    match permit(asked, Right::Act(action), access, contacts) {
        Ok(()) => {
            let author = author(asked.person, in_the_core(asked.person, access, contacts).0);
            Verdict::Allowed(Authorised { action: action.clone(), object: asked.object.clone(), author })
        }
        Err(refusal) => Verdict::Refused(refusal),
    }
}

/// Decides about anything; for an act use [`authorise`].
pub(crate) fn permit(
    asked: &Asked<'_>,
    right: Right<'_>,
    access: &Access,
    contacts: Option<&[Contact]>,
) -> Result<(), Refusal> {
    let refused = |reason: String, rule: Option<usize>| Err(Refusal { reason, ask: access.ask.clone(), rule });
    if let Some(reason) = outsider(asked, access) {
        return refused(reason, None);
    }
    if let Right::Act(_) = right
        && let Some(reason) = not_in_the_core(asked, access, contacts)
    {
        return refused(reason, None);
    }
    let may_not = format!("You may not {} here", right.phrase());
    let closes = |rule: &AccessRule| {
        rule.allows && (right != Right::View || rule.actions.iter().any(|action| action == right.name()))
    };
    match access.rules.iter().find(|rule| matches(rule, asked, right)) {
        Some(rule) if !rule.allows => refused(may_not, Some(rule.line)),
        None if access.rules.iter().any(closes) => refused(may_not, None),
        Some(_) | None => Ok(()),
    }
}

/// The contact that the person is in the core, as the author of what they do there.
pub(crate) fn contact_name(person: &Person, access: &Access, contacts: Option<&[Contact]>) -> Option<String> {
    in_the_core(person, access, contacts).0
}

/// Whether the object is the person's own: one of the contacts that the person is in the core belongs to it.
pub(crate) fn is_contact(person: &Person, access: &Access, contacts: Option<&[Contact]>) -> bool {
    in_the_core(person, access, contacts).1.iter().any(|contact| contact.is_objects)
}

/// Why the core itself, or `require_contact`, doesn't let the person act.
fn not_in_the_core(asked: &Asked<'_>, access: &Access, contacts: Option<&[Contact]>) -> Option<String> {
    let (name, own) = in_the_core(asked.person, access, contacts);
    if !own.is_empty() && own.iter().all(|contact| !contact.can_submit_commands) {
        return Some(format!("The monitoring lets the contact {} submit no commands", own[0].name));
    }
    if !access.require_contact || own.iter().any(|contact| contact.is_objects && contact.can_submit_commands) {
        return None;
    }
    Some(match (contacts, name) {
        (None, _) => "Only its contacts may act on it, and who they are can't be read from the monitoring".to_owned(),
        (_, Some(name)) => format!("Only its contacts may act on {}, and {name} is none", asked.object),
        (_, None) => format!(
            "Only its contacts may act on {}, and the monitoring knows no contact with your e-mail address",
            asked.object
        ),
    })
}

/// Why somebody from outside may do nothing at all.
fn outsider(asked: &Asked<'_>, access: &Access) -> Option<String> {
    let person = asked.person;
    let reason = if person.is_stranger || person.team_id.is_empty() || person.team_id != asked.team_id {
        "People of other workspaces may do nothing here"
    } else if person.is_bot {
        "Bots may do nothing here"
    } else if person.is_guest && !access.guests {
        "Guests may do nothing here"
    } else {
        return None;
    };
    Some(reason.to_owned())
}

/// The person's name in the core, and every contact the person is there: the one `[access.people]` names, else all with
/// the person's e-mail (people have one for mail and another for their telephone), the object's own first.
fn in_the_core<'a>(
    person: &Person,
    access: &Access,
    contacts: Option<&'a [Contact]>,
) -> (Option<String>, Vec<&'a Contact>) {
    let contacts = contacts.unwrap_or_default().iter();
    let email = person.email.as_deref().filter(|email| !email.is_empty()).map(str::to_lowercase);
    let by_id = access.people.get(&Who::User(person.user_id.clone()));
    let mapped = by_id.or_else(|| access.people.get(&Who::Email(email.clone()?)));
    if let Some(name) = mapped {
        return (Some(name.clone()), contacts.filter(|contact| contact.name == *name).collect());
    }
    let is_own = |contact: &&Contact| email.is_some() && contact.email.as_ref().map(|own| own.to_lowercase()) == email;
    let mut own: Vec<&Contact> = contacts.filter(is_own).collect();
    own.sort_by_key(|contact| !contact.is_objects);
    (own.first().map(|contact| contact.name.clone()), own)
}

/// openITCOCKPIT's contacts are named by UUID, which says nobody who it was.
fn author(person: &Person, name: Option<String>) -> String {
    let name = name.filter(|name| !is_uuid(name));
    let candidates = [name.unwrap_or_default(), person.name.clone(), person.user_id.clone(), "Slack".to_owned()];
    let cleaned = candidates.iter().map(|text| clean(text)).find(|text| !text.is_empty());
    cleaned.unwrap_or_default().chars().take(AUTHOR_CHARS_MAX).collect()
}

fn matches(rule: &AccessRule, asked: &Asked<'_>, right: Right<'_>) -> bool {
    let any = |list: &[String], value: Option<&str>| list.is_empty() || list.iter().any(|v| Some(v.as_str()) == value);
    let object = asked.object;
    let takes = |patterns: &[Pattern], values: &[Option<&str>]| match right {
        Right::Subscribe => covers(patterns, values.first().copied().flatten(), rule.allows),
        Right::Act(_) | Right::View => takes(patterns, values),
    };
    rule.who.iter().any(|who| is(who, asked.person))
        && any(&rule.channels, asked.channel)
        && any(&rule.actions, Some(right.name()))
        && takes(&rule.hosts, &[Some(object.host.as_str()), asked.host_label])
        && takes(&rule.services, &[object.service.as_deref(), asked.service_label])
        && takes(&rule.cores, &[Some(object.core.as_str())])
}

/// Whether a rule is about all that a wanted pattern may ever match. In doubt a rule that allows isn't, and one that
/// denies is.
fn covers(patterns: &[Pattern], wanted: Option<&str>, allows: bool) -> bool {
    if patterns.is_empty() {
        return true;
    }
    let Some(wanted) = wanted.filter(|wanted| !wanted.is_empty() && !wanted.starts_with('!')) else {
        return !allows;
    };
    if !wanted.contains(['*', '?']) {
        return takes(patterns, &[Some(wanted)]);
    }
    // A star stands for any number of characters, so it takes a star to cover it.
    let is_plain = !patterns.iter().any(|pattern| pattern.0.starts_with('!'));
    !allows || (is_plain && takes(patterns, &[Some(wanted.replace('*', "\u{e000}\u{e000}"))]))
}

fn is(who: &Who, person: &Person) -> bool {
    match who {
        Who::Everyone => true,
        Who::User(id) => *id == person.user_id,
        Who::Email(email) => person.email.as_deref().is_some_and(|own| own.to_lowercase() == *email),
        Who::Group(group) => {
            person.groups.iter().any(|own| own == group || own.trim_start_matches('@').to_lowercase() == *group)
        }
    }
}

#[cfg(test)]
mod tests;

//! Who may do what: the one place that decides, and it is asked before anything is looked up, compared, shown or built.
//!
//! Pure: the person, the object's names and contacts and the rules are arguments. Three questions, in this order, and
//! each is the only way to the next:
//!
//! 1. [`Caller::admit`]: is it somebody of ours? Another workspace's people and bots are refused, whatever the rules
//!    say; guests unless `guests = true`, and so is whoever can't be told from a guest.
//! 2. [`Admitted::ask`]: may they do it at all, to anything? Only whoever may has a [`Permission`], and nothing about an
//!    object can be looked up for a person without one.
//! 3. [`Permission::may`] and [`authorise`]: may they do it to this object? The only way to an [`Authorised`], and so to an
//!    external command, is [`authorise`].
//!
//! About an object, the first that speaks decides:
//! 1. A person who is a contact in the core that may submit no commands (`can_submit_commands 0`) is refused.
//! 2. With `require_contact`, whoever isn't one of the object's contacts is refused.
//! 3. The first `[[access.rule]]` whose every given part matches allows or denies. Hosts and services match by each of
//!    their names; where those can't be known, a rule that denies matches.
//! 4. No rule matched: allowed, unless there is an `allow` rule, as then those say who may.
//!
//! Looking at what is wrong ([`Right::View`]) takes no contact, and is closed only by `allow` rules that name it. Where
//! an integration has `acts = false`, its people may look and nothing else.

mod rules;

use crate::config::{Access, Matcher, Who};
use crate::model::action::Action;
use crate::model::notification::{clean_field, is_uuid};
use crate::model::object::Object;
use crate::system::order;
pub(crate) use rules::KnownNames;
use serde::{Deserialize, Serialize};

/// An author's name is cut to so many characters.
const AUTHOR_CHARS_MAX: usize = 100;
/// Slack's ids have eleven or so.
const USER_ID_CHARS_MAX: usize = 24;

/// Who clicked, as Slack and the installation know it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Person {
    pub(crate) integration: String,
    pub(crate) team_id: String,
    pub(crate) user_id: String,
    /// The display name or real name; may be anything, and may change.
    pub(crate) name: String,
    /// One that is the person's own: confirmed, and of an account that exists.
    pub(crate) email: Option<String>,
    /// A single- or multi-channel guest (`is_restricted`, `is_ultra_restricted`:
    /// <https://docs.slack.dev/reference/objects/user-object>). `None`: nobody could be asked, as with only a webhook;
    /// what Slack signs doesn't say it.
    pub(crate) is_guest: Option<bool>,
    /// From another workspace, in a shared channel (`is_outsider`).
    pub(crate) is_outsider: bool,
    pub(crate) is_bot: bool,
    /// Ids and handles of the user groups the person is in.
    pub(crate) groups: Vec<String>,
}

/// A contact of the core.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Contact {
    pub(crate) name: String,
    /// As the core has it: several are separated by commas.
    pub(crate) email: Option<String>,
    pub(crate) can_submit_commands: bool,
    /// Belongs to the object asked about, by name or by one of its groups.
    pub(crate) is_objects: bool,
}

/// The action that a person wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Right<'a> {
    Act(&'a Action),
    /// To be shown the state of an object.
    View,
    /// To let a channel be sent what matches, and to end that.
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

    /// The action as a verb, after "may not".
    fn phrase(self) -> &'static str {
        match self {
            Self::Act(action) => action.phrase(),
            Self::View => "look at this",
            Self::Subscribe => "subscribe channels to this",
        }
    }
}

/// A person who asks, with the integration and the channel of the request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) person: Person,
    /// The workspace the integration is installed in.
    pub(crate) team_id: String,
    /// The channel's id; absent where there is none, as in App Home.
    pub(crate) channel: Option<String>,
    /// Whether the integration's people may do more than look.
    pub(crate) acts: bool,
}

/// Somebody of ours. Only [`Caller::admit`] makes it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Admitted<'a> {
    caller: &'a Caller,
    access: &'a Access,
}

/// The permission to look for objects with a right in mind: it may hold for some. Only [`Admitted::ask`] makes it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Permission<'a> {
    admitted: Admitted<'a>,
    right: Right<'a>,
}

/// An object with all its names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ObjectNames<'a> {
    pub(crate) object: &'a Object,
    /// Display names of the host and the service, beside the core's names.
    pub(crate) host_labels: Vec<&'a str>,
    pub(crate) service_labels: Vec<&'a str>,
    /// Whether those are all; not when whoever knows them couldn't be asked.
    pub(crate) are_all: bool,
}

impl<'a> ObjectNames<'a> {
    /// By the core's own names: it has no others.
    pub(crate) fn bare(object: &'a Object) -> Self {
        Self { object, host_labels: Vec::new(), service_labels: Vec::new(), are_all: true }
    }
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

    /// The author in the core: never empty, one line, without `;`.
    pub(crate) fn author(&self) -> &str {
        &self.author
    }
}

/// Why not, for the person who asked; its `Display` is the whole text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// A sentence without its full stop.
    pub(crate) reason: String,
    /// The person or channel to ask.
    pub(crate) ask: Option<String>,
    /// The line of the rule that said so, for the audit and the log.
    pub(crate) rule: Option<usize>,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.", self.reason)?;
        match &self.ask {
            Some(ask) => write!(f, " Ask {ask}."),
            None => f.write_str(" Ask the administrators of your monitoring."),
        }
    }
}

impl Caller {
    /// Lets somebody in who isn't from outside.
    pub(crate) fn admit<'a>(&'a self, access: &'a Access) -> Result<Admitted<'a>, Refusal> {
        match self.outsider(access) {
            Some(reason) => Err(Refusal { reason: reason.to_owned(), ask: access.ask.clone(), rule: None }),
            None => Ok(Admitted { caller: self, access }),
        }
    }

    /// Why somebody from outside may do nothing at all.
    fn outsider(&self, access: &Access) -> Option<&'static str> {
        let person = &self.person;
        if person.is_outsider || person.team_id.is_empty() || person.team_id != self.team_id {
            Some("Users from other workspaces aren't allowed to use these actions")
        } else if person.is_bot {
            Some("Bots aren't allowed to use these actions")
        } else {
            match person.is_guest {
                Some(false) => None,
                _ if access.guests => None,
                Some(true) => Some("Guests aren't allowed to use these actions"),
                None => Some(
                    "Guests aren't allowed to use these actions, and with only a webhook ackbell can't see who is a guest: it needs a \
                     bot_token, or guests = true under [access]",
                ),
            }
        }
    }
}

impl<'a> Admitted<'a> {
    pub(crate) fn person(self) -> &'a Person {
        &self.caller.person
    }

    /// Whether the right may hold for anything: asked before anything is looked up.
    pub(crate) fn ask(self, right: Right<'a>) -> Result<Permission<'a>, Refusal> {
        if !self.caller.acts && right != Right::View {
            let reason = "Users of this workspace may only view states here".to_owned();
            return Err(Refusal { reason, ask: self.access.ask.clone(), rule: None });
        }
        match rules::anywhere(self, right) {
            Ok(()) => Ok(Permission { admitted: self, right }),
            Err(rule) => Err(self.may_not(right, rule)),
        }
    }

    fn may_not(self, right: Right<'_>, rule: Option<usize>) -> Refusal {
        let reason = format!("You may not {} here", right.phrase());
        Refusal { reason, ask: self.access.ask.clone(), rule }
    }

    /// Decides about one object.
    fn permit(self, right: Right<'_>, named: &ObjectNames<'_>, contacts: Option<&[Contact]>) -> Result<(), Refusal> {
        if let Right::Act(_) = right
            && let Some(reason) = self.not_in_the_core(named.object, contacts)
        {
            return Err(Refusal { reason, ask: self.access.ask.clone(), rule: None });
        }
        rules::about(self, right, named).map_err(|rule| self.may_not(right, rule))
    }

    /// Why the core itself, or `require_contact`, doesn't let the person act.
    fn not_in_the_core(self, object: &Object, contacts: Option<&[Contact]>) -> Option<String> {
        let (name, own) = in_the_core(self.person(), self.access, contacts);
        if !own.is_empty() && own.iter().all(|contact| !contact.can_submit_commands) {
            return Some(format!("The monitoring lets the contact {} submit no commands", own[0].name));
        }
        if !self.access.require_contact || own.iter().any(|contact| contact.is_objects && contact.can_submit_commands) {
            return None;
        }
        Some(match (contacts, name) {
            (None, _) => {
                "Only its contacts may act on it, and who they are can't be read from the monitoring".to_owned()
            }
            (_, Some(name)) => format!("Only its contacts may act on {object}, and {name} isn't one of them"),
            (_, None) => {
                format!(
                    "Only its contacts may act on {object}, and the monitoring knows no contact with your e-mail address"
                )
            }
        })
    }
}

impl<'a> Permission<'a> {
    pub(crate) fn admitted(&self) -> Admitted<'a> {
        self.admitted
    }

    /// Decides about an object; for an action use [`authorise`]. `contacts` are the core's, where they are known.
    pub(crate) fn may(&self, named: &ObjectNames<'_>, contacts: Option<&[Contact]>) -> Result<(), Refusal> {
        self.admitted.permit(self.right, named, contacts)
    }

    /// Whether the person may know that there is such an object: whoever may do something to it, or look at it.
    pub(crate) fn sees(&self, named: &ObjectNames<'_>) -> bool {
        rules::about(self.admitted, self.right, named).is_ok()
            || rules::about(self.admitted, Right::View, named).is_ok()
    }

    /// Decides about a subscription: about all that its filter may ever take. `known` are the objects' names.
    pub(crate) fn covers(&self, filter: &Matcher, known: &KnownNames) -> Result<(), Refusal> {
        rules::cover(self.admitted, filter, known).map_err(|rule| self.admitted.may_not(self.right, rule))
    }

    /// Whether rules distinguish one object from another, so that each must be asked about.
    pub(crate) fn differs_by_object(&self) -> bool {
        let access = self.admitted.access;
        access.require_contact || access.rules.iter().any(|rule| !rule.hosts.is_empty() || !rule.services.is_empty())
    }
}

/// Decides about an action on an object. `contacts` are the core's, where they are known.
pub(crate) fn authorise(
    permission: &Permission<'_>,
    named: &ObjectNames<'_>,
    contacts: Option<&[Contact]>,
) -> Result<Authorised, Refusal> {
    permission.may(named, contacts)?;
    let Admitted { caller, access } = permission.admitted;
    let Right::Act(action) = permission.right else {
        return Err(permission.admitted.may_not(permission.right, None));
    };
    let author = author(&caller.person, in_the_core(&caller.person, access, contacts).0);
    Ok(Authorised { action: action.clone(), object: named.object.clone(), author })
}

/// The contact that the person is in the core, as the author of what they do there.
pub(crate) fn contact_name(person: &Person, access: &Access, contacts: Option<&[Contact]>) -> Option<String> {
    in_the_core(person, access, contacts).0
}

/// Whether the object is the person's own: one of the contacts that the person is in the core belongs to it.
pub(crate) fn is_contact(person: &Person, access: &Access, contacts: Option<&[Contact]>) -> bool {
    in_the_core(person, access, contacts).1.iter().any(|contact| contact.is_objects)
}

/// The person's name in the core, and every contact the person is there: the one `[access.people]` names, else all with
/// the person's e-mail (people have one for mail and another for their telephone), the object's own first.
fn in_the_core<'a>(
    person: &Person,
    access: &Access,
    contacts: Option<&'a [Contact]>,
) -> (Option<String>, Vec<&'a Contact>) {
    let contacts = contacts.unwrap_or_default().iter();
    let email = person.email.as_deref().filter(|email| !email.is_empty());
    let by_id = access.people.get(&Who::User(person.user_id.clone()));
    let mapped = by_id.or_else(|| access.people.get(&Who::Email(email?.to_ascii_lowercase())));
    if let Some(name) = mapped {
        return (Some(name.clone()), contacts.filter(|contact| contact.name == *name).collect());
    }
    let has = |own: &str| own.split([',', ';', ' ']).any(|own| email.is_some_and(|email| is_same_email(own, email)));
    let mut own: Vec<&Contact> = contacts.filter(|contact| contact.email.as_deref().is_some_and(has)).collect();
    order::by_key(&mut own, |contact| !contact.is_objects);
    (own.first().map(|contact| contact.name.clone()), own)
}

/// Only ASCII has no case: whoever may choose an address with a letter that Unicode makes the same small one of, such
/// as the Kelvin sign, is another.
fn is_same_email(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}

/// The author in the core. Somebody who isn't a contact gets the id that Slack has for them behind the name: a name in Slack is
/// free, and must not look like a contact's. No contact is called so, as parentheses are illegal in the names of objects.
fn author(person: &Person, contact: Option<String>) -> String {
    // openITCOCKPIT's contacts are named by UUID, which says nobody who it was.
    let contact = contact.filter(|name| !is_uuid(name));
    let contact = contact.map(|name| clean_field(&name)).filter(|name| !name.is_empty());
    if let Some(name) = contact {
        return name.chars().take(AUTHOR_CHARS_MAX).collect();
    }
    let id: String = clean_field(&person.user_id).chars().take(USER_ID_CHARS_MAX).collect();
    let mark = if id.is_empty() { " (Slack)".to_owned() } else { format!(" (Slack {id})") };
    let name = Some(clean_field(&person.name)).filter(|name| !name.is_empty()).unwrap_or_else(|| "Somebody".to_owned());
    let name: String = name.chars().take(AUTHOR_CHARS_MAX - mark.chars().count()).collect();
    format!("{}{mark}", name.trim_end())
}

#[cfg(test)]
mod tests;

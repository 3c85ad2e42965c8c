//! `[[access.rule]]`: the first whose every given part matches decides.
//!
//! An error is the line of the rule that said no; `None` where no rule allowed it.

use super::{Admitted, ObjectNames, Person, Right, is_same_email};
use crate::config::{AccessRule, Matcher, Who};
use crate::model::pattern::{self, Pattern, glob, takes};

/// The names that the monitoring's hosts and services have, each with all that people call it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct KnownNames {
    pub(crate) hosts: Vec<Vec<String>>,
    pub(crate) services: Vec<Vec<String>>,
}

/// Whether the right may hold for any object at all.
pub(super) fn anywhere(admitted: Admitted<'_>, right: Right<'_>) -> Result<(), Option<usize>> {
    for rule in applying(admitted, right) {
        if rule.allows {
            return Ok(());
        }
        if rule.hosts.is_empty() && rule.services.is_empty() && rule.cores.is_empty() {
            return Err(Some(rule.line));
        }
    }
    unmatched(admitted, right)
}

/// Decides about one object.
pub(super) fn about(admitted: Admitted<'_>, right: Right<'_>, named: &ObjectNames<'_>) -> Result<(), Option<usize>> {
    match applying(admitted, right).find(|rule| is_about(rule, named)) {
        Some(rule) if rule.allows => Ok(()),
        Some(rule) => Err(Some(rule.line)),
        None => unmatched(admitted, right),
    }
}

/// Decides about all that a subscription may ever take, host pattern by host pattern: nothing is built of one list times
/// another.
pub(super) fn cover(admitted: Admitted<'_>, filter: &Matcher, known: &KnownNames) -> Result<(), Option<usize>> {
    let hosts: Vec<Option<&Pattern>> =
        if filter.host.is_empty() { vec![None] } else { filter.host.iter().map(Some).collect() };
    hosts.into_iter().try_for_each(|host| {
        // What must match as well makes it less: a rule covers it that covers any of the parts, and touches it only if it
        // touches all of them.
        let covered = |rule: &AccessRule| {
            (covers(&rule.hosts, host) || filter.also.iter().any(|part| some_all(&part.host, &rule.hosts)))
                && filter.parts().any(|part| all(&part.service, &rule.services))
                && filter.parts().any(|part| all(&part.core, &rule.cores))
        };
        let touched = |rule: &AccessRule| {
            touches(&rule.hosts, host, &known.hosts)
                && filter.also.iter().all(|part| any(&part.host, &rule.hosts, &known.hosts))
                && filter.parts().all(|part| any(&part.service, &rule.services, &known.services))
                && filter.parts().all(|part| any(&part.core, &rule.cores, &[]))
        };
        let decides = |rule: &&AccessRule| if rule.allows { covered(rule) } else { touched(rule) };
        match applying(admitted, Right::Subscribe).find(decides) {
            Some(rule) if rule.allows => Ok(()),
            Some(rule) => Err(Some(rule.line)),
            None => unmatched(admitted, Right::Subscribe),
        }
    })
}

/// The rules about this person, place and right, whatever the object.
fn applying<'a>(admitted: Admitted<'a>, right: Right<'a>) -> impl Iterator<Item = &'a AccessRule> {
    let (person, channel) = (admitted.person(), admitted.caller.channel.as_deref());
    let one_of =
        |list: &[String], value: Option<&str>| list.is_empty() || list.iter().any(|v| Some(v.as_str()) == value);
    admitted.access.rules.iter().filter(move |rule| {
        rule.who.iter().any(|who| is(who, person))
            && one_of(&rule.channels, channel)
            && one_of(&rule.integrations, Some(&person.integration))
            && one_of(&rule.actions, Some(right.name()))
    })
}

/// The decision if no rule matched: if there are allow rules, a refusal.
fn unmatched(admitted: Admitted<'_>, right: Right<'_>) -> Result<(), Option<usize>> {
    let closes = |rule: &AccessRule| {
        rule.allows && (right != Right::View || rule.actions.iter().any(|action| action == right.name()))
    };
    if admitted.access.rules.iter().any(closes) { Err(None) } else { Ok(()) }
}

fn is_about(rule: &AccessRule, named: &ObjectNames<'_>) -> bool {
    let object = named.object;
    let fits = |patterns: &[Pattern], own: Option<&str>, labels: &[&str]| {
        let values: Vec<Option<&str>> = std::iter::once(own).chain(labels.iter().map(|label| Some(*label))).collect();
        match (patterns.is_empty() || named.are_all, rule.allows) {
            (true, _) => takes(patterns, &values),
            // A name that isn't known may be one that is excluded, or one that is meant.
            (false, true) => takes(patterns, &values) && !patterns.iter().any(|pattern| pattern.0.starts_with('!')),
            (false, false) => own.is_some(),
        }
    };
    fits(&rule.hosts, Some(&object.host), &named.host_labels)
        && fits(&rule.services, object.service.as_deref(), &named.service_labels)
        && takes(&rule.cores, &[Some(object.core.as_str())])
}

/// Whether a rule's patterns are about all that every one of the wanted patterns may ever match.
fn all(wanted: &[Pattern], patterns: &[Pattern]) -> bool {
    if wanted.is_empty() { covers(patterns, None) } else { wanted.iter().all(|one| covers(patterns, Some(one))) }
}

/// The same, where there are some.
fn some_all(wanted: &[Pattern], patterns: &[Pattern]) -> bool {
    !wanted.is_empty() && all(wanted, patterns)
}

/// Whether a rule's patterns may be about something that one of the wanted patterns matches.
fn any(wanted: &[Pattern], patterns: &[Pattern], known: &[Vec<String>]) -> bool {
    if wanted.is_empty() {
        touches(patterns, None, known)
    } else {
        wanted.iter().any(|one| touches(patterns, Some(one), known))
    }
}

/// A pattern that says what it takes: neither none nor one that excludes.
fn plain(wanted: Option<&Pattern>) -> Option<&str> {
    wanted.map(|pattern| pattern.0.as_str()).filter(|text| !text.is_empty() && !text.starts_with('!'))
}

/// Whether a rule is about all that a wanted pattern may ever match; not in doubt.
fn covers(patterns: &[Pattern], wanted: Option<&Pattern>) -> bool {
    if patterns.is_empty() {
        return true;
    }
    let Some(wanted) = plain(wanted) else { return false };
    if !wanted.contains(['*', '?']) {
        return takes(patterns, &[Some(wanted)]);
    }
    let is_plain = !patterns.iter().any(|pattern| pattern.0.starts_with('!'));
    is_plain && patterns.iter().any(|pattern| pattern::covers(&pattern.0, wanted))
}

/// Whether a rule may be about something that a wanted pattern matches; in doubt it is. What has another name is known
/// by that as well.
fn touches(patterns: &[Pattern], wanted: Option<&Pattern>, known: &[Vec<String>]) -> bool {
    let Some(wanted) = plain(wanted).filter(|_| !patterns.is_empty()) else { return true };
    if wanted.contains(['*', '?']) || takes(patterns, &[Some(wanted)]) {
        return true;
    }
    let is_meant = |names: &&Vec<String>| names.iter().any(|name| glob(wanted, name));
    known.iter().filter(is_meant).any(|names| names.iter().any(|name| takes(patterns, &[Some(name)])))
}

fn is(who: &Who, person: &Person) -> bool {
    match who {
        Who::Everyone => true,
        Who::User(id) => *id == person.user_id,
        Who::Email(email) => person.email.as_deref().is_some_and(|own| is_same_email(own, email)),
        Who::Group(group) => {
            let handle = |own: &String| own.trim_start_matches('@').eq_ignore_ascii_case(group);
            person.groups.iter().any(|own| own == group || handle(own))
        }
    }
}

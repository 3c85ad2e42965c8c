//! Finds the object that somebody named: by the core's names, by its display names, or suggests a similar one.

use super::not_readable;
use crate::config::{Config, Core, Matcher, suggest};
use crate::flow::callback::access_lookup::AccessLookup;
use crate::model::object::Object;
use crate::model::pattern::{Globs, Pattern};
use crate::monitoring::error::ReadError;
use crate::monitoring::objects::Names;
use crate::monitoring::{object_list, paths};
use crate::rules::authorise::{KnownNames, Permission};
use crate::rules::slash::NAME_TOKENS_MAX;
use crate::rules::slash::tokens::quoted;
use crate::slack::mrkdwn;
use std::collections::BTreeMap;

/// The states that `problems` can be filtered by.
const STATES: [&str; 6] = ["warning", "critical", "unknown", "down", "unreachable", "ok"];
/// No object has a longer name.
const NAME_BYTES_MAX: usize = 512;

/// An object that somebody named.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) object: Object,
    /// How many tokens its name has.
    pub(super) tokens: usize,
}

/// The cores to look in: the named one, else all; this machine's where none is configured.
pub(super) fn cores(config: &Config, named: Option<&str>) -> Result<Vec<Core>, String> {
    let Some(name) = named else {
        return Ok(paths::cores(config));
    };
    let found: Vec<Core> = config.cores.iter().filter(|core| core.name == name).cloned().collect();
    if found.is_empty() {
        let others: Vec<&str> = config.cores.iter().map(|core| core.name.as_str()).filter(|n| !n.is_empty()).collect();
        let known = if others.is_empty() { "there is only one".to_owned() } else { suggest::one_of(&others) };
        return Err(format!("Unknown core \"{name}\": {known}."));
    }
    Ok(found)
}

/// The object that the first tokens name: the longest name that exists. An object that the person may not see doesn't
/// exist for them.
pub(super) fn object(
    tokens: &[String],
    cores: &[Core],
    lookup: &mut AccessLookup,
    permission: &Permission<'_>,
) -> Result<Found, String> {
    let mut unreadable = None;
    let mut exact: Vec<Found> = Vec::new();
    for core in cores {
        match in_core(tokens, core, lookup, permission) {
            Ok(found) => exact.extend(found),
            Err(e) => unreadable = Some(e),
        }
    }
    let longest = exact.iter().map(|found| found.tokens).max();
    exact.retain(|found| Some(found.tokens) == longest);
    match (exact.pop(), exact.first()) {
        (Some(one), None) => Ok(one),
        (Some(one), Some(_)) => {
            Err(several(&one.object, exact.iter().chain([&one]).map(|found| found.object.core.as_str())))
        }
        (None, _) => match unreadable {
            Some(e) => Err(not_readable(&e)),
            None => by_display_name(tokens, cores, lookup, permission),
        },
    }
}

/// The longest name that exists as it is written.
fn in_core(
    tokens: &[String],
    core: &Core,
    lookup: &mut AccessLookup,
    permission: &Permission<'_>,
) -> Result<Option<Found>, ReadError> {
    let mut candidates: Vec<(Object, usize)> = Vec::new();
    for count in (1..=tokens.len().min(NAME_TOKENS_MAX)).rev() {
        let written = tokens[..count].join(" ");
        candidates.extend(readings(&written, &core.name).into_iter().map(|object| (object, count)));
    }
    let wanted: Vec<Object> = candidates.iter().map(|(object, _)| object.clone()).collect();
    let snapshot = object_list::states(core, &wanted, permission)?;
    let mut there = candidates.into_iter().filter(|(object, _)| snapshot.states.contains_key(object));
    let found = there.find(|(object, _)| permission.sees(&lookup.names(core, object, None).of(object)));
    Ok(found.map(|(object, count)| Found { object, tokens: count }))
}

/// Every object that the person may see, with its display name.
fn seen(core: &Core, lookup: &mut AccessLookup, permission: &Permission<'_>) -> Result<Vec<(Object, Label)>, String> {
    let all = object_list::names(core, permission).map_err(|e| not_readable(&e))?;
    let (mut seen, naming) = (Vec::new(), lookup.naming(core));
    for object in all {
        if !permission.differs_by_object() || permission.sees(&naming.names(&object, None).of(&object)) {
            let label = Label::known(&object, naming.labels);
            seen.push((object, label));
        }
    }
    Ok(seen)
}

/// The names of all objects of a core, for deciding about filters.
pub(super) fn learn(
    core: &Core,
    lookup: &mut AccessLookup,
    permission: &Permission<'_>,
    known: &mut KnownNames,
) -> Result<(), String> {
    let all = object_list::names(core, permission).map_err(|e| not_readable(&e))?;
    let naming = lookup.naming(core);
    for object in all {
        let label = Label::known(&object, naming.labels);
        if let (Some(service), Some(label)) = (object.service, label.service) {
            known.services.push(vec![service, label]);
        } else {
            let alias = naming.labels.and_then(|labels| labels.alias(&object.host)).cloned();
            known.hosts.push([object.host, label.host].into_iter().chain(alias).collect());
        }
    }
    Ok(())
}

/// The sentence for an empty list whose filter names an object that doesn't exist. `None`: the objects exist, and are
/// well.
pub(super) fn no_such_object(
    matches: &Matcher,
    cores: &[&Core],
    lookup: &mut AccessLookup,
    permission: &Permission<'_>,
) -> Result<Option<String>, String> {
    if matches.parts().all(|part| part.host.is_empty() && part.service.is_empty()) {
        return Ok(None);
    }
    let mut all = Vec::new();
    for core in cores {
        all.extend(seen(core, lookup, permission)?);
    }
    let mut hosts: Vec<[&str; 2]> = all.iter().map(|(object, label)| [&*object.host, &*label.host]).collect();
    hosts.dedup();
    let services: Vec<[&str; 2]> = all
        .iter()
        .filter_map(|(object, label)| Some([object.service.as_deref()?, label.service.as_deref()?]))
        .collect();
    let lists = |part| {
        let Matcher { host, service, .. }: &Matcher = part;
        [("host", host, &hosts), ("service", service, &services)]
    };
    Ok(matches.parts().flat_map(lists).find_map(|(kind, patterns, names)| {
        let missing = patterns.iter().find(|pattern| {
            let globs = Globs::of(std::slice::from_ref(pattern));
            !pattern.0.starts_with('!') && !names.iter().any(|[name, label]| globs.take(&[Some(name), Some(label)]))
        })?;
        Some(no_match(kind, missing, names))
    }))
}

/// The sentence for a name that no object has, with a suggestion.
fn no_match(kind: &str, pattern: &Pattern, names: &[[&str; 2]]) -> String {
    let text = pattern.0.to_lowercase();
    let written = text.trim_matches('*');
    let begins = |name: &&str| !written.is_empty() && name.to_lowercase().starts_with(written);
    let state = || STATES.into_iter().find(|state| state.starts_with(written) && written.len() >= 3);
    let near = if names.iter().flatten().any(begins) {
        Some(format!("{written}*"))
    } else {
        let near = || suggest::nearest(written, STATES.into_iter().chain(names.iter().flatten().copied()));
        state().or_else(near).map(str::to_owned)
    };
    let sentence = format!("No {kind} that you may see matches \"{}\".", pattern.0);
    mrkdwn::sentence(&match near {
        Some(near) => format!("{sentence} Did you mean `{}`?", quoted(&near)),
        None => sentence,
    })
}

/// The objects that a written name may mean: a service at each slash, then a host.
fn readings(written: &str, core: &str) -> Vec<Object> {
    let object = |host: &str, service: Option<&str>| Object {
        core: core.to_owned(),
        host: host.to_owned(),
        service: service.map(str::to_owned),
    };
    let slashes = written.match_indices('/').map(|(at, _)| (&written[..at], &written[at + 1..]));
    let services = slashes.filter(|(host, service)| !host.is_empty() && !service.is_empty());
    let all = services.map(|(host, service)| object(host, Some(service))).chain([object(written, None)]);
    all.filter(|object| object.host.len().max(object.service.as_ref().map_or(0, String::len)) <= NAME_BYTES_MAX)
        .collect()
}

fn several<'a>(object: &Object, cores: impl Iterator<Item = &'a str>) -> String {
    let mut names: Vec<&str> = cores.collect();
    names.sort_unstable();
    names.dedup();
    format!("Several cores have {object}; choose one with --core {} before the name.", suggest::one_of(&names))
}

/// Looks among the display names, case-insensitively; else suggests a similar name.
fn by_display_name(
    tokens: &[String],
    cores: &[Core],
    lookup: &mut AccessLookup,
    permission: &Permission<'_>,
) -> Result<Found, String> {
    let mut known: BTreeMap<String, Vec<Object>> = BTreeMap::new();
    for core in cores {
        for (object, label) in seen(core, lookup, permission)? {
            let label = Some(label.written()).filter(|label| *label != written(&object));
            known.entry(written(&object).to_lowercase()).or_default().push(object.clone());
            if let Some(label) = label {
                known.entry(label.to_lowercase()).or_default().push(object);
            }
        }
    }
    for count in (1..=tokens.len().min(NAME_TOKENS_MAX)).rev() {
        match known.get(&tokens[..count].join(" ").to_lowercase()).map(Vec::as_slice) {
            Some([one]) => return Ok(Found { object: one.clone(), tokens: count }),
            Some([one, others @ ..]) => return Err(ambiguous(one, others)),
            Some([]) | None => {}
        }
    }
    let first = tokens.first().map(String::as_str).unwrap_or_default();
    let beginning = || known.keys().map(String::as_str).find(|key| key.starts_with(&first.to_lowercase()));
    let near = suggest::nearest(first, known.keys().map(String::as_str)).or_else(beginning);
    let near = near.and_then(|key| known.get(key)?.first());
    let near = near.or_else(|| {
        // A service whose host is right: the host's services are nearer than any host.
        let (host, service) = first.split_once('/')?;
        let of_host = known.values().flatten().filter(|object| object.host.eq_ignore_ascii_case(host));
        let services: Vec<&Object> = of_host.filter(|object| object.service.is_some()).collect();
        let nearest = suggest::nearest(service, services.iter().filter_map(|object| object.service.as_deref()));
        services.iter().find(|object| object.service.as_deref() == nearest && nearest.is_some()).copied()
    });
    let there = if permission.differs_by_object() { " that you may see" } else { "" };
    Err(match near {
        Some(object) => {
            format!("The monitoring has no \"{first}\"{there}. Did you mean `{}`?", quoted(&written(object)))
        }
        None => format!("The monitoring has no \"{first}\"{there}. See `problems` for the open problems."),
    })
}

/// Several objects have that name: in several cores, or they differ in case, or by their display names.
fn ambiguous(one: &Object, others: &[Object]) -> String {
    if others.iter().all(|other| written(other) == written(one)) {
        return several(one, others.iter().chain([one]).map(|object| object.core.as_str()));
    }
    let mut names: Vec<String> = others.iter().chain([one]).map(|object| quoted(&written(object))).collect();
    names.sort_unstable();
    names.dedup();
    names.truncate(5);
    format!("Several objects have that name; write one exactly: `{}`.", names.join("` or `"))
}

/// As it is written behind the command, by the core's own names.
pub(super) fn written(object: &Object) -> String {
    Label::bare(object).written()
}

/// An object by the names that people see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Label {
    pub(super) host: String,
    pub(super) service: Option<String>,
}

impl Label {
    /// The core's own names.
    pub(super) fn bare(object: &Object) -> Self {
        Self { host: object.host.clone(), service: object.service.clone() }
    }

    /// The display names as far as they are known.
    pub(super) fn known(object: &Object, labels: Option<&Names>) -> Self {
        labels.map_or_else(|| Self::bare(object), |labels| Self::from_names(object, labels))
    }

    /// The display names, where there are some.
    pub(super) fn from_names(object: &Object, labels: &Names) -> Self {
        let named = |service: &str| labels.label(&object.host, service).cloned();
        let bare = Self::bare(object);
        let service = bare.service.map(|service| named(&service).unwrap_or(service));
        Self { host: named("").unwrap_or(bare.host), service }
    }

    /// `Disk on web01`, or `web01` for a host.
    pub(super) fn text(&self) -> String {
        match &self.service {
            Some(service) => format!("{service} on {}", self.host),
            None => self.host.clone(),
        }
    }

    /// As it is written behind the command.
    fn written(&self) -> String {
        match &self.service {
            Some(service) => format!("{}/{service}", self.host),
            None => self.host.clone(),
        }
    }
}

#[cfg(test)]
mod tests;

//! The shift plans, and the core's own escalations beside ours.

use super::{Step, Trouble};
use crate::config::{Config, Core, OnCall, Shifts};
use crate::flow::on_call::{duty, read_calendars};
use crate::model::outcome::Outcome;
use crate::model::pattern::takes;
use crate::monitoring::escalations;
use crate::slack::api::Client;
use crate::system::clock;
use crate::system::environment::Environment;
use jiff::tz::TimeZone;
use std::time::Duration;

/// For one look-up of a person.
const CALL_MAX: Duration = Duration::from_secs(5);
/// So many people of a plan are looked up.
const PEOPLE_MAX: usize = 20;
/// So many objects are named.
const NAMED_MAX: usize = 3;

/// Each plan: whether its calendars can be used, and who is on call by them now.
pub(super) fn plans(config: &Config, env: &Environment) -> Vec<Step> {
    let now = clock::wall_ms() / 1000;
    let step = |plan: &OnCall| {
        let hop = format!("[oncall.{}]", plan.name);
        let found = duty(plan, &read_calendars(plan, &config.state_dir, env), now, &TimeZone::system());
        let people = if found.people.is_empty() { "nobody".to_owned() } else { found.people.join(", ") };
        match (found.problem, found.people.is_empty()) {
            (Some(problem), _) => Step::bad(
                Trouble::Unreachable,
                &hop,
                format!("{problem}; on call: {people}"),
                "mend the calendar, or its address",
            ),
            (None, true) => Step::warning(&hop, "nobody is on call now", "give it a fallback = \"alice@example.com\""),
            (None, false) if found.is_fallback => {
                Step::good(&hop, format!("nobody has a shift now; the fallback is {people}"))
            }
            (None, false) => Step::good(&hop, format!("on call: {people}")),
        }
    };
    config
        .on_call
        .iter()
        .flat_map(|plan| std::iter::once(step(plan)).chain(unknown_people(config, plan, env)))
        .collect()
}

/// The people of a plan who aren't in the workspace: nobody can be told through them.
fn unknown_people(config: &Config, plan: &OnCall, env: &Environment) -> Vec<Step> {
    let mut usable = config.integrations.iter().filter(|one| one.enabled && one.is_bot());
    let own = usable.find(|one| plan.integration.as_ref().is_none_or(|name| *name == one.name));
    let Some((own, client)) = own.and_then(|own| Some((own, Client::new(own, env).ok()?))) else { return Vec::new() };
    let now = clock::wall_ms() / 1000;
    let on_duty = duty(plan, &read_calendars(plan, &config.state_dir, env), now, &TimeZone::system()).people;
    let rotation = if let Shifts::Rotation(rotation) = &plan.shifts { rotation.people.clone() } else { Vec::new() };
    let mut people: Vec<String> = on_duty.into_iter().chain(rotation).chain(plan.names.values().cloned()).collect();
    people.extend(plan.fallback.iter().cloned());
    people.sort_unstable();
    people.dedup();
    let is_unknown = |person: &&String| {
        let look_up = || client.look_up("users.lookupByEmail", &[("email", person.as_str())], CALL_MAX);
        person.contains('@') && matches!(look_up(), Err(Outcome::DestinationNever { .. }))
    };
    let unknown: Vec<&str> = people.iter().take(PEOPLE_MAX).filter(is_unknown).map(String::as_str).collect();
    if unknown.is_empty() {
        return Vec::new();
    }
    let found = format!("not in the workspace of \"{}\": {}", own.name, unknown.join(", "));
    let remedy = "correct the address in the shift plan, or invite the person into the workspace";
    vec![Step::bad(Trouble::Refused, &format!("[oncall.{}] people", plan.name), found, remedy)]
}

/// Whether the core escalates the same objects by itself.
pub(super) fn escalated_twice(config: &Config, core: &Core) -> Vec<Step> {
    if config.escalation.is_empty() {
        return Vec::new();
    }
    let is_ours = |host: &str, service: Option<&str>| {
        config.escalation.iter().any(|step| {
            let takes_host = step.matches.host.is_empty() || takes(&step.matches.host, &[Some(host)]);
            takes_host && (step.matches.service.is_empty() || takes(&step.matches.service, &[service]))
        })
    };
    let both: Vec<String> = escalations::read(core)
        .into_iter()
        .filter(|(host, service)| is_ours(host, service.as_deref()))
        .map(|(host, service)| service.map_or(host.clone(), |service| format!("{service} on {host}")))
        .collect();
    if both.is_empty() {
        return Vec::new();
    }
    let named = both.iter().take(NAMED_MAX).cloned().collect::<Vec<_>>().join(", ");
    let found = format!(
        "the core escalates {} objects that [[escalate]] escalates, too: {named}{}",
        both.len(),
        if both.len() > NAMED_MAX { ", ..." } else { "" }
    );
    vec![Step::warning(
        "escalation",
        found,
        "remove the core's serviceescalation and hostescalation definitions, or narrow the match of the steps: people are called twice",
    )]
}

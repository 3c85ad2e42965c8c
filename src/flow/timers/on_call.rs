//! Who is on call: found out again when a shift ends or a calendar changes; the group in Slack follows, and the handover is
//! told.

use super::{Look, Timers};
use crate::config::{CalendarAddress, OnCall, Shifts};
use crate::flow::on_call::{Calendars, Duty, duty, fetch_calendars};
use crate::flow::people;
use crate::model::incoming::DirectMessage;
use crate::model::object::Object;
use crate::model::problem::Problem;
use crate::monitoring::{paths, state};
use crate::store::{DeliveryQueue, Handover, OnDuty, StoreError, Target};
use jiff::tz::TimeZone;
use log::{info, warn};
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;

/// How often a calendar is fetched, and one in a file is read.
const FETCH_INTERVAL_MS: i64 = 5 * 60 * 1000;
const FILE_INTERVAL_MS: i64 = 5 * 1000;
/// Without any end of a shift in sight.
const LOOK_AGAIN_MS: i64 = 60 * 60 * 1000;
/// How often the group in Slack is compared: anybody may change it there.
const GROUP_INTERVAL_MS: i64 = 10 * 60 * 1000;
/// For one call.
const BUDGET: Duration = Duration::from_secs(5);
/// How many open problems a handover names.
const NAMED_MAX: usize = 20;

/// One plan, as this thread knows it.
#[derive(Debug, Default)]
pub(super) struct PlanState {
    calendars: Calendars,
    /// When its calendars are due, its shifts, and its group; Unix ms.
    fetch: i64,
    look: i64,
    group: i64,
    logged: Option<String>,
}

impl Timers {
    /// Does what is due of all plans.
    pub(super) fn on_call(&mut self) -> Result<Look, StoreError> {
        let config = std::sync::Arc::clone(&self.config);
        if self.plans.is_empty() {
            let names: Vec<&str> = config.on_call.iter().map(|plan| plan.name.as_str()).collect();
            self.store.keep_plans(&names)?;
        }
        let mut look = Look { notified: false, next: None };
        for plan in &config.on_call {
            let mut known = self.plans.remove(&plan.name).unwrap_or_default();
            let done = self.plan(plan, &mut known);
            let next = known.fetch.min(known.look).min(known.group);
            self.plans.insert(plan.name.clone(), known);
            look.notified |= done?;
            look.next = Some(look.next.map_or(next, |other| other.min(next)));
        }
        Ok(look)
    }

    fn plan(&mut self, plan: &OnCall, known: &mut PlanState) -> Result<bool, StoreError> {
        let now = self.now_ms();
        if known.fetch <= now {
            let calendars = fetch_calendars(plan, &self.config.state_dir, &self.env);
            let is_far = |source: &crate::config::CalendarSource| matches!(source.address, CalendarAddress::Url(_));
            let far = matches!(&plan.shifts, Shifts::Calendar(source) if is_far(source))
                || plan.overriding.as_ref().is_some_and(is_far);
            known.fetch = now + if far { FETCH_INTERVAL_MS } else { FILE_INTERVAL_MS };
            if calendars != known.calendars || known.look == 0 {
                (known.calendars, known.look) = (calendars, 0);
            }
        }
        let mut notified = false;
        if known.look <= now {
            let found = duty(plan, &known.calendars, now / 1000, &TimeZone::system());
            let until = found.until.map_or(i64::MAX, |until| until.saturating_mul(1000));
            known.look = until.min(now + LOOK_AGAIN_MS);
            if found.problem != known.logged {
                if let Some(problem) = &found.problem {
                    warn!("shift plan not as it should be plan={} reason={problem:?}", plan.name);
                }
                known.logged.clone_from(&found.problem);
            }
            notified = self.put_on_duty(plan, found, now)?;
            if notified {
                known.group = 0;
            }
        }
        if known.group <= now {
            known.group = if plan.usergroup.is_some() { now + GROUP_INTERVAL_MS } else { i64::MAX };
            self.keep_group(plan)?;
        }
        Ok(notified)
    }

    /// Writes who is on call; `true`: somebody else than before.
    fn put_on_duty(&mut self, plan: &OnCall, found: Duty, now: i64) -> Result<bool, StoreError> {
        let was = self.store.on_duty(&plan.name)?;
        let is_same =
            was.as_ref().is_some_and(|was| was.people == found.people && was.is_fallback == found.is_fallback);
        let since = was.as_ref().filter(|_| is_same).map_or(now / 1000, |was| was.since);
        let Duty { people, is_fallback, until, problem } = found;
        let duty = OnDuty { name: plan.name.clone(), people, is_fallback, since, until, problem };
        if was.as_ref() == Some(&duty) {
            return Ok(false);
        }
        if !is_same {
            let people = duty.people.join(",");
            info!("on call plan={} people={people:?} is_fallback={is_fallback}", plan.name);
        }
        let handover = match &was {
            Some(was) if !is_same => self.handover(plan, was, &duty)?,
            _ => None,
        };
        let (mode, quiet) = (self.mode(), self.config.storm.window);
        let is_written = self.store.put_on_duty(&duty, was.as_ref(), handover.as_ref(), (&mode, quiet), now)?;
        Ok(is_written && !is_same)
    }

    /// The message of a change of shift, if the plan has a channel for it.
    fn handover(&self, plan: &OnCall, was: &OnDuty, duty: &OnDuty) -> Result<Option<Handover>, StoreError> {
        let (Some(channel), Some(integration)) = (&plan.channel, self.integration_of(plan)) else { return Ok(None) };
        let (problems, more) = self.store.problems_going_on(NAMED_MAX)?;
        let mut lines: Vec<String> = problems.iter().map(line).collect();
        match (lines.len(), more) {
            (0, _) => lines.push("Nothing is open.".to_owned()),
            (count, 0) => lines.insert(0, format!("Open: {count}")),
            (count, more) => {
                lines.insert(0, format!("Open: {}", count + more));
                lines.push(format!("and {more} more"));
            }
        }
        lines.extend(self.downtimes(&problems, duty));
        lines.extend(duty.problem.iter().map(|problem| format!("The shift plan: {problem}")));
        let names = |duty: &OnDuty| if duty.people.is_empty() { "nobody".to_owned() } else { duty.people.join(", ") };
        let fallback = if duty.is_fallback { " (nobody has a shift: the fallback)" } else { "" };
        let title = format!("On call for {}: {} after {}{fallback}", plan.name, names(duty), names(was));
        let message = DirectMessage {
            key: format!("handover {} {} {}", plan.name, was.since, names(duty)),
            time: duty.since,
            to: channel.to_string(),
            title,
            body: lines.join("\n"),
            ..DirectMessage::default()
        };
        let queue = DeliveryQueue { integration, target: Target::from(channel) };
        let mentions = duty.people.iter().map(|person| people::as_mention(person)).collect();
        Ok(Some(Handover { message, queue, mentions }))
    }

    /// The downtimes of open problems that end within the shift.
    fn downtimes(&self, problems: &[Problem], duty: &OnDuty) -> Vec<String> {
        let mut by_core: BTreeMap<String, Vec<Object>> = BTreeMap::new();
        for problem in problems {
            by_core.entry(problem.latest.core.clone()).or_default().push(Object::of(&problem.latest));
        }
        let mut lines = Vec::new();
        for (name, objects) in by_core {
            let snapshot = paths::core(&self.config, &name).and_then(|core| state::read(&core, &objects).ok());
            for (object, state) in snapshot.iter().flat_map(|snapshot| &snapshot.states) {
                let ends = |end: i64| end > duty.since && duty.until.is_none_or(|until| end <= until);
                for downtime in state.downtimes.iter().filter(|downtime| ends(downtime.end)) {
                    let at =
                        TimeZone::system().to_datetime(jiff::Timestamp::from_second(downtime.end).unwrap_or_default());
                    lines.push(format!("Downtime of {object} ends {} ({})", at.strftime("%a %H:%M"), downtime.author));
                }
            }
        }
        lines
    }

    /// The integration of a plan's group and channel: the one that it names, else the first with a token.
    fn integration_of(&self, plan: &OnCall) -> Option<String> {
        let mut usable = self.config.integrations.iter().filter(|one| one.enabled && one.is_bot());
        let found = usable.find(|one| plan.integration.as_ref().is_none_or(|name| *name == one.name));
        found.map(|one| one.name.clone())
    }

    /// Makes the group in Slack equal to the people on call.
    fn keep_group(&mut self, plan: &OnCall) -> Result<(), StoreError> {
        let (Some(group), Some(integration)) = (&plan.usergroup, self.integration_of(plan)) else { return Ok(()) };
        let Some(duty) = self.store.on_duty(&plan.name)?.filter(|duty| !duty.people.is_empty()) else { return Ok(()) };
        let mut ids = Vec::new();
        let now = self.now_ms();
        for person in &duty.people {
            let Some(client) = self.clients.get(&integration) else { return Ok(()) };
            match people::user_id(&self.store, client, (&integration, person), now, BUDGET) {
                Ok(Some(id)) => ids.push(id),
                Ok(None) => warn!("person on call isn't in the workspace plan={} person={person:?}", plan.name),
                Err(outcome) => {
                    warn!("user group not kept plan={} reason={:?}", plan.name, outcome.reason().text);
                    return Ok(());
                }
            }
        }
        // A group without members would be switched off.
        let Some(client) = self.clients.get(&integration).filter(|_| !ids.is_empty()) else { return Ok(()) };
        ids.sort();
        let current = client.look_up("usergroups.users.list", &[("usergroup", group)], BUDGET);
        let mut members: Vec<String> = current
            .as_ref()
            .ok()
            .and_then(|answer| answer["users"].as_array())
            .map(|users| users.iter().filter_map(|user| user.as_str().map(str::to_owned)).collect())
            .unwrap_or_default();
        members.sort();
        if members == ids {
            return Ok(());
        }
        let order = json!({ "usergroup": group, "users": ids.join(",") });
        match client.call("usergroups.users.update", &order, BUDGET) {
            Ok(_) => info!("user group kept plan={} usergroup={group} members={}", plan.name, ids.len()),
            Err(outcome) => {
                warn!("user group not kept plan={} usergroup={group} reason={:?}", plan.name, outcome.reason().text);
            }
        }
        Ok(())
    }
}

/// `CRITICAL: Disk on web01, acknowledged by Alice`
fn line(problem: &Problem) -> String {
    let state = problem.latest.state_name().unwrap_or("UNKNOWN STATE");
    let by =
        |what: &str, author: Option<&String>| author.map_or(what.to_owned(), |author| format!("{what} by {author}"));
    let answer = match problem {
        Problem { acknowledged: Some(remark), .. } => by("acknowledged", remark.author.as_ref()),
        Problem { downtime: Some(remark), .. } => by("in downtime, scheduled", remark.author.as_ref()),
        Problem { silenced: Some(remark), .. } => by("notifications stopped", remark.author.as_ref()),
        _ => "unanswered".to_owned(),
    };
    format!("• {state}: {}, {answer}", problem.latest.object_label())
}

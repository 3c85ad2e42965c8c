//! Who is on call: from a plan's calendars or rotation to the people of a moment.
//!
//! The last good copy of a calendar is kept in the state directory, so that a calendar that can't be reached, or isn't one
//! any more, changes nobody's shift.

mod calendar;
mod recurrence;
mod zones;

use crate::config::{CalendarAddress, CalendarSource, OnCall, Rotation, Shifts, TimeWindows};
use crate::system::beneath::Directory;
use crate::system::environment::Environment;
use crate::system::{fetch, regular_file};
use calendar::Shift;
use jiff::tz::TimeZone;
use std::io::{Read, Write};
use std::panic::AssertUnwindSafe;
use std::path::Path;

/// A calendar's size.
const CALENDAR_BYTES_MAX: u64 = 5_000_000;
/// So far the shifts are reckoned: long enough for a change to be seen coming, and for the longest shift.
const DAYS_AROUND: i64 = 35;
const DAY: i64 = 86_400;
/// The directory of the copies in the state directory.
const COPIES: &str = "oncall";

/// Who is on call at a moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Duty {
    /// E-mail addresses or Slack ids.
    pub(crate) people: Vec<String>,
    /// Nobody has a shift: the fallback.
    pub(crate) is_fallback: bool,
    /// Until when that holds, in Unix seconds.
    pub(crate) until: Option<i64>,
    /// What is wrong with the plan, in words.
    pub(crate) problem: Option<String>,
}

/// The calendars of a plan, as they were read last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Calendars {
    plan: Option<String>,
    overriding: Option<String>,
    problem: Option<String>,
}

/// Fetches a plan's calendars, or takes their last good copies and says why.
pub(crate) fn fetch_calendars(plan: &OnCall, state_dir: &Path, env: &Environment) -> Calendars {
    look_up(plan, state_dir, env, true)
}

fn look_up(plan: &OnCall, state_dir: &Path, env: &Environment, is_kept: bool) -> Calendars {
    let mut calendars = Calendars::default();
    let mut problems = Vec::new();
    let mut one = |source: &CalendarSource, what: &str| {
        let copy = format!("{}.{what}", file_name(&plan.name));
        match fetch_checked(source, env) {
            Ok(text) => {
                if let Err(e) = if is_kept { keep_copy(state_dir, &copy, &text) } else { Ok(()) } {
                    problems.push(format!("the copy of {} can't be kept: {e}", source.address.shown()));
                }
                Some(text)
            }
            Err(reason) => {
                let copy = read_copy(state_dir, &copy);
                let used = if copy.is_some() { "the last good copy is used" } else { "there is no copy of it yet" };
                problems.push(format!("the calendar {} can't be used: {reason}; {used}", source.address.shown()));
                copy
            }
        }
    };
    if let Shifts::Calendar(source) = &plan.shifts {
        calendars.plan = one(source, "plan");
    }
    if let Some(source) = &plan.overriding {
        calendars.overriding = one(source, "override");
    }
    calendars.problem = (!problems.is_empty()).then(|| problems.join("; "));
    calendars
}

/// The same without keeping a copy, for whoever only looks.
pub(crate) fn read_calendars(plan: &OnCall, state_dir: &Path, env: &Environment) -> Calendars {
    look_up(plan, state_dir, env, false)
}

/// Who is on call at `now` (Unix seconds).
pub(crate) fn duty(plan: &OnCall, calendars: &Calendars, now: i64, zone: &TimeZone) -> Duty {
    let (from, to) = (now.saturating_sub(DAYS_AROUND * DAY), now.saturating_add(DAYS_AROUND * DAY));
    let mut problems: Vec<String> = calendars.problem.iter().cloned().collect();
    let mut read = |text: Option<&String>| match text.map(|text| shifts(text, from, to, zone)) {
        None => Vec::new(),
        Some(Ok(shifts)) => shifts,
        Some(Err(reason)) => {
            problems.push(format!("the calendar can't be used: {reason}"));
            Vec::new()
        }
    };
    let overriding = read(calendars.overriding.as_ref());
    let planned = match &plan.shifts {
        Shifts::Calendar(_) => read(calendars.plan.as_ref()),
        Shifts::Rotation(rotation) => turns(rotation, now, zone),
    };
    let has_it = |shift: &&Shift| shift.start <= now && now < shift.end;
    let mut people = Vec::new();
    for list in [&overriding, &planned] {
        for name in list.iter().filter(has_it).flat_map(|shift| &shift.who) {
            match person(plan, name) {
                Some(person) if !people.contains(&person) => people.push(person),
                Some(_) => {}
                None => problems.push(format!(
                    "the shift names \"{name}\", which is no address; write it under names in [oncall.{}]",
                    plan.name
                )),
            }
        }
        if !people.is_empty() {
            break;
        }
    }
    let is_fallback = people.is_empty();
    if is_fallback {
        people.clone_from(&plan.fallback);
    }
    let edges = overriding.iter().chain(&planned).flat_map(|shift| [shift.start, shift.end]);
    let until = edges.filter(|edge| *edge > now).min();
    problems.dedup();
    Duty { people, is_fallback, until, problem: (!problems.is_empty()).then(|| problems.join("; ")) }
}

/// The person behind a name of the calendar: itself where it is an address, or whom the plan names so.
fn person(plan: &OnCall, name: &str) -> Option<String> {
    let lower = name.to_lowercase();
    if let Some(person) = plan.names.get(&lower) {
        return Some(person.clone());
    }
    let is_id = name.len() >= 9
        && name.starts_with(['U', 'W'])
        && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    if name.contains('@') || is_id {
        return Some(name.to_owned());
    }
    plan.names.iter().find(|(known, _)| !known.is_empty() && lower.contains(known.as_str())).map(|(_, who)| who.clone())
}

/// The turns around a moment.
fn turns(rotation: &Rotation, now: i64, zone: &TimeZone) -> Vec<Shift> {
    let Ok(at) = jiff::Timestamp::from_second(now) else { return Vec::new() };
    let wall = zone.to_datetime(at);
    let (every, count) = (i64::try_from(rotation.every.as_secs()).unwrap_or(i64::MAX), rotation.people.len());
    if count == 0 || every <= 0 {
        return Vec::new();
    }
    let behind = wall.duration_since(rotation.start).as_secs();
    let current = behind.div_euclid(every);
    // Before the first shift nobody has one.
    let numbers = (current - 1..=current + 1).filter(|number| *number >= 0);
    let instant = |number: i64| {
        let wall = rotation.start.checked_add(jiff::SignedDuration::from_secs(number.checked_mul(every)?)).ok()?;
        zone.to_timestamp(wall).ok().map(jiff::Timestamp::as_second)
    };
    let turn = |number: i64| {
        let who = rotation.people.get(usize::try_from(number).ok()? % count)?.clone();
        Some(Shift { start: instant(number)?, end: instant(number + 1)?, who: vec![who] })
    };
    let turns: Vec<Shift> = numbers.filter_map(turn).collect();
    match &rotation.time {
        None => turns,
        Some(windows) => turns.iter().flat_map(|turn| within(turn, windows, now, zone)).collect(),
    }
}

/// The parts of a turn that lie within the windows, a few days around now.
fn within(turn: &Shift, windows: &TimeWindows, now: i64, zone: &TimeZone) -> Vec<Shift> {
    let mut parts = Vec::new();
    let Ok(at) = jiff::Timestamp::from_second(now) else { return parts };
    let today = zone.to_datetime(at).date();
    for day in -2..=8 {
        let Ok(date) = today.checked_add(jiff::Span::new().days(day)) else { continue };
        let weekday = usize::try_from(date.weekday().to_monday_zero_offset()).unwrap_or(0);
        for window in windows.0.iter().filter(|window| window.days[weekday]) {
            let instant = |minute: u16| {
                let wall = date.at(0, 0, 0, 0).checked_add(jiff::SignedDuration::from_mins(i64::from(minute))).ok()?;
                zone.to_timestamp(wall).ok().map(jiff::Timestamp::as_second)
            };
            // One that ends before it starts runs past midnight.
            let past_midnight = if window.to_minute <= window.from_minute { 1440 } else { 0 };
            let (Some(start), Some(end)) = (instant(window.from_minute), instant(window.to_minute + past_midnight))
            else {
                continue;
            };
            let (start, end) = (start.max(turn.start), end.min(turn.end));
            if start < end {
                parts.push(Shift { start, end, who: turn.who.clone() });
            }
        }
    }
    parts
}

/// The text of a calendar that is one.
fn fetch_checked(source: &CalendarSource, env: &Environment) -> Result<String, String> {
    let bytes = match &source.address {
        CalendarAddress::Url(url) => {
            let login = source.login.as_ref().map(|(user, password)| (user.as_str(), password));
            fetch::get(url, login, CALENDAR_BYTES_MAX, env).map_err(|e| e.to_string())?
        }
        CalendarAddress::File(path) => {
            let mut bytes = Vec::new();
            let file = regular_file::open(path).map_err(|e| e.to_string())?;
            file.take(CALENDAR_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|e| e.to_string())?;
            if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > CALENDAR_BYTES_MAX {
                return Err(format!("it has more than {} MB", CALENDAR_BYTES_MAX / 1_000_000));
            }
            bytes
        }
    };
    let text = String::from_utf8_lossy(&bytes).into_owned();
    // Whether it can be read at all; that nobody has a shift now is no reason to use an old one.
    shifts(&text, 0, 1, &TimeZone::UTC)?;
    Ok(text)
}

/// The shifts of a calendar. Whatever a text of somebody else leads the libraries to, the other timers go on.
fn shifts(text: &str, from: i64, to: i64, zone: &TimeZone) -> Result<Vec<Shift>, String> {
    let caught = std::panic::catch_unwind(AssertUnwindSafe(|| calendar::shifts(text, from, to, zone)));
    caught.unwrap_or_else(|_| Err("it can't be read: a bug of ackbell, please report it with the calendar".to_owned()))
}

/// A plan's name as the name of a file.
fn file_name(plan: &str) -> String {
    data_encoding::HEXLOWER.encode(plan.as_bytes())
}

fn keep_copy(state_dir: &Path, name: &str, text: &str) -> std::io::Result<()> {
    let directory = Directory::open(state_dir)?;
    directory.make(COPIES, 0o750)?;
    let copies = directory.enter(COPIES)?;
    let mut current = String::new();
    if let Ok(file) = copies.read(name)
        && file.take(CALENDAR_BYTES_MAX).read_to_string(&mut current).is_ok()
        && current == text
    {
        return Ok(());
    }
    // Renamed into its place, so that a crash leaves the old one or the new one.
    let new = format!("{name}.new");
    if copies.holds(&new) {
        copies.remove(&new)?;
    }
    let mut file = copies.create(&new, 0o640)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    copies.rename(&new, &copies, name)?;
    copies.sync()
}

fn read_copy(state_dir: &Path, name: &str) -> Option<String> {
    let copies = Directory::open(state_dir).ok()?.enter(COPIES).ok()?;
    let mut text = String::new();
    copies.read(name).ok()?.take(CALENDAR_BYTES_MAX).read_to_string(&mut text).ok()?;
    Some(text)
}

#[cfg(test)]
mod tests;

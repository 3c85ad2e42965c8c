//! From a calendar's text (RFC 5545) to the shifts of a span of time.
//!
//! Recurring shifts are reckoned by the clock on the wall, as the RFC wants it ([`super::recurrence`]); `jiff` says which
//! instant that is. Whatever the text says, the work is bounded.

use super::recurrence::Rule;
use super::zones::Zones;
use icalendar::parser::{Component, Property, read_calendar, unfold};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span};
use std::collections::{BTreeMap, BTreeSet};

/// A calendar has at most so many events.
const EVENTS_MAX: usize = 20_000;
/// All events together have at most so many shifts in the span.
const SHIFTS_MAX: usize = 20_000;

/// Somebody's turn. Times are Unix seconds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Shift {
    pub(crate) start: i64,
    pub(crate) end: i64,
    /// As the calendar names them: e-mail addresses, or else the event's title.
    pub(crate) who: Vec<String>,
}

/// A date and time on the wall, and the zone of that wall.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct WallTime {
    pub(super) at: DateTime,
    /// The zone's name; `None` for one without: the calendar's own.
    pub(super) zone: Option<String>,
    is_date: bool,
}

/// The shifts that touch the span `[from, to)`, in order. An error is a reason in words.
pub(crate) fn shifts(text: &str, from: i64, to: i64, local: &TimeZone) -> Result<Vec<Shift>, String> {
    let start = text.trim_start_matches('\u{feff}').trim_start();
    if !start.get(..15).is_some_and(|start| start.eq_ignore_ascii_case("BEGIN:VCALENDAR")) {
        return Err("it isn't a calendar: it doesn't begin with BEGIN:VCALENDAR".to_owned());
    }
    let unfolded = unfold(start);
    let calendar = read_calendar(&unfolded).map_err(|e| {
        format!(
            "it isn't a calendar that can be read: {}",
            e.lines().next().unwrap_or_default().chars().take(200).collect::<String>()
        )
    })?;
    let own_zone = calendar.properties.iter().find(|property| property.name == "X-WR-TIMEZONE");
    let zones = Zones::new(&calendar.components, own_zone.map(|property| property.val.as_str()), local, to);
    let events: Vec<&Component<'_>> =
        calendar.components.iter().filter(|component| component.name == "VEVENT").collect();
    if events.len() > EVENTS_MAX {
        return Err(format!("it has {} events; at most {EVENTS_MAX} are read", events.len()));
    }
    let moved = moved(&events, &zones);
    let mut all = Vec::new();
    for event in events.iter().filter(|event| !is_cancelled(event)) {
        let none = BTreeSet::new();
        let is_moved_one = event.find_prop("RECURRENCE-ID").is_some();
        let left_out = if is_moved_one { &none } else { moved.get(uid(event)).unwrap_or(&none) };
        add(event, &zones, (from, to), left_out, &mut all)?;
        if all.len() > SHIFTS_MAX {
            return Err(format!("it has more than {SHIFTS_MAX} shifts in a few weeks"));
        }
    }
    all.sort();
    Ok(all)
}

/// The instants of each event that another entry moves or cancels, by the event's UID.
fn moved<'a>(events: &[&'a Component<'_>], zones: &Zones<'_>) -> BTreeMap<&'a str, BTreeSet<i64>> {
    let mut moved: BTreeMap<&str, BTreeSet<i64>> = BTreeMap::new();
    for event in events {
        let at = event.find_prop("RECURRENCE-ID").and_then(|property| wall_time(property));
        moved.entry(uid(event)).or_default().extend(at.and_then(|at| zones.instant(&at)));
    }
    moved
}

fn uid<'a>(event: &'a Component<'_>) -> &'a str {
    event.find_prop("UID").map_or("", |property| property.val.as_str())
}

fn is_cancelled(event: &Component<'_>) -> bool {
    event.find_prop("STATUS").is_some_and(|status| status.val.as_str().eq_ignore_ascii_case("CANCELLED"))
}

/// Adds the event's shifts that touch the span.
fn add(
    event: &Component<'_>,
    zones: &Zones<'_>,
    (from, to): (i64, i64),
    left_out: &BTreeSet<i64>,
    all: &mut Vec<Shift>,
) -> Result<(), String> {
    // An event without a time is nobody's shift.
    let Some(start) = event.find_prop("DTSTART").and_then(wall_time) else { return Ok(()) };
    let length = length(event, &start)?;
    let who = people(event);
    let mut excluded: BTreeSet<i64> = left_out.clone();
    excluded.extend(dates(event, "EXDATE").iter().filter_map(|at| zones.instant(at)));
    let mut starts = vec![start.clone()];
    let earliest = from.saturating_sub(length.seconds_at_most());
    if let Some(rule) = event.find_prop("RRULE") {
        starts = occurrences(&start, rule.val.as_str(), zones, (earliest, to))?;
    }
    starts.extend(dates(event, "RDATE"));
    for start in starts {
        let Some(begin) = zones.instant(&start) else { continue };
        let Some(end) = length.end(&start, begin, zones) else { continue };
        if end > from && begin < to && end > begin && !excluded.contains(&begin) {
            all.push(Shift { start: begin, end, who: who.clone() });
        }
    }
    Ok(())
}

/// How long a shift is.
enum Length {
    /// On the clock on the wall: a night that loses an hour ends at the same time as all others.
    Wall(SignedDuration),
    Exact(SignedDuration),
}

impl Length {
    fn seconds_at_most(&self) -> i64 {
        let (Self::Wall(length) | Self::Exact(length)) = self;
        // Two changes of the clock at most, of some hours.
        length.as_secs().saturating_add(86_400)
    }

    fn end(&self, start: &WallTime, begin: i64, zones: &Zones<'_>) -> Option<i64> {
        match self {
            Self::Wall(length) => zones.instant(&WallTime { at: start.at.checked_add(*length).ok()?, ..start.clone() }),
            Self::Exact(length) => begin.checked_add(length.as_secs()),
        }
    }
}

fn length(event: &Component<'_>, start: &WallTime) -> Result<Length, String> {
    if let Some(end) = event.find_prop("DTEND").and_then(wall_time) {
        return Ok(Length::Wall(end.at.duration_since(start.at)));
    }
    let Some(written) = event.find_prop("DURATION") else {
        let day = if start.is_date { 24 } else { 0 };
        return Ok(Length::Wall(SignedDuration::from_hours(day)));
    };
    let text = written.val.as_str();
    let bad = || format!("\"{text}\" isn't a duration");
    let span: Span = text.parse().map_err(|_| bad())?;
    let length = span.to_duration(start.at).map_err(|_| bad())?;
    // Days are of the wall, hours are exact.
    Ok(if text.contains('T') { Length::Exact(length) } else { Length::Wall(length) })
}

/// The occurrences of a rule from about `from` to `to`.
pub(super) fn occurrences(
    start: &WallTime,
    rule: &str,
    zones: &Zones<'_>,
    (from, to): (i64, i64),
) -> Result<Vec<WallTime>, String> {
    let rule = Rule::parse(rule, start.at)?;
    let until = match &rule.until {
        Some(until) => Some(on_the_wall(until, start, zones).ok_or_else(|| format!("\"{until}\" isn't a time"))?),
        None => None,
    };
    // A day on either side: the wall's time isn't the instant's.
    let wall = |instant: i64, otherwise| {
        jiff::Timestamp::from_second(instant).map_or(otherwise, |at| TimeZone::UTC.to_datetime(at))
    };
    let span = (wall(from.saturating_sub(86_400), DateTime::MIN), wall(to.saturating_add(86_400), DateTime::MAX));
    let found = rule.occurrences(start.at, until, span, &zones.days_left)?;
    Ok(found.into_iter().map(|at| WallTime { at, ..start.clone() }).collect())
}

/// The end of a rule as the clock on the wall shows it there.
fn on_the_wall(until: &str, start: &WallTime, zones: &Zones<'_>) -> Option<DateTime> {
    let is_utc = until.ends_with('Z');
    let parsed = moment(until.trim_end_matches('Z'), None)?;
    Some(if is_utc {
        let instant = WallTime { zone: Some("UTC".to_owned()), ..parsed };
        zones.instant(&instant).map_or(instant.at, |at| zones.on_the_wall(at, start))
    } else if parsed.is_date && !start.is_date {
        // The whole last day.
        parsed.at.checked_add(SignedDuration::from_secs(86_399)).unwrap_or(parsed.at)
    } else {
        parsed.at
    })
}

fn dates(event: &Component<'_>, name: &str) -> Vec<WallTime> {
    let properties = event.properties.iter().filter(|property| property.name == name);
    let of_one = |property: &Property<'_>| -> Vec<WallTime> {
        let zone = parameter(property, "TZID").map(str::to_owned);
        let values = property.val.as_str().split(',');
        // A period begins with its start.
        values.filter_map(|value| moment(value.split('/').next()?, zone.clone())).collect()
    };
    properties.flat_map(of_one).collect()
}

pub(super) fn wall_time(property: &Property<'_>) -> Option<WallTime> {
    moment(property.val.as_str(), parameter(property, "TZID").map(str::to_owned))
}

fn parameter<'a>(property: &'a Property<'_>, name: &str) -> Option<&'a str> {
    let found = property.params.iter().find(|parameter| parameter.key.as_str().eq_ignore_ascii_case(name))?;
    found.val.as_ref().map(|value| value.as_str().trim_matches('"'))
}

fn moment(text: &str, zone: Option<String>) -> Option<WallTime> {
    let text = text.trim();
    let (wall, zone) = match text.strip_suffix(['Z', 'z']) {
        Some(wall) => (wall, Some("UTC".to_owned())),
        None => (text, zone),
    };
    if let Ok(date) = jiff::civil::Date::strptime("%Y%m%d", wall) {
        return Some(WallTime { at: date.at(0, 0, 0, 0), zone: None, is_date: true });
    }
    let at = DateTime::strptime("%Y%m%dT%H%M%S", wall).or_else(|_| DateTime::strptime("%Y%m%dT%H%M", wall)).ok()?;
    Some(WallTime { at, zone, is_date: false })
}

/// Who has the shift: the attendees, else the addresses in the title, else the title.
fn people(event: &Component<'_>) -> Vec<String> {
    let comes = |property: &&Property<'_>| {
        let is = |name: &str, values: &[&str]| {
            parameter(property, name).is_some_and(|found| values.iter().any(|value| found.eq_ignore_ascii_case(value)))
        };
        property.name == "ATTENDEE" && !is("PARTSTAT", &["DECLINED"]) && !is("CUTYPE", &["RESOURCE", "ROOM"])
    };
    let address = |property: &Property<'_>| {
        let value = property.val.as_str();
        let address = value.get(..7).filter(|start| start.eq_ignore_ascii_case("mailto:")).map(|_| &value[7..])?;
        address.contains('@').then(|| address.trim().to_lowercase())
    };
    let attendees: BTreeSet<String> = event.properties.iter().filter(comes).filter_map(address).collect();
    if !attendees.is_empty() {
        return attendees.into_iter().collect();
    }
    let title = event.find_prop("SUMMARY").map_or("", |property| property.val.as_str()).replace('\\', "");
    let is_separator = |c: char| c.is_whitespace() || "<>,;()[]\"|".contains(c);
    let addresses: BTreeSet<String> = title
        .split(is_separator)
        .filter(|part| part.split_once('@').is_some_and(|(who, host)| !who.is_empty() && host.contains('.')))
        .map(str::to_lowercase)
        .collect();
    if addresses.is_empty() { vec![title.trim().to_owned()] } else { addresses.into_iter().collect() }
}

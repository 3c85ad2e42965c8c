//! The time zones of a calendar: by the names of the system's database, else by the calendar's own definitions, as Outlook
//! writes them under names that only it knows.

use super::calendar::{WallTime, occurrences, wall_time};
use crate::system::order;
use icalendar::parser::Component;
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use std::cell::Cell;
use std::collections::BTreeMap;

/// All rules of a calendar together look at so many days: some seconds, however far they reach back.
const DAYS_MAX: u32 = 10_000_000;

/// The zones of one calendar.
pub(super) struct Zones<'a> {
    /// Of times without a zone.
    own: TimeZone,
    named: BTreeMap<&'a str, Zone>,
    /// So many days the rules of the calendar may still look at.
    pub(super) days_left: Cell<u32>,
}

enum Zone {
    Known(TimeZone),
    /// From when on, by the clock on the wall, which offset holds; in order. First the offset before all.
    Defined(Offset, Vec<(DateTime, Offset)>),
}

impl<'a> Zones<'a> {
    /// `until`: the end of the span of interest, in Unix seconds.
    pub(super) fn new(components: &'a [Component<'_>], own: Option<&str>, local: &TimeZone, until: i64) -> Self {
        let own = own.and_then(|name| TimeZone::get(name).ok()).unwrap_or_else(|| local.clone());
        let mut zones = Self { own, named: BTreeMap::new(), days_left: Cell::new(DAYS_MAX) };
        for component in components.iter().filter(|component| component.name == "VTIMEZONE") {
            let Some(name) = component.find_prop("TZID").map(|property| property.val.as_str()) else { continue };
            let location = component.find_prop("X-LIC-LOCATION").map(|property| property.val.as_str());
            let known = [Some(name), location].into_iter().flatten().find_map(|name| TimeZone::get(name).ok());
            let zone = known.map(Zone::Known).or_else(|| zones.defined(component, until));
            zones.named.extend(zone.map(|zone| (name, zone)));
        }
        zones
    }

    /// The instant of a time on the wall, in Unix seconds. One that the clock leaves out counts as if it hadn't been put
    /// forward; of one that comes twice, the first counts.
    pub(super) fn instant(&self, wall: &WallTime) -> Option<i64> {
        let in_zone = |zone: &TimeZone| zone.to_timestamp(wall.at).ok().map(jiff::Timestamp::as_second);
        let Some(name) = wall.zone.as_deref() else { return in_zone(&self.own) };
        match self.named.get(name) {
            Some(Zone::Known(zone)) => in_zone(zone),
            Some(Zone::Defined(first, changes)) => {
                let offset =
                    changes.iter().rev().find(|(from, _)| *from <= wall.at).map_or(*first, |(_, offset)| *offset);
                offset.to_timestamp(wall.at).ok().map(jiff::Timestamp::as_second)
            }
            None if name == "UTC" => in_zone(&TimeZone::UTC),
            // A name that nobody knows is the calendar's own zone.
            None => TimeZone::get(name).map_or_else(|_| in_zone(&self.own), |zone| in_zone(&zone)),
        }
    }

    /// What the clock on the wall of `like` shows at an instant.
    pub(super) fn on_the_wall(&self, instant: i64, like: &WallTime) -> DateTime {
        let at = jiff::Timestamp::from_second(instant).unwrap_or_default();
        let Some(name) = like.zone.as_deref() else { return self.own.to_datetime(at) };
        match self.named.get(name) {
            Some(Zone::Known(zone)) => zone.to_datetime(at),
            Some(Zone::Defined(first, changes)) => {
                let began =
                    |(from, offset): &&(DateTime, Offset)| offset.to_timestamp(*from).is_ok_and(|from| from <= at);
                changes.iter().rev().find(began).map_or(*first, |(_, offset)| *offset).to_datetime(at)
            }
            None if name == "UTC" => TimeZone::UTC.to_datetime(at),
            None => TimeZone::get(name).unwrap_or_else(|_| self.own.clone()).to_datetime(at),
        }
    }

    fn defined(&self, component: &Component<'_>, until: i64) -> Option<Zone> {
        let mut changes = Vec::new();
        let mut before = None;
        for rule in component.components.iter().filter(|part| part.name == "STANDARD" || part.name == "DAYLIGHT") {
            let offset = |name: &str| rule.find_prop(name).and_then(|property| offset(property.val.as_str()));
            let (Some(to), Some(start)) = (offset("TZOFFSETTO"), rule.find_prop("DTSTART").and_then(wall_time)) else {
                continue;
            };
            before = before.or(offset("TZOFFSETFROM"));
            changes.push((start.at, to));
            if let Some(repeats) = rule.find_prop("RRULE") {
                let all = occurrences(&start, repeats.val.as_str(), self, (0, until)).ok()?;
                changes.extend(all.into_iter().map(|at| (at.at, to)));
            }
        }
        order::by_key(&mut changes, |(from, _)| *from);
        Some(Zone::Defined(before?, changes))
    }
}

/// `+0100`, `-0330`, `+013000`
fn offset(text: &str) -> Option<Offset> {
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let part = |at: usize| digits.get(at..at + 2).map_or(Some(0), |part| part.parse::<i32>().ok());
    Offset::from_seconds(sign * (part(0)? * 3600 + part(2)? * 60 + part(4)?)).ok()
}

//! Recurrence rules (RFC 5545, 3.3.10) by the clock on the wall: on which dates a shift comes back.
//!
//! This is ackbell's own because every crate that follows rules links the tables of all time zones, which `jiff` reads from
//! the system. It has the parts that calendars of shifts use; a rule with any other is refused with its name. A test compares
//! it with an independent expander.

use jiff::civil::{Date, DateTime, Weekday};
use jiff::{Span, ToSpan};
use std::cell::Cell;

/// A rule with an end by count is followed through so many occurrences, those of the past included.
const OCCURRENCES_MAX: usize = 50_000;

/// A rule, with the parts that it takes from the first shift where it doesn't have them itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rule {
    text: String,
    frequency: Frequency,
    interval: i64,
    count: Option<usize>,
    /// As it was written: only the calendar knows its zone.
    pub(super) until: Option<String>,
    months: Vec<i8>,
    /// Negative: from the month's end.
    month_days: Vec<i8>,
    /// The number of the weekday within its month or year, negative from the end; 0: each.
    weekdays: Vec<(i16, Weekday)>,
    /// Which of a period's dates count; negative: from the end.
    positions: Vec<i16>,
    week_start: Weekday,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Frequency {
    Daily,
    Weekly,
    Monthly,
    Yearly,
}

impl Rule {
    /// Reads a rule whose first occurrence is at `start`.
    pub(super) fn parse(text: &str, start: DateTime) -> Result<Self, String> {
        let bad = |reason: &str| format!("\"{text}\" isn't a rule that can be followed: {reason}");
        let mut rule = Self {
            text: text.to_owned(),
            frequency: Frequency::Daily,
            interval: 1,
            count: None,
            until: None,
            months: Vec::new(),
            month_days: Vec::new(),
            weekdays: Vec::new(),
            positions: Vec::new(),
            week_start: Weekday::Monday,
        };
        let upper = text.to_ascii_uppercase();
        let mut has_frequency = false;
        for part in upper.split(';').filter(|part| !part.trim().is_empty()) {
            let (name, value) = part.split_once('=').ok_or_else(|| bad(&format!("{part} has no value")))?;
            has_frequency |= name.trim() == "FREQ";
            rule.set(name.trim(), value.trim(), start).map_err(|reason| bad(&reason))?;
        }
        if !has_frequency {
            return Err(bad("FREQ is missing"));
        }
        rule.check().map_err(bad)?;
        rule.complete(start.date());
        Ok(rule)
    }

    fn set(&mut self, name: &str, value: &str, start: DateTime) -> Result<(), String> {
        let bad = || format!("{name}={value} isn't valid");
        match name {
            "FREQ" => self.frequency = frequency(value)?,
            "INTERVAL" => self.interval = value.parse().ok().filter(|n| (1..=10_000).contains(n)).ok_or_else(bad)?,
            "COUNT" => self.count = Some(value.parse().map_err(|_| bad())?),
            "UNTIL" => self.until = Some(value.to_owned()),
            "BYMONTH" => self.months = list(value, |n: &i8| (1..=12).contains(n)).ok_or_else(bad)?,
            "BYMONTHDAY" => {
                self.month_days = list(value, |n: &i8| *n != 0 && (-31..=31).contains(n)).ok_or_else(bad)?;
            }
            "BYDAY" => self.weekdays = value.split(',').map(weekday).collect::<Option<_>>().ok_or_else(bad)?,
            "BYSETPOS" => {
                self.positions = list(value, |n: &i16| *n != 0 && (-366..=366).contains(n)).ok_or_else(bad)?;
            }
            "WKST" => self.week_start = weekday(value).filter(|(number, _)| *number == 0).ok_or_else(bad)?.1,
            // Some programs write the start's own time there.
            "BYHOUR" if value.parse() == Ok(start.hour()) => {}
            "BYMINUTE" if value.parse() == Ok(start.minute()) => {}
            "BYSECOND" if value.parse() == Ok(start.second()) => {}
            _ => return Err(format!("ackbell doesn't know {name}={value}")),
        }
        Ok(())
    }

    /// What the RFC doesn't allow together.
    fn check(&self) -> Result<(), &'static str> {
        let has_numbers = self.weekdays.iter().any(|(number, _)| *number != 0);
        match self.frequency {
            Frequency::Daily | Frequency::Weekly if has_numbers => {
                Err("numbered weekdays are for months and years only")
            }
            Frequency::Weekly if !self.month_days.is_empty() => Err("weeks have no BYMONTHDAY"),
            _ => Ok(()),
        }
    }

    /// A rule without days has those of the first shift.
    fn complete(&mut self, start: Date) {
        if !self.weekdays.is_empty() || !self.month_days.is_empty() {
            return;
        }
        match self.frequency {
            Frequency::Daily => {}
            Frequency::Weekly => self.weekdays.push((0, start.weekday())),
            Frequency::Monthly => self.month_days.push(start.day()),
            Frequency::Yearly => {
                self.month_days.push(start.day());
                if self.months.is_empty() {
                    self.months.push(start.month());
                }
            }
        }
    }

    /// The occurrences from `from` on and before `to`. `days_left`: so many days may be looked at, here and elsewhere.
    pub(super) fn occurrences(
        &self,
        start: DateTime,
        until: Option<DateTime>,
        (from, to): (DateTime, DateTime),
        days_left: &Cell<u32>,
    ) -> Result<Vec<DateTime>, String> {
        let text = &self.text;
        let (mut found, mut counted) = (Vec::new(), 0_usize);
        // Only a count needs those that are long over.
        let skipped = if self.count.is_some() { 0 } else { self.periods_before(start.date(), from.date()) };
        for number in skipped.. {
            let Some((first, last)) = self.period(start.date(), number) else { break };
            if first > to.date() || until.is_some_and(|until| first > until.date()) {
                break;
            }
            let mut dates = Vec::new();
            for date in std::iter::successors(Some(first), |date| date.tomorrow().ok()).take_while(|date| *date <= last)
            {
                let left = days_left.get().checked_sub(1);
                days_left.set(left.ok_or_else(|| format!("\"{text}\" and the rules before it reach back too far"))?);
                if self.has(date) {
                    dates.push(date);
                }
            }
            for at in self.chosen(&dates).into_iter().map(|date| date.to_datetime(start.time())) {
                let is_counted_out = self.count.is_some_and(|count| counted >= count);
                if is_counted_out || at >= to || until.is_some_and(|until| at > until) {
                    return Ok(found);
                }
                if at < start {
                    continue;
                }
                counted += 1;
                if counted > OCCURRENCES_MAX {
                    return Err(format!("\"{text}\" has more than {OCCURRENCES_MAX} occurrences until now"));
                }
                if at >= from {
                    found.push(at);
                }
            }
        }
        Ok(found)
    }

    /// How many periods surely end before that date.
    fn periods_before(&self, start: Date, date: Date) -> i64 {
        let days = i64::from((date - start).get_days());
        let months = i64::from(date.year() - start.year()) * 12 + i64::from(date.month() - start.month());
        let passed = match self.frequency {
            Frequency::Daily => days,
            Frequency::Weekly => days / 7,
            Frequency::Monthly => months,
            Frequency::Yearly => months / 12,
        };
        (passed / self.interval - 2).max(0)
    }

    /// The first and last day of the period with that number; `None` past the end of all calendars.
    fn period(&self, start: Date, number: i64) -> Option<(Date, Date)> {
        let step = number.checked_mul(self.interval)?;
        match self.frequency {
            Frequency::Daily => {
                let day = start.checked_add(Span::new().try_days(step).ok()?).ok()?;
                Some((day, day))
            }
            Frequency::Weekly => {
                let behind = i64::from(start.weekday().since(self.week_start));
                let days = step.checked_mul(7)?.checked_sub(behind)?;
                let first = start.checked_add(Span::new().try_days(days).ok()?).ok()?;
                Some((first, first.checked_add(6.days()).ok()?))
            }
            Frequency::Monthly => {
                let first = start.first_of_month().checked_add(Span::new().try_months(step).ok()?).ok()?;
                Some((first, first.last_of_month()))
            }
            Frequency::Yearly => {
                let first = start.first_of_year().checked_add(Span::new().try_years(step).ok()?).ok()?;
                Some((first, first.last_of_year()))
            }
        }
    }

    /// Whether the rule has that date, the choice of positions aside.
    fn has(&self, date: Date) -> bool {
        let from_end = date.day() - date.days_in_month() - 1;
        let is_listed = |list: &[i8], number: i8| list.is_empty() || list.contains(&number);
        is_listed(&self.months, date.month())
            && (is_listed(&self.month_days, date.day()) || self.month_days.contains(&from_end))
            && (self.weekdays.is_empty() || self.weekdays.iter().any(|weekday| self.is_weekday(date, *weekday)))
    }

    fn is_weekday(&self, date: Date, (number, weekday): (i16, Weekday)) -> bool {
        let is_of_year = self.frequency == Frequency::Yearly && self.months.is_empty();
        let (day, days) = if is_of_year {
            (date.day_of_year(), date.days_in_year())
        } else {
            (i16::from(date.day()), i16::from(date.days_in_month()))
        };
        let numbers = [0, (day - 1) / 7 + 1, -((days - day) / 7 + 1)];
        date.weekday() == weekday && numbers.contains(&number)
    }

    /// Those of a period's dates that count, in order.
    fn chosen(&self, dates: &[Date]) -> Vec<Date> {
        if self.positions.is_empty() {
            return dates.to_vec();
        }
        let index = |position: &i16| {
            let distance = usize::from(position.unsigned_abs());
            if *position > 0 { distance.checked_sub(1) } else { dates.len().checked_sub(distance) }
        };
        let mut chosen: Vec<Date> =
            self.positions.iter().filter_map(|position| dates.get(index(position)?).copied()).collect();
        chosen.sort_unstable();
        chosen.dedup();
        chosen
    }
}

fn frequency(text: &str) -> Result<Frequency, String> {
    match text {
        "DAILY" => Ok(Frequency::Daily),
        "WEEKLY" => Ok(Frequency::Weekly),
        "MONTHLY" => Ok(Frequency::Monthly),
        "YEARLY" => Ok(Frequency::Yearly),
        "SECONDLY" | "MINUTELY" | "HOURLY" => Err(format!("FREQ={text} is too often for a shift")),
        _ => Err(format!("FREQ={text} isn't valid")),
    }
}

/// `1,-1`
fn list<T: std::str::FromStr>(text: &str, is_valid: impl Fn(&T) -> bool) -> Option<Vec<T>> {
    text.split(',').map(|number| number.trim().parse().ok().filter(&is_valid)).collect()
}

/// `MO`, `2TU`, `-1SU`
fn weekday(text: &str) -> Option<(i16, Weekday)> {
    let text = text.trim();
    let (number, name) = text.split_at_checked(text.len().checked_sub(2)?)?;
    let weekday = match name {
        "MO" => Weekday::Monday,
        "TU" => Weekday::Tuesday,
        "WE" => Weekday::Wednesday,
        "TH" => Weekday::Thursday,
        "FR" => Weekday::Friday,
        "SA" => Weekday::Saturday,
        "SU" => Weekday::Sunday,
        _ => return None,
    };
    let number =
        if number.is_empty() { 0 } else { number.parse().ok().filter(|n: &i16| *n != 0 && (-53..=53).contains(n))? };
    Some((number, weekday))
}

#[cfg(test)]
mod tests;

//! The week's summary: counted from the memory, and, where it is configured, posted once a week.
//!
//! When it is due stands in a row. The message and the row's next time are written in one transaction, so that whoever dies
//! in between posts it once: before the commit nothing has happened, after it the outbox has the message.

use crate::config::{Config, Integration, Weekly, WeeklyTime};
use crate::flow::deliver::message_mode;
use crate::model::incoming::DirectMessage;
use crate::model::object::Object;
use crate::model::time_text::Unit;
use crate::model::time_text::short_span;
use crate::monitoring::objects::DisplayNames;
use crate::monitoring::paths;
use crate::rules::weekly::{Counts, Summary};
use crate::store::{DeliveryQueue, Store, StoreError, Target, WeeklyPost};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use log::info;
use std::sync::{Mutex, PoisonError};

const WEEK_SECONDS: i64 = 7 * 86_400;
/// Such a summary says that it is late.
const LATE_SECONDS: i64 = 2 * 3600;

/// Counts the time up to `to` and the same time before it; Unix seconds.
pub(crate) fn summary(
    store: &Store,
    config: &Config,
    names: &Mutex<DisplayNames>,
    (length, to): (i64, i64),
) -> Result<Summary, StoreError> {
    let counts = |from: i64, to: i64| -> Result<Counts, StoreError> {
        let mut counts = Counts::default();
        store.each_past_problem(from, to, |object, past, verdicts| {
            counts.add(object, &past, (verdicts.noise, verdicts.worth_it));
        })?;
        Ok(counts)
    };
    let from = to.saturating_sub(length);
    let (now, before) = (counts(from, to)?, counts(from.saturating_sub(length), from)?);
    // The senders name objects by them, too: they don't wait for the database here.
    let mut names = names.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(Summary::new(&now, &before, &mut |object| label(object, config, &mut names)))
}

/// What people call an object.
fn label(object: &Object, config: &Config, names: &mut DisplayNames) -> String {
    let known = paths::core(config, &object.core);
    let known = known.as_ref().and_then(|core| names.of_core(core));
    let shown = |service: &str| known.and_then(|known| known.label(&object.host, service)).cloned();
    let host = shown("").unwrap_or_else(|| object.host.clone());
    match &object.service {
        Some(service) => format!("{} on {host}", shown(service).unwrap_or_else(|| service.clone())),
        None => host,
    }
}

/// Enqueues the week's summary if it is due; whether it was.
pub(crate) fn post_if_due(
    store: &mut Store,
    config: &Config,
    names: &Mutex<DisplayNames>,
    now_ms: i64,
) -> Result<bool, StoreError> {
    let Some(weekly) = &config.weekly else { return Ok(false) };
    let (now, schedule) = (now_ms / 1000, weekly.at.to_string());
    let Some(due) = store.weekly_due(&schedule, next(weekly.at, now))? else { return Ok(false) };
    if due > now {
        return Ok(false);
    }
    // After a long pause only the newest is posted: its numbers are those of the week before it.
    let newest = next(weekly.at, now.saturating_sub(WEEK_SECONDS)).clamp(due, now);
    let summary = summary(store, config, names, (WEEK_SECONDS, newest))?;
    let late = now.saturating_sub(newest);
    let mut lines = summary.lines();
    if late > LATE_SECONDS {
        lines.push(String::new());
        lines.push(format!("Posted {} late: no listener was running.", short_span(late, Unit::Spaced)));
    }
    let queue = queue(weekly, config);
    let mode = message_mode(config, &queue);
    let message = DirectMessage {
        key: format!("weekly-{newest}"),
        time: newest,
        to: weekly.channel.to_string(),
        title: "The week's notifications".to_owned(),
        body: lines.join("\n"),
        ..DirectMessage::default()
    };
    let post = WeeklyPost { message, queue, mode, due, next: next(weekly.at, now) };
    let posted = store.post_weekly(&post, now_ms)?;
    if posted {
        info!("weekly summary enqueued due={due} next={}", post.next);
    }
    Ok(posted)
}

/// Where it goes: a webhook posts to its own channel alone.
fn queue(weekly: &Weekly, config: &Config) -> DeliveryQueue {
    let named = |integration: &&Integration| weekly.integration.as_ref().is_none_or(|name| *name == integration.name);
    let found = config.integrations.iter().find(named);
    let target = if found.is_none_or(Integration::is_bot) { Target::from(&weekly.channel) } else { Target::Webhook };
    DeliveryQueue { integration: found.map(|found| found.name.clone()).unwrap_or_default(), target }
}

/// The first such time of the week after `after`; Unix seconds. A time that a change of the clocks leaves out is the one
/// behind the gap.
fn next(at: WeeklyTime, after: i64) -> i64 {
    let zone = TimeZone::system();
    let local = Timestamp::from_second(after).unwrap_or_default().to_zoned(zone.clone());
    let monday = local.date().saturating_sub(i64::from(local.weekday().to_monday_zero_offset()).days());
    let (hour, minute) = (at.minute_of_day / 60, at.minute_of_day % 60);
    let time = |week: i64| {
        let day = monday.saturating_add((i64::from(at.weekday) + 7 * week).days());
        let day_time = day.at(i8::try_from(hour).unwrap_or(0), i8::try_from(minute).unwrap_or(0), 0, 0);
        day_time.to_zoned(zone.clone()).map(|zoned| zoned.timestamp().as_second()).ok()
    };
    let fallback = Timestamp::from_second(after).unwrap_or_default().saturating_add(SignedDuration::from_hours(168));
    let fallback = fallback.map_or(after.saturating_add(WEEK_SECONDS), Timestamp::as_second);
    (0..3).filter_map(time).find(|&found| found > after).unwrap_or(fallback)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_time_is_within_a_week_and_later() {
        let at = WeeklyTime { weekday: 0, minute_of_day: 8 * 60 };
        let mut now = 1_795_000_000;
        for _ in 0..60 {
            let found = next(at, now);
            assert!(found > now && found <= now + WEEK_SECONDS + 3600, "{now} {found}");
            let local = Timestamp::from_second(found).unwrap().to_zoned(TimeZone::system());
            assert_eq!((local.weekday().to_monday_zero_offset(), local.hour(), local.minute()), (0, 8, 0));
            now = found;
        }
    }
}

//! How it went before, for a card: looked up when the card is about to be sent.

use super::Deliverer;
use crate::config::Config;
use crate::model::notification::Notification;
use crate::model::object::Object;
use crate::model::past_problem::PastProblem;
use crate::model::problem::Problem;
use crate::rules::render::memory::{Earlier, LOOKED_AT, WallTime};
use crate::rules::render::redact_remarks;
use crate::store::{Claimed, DeliveryQueue, Store, StoreError, Work};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use log::warn;
use std::sync::{Arc, PoisonError};

/// One more than a card names.
const NEIGHBOURS_LOOKED_AT: usize = 5;
/// Such an old date is shown with its year.
const YEAR_SHOWN_AFTER: i64 = 300 * 86_400;

impl Deliverer {
    /// The earlier problems of the object of a card. A database that can't be read makes a card without them: the card
    /// itself goes first.
    pub(super) fn earlier(&self, claimed: &Claimed) -> Option<Earlier> {
        let problem = problem_of_card(claimed)?;
        let shared = Arc::clone(&self.names);
        let mut names = shared.lock().unwrap_or_else(PoisonError::into_inner);
        earlier(&self.store, &self.config, problem, &claimed.queue, &mut |latest| names.fill(latest, &self.config))
    }

    /// What [`Self::earlier`] reads.
    pub(super) fn ask_earlier(&self, claimed: &Claimed) {
        let Some(problem) = problem_of_card(claimed) else { return };
        let object = Object::of(&problem.latest);
        let _ = self.store.past_problems(&object, problem.began.unwrap_or(problem.latest.time), LOOKED_AT);
        if problem.is_bad {
            let _ = self.store.neighbours(&claimed.queue, &object, NEIGHBOURS_LOOKED_AT);
        }
    }
}

/// The problem of which the earlier ones are shown.
fn problem_of_card(claimed: &Claimed) -> Option<&Problem> {
    match &claimed.work {
        Work::Post(problem) | Work::Update(problem) | Work::PostOnce(problem) => Some(problem),
        _ => None,
    }
}

/// The earlier problems of a problem's object, as a card in this queue shows them; `name` fills in display names.
pub(crate) fn earlier(
    store: &Store,
    config: &Config,
    problem: &Problem,
    queue: &DeliveryQueue,
    name: &mut dyn FnMut(&mut Notification),
) -> Option<Earlier> {
    let found = look_up(store, config, problem, queue, name);
    found
        .inspect_err(|e| {
            warn!("history not read object={:?} reason={:?}", problem.latest.object_label(), e.to_string());
        })
        .ok()
}

fn look_up(
    store: &Store,
    config: &Config,
    problem: &Problem,
    queue: &DeliveryQueue,
    name: &mut dyn FnMut(&mut Notification),
) -> Result<Earlier, StoreError> {
    let object = Object::of(&problem.latest);
    let began = problem.began.unwrap_or(problem.latest.time);
    let mut past = store.past_problems(&object, began, LOOKED_AT)?;
    redact_remarks(&mut past, &config.message.redact);
    let mut neighbours =
        if problem.is_bad { store.neighbours(queue, &object, NEIGHBOURS_LOOKED_AT)? } else { Vec::new() };
    neighbours.iter_mut().for_each(name);
    let with_wall_time = |past: PastProblem| {
        let at = wall_time(past.began, began);
        (past, at)
    };
    Ok(Earlier {
        problems: past.into_iter().map(with_wall_time).collect(),
        own: Some((began, wall_time(began, began))),
        has_more_neighbours: neighbours.len() >= NEIGHBOURS_LOOKED_AT,
        neighbours: neighbours.iter().map(|latest| latest.host_label().into_owned()).collect(),
    })
}

/// A time in Unix seconds as the machine's clock on the wall shows it; with the year where it is long before `now`.
pub(crate) fn wall_time(unix: i64, now: i64) -> WallTime {
    let local = Timestamp::from_second(unix).unwrap_or_default().to_zoned(TimeZone::system());
    let format = if now.saturating_sub(unix) > YEAR_SHOWN_AFTER { "%-d %b %Y" } else { "%-d %b" };
    WallTime {
        weekday: u8::try_from(local.weekday().to_monday_zero_offset()).unwrap_or(0),
        hour: u8::try_from(local.hour()).unwrap_or(0),
        date: local.strftime(format).to_string(),
    }
}

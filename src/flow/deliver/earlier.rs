//! How it went before, for a card: looked up when the card is about to be sent.

use super::Deliverer;
use crate::model::object::Object;
use crate::model::problem::Problem;
use crate::rules::render::memory::{Earlier, LOOKED_AT, WallTime};
use crate::rules::render::redact_remarks;
use crate::store::{Claimed, DeliveryQueue, Work};
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
    pub(super) fn earlier(&mut self, claimed: &Claimed) -> Option<Earlier> {
        let (Work::Post(problem) | Work::Update(problem) | Work::PostOnce(problem)) = &claimed.work else {
            return None;
        };
        match self.look_up(problem, &claimed.queue) {
            Ok(earlier) => Some(earlier),
            Err(e) => {
                warn!("history not read object={:?} reason={:?}", problem.latest.object_label(), e.to_string());
                None
            }
        }
    }

    fn look_up(&mut self, problem: &Problem, queue: &DeliveryQueue) -> Result<Earlier, crate::store::StoreError> {
        let object = Object::of(&problem.latest);
        let began = problem.began.unwrap_or(problem.latest.time);
        let mut past = self.store.past_problems(&object, began, LOOKED_AT)?;
        redact_remarks(&mut past, &self.config.message.redact);
        let neighbours =
            if problem.is_bad { self.store.neighbours(queue, &object, NEIGHBOURS_LOOKED_AT)? } else { Vec::new() };
        let has_more_neighbours = neighbours.len() >= NEIGHBOURS_LOOKED_AT;
        let shared = Arc::clone(&self.names);
        let mut names = shared.lock().unwrap_or_else(PoisonError::into_inner);
        let labels = neighbours.into_iter().map(|mut latest| {
            names.fill(&mut latest, &self.config);
            latest.host_label().into_owned()
        });
        let neighbours = labels.collect();
        let with_wall_time = |past: crate::model::past_problem::PastProblem| {
            let at = wall_time(past.began, began);
            (past, at)
        };
        Ok(Earlier {
            problems: past.into_iter().map(with_wall_time).collect(),
            own: Some((began, wall_time(began, began))),
            neighbours,
            has_more_neighbours,
        })
    }
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

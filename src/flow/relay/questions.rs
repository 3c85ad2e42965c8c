//! The centre's questions about the core beside us: fetched over a connection of our own, answered from `monitoring`.

use crate::config::Config;
use crate::model::core_snapshot::RelaySpool;
use crate::monitoring::paths;
use crate::monitoring::relay::answer::{Answers, about};
use crate::monitoring::relay::centre::{Centre, CentreError};
use crate::monitoring::relay::wire::{About, Answer, BODY_BYTES_MAX, Call, Given, Step};
use crate::state_dir::spool::{Spool, SpoolId};
use crate::system::clock;
use std::time::{Duration, Instant};

/// One thread's way of answering.
#[derive(Debug)]
pub(crate) struct Questions {
    config: Config,
    centre: Centre,
    spool: Spool,
    answers: Answers,
}

impl Questions {
    pub(crate) fn new(config: Config, centre: Centre) -> Self {
        let spool = Spool::new(&config.state_dir);
        Self { config, centre, spool, answers: Answers::default() }
    }

    /// Waits for one question, and answers it if one comes.
    pub(crate) fn next(&mut self) -> Result<(), CentreError> {
        let Some(given) = self.call(Step::Wait)? else { return Ok(()) };
        let id = given.id;
        let (question, until) = if let Some(question) = given.question {
            (question, Instant::now() + Duration::from_millis(given.within_ms))
        } else {
            // Counted from before it was asked for, so that what was long on the way is over.
            let asked = Instant::now();
            let Some(taken) = self.call(Step::Take { id })? else { return Ok(()) };
            let Some(question) = taken.question else { return Ok(()) };
            (question, asked + Duration::from_millis(taken.within_ms))
        };
        let answer = match paths::core(&self.config, "") {
            Some(core) => {
                let spool = &self.spool;
                self.answers.answer(&core, question, until, || oldest(spool))
            }
            None => Answer::Failed { reason: "the relay has no [core]".to_owned(), is_verdict: false },
        };
        // More than the centre takes at once.
        let is_too_long = serde_json::to_string(&answer).is_ok_and(|text| text.len() > BODY_BYTES_MAX - 10_000);
        let too_long = || Answer::Failed { reason: "the relay's answer is too long".to_owned(), is_verdict: false };
        let answer = if is_too_long { too_long() } else { answer };
        let step = || Step::Answer { id, answer: Box::new(answer.clone()) };
        // Once more where the connection broke: the centre takes the first that comes.
        self.call(step()).or_else(|_| self.call(step())).map(drop)
    }

    fn call(&self, step: Step) -> Result<Option<Given>, CentreError> {
        self.centre.call(&Call { now_ms: clock::wall_ms(), about: self.about(), step })
    }

    fn about(&self) -> About {
        let (waiting, oldest) = self.spool.waiting();
        let core = paths::core(&self.config, "").unwrap_or_default();
        let bad = self.spool.bad().len();
        About { waiting, oldest: oldest.and_then(|id| id.received()), bad, ..about(&core) }
    }
}

fn oldest(spool: &Spool) -> RelaySpool {
    let oldest = spool.oldest(1).ok().and_then(|ids| ids.into_iter().next());
    RelaySpool { now: SpoolId::fresh().to_string(), oldest: oldest.map(|id| id.to_string()) }
}

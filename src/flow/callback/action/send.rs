//! Writes the commands to the cores. That a command is being sent is durable before a byte of it is written, so that
//! after a crash nothing is sent twice.

use super::prepare::{Ended, NOTHING_TO_DO, Prepared, REFUSED, Ready, Stop};
use super::{ActionWorker, audit_row, finished};
use crate::config::Core;
use crate::flow::callback::ephemeral::send_ephemeral;
use crate::flow::callback::request::RequestedAction;
use crate::monitoring::error::SendError;
use crate::monitoring::{paths, send, state};
use crate::rules::command::ExternalCommand;
use crate::rules::confirm::Expectation;
use crate::state_dir::listener_status::StatusNote;
use crate::store::{ActionOutcome, ActionRequest, StoreError, Transition};
use crate::system::clock;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How long the core's state is watched for the effect of a command.
const CONFIRM_MS: i64 = 15_000;
/// A command file that is full empties soon, or its reader hangs.
const FULL_RETRIES: u32 = 20;
const FULL_PAUSE: Duration = Duration::from_millis(100);

/// A command, and whether the core got it; of several cores of that name, why others didn't.
pub(in crate::flow::callback) type Sent = (Ready, Result<Vec<String>, SendError>);

impl ActionWorker {
    /// Records the result of each preparation: `sending`, split, or ended. Returns the commands to be sent.
    pub(in crate::flow::callback) fn record_sending(
        &mut self,
        prepared: Vec<Prepared>,
    ) -> Result<Vec<Ready>, StoreError> {
        let (mut moves, mut rows, mut to_send) = (Vec::new(), Vec::new(), Vec::new());
        let (mut refusals, mut refused) = (Vec::new(), Vec::new());
        // When each core wrote its state last: the effect must show in a later one.
        let mut written: BTreeMap<String, Option<i64>> = BTreeMap::new();
        let mut names = BTreeSet::new();
        for (kept, request, prepared) in prepared {
            match prepared {
                // The one after the first is looked at once that is under way.
                Ok(ready) if self.node.has_others() && !names.insert(name_of(&ready)) => {}
                Ok(ready) => {
                    let core = &ready.core;
                    let before = *written.entry(core.name.clone()).or_insert_with(|| state::written(core));
                    let expectation = Expectation::from_command(&ready.command, before);
                    let text = serde_json::to_string(&expectation).map_err(|e| StoreError::Content(e.to_string()))?;
                    let until = self.clock.now_ms().saturating_add(patience_ms(core));
                    moves.push((kept.id, Transition::Sending { expectation: text, until }));
                    let person = Some(&ready.person);
                    rows.push(audit_row(&kept, &ready.request, person, &expectation.lines, "sending", ""));
                    to_send.push(ready);
                }
                Err(Stop::Split(children)) => {
                    self.store.keep_requests(&children, clock::wall_ms())?;
                    moves.push((kept.id, Transition::Parent));
                }
                Err(Stop::Ended(Ended { step, sentence, person })) => {
                    let row = audit_row(&kept, &request, person.as_deref(), &[], step, &sentence);
                    if step == REFUSED {
                        refusals.push((request.requester.key(), row));
                        refused.push((kept.id, refused_move(&kept, &sentence)));
                    } else {
                        rows.push(row);
                        // Nobody waits for a reply when a timed acknowledgement ends: the message shows it.
                        let is_expired = matches!(request.requested_action, RequestedAction::Expire { .. });
                        let silently =
                            Transition::Done { outcome: ActionOutcome::NotConfirmed(sentence.clone()), reply: None };
                        let is_silent = is_expired && step == NOTHING_TO_DO;
                        moves.push((kept.id, if is_silent { silently } else { finished(&kept, &sentence) }));
                    }
                }
                Err(Stop::OtherNode) => {}
                Err(Stop::Store(e)) => return Err(e),
            }
        }
        self.store.refuse(&refusals, &refused, clock::wall_ms())?;
        self.store.advance_requests(&moves, &rows)?;
        Ok(to_send)
    }

    /// Writes each command to its core.
    pub(in crate::flow::callback) fn send_all(&self, ready: Vec<Ready>) -> Vec<Sent> {
        let send_one = |one: Ready| {
            // Another node may have told the person by now that it wasn't sent, because this one was paused.
            let sent = match self.node.unseen() {
                Some(unseen) => Err(SendError::Late(unseen.as_secs())),
                None => send_patiently(&one.core, &one.command),
            };
            self.status.update(|status| match &sent {
                Err(e) if !e.is_verdict() => {
                    drop(status.commands.insert(one.core.name.clone(), StatusNote::now(e.to_string())));
                }
                _ => drop(status.commands.remove(&one.core.name)),
            });
            (one, sent)
        };
        ready.into_iter().map(send_one).collect()
    }

    /// Records which commands the cores got; the others have failed.
    pub(in crate::flow::callback) fn record_sent(&mut self, sent: Vec<Sent>) -> Result<(), StoreError> {
        let (mut moves, mut rows, mut notices) = (Vec::new(), Vec::new(), Vec::new());
        for (one, result) in sent {
            let Ready { kept, request, person, command, .. } = one;
            match result {
                Ok(missed) => {
                    moves.push((kept.id, Transition::Sent));
                    if !missed.is_empty() {
                        let sentence =
                            format!("Sent, but not to all cores of {}: {}.", one.core.name, missed.join("; "));
                        rows.push(audit_row(&kept, &request, Some(&person), &command.lines(), "sent", &sentence));
                        notices.push((request.requester, sentence));
                    }
                }
                Err(e) => {
                    let (lines, reason) = (command.lines(), e.to_string());
                    rows.push(audit_row(&kept, &request, Some(&person), &lines, "failed", &reason));
                    moves.push((kept.id, finished(&kept, &sentence(&e))));
                }
            }
        }
        self.store.advance_requests(&moves, &rows)?;
        for (requester, sentence) in notices {
            let _ = send_ephemeral(&mut self.lookup, &requester, &sentence);
        }
        Ok(())
    }
}

/// By it another request for the same is known.
fn name_of(ready: &Ready) -> (String, String) {
    (ready.request.requested_action.object_key(), ready.request.name.clone())
}

/// What the person reads. A relay's reasons are whole sentences.
fn sentence(e: &SendError) -> String {
    let text = e.to_string();
    let mut chars = text.chars();
    match (e, chars.next()) {
        (SendError::Relay(_), Some(first)) => {
            format!("{}{}.", first.to_uppercase(), chars.as_str().trim_end_matches('.'))
        }
        _ => text,
    }
}

/// How a request ends that was refused.
fn refused_move(kept: &ActionRequest, sentence: &str) -> Transition {
    // A person who asked for many reads each reason at the end.
    if kept.parent.is_some() { finished(kept, sentence) } else { Transition::Refused { reply: sentence.to_owned() } }
}

fn send_patiently(core: &Core, command: &ExternalCommand) -> Result<Vec<String>, SendError> {
    for _ in 0..FULL_RETRIES {
        match send::send(core, command) {
            Err(SendError::Full(_)) => std::thread::sleep(FULL_PAUSE),
            other => return other.map(|receipt| receipt.missed),
        }
    }
    send::send(core, command).map(|receipt| receipt.missed)
}

/// How long to watch for the effect: a core that writes its state seldom needs two of its intervals.
pub(super) fn patience_ms(core: &Core) -> i64 {
    let interval = paths::Paths::find(core).status_update_interval.unwrap_or(0);
    CONFIRM_MS.max(i64::try_from(interval).unwrap_or(0).saturating_mul(2000).saturating_add(2000))
}

//! Fills the memory from a core's logs: files in the order of their times, line by line, rows in batches.
//!
//! Killed anywhere it leaves whole batches; run again it adds the same rows and no others, as a problem is known by its
//! object and its beginning.

use crate::model::object::Object;
use crate::model::past_problem::PastProblem;
use crate::monitoring::log_events::Skipped;
use crate::monitoring::log_files::LogFile;
use crate::monitoring::log_problems::LogProblems;
use crate::store::{Store, StoreError};
use std::cell::Cell;
use std::path::PathBuf;
use std::rc::Rc;

/// How many rows one transaction adds: some hundredths of a second, in which the listener waits.
const BATCH: usize = 2000;
/// How many lines lie between two looks at the clock and at Ctrl-C.
const LINES_BETWEEN: u64 = 20_000;

/// What is imported, and from when on.
#[derive(Debug, Clone)]
pub(crate) struct ImportOptions {
    /// The core's name.
    pub(crate) core: String,
    /// Unix seconds. Problems that ended before would be forgotten at once.
    pub(crate) from: i64,
    /// Later times are a wrong clock's.
    pub(crate) latest: i64,
}

/// How far it has come.
#[derive(Debug, Clone, Default)]
pub(crate) struct ImportState {
    pub(crate) bytes: u64,
    pub(crate) lines: u64,
    /// Problems that were found, and those of them that were not there yet.
    pub(crate) found: usize,
    pub(crate) added: usize,
    /// Ended before the time from which on problems are remembered.
    pub(crate) too_old: u64,
    pub(crate) unnotified: u64,
    /// Problems that go on at the end of the last log.
    pub(crate) open: usize,
    /// Files with lines that gave nothing, or that couldn't be read to their end.
    pub(crate) remarks: Vec<(PathBuf, Skipped, Option<String>)>,
    /// It was asked to stop.
    pub(crate) was_stopped: bool,
}

/// Imports the files. `goes_on` is asked every some thousand lines.
pub(crate) fn import(
    store: &mut Store,
    files: &[LogFile],
    options: &ImportOptions,
    goes_on: &mut dyn FnMut(&ImportState) -> bool,
) -> Result<ImportState, StoreError> {
    let (mut state, mut problems) = (ImportState::default(), LogProblems::new(&options.core));
    let (mut batch, read) = (Vec::new(), Rc::new(Cell::new(0)));
    for file in files {
        let mut failed = None;
        let mut reader = match file.open(options.latest, &read) {
            Ok(reader) => reader,
            Err(e) => {
                state.remarks.push((file.path.clone(), Skipped::default(), Some(e.to_string())));
                continue;
            }
        };
        let mut events = 0_u64;
        let done = reader.each(|event| {
            events += 1;
            if let Some((object, past)) = problems.take(event) {
                state.found += 1;
                if past.ended < options.from {
                    state.too_old += 1;
                } else {
                    batch.push((object, past));
                }
            }
            if batch.len() >= BATCH
                && let Err(e) = write(store, &mut batch, &mut state)
            {
                failed = Some(e);
            }
            if events.is_multiple_of(LINES_BETWEEN) {
                state.bytes = read.get();
                state.was_stopped = !goes_on(&state);
            }
            failed.is_none() && !state.was_stopped
        });
        if let Some(e) = failed {
            return Err(e);
        }
        let (skipped, error) = (reader.skipped, done.err().map(|e| format!("{e}, after line {}", reader.number)));
        if skipped.lines() > 0 || error.is_some() {
            state.remarks.push((file.path.clone(), skipped, error));
        }
        state.lines += reader.number;
        state.bytes = read.get();
        state.was_stopped = state.was_stopped || !goes_on(&state);
        if state.was_stopped {
            break;
        }
    }
    write(store, &mut batch, &mut state)?;
    (state.unnotified, state.open) = (problems.unnotified, problems.open());
    Ok(state)
}

fn write(store: &mut Store, batch: &mut Vec<(Object, PastProblem)>, state: &mut ImportState) -> Result<(), StoreError> {
    if !batch.is_empty() {
        state.added += store.add_past(batch)?;
        batch.clear();
    }
    Ok(())
}

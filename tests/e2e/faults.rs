//! What a machine, a network and a person at the keyboard can do to it. Each fault stands in `docs/proof/faults.md` with
//! the promise that it could break; some stand in the modules beside this one. What takes minutes is
//! done only if [`crate::harness::process::is_long`], as in `tests/faults`.

pub(crate) mod clicks;
mod clock;
mod database;
mod doors;
mod limits;
mod network;
mod spool;

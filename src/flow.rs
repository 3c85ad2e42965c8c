//! The three flows, read first: [`notify`], [`deliver`], [`callback`]. Each puts steps in order; the steps are below.
//!
//! Imports every room below. Never in here: a rule, SQL, a protocol.

mod ask_cores;
pub(crate) mod callback;
pub(crate) mod curves;
pub(crate) mod deadman;
pub(crate) mod deliver;
pub(crate) mod import_history;
pub(crate) mod installs;
pub(crate) mod node;
pub(crate) mod notify;
pub(crate) mod on_call;
pub(crate) mod outage;
pub(crate) mod people;
pub(crate) mod relay;
pub(crate) mod replay;
pub(crate) mod shared_waits;
pub(crate) mod timers;
pub(crate) mod weekly;

//! What is decided: from values to values. Pure: no files, no network, no clock, no log, no database.
//!
//! Imports `model` and `config`. Never in here: anything that waits, and a text of Slack's wire.

pub(crate) mod authorise;
pub(crate) mod command;
pub(crate) mod confirm;
pub(crate) mod curve;
pub(crate) mod deadman;
pub(crate) mod digest;
pub(crate) mod escalate;
pub(crate) mod installs;
pub(crate) mod lease;
pub(crate) mod manifest;
pub(crate) mod outage;
pub(crate) mod remedy;
pub(crate) mod render;
pub(crate) mod replay;
pub(crate) mod retry;
pub(crate) mod route;
pub(crate) mod slash;
pub(crate) mod verify;
pub(crate) mod weekly;

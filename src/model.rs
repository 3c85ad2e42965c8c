//! The nouns: notification, direct message, object, problem, a core's state. Pure: no files, no network, no clock; `now` is an
//! argument.
//!
//! Imports `system` (JSON and secrets). Never in here: a decision, a protocol of Slack's or of a core's.

pub(crate) mod action;
pub(crate) mod core_snapshot;
pub(crate) mod curve;
pub(crate) mod incoming;
pub(crate) mod notification;
pub(crate) mod object;
pub(crate) mod outcome;
pub(crate) mod past_problem;
pub(crate) mod pattern;
pub(crate) mod problem;
pub(crate) mod slack_error;
pub(crate) mod template;
pub(crate) mod time_text;
pub(crate) mod topology;

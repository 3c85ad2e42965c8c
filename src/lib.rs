//! ackbell carries the notifications of a Nagios-style monitoring core to Slack.
//!
//! ```text
//! notify:   arguments/macros ─▶ Notification ─▶ spool file (durable) ─▶ exit 0
//! deliver:  spool ─▶ outbox (SQLite) ─▶ route ─▶ render ─▶ Slack ─▶ posts (which message stands for which problem)
//! callback: Slack ─▶ verified ─▶ interaction ─▶ authorised ─▶ external command ─▶ command file ─▶ confirmed ─▶ message updated
//! ```
//!
//! Each arrow is one function from the type on its left to the type on its right. [`notify`], [`deliver`] and
//! [`callback`] are the flows; read them first. [`listen`] runs the last two.
//!
//! # Invariants
//! A test greps for these.
//!
//! - The pure core (`notification`, `intake`, `route`, `render`, `schedule`, `problem`, `slash`, `storm`, `authorise`, `command`,
//!   `confirm`, `manifest`, `verify`) imports no `std::fs`, `std::net`, `std::env`, no `log`, no clock and no database. `now` is an argument.
//! - Only `store/` contains SQL. Only `slack/api.rs` uses ureq towards Slack, only `core/` towards a monitoring core,
//!   and only `core/` opens a core's files and sockets. `Authorised` and `ExternalCommand` have private fields and one
//!   constructor each: what nobody allowed can't reach a core, as it doesn't type-check. A `Leave` has the same: nothing about an
//!   object is looked up for a person without having asked [`authorise`] first.
//! - Only `cli` prints and decides exit codes.
//! - `notify`, with a listener running, touches spool, wake-up datagram and delivery lock only. Without one its single
//!   call of `deliver` is its only way to `SQLite`, TLS, templates and time zones.
//! - `Verified` has private fields and one constructor: what nobody signed goes no further than the door. Async code is
//!   in `listen/http` alone.
//! - The wake-up datagram is a hint: delete every line that sends it and only latency changes.
//! - `sandbox/` reads JSON by itself and shares no wire type with `slack/`: no mistake can hide in both.
//! - One retry layer (`schedule`), one place that classifies answers (`slack/outcome`), one table of Slack's limits
//!   (`slack/limits`), one redaction (`secret`).
//! - A secret has no `Display` and no `Serialize`; its `Debug` is redacted.

// From the ground up; each imports only those above it.
mod system;

mod model;

mod state_dir;

mod config;

mod rules;

mod monitoring;
mod slack;

mod store;

mod flow;

mod health;
mod listen;
mod setup;

mod cli;

#[cfg(any(fuzzing, test))]
#[doc(hidden)]
pub mod fuzz;

/// Runs the program.
pub fn main() -> std::process::ExitCode {
    cli::main()
}

//! ackbell carries the notifications of a Nagios-style monitoring core to Slack, and acknowledgements back into the core.
//!
//! ```text
//! notify:   arguments/macros ─▶ Notification ─▶ spool file (durable) ─▶ exit 0
//! deliver:  spool ─▶ outbox (SQLite, PostgreSQL) ─▶ route ─▶ render ─▶ Slack ─▶ posts (which message stands for which problem)
//! callback: Slack ─▶ verified ─▶ interaction ─▶ authorised ─▶ external command ─▶ command file ─▶ confirmed ─▶ message updated
//! ```
//!
//! Beside a core that doesn't reach Slack: `spool ─▶ completed ─▶ the centre's spool` ([`flow::relay`]); the callback's command
//! goes through that relay ([`monitoring::relay`]).
//!
//! After the message, `timers`: rows that are due (a step nobody answered, a question, the end of a shift) become messages
//! in the outbox.
//!
//! Each arrow is one function from the type on its left to the type on its right. [`flow::notify`], [`flow::deliver`] and
//! [`flow::callback`] are the three flows; read them first.
//!
//! # The floors
//! A room imports only from the floors below its own.
//!
//! | floor | room | what it is for |
//! |---|---|---|
//! | 10 | [`cli`] | the verbs; the only place that prints, reads `argv` and decides exit codes |
//! | 9 | [`listen`] | the daemon: main loop, HTTP, Socket Mode, OAuth pages, the message API |
//! | 9 | [`health`] | `check` and `doctor` |
//! | 9 | [`setup`] | the files that `ackbell setup` writes, and its checks |
//! | 8 | [`flow`] | the three flows: steps in order, nothing else |
//! | 7 | [`store`] | the outbox; the only place with SQL |
//! | 6 | [`slack`] | Slack's wire: calls, answers, blocks, forms, Socket Mode |
//! | 6 | [`monitoring`] | the monitoring core: its files, sockets and APIs |
//! | 5 | [`rules`] | what is decided; pure |
//! | 4 | [`config`] | the configuration: read strictly, every problem reported at once |
//! | 3 | [`state_dir`] | the files in the state and runtime directories, but for the database |
//! | 2 | [`model`] | the nouns; pure |
//! | 1 | [`system`] | the machine below: clock, JSON, log, secrets, TLS roots, systemd |
//!
//! The stand-in for Slack and the stage of `ackbell demo` are a crate of their own, `sandbox/`. It imports nothing of
//! this one and shares no type of Slack's wire with it, so no mistake can hide in both.
//!
//! # Invariants
//! `tests/e2e/tree.rs` looks for these in the source.
//!
//! - `model` and `rules` are pure: no `std::fs`, `std::net`, `std::env`, no `log`, no clock and no database. `now` is an
//!   argument.
//! - Only `slack/api.rs` uses ureq towards Slack, only `monitoring/` towards a core or a relay's centre, and only
//!   `monitoring/` opens a core's files and sockets. `Authorised` and `ExternalCommand` have private fields and one
//!   constructor each: a command that nobody allowed doesn't type-check. Beside a core a relay makes its command from the
//!   parts that the centre sent. `Permission` likewise: nothing about an object is looked up for a person before
//!   [`rules::authorise`] was asked.
//! - `notify`, with a listener running, touches the spool, the wake-up datagram and the delivery lock only. Without one its
//!   single call of `deliver` is its only way to a database, TLS, templates and time zones.
//! - `Verified` has private fields and one constructor: an unsigned request stops in `listen/http`. Async code is in
//!   `listen/http` alone, and in the driver of PostgreSQL, whose callers wait (`store/db/postgres`).
//! - The listener's main thread imports, and each integration has a thread that sends (`listen/senders`). No two threads send
//!   from one queue ([`flow::deliver::Share`]); the outbox is all that they share.
//! - Where nodes share an outbox, whoever sends needs a [`store::Leadership`] to claim a message: the delivery lock of a file,
//!   or the lease of a database. Every write in its name is refused once another node has the lease, and a call to Slack that
//!   doesn't end before that isn't made ([`rules::lease`]). What is sent all the same is repaired (`store/repair`).
//! - An installation by a browser is changed by [`flow::installs`] alone: where nodes share an outbox, in its sealed row first
//!   (`store/install`), then in this node's file, which everything reads.
//! - The wake-up datagram is a hint: without it messages come later, and nothing else changes.
//! - One retry layer (`rules/retry`), one place that classifies answers (`slack/outcome`), one table of Slack's limits
//!   (`slack/limits`), one redaction (`system/secret`).
//! - A secret has no `Display` and no `Serialize`; its `Debug` is redacted.

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

//! Drives the real program from outside: real processes, real files, real `SQLite`, real HTTP, a real nagios4.
//! Only Slack is a stand-in, and it is strict.
#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]
#![expect(clippy::print_stdout, reason = "figures are printed")]

mod harness;

mod access;
mod acknowledge;
mod answers;
mod browser;
mod cases;
mod cause;
mod centreon;
mod check;
mod cluster;
mod command_line;
mod commands;
mod cores;
mod curve;
mod database;
mod database_away;
mod deadman;
mod demo;
mod disk;
mod doctor;
mod door;
mod emojis;
mod faults;
mod history;
mod home;
mod icinga;
mod injection;
mod install;
mod intake;
mod kills;
mod living;
mod log_lines;
mod matrix;
mod model;
mod mutations;
mod naemon;
mod nagios;
mod page;
mod proxy;
mod readme;
mod redundant;
mod relay;
mod replay;
mod root;
mod screen;
mod secrets;
mod seeds;
mod senders;
mod setup;
mod slash;
mod stories;
mod storm;
mod tables;
mod timer_kills;
mod tree;
mod unanswered;
mod what_is_left_out;

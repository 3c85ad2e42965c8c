//! Socket Mode.

mod connect;
mod line;

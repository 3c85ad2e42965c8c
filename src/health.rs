//! Whether it works: [`check`] for the monitoring that ackbell serves, [`doctor`] for the person who mends it.
//!
//! Imports every room below. It changes nothing.

pub(crate) mod check;
pub(crate) mod doctor;

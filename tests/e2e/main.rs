//! Drives the real program from outside.

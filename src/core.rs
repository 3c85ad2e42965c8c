//! The monitoring core's side: its files. Only here are they opened.

pub(crate) mod objects;

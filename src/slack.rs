//! Slack's side: what it takes, how it is asked, what its answers mean.
//!
//! Imports `rules` and below. Never in here: a core, the database, when to try again (`rules::retry` says).

pub(crate) mod api;
pub(crate) mod blocks;
pub(crate) mod buttons;
pub(crate) mod deadman;
pub(crate) mod direct_message;
pub(crate) mod forms;
pub(crate) mod home;
pub(crate) mod interaction;
pub(crate) mod legacy;
pub(crate) mod limits;
pub(crate) mod markdown;
pub(crate) mod mrkdwn;
pub(crate) mod oauth;
pub(crate) mod outage;
pub(crate) mod outcome;
pub(crate) mod slash_reply;
pub(crate) mod socket;

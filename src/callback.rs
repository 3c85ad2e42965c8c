//! Flow three: `Slack ─▶ verified ─▶ interaction ─▶ authorised ─▶ external command ─▶ command file ─▶ confirmed`.

#![expect(dead_code, reason = "wired by the callback flow")]

pub(crate) mod answer;

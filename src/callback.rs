//! Flow three: `Slack ─▶ verified ─▶ interaction ─▶ authorised ─▶ external command ─▶ command file ─▶ confirmed`.

pub(crate) mod answer;

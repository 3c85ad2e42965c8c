//! The configuration: read once from TOML or JSON into strict types; every problem reported at once.
//!
//! Unknown keys are errors. A secret may stand in the file, in a file of its own (`..._file`) or in the environment.
//! The state directory is read leniently (see [`lenient`]), so that a typo in another key never sends notifications to
//! another place.
//!
//! Imports `state_dir` and below. Never in here: what follows from a value.

mod access;
mod core;
mod core_kind;
mod credentials;
mod curve;
mod database;
mod deadman;
mod escalate;
mod excerpt;
pub(crate) mod filter;
mod fingerprint;
mod history;
mod integration;
pub(crate) mod keys;
pub(crate) mod lenient;
mod listen;
mod load;
mod matcher;
mod message;
mod names;
mod oncall;
mod problem;
mod reactions;
mod reader;
mod relay;
mod route;
mod secrets;
mod show;
pub(crate) mod suggest;
mod tree;
pub(crate) mod values;

pub(crate) use self::core::{Api, ApiLogin, Core, IcingaWeb, Livestatus, LivestatusAddress};
pub(crate) use access::{Access, AccessRule, Acknowledge, Audit, CommentRule, Who};
pub(crate) use core_kind::{ApiLoginKind, CoreKind, Expiry, ShellLines};
pub(crate) use credentials::{Credentials, INSTALL_PATH, Missing};
pub(crate) use curve::{CurveSources, GrafanaSource, HttpSource, PLACEHOLDERS, RrdSource, SourceLogin};
pub(crate) use database::{Database, OutboxAt, from_url as database_from_url};
pub(crate) use deadman::DeadMan;
pub(crate) use escalate::EscalationStep;
pub(crate) use history::{History, Weekly, WeeklyTime};
pub(crate) use integration::{COMMAND, Flavor, Integration, Proxy, SecretKind, blank as blank_integration};
pub(crate) use listen::{Http, Listen, TlsFiles};
pub(crate) use load::{LoadError, Stamp, load, secret_files, stamp};
pub(crate) use matcher::Matcher;
pub(crate) use message::{Field, Formatter, Message, Thread};
pub(crate) use oncall::{CalendarAddress, CalendarSource, OnCall, Rotation, Shifts};
pub(crate) use problem::Problem;
pub(crate) use reactions::Reactions;
pub(crate) use relay::{Relay, RelayToken, from_arguments as relay};
pub(crate) use route::{Destination, Mention, Route, SendTime, SendTimes, TimeWindow, TimeWindows};
pub(crate) use show::{show, show_json};

use problem::Mistake;
use std::path::PathBuf;
use std::time::Duration;

/// The name of the integration that `[slack]` and the environment configure.
const DEFAULT_INTEGRATION: &str = "default";
/// The commented default that `config init` writes and the packages install.
pub(crate) const DEFAULT: &str = include_str!("../packaging/ackbell.toml");

/// The effective configuration.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Config {
    /// Its file; `None` when the environment alone configures ackbell.
    pub(crate) path: Option<PathBuf>,
    pub(crate) state_dir: PathBuf,
    /// Holds the wake-up socket.
    pub(crate) runtime_dir: PathBuf,
    /// `[slack]` first (named `default`), then `[integrations.*]` by name.
    pub(crate) integrations: Vec<Integration>,
    pub(crate) routes: Vec<Route>,
    /// `[[escalate]]`, in order.
    pub(crate) escalation: Vec<EscalationStep>,
    /// `[oncall.NAME]`, by name.
    pub(crate) on_call: Vec<OnCall>,
    pub(crate) message: Message,
    pub(crate) storm: Limits,
    pub(crate) outbox: Outbox,
    /// Where the outbox is, if several listeners share it; else in the state directory.
    pub(crate) database: Option<Database>,
    /// `[core]` (named with the empty string), then `[cores.*]` by name.
    pub(crate) cores: Vec<Core>,
    pub(crate) acknowledge: Acknowledge,
    pub(crate) access: Access,
    pub(crate) audit: Audit,
    pub(crate) history: History,
    /// The summary that is posted every week; nothing is posted where it isn't configured.
    pub(crate) weekly: Option<Weekly>,
    /// Curves of the values that break their thresholds; none where it isn't configured.
    pub(crate) curve: Option<CurveSources>,
    pub(crate) listen: Listen,
    pub(crate) deadman: Option<DeadMan>,
    pub(crate) reactions: Reactions,
    /// Where the notifications of this machine go in place of Slack.
    pub(crate) relay: Option<Relay>,
    /// Files whose change means the configuration changed: itself every `..._file`, and what `[listen]` needs for TLS.
    pub(crate) sources: Vec<PathBuf>,
}

impl Config {
    /// Where the outbox is.
    pub(crate) fn outbox_at(&self) -> OutboxAt<'_> {
        OutboxAt::of(&self.state_dir, self.database.as_ref())
    }
}

/// `[storm]`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// So many waiting problems are sent one by one.
    pub(crate) threshold: u32,
    /// Within which time they must have come; after as long without a new one the digest takes no more.
    pub(crate) window: Duration,
}

/// `[outbox]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outbox {
    /// How long `notify` may deliver itself when no listener runs; at most 25 s.
    pub(crate) time_budget: Duration,
    /// How long a message is tried before it is dead.
    pub(crate) max_age: Duration,
}

/// A span of time as the configuration writes it, for the command line; the error is a sentence.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    values::duration(text).map_err(Mistake::sentence)
}

/// A destination as `channel` takes it, for the command line; the error is a sentence.
pub(crate) fn destination(text: &str) -> Result<Destination, String> {
    text.parse().map_err(Mistake::sentence)
}

impl Config {
    /// A channel's subscription as a route.
    pub(crate) fn subscription(integration: &str, channel: &str, matches: Matcher) -> Option<Route> {
        Some(Route {
            line: 0,
            span: None,
            integration_span: None,
            matches,
            to: vec![channel.parse().ok()?],
            mention: Vec::new(),
            integration: Some(integration.to_owned()),
            label: None,
            continue_: true,
            deferred: None,
        })
    }

    /// The integrations a route leads to: the named one, all with its label, else the default, which is the first.
    pub(crate) fn integrations_of<'a>(&'a self, route: &Route) -> Vec<&'a Integration> {
        match (&route.integration, &route.label) {
            (Some(name), _) => self.integrations.iter().filter(|integration| integration.name == *name).collect(),
            (None, Some(label)) => self.integrations.iter().filter(|found| found.labels.contains(label)).collect(),
            (None, None) => self.integrations.iter().take(1).collect(),
        }
    }

    /// The routes that lead to an integration.
    pub(crate) fn routes_to<'a>(&'a self, integration: &'a Integration) -> impl Iterator<Item = &'a Route> {
        let leads = |route: &&Route| self.integrations_of(route).iter().any(|found| found.name == integration.name);
        self.routes.iter().filter(leads)
    }
}

#[cfg(test)]
mod tests;

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
mod names;
mod oncall;
mod problem;
mod reactions;
mod reader;
mod relay;
mod secrets;
mod show;
pub(crate) mod suggest;
mod tree;
pub(crate) mod values;

pub(crate) use core_kind::{ApiLoginKind, CoreKind, Expiry, ShellLines};
pub(crate) use credentials::{INSTALL_PATH, Missing};
pub(crate) use curve::{CurveSources, GrafanaSource, HttpSource, PLACEHOLDERS, RrdSource, SourceLogin};
pub(crate) use database::from_url as database_from_url;
pub(crate) use escalate::EscalationStep;
pub(crate) use integration::{COMMAND, SecretKind, blank as blank_integration};
pub(crate) use listen::{Http, Listen, TlsFiles};
pub(crate) use load::{LoadError, Stamp, load, secret_files, stamp};
pub(crate) use matcher::Matcher;
pub(crate) use oncall::{CalendarAddress, CalendarSource, OnCall, Rotation, Shifts};
pub(crate) use problem::Problem;
pub(crate) use show::{show, show_json};

use crate::model::pattern::Pattern;
use crate::state_dir::installation::Install;
use crate::system::secret::Secret;
use problem::Mistake;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
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

/// Where the outbox is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum OutboxAt<'a> {
    /// A file there, for this machine alone.
    StateDir(&'a Path),
    /// Shared by several listeners.
    Database(&'a Database),
}

impl<'a> OutboxAt<'a> {
    /// In the database, if there is one.
    pub(crate) fn of(state_dir: &'a Path, database: Option<&'a Database>) -> Self {
        database.map_or(Self::StateDir(state_dir), Self::Database)
    }
}

impl<'a> From<&'a Path> for OutboxAt<'a> {
    fn from(state_dir: &'a Path) -> Self {
        Self::StateDir(state_dir)
    }
}

impl<'a> From<&'a PathBuf> for OutboxAt<'a> {
    fn from(state_dir: &'a PathBuf) -> Self {
        Self::StateDir(state_dir)
    }
}

/// `[database]`
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Database {
    /// Host, user, database and password.
    pub(crate) postgres: tokio_postgres::Config,
    /// By TLS, with a certificate for the host's name.
    pub(crate) encrypts: bool,
    /// The CAs that count; else those of the distribution.
    pub(crate) root_cert: Option<PathBuf>,
    /// As people know it, without user and password.
    pub(crate) label: String,
}

/// One way into Slack: a workspace's app or webhook, or a compatible receiver.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Integration {
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) labels: Vec<String>,
    pub(crate) enabled: bool,
    pub(crate) credentials: Credentials,
    pub(crate) app_token: Option<Secret>,
    /// Several while rotating.
    pub(crate) signing_secrets: Vec<Secret>,
    /// The app's own, as configured. Both together, without a bot token, make it [`Credentials::Installable`].
    pub(crate) client_id: Option<String>,
    pub(crate) client_secret: Option<Secret>,
    /// The slash command's name, with its slash; what an answer says is the name that it came with.
    pub(crate) command: String,
    /// The address where a browser installs it; `None` without a public address.
    pub(crate) install_at: Option<String>,
    /// Only this workspace may install.
    pub(crate) team_id: Option<String>,
    /// The integration that takes over while this one's installation has ended.
    pub(crate) fallback: Option<String>,
    /// The default channel: for notifications that match no route, and for those whose own channel can't be reached.
    pub(crate) channel: Option<Destination>,
    pub(crate) proxy: Proxy,
    pub(crate) ca_file: Option<PathBuf>,
    /// Ends with a slash.
    pub(crate) api_url: String,
    pub(crate) flavor: Flavor,
    pub(crate) interactive: Option<bool>,
    /// Whether its people may do more than look.
    pub(crate) acts: bool,
    /// For connecting, TLS included.
    pub(crate) connect_timeout: Duration,
    /// For a whole call.
    pub(crate) timeout: Duration,
}

/// By which right an integration posts.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Credentials {
    /// By none: it is disabled, or `ackbell setup` is about to give it one.
    None,
    /// An incoming webhook posts to its own channel, and can do nothing else.
    Webhook { url: Secret },
    /// A bot token from the configuration. The webhook beside it posts where the token has no channel or no right to.
    Bot { token: Secret, webhook: Option<Secret> },
    /// A browser installs the app: the installation, once there is one, brings the bot token.
    Installable { installation: Option<Install>, webhook: Option<Secret> },
}

/// Through which proxy an integration talks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Proxy {
    /// `HTTPS_PROXY` and `NO_PROXY` decide (`HTTP_PROXY` for plain http).
    FromEnvironment,
    /// `proxy = "none"`.
    None,
    /// May hold credentials.
    Url(Secret),
}

/// Which dialect the receiver speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flavor {
    Slack,
    Mattermost,
    RocketChat,
    Discord,
}

/// Where a message goes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Destination {
    /// `#ops` (public channels only).
    ChannelName(String),
    /// `C…`, `G…` or `D…`.
    ChannelId(String),
    /// `U…` or `W…`: a direct message.
    User(String),
    /// `@alice@example.com`: a direct message to whoever has that address.
    Email(String),
    /// `contact`: a direct message to the notification's contact, by e-mail.
    Contact,
    /// `@oncall:NAME`: a direct message to whoever is on call then.
    OnCall(String),
}

/// One `[[route]]`: first match wins unless `continue_` is set.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Route {
    /// Line of its `[[route]]` in the file, for `preview --explain` and problems.
    pub(crate) line: usize,
    span: Option<tree::Span>,
    integration_span: Option<tree::Span>,
    pub(crate) matches: Matcher,
    pub(crate) to: Vec<Destination>,
    pub(crate) mention: Vec<Mention>,
    /// By name; else the default one.
    pub(crate) integration: Option<String>,
    /// All integrations with this label.
    pub(crate) label: Option<String>,
    pub(crate) continue_: bool,
    /// When what isn't urgent is sent, as one message.
    pub(crate) deferred: Option<SendTimes>,
}

/// `Mon-Fri 08:00`, several separated by commas, in the machine's time zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SendTimes(pub(crate) Vec<SendTime>);

/// A time of day on some days.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SendTime {
    /// Monday first.
    pub(crate) days: [bool; 7],
    pub(crate) minute: u16,
}

/// `[reactions]`: the names of the emojis that act; none without the table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Reactions {
    pub(crate) acknowledge: Option<String>,
    pub(crate) recheck: Option<String>,
}

/// `[deadman]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DeadMan {
    span: Option<tree::Span>,
    /// By name; else the first one.
    pub(crate) integration: Option<String>,
    pub(crate) channel: Destination,
    /// After which silence Slack speaks.
    pub(crate) after: Duration,
    /// This host, as the message names it.
    pub(crate) name: String,
}

/// `[storm]`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// So many waiting problems are sent one by one.
    pub(crate) threshold: u32,
    /// Within which time they must have come; after as long without a new one the digest takes no more.
    pub(crate) window: Duration,
}

/// `Mon-Fri 08:00-18:00`, several separated by commas, in the machine's time zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TimeWindows(pub(crate) Vec<TimeWindow>);

/// Days and a span of minutes of the day; a span that ends before it starts runs past midnight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TimeWindow {
    /// Monday first.
    pub(crate) days: [bool; 7],
    pub(crate) from_minute: u16,
    /// Up to 1440.
    pub(crate) to_minute: u16,
}

/// A user, group or channel that a message mentions.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Mention {
    Here,
    Channel,
    Everyone,
    /// `U…` or `W…`.
    User(String),
    /// `S…`.
    UserGroup(String),
    /// `@oncall`: a user group's handle, looked up when needed.
    Handle(String),
    /// `@alice@example.com`, looked up when needed.
    Email(String),
    /// `@oncall:NAME`: whoever is on call then.
    OnCall(String),
}

/// `[message]`: how a message looks.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Message {
    /// A minijinja template in place of the default title.
    pub(crate) title: Option<String>,
    /// A minijinja template in place of the default body.
    pub(crate) body: Option<String>,
    /// The custom variable that names a formatter, in lower case.
    pub(crate) formatter: String,
    pub(crate) formatters: BTreeMap<String, Formatter>,
    pub(crate) fields: Vec<Field>,
    /// Regular expressions; what they match is cut out before anything is stored or sent.
    pub(crate) redact: Vec<String>,
    pub(crate) thread: Thread,
}

/// `[formatters.NAME]`: the templates of the services that name it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Formatter {
    pub(crate) title: Option<String>,
    pub(crate) body: Option<String>,
}

/// Whether what is said of a problem also goes into the thread of its message, where messages can be edited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Thread {
    Replies,
    /// Replies that show in the channel, too.
    Broadcast,
    /// Edits only.
    Off,
}

/// A piece of the context line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Field {
    Address,
    Alias,
    Duration,
    Attempt,
    Contact,
    HostGroups,
    ServiceGroups,
    Time,
    /// `var:KEY`, the key in lower case.
    Var(String),
}

/// `[outbox]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outbox {
    /// How long `notify` may deliver itself when no listener runs; at most 25 s.
    pub(crate) time_budget: Duration,
    /// How long a message is tried before it is dead.
    pub(crate) max_age: Duration,
}

/// `[core]` or `[cores.NAME]`. What isn't said is looked for where this kind of core has it: see
/// [`crate::monitoring::paths`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Core {
    /// Empty for `[core]`.
    pub(crate) name: String,
    pub(crate) kind: CoreKind,
    /// The core's web interface, without a slash at its end.
    pub(crate) url: Option<String>,
    /// For Icinga 2: which of its web interface's modules shows objects.
    pub(crate) web: IcingaWeb,
    pub(crate) objects_file: Option<PathBuf>,
    /// `nagios.cfg`, `naemon.cfg`: says where the other files are.
    pub(crate) main_config: Option<PathBuf>,
    /// The FIFO that takes external commands.
    pub(crate) command_file: Option<PathBuf>,
    /// `status.dat`
    pub(crate) status_file: Option<PathBuf>,
    /// The query handler's socket; only Naemon's takes commands.
    pub(crate) query_socket: Option<PathBuf>,
    pub(crate) log_file: Option<PathBuf>,
    pub(crate) livestatus: Option<Livestatus>,
    pub(crate) api: Option<Api>,
    /// The tokens of its relays: then everything about it is asked of them. Several where it has several relays, or while
    /// one is replaced.
    pub(crate) relay_tokens: Vec<RelayToken>,
    /// Whether each of several hosts that notify for it checks by itself; `None` where nobody said it.
    pub(crate) redundant: Option<bool>,
}

impl Core {
    /// Whether a relay stands between us and this core, or some of the cores that it consists of.
    pub(crate) fn is_remote(&self) -> bool {
        !self.relay_tokens.is_empty()
    }

    /// The cores that it consists of, each behind its own relay; the one on this machine, where there is one, comes first.
    /// A core without relays, or with one, is itself.
    pub(crate) fn members(&self) -> Vec<Self> {
        let mut names: Vec<&str> = Vec::new();
        for token in &self.relay_tokens {
            if !names.contains(&token.name.as_str()) {
                names.push(&token.name);
            }
        }
        let files = [&self.main_config, &self.command_file, &self.status_file, &self.objects_file, &self.log_file];
        let has_own = files.into_iter().chain([&self.query_socket]).any(Option::is_some)
            || self.livestatus.is_some()
            || self.api.is_some();
        if names.len() <= 1 && !(has_own && self.is_remote()) {
            return vec![self.clone()];
        }
        let own = has_own.then(|| Self { relay_tokens: Vec::new(), ..self.clone() });
        let behind = names.iter().map(|name| {
            let tokens = self.relay_tokens.iter().filter(|token| token.name == *name).cloned();
            let Self { name, kind, url, web, redundant, .. } = self.clone();
            Self { name, kind, url, web, redundant, relay_tokens: tokens.collect(), ..Self::default() }
        });
        own.into_iter().chain(behind).collect()
    }
}

/// The token of a relay, and the name of the relay: of the token's file, or made of the token. What relays with different
/// names hand in has different origins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RelayToken {
    pub(crate) name: String,
    /// In sentences, "the relay of ...": the core's name, or `CORE/RELAY` where it has several.
    pub(crate) label: String,
    pub(crate) secret: Secret,
}

/// `[relay]`: this machine hands its notifications to a listener that reaches Slack, and answers its questions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Relay {
    /// The centre's addresses without a slash at their ends; several where several listeners share one outbox.
    pub(crate) to: Vec<String>,
    pub(crate) token: Secret,
    /// The CA of the centre's certificate; else the distribution's.
    pub(crate) ca_file: Option<PathBuf>,
    /// The certificate chain that it shows to the centre, and its key.
    pub(crate) client: Option<(PathBuf, PathBuf)>,
}

/// A module of Icinga Web 2.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum IcingaWeb {
    /// The old one.
    #[default]
    Monitoring,
    IcingaDb,
}

/// The addresses of one core's Livestatus, at least one: alternatives, the preferred one first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Livestatus(pub(crate) Vec<LivestatusAddress>);

impl Livestatus {
    /// Whether one of them is another machine's, as far as the address says.
    pub(crate) fn is_remote(&self) -> bool {
        self.0.iter().any(|address| matches!(address, LivestatusAddress::Tcp(_)))
    }
}

/// One address of Livestatus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LivestatusAddress {
    Unix(PathBuf),
    /// `host:port`
    Tcp(String),
    /// `host:port` over TLS. The CA's file, else the distribution's; the name in the certificate, else the host's.
    Tls {
        address: String,
        ca_file: Option<PathBuf>,
        name: Option<String>,
    },
}

/// The HTTP API of an Icinga 2 or openITCOCKPIT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Api {
    /// At least one, each without a slash at its end: alternatives, the preferred one first.
    pub(crate) urls: Vec<String>,
    pub(crate) login: ApiLogin,
    /// Icinga 2 has a CA of its own.
    pub(crate) ca_file: Option<PathBuf>,
}

/// How the API knows us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ApiLogin {
    /// Icinga 2's API user.
    Basic { user: String, password: Secret },
    /// openITCOCKPIT's API key.
    Key(Secret),
}

/// `[acknowledge]`: what the one-tap acknowledgement says, and what the form starts with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Acknowledge {
    /// It lasts until the recovery, not only until the next change of state.
    pub(crate) sticky: bool,
    /// The core notifies the contacts.
    pub(crate) notify: bool,
    /// The comment outlives the acknowledgement.
    pub(crate) persistent: bool,
    pub(crate) comment: CommentRule,
    /// The expiry times that the form offers, beside never.
    pub(crate) expire: Vec<Duration>,
    /// So long after it whoever acknowledged is asked whether they are still on it.
    pub(crate) still: Option<Duration>,
    /// How long they have to answer.
    pub(crate) still_wait: Duration,
}

/// Whether the form wants a comment. The one-tap acknowledgement needs none: it opens the form where one is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CommentRule {
    Optional,
    Required,
}

/// `[access]`: who may do what; [`crate::rules::authorise`] says how it is read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Access {
    /// Guests of the workspace count as its people.
    pub(crate) guests: bool,
    /// Only the object's own contacts may act on it.
    pub(crate) require_contact: bool,
    /// The person or channel named to a user who is refused.
    pub(crate) ask: Option<String>,
    /// Contact names by Slack id or e-mail.
    pub(crate) people: BTreeMap<Who, String>,
    pub(crate) rules: Vec<AccessRule>,
}

/// `[audit]`
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Audit {
    /// How long its rows are kept; for good where nothing is said.
    pub(crate) keep: Option<Duration>,
}

/// `[history]`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct History {
    /// How long problems that ended are remembered.
    pub(crate) keep: Duration,
}

/// `[report]`: the week's summary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Weekly {
    pub(crate) channel: Destination,
    /// By name; else the default one.
    pub(crate) integration: Option<String>,
    pub(crate) at: WeeklyTime,
}

/// A time of the week in the machine's time zone: `Mon 08:00`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WeeklyTime {
    /// Monday is 0.
    pub(crate) weekday: u8,
    pub(crate) minute_of_day: u16,
}

/// One `[[access.rule]]`; every given part must match, an empty one matches all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AccessRule {
    /// Its line in the file, for refusals and problems.
    pub(crate) line: usize,
    pub(crate) allows: bool,
    pub(crate) who: Vec<Who>,
    /// Names.
    pub(crate) integrations: Vec<String>,
    /// Ids.
    pub(crate) channels: Vec<String>,
    /// Names of actions.
    pub(crate) actions: Vec<String>,
    pub(crate) hosts: Vec<Pattern>,
    pub(crate) services: Vec<Pattern>,
    pub(crate) cores: Vec<Pattern>,
}

/// The people that a rule is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Who {
    /// `*`
    Everyone,
    /// `U…` or `W…`
    User(String),
    /// In ASCII's lower case.
    Email(String),
    /// A user group's id (`S…`), or its handle in lower case, without `@`.
    Group(String),
}

/// A span of time as the configuration writes it, for the command line; the error is a sentence.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    values::duration(text).map_err(Mistake::sentence)
}

/// A centre's address and a relay's token, checked as `[relay]` checks them; the error is a sentence.
pub(crate) fn relay(to: &str, token: &str, ca_file: Option<PathBuf>) -> Result<Relay, String> {
    let to = vec![relay::address(to).map_err(Mistake::sentence)?];
    relay::token(token).map_err(|mistake| format!("the token: {}", mistake.sentence()))?;
    Ok(Relay { to, token: Secret::new(token.to_owned()), ca_file, client: None })
}

/// A destination as `channel` takes it, for the command line; the error is a sentence.
pub(crate) fn destination(text: &str) -> Result<Destination, String> {
    text.parse().map_err(Mistake::sentence)
}

impl Matcher {
    /// Itself, and what must match as well.
    pub(crate) fn parts(&self) -> impl Iterator<Item = &Self> {
        std::iter::once(self).chain(&self.also)
    }

    /// How many patterns and names it has.
    pub(crate) fn patterns(&self) -> usize {
        let lists = [&self.host, &self.service, &self.host_group, &self.service_group];
        let more = [&self.contact, &self.contact_group, &self.core];
        let patterns = lists.into_iter().chain(more).chain(self.vars.values()).map(Vec::len).sum::<usize>();
        let also = self.also.iter().map(Self::patterns).sum::<usize>();
        patterns + self.state.len() + self.kind.len() + also
    }
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

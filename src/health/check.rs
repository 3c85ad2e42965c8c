//! `check`: a monitoring plugin over ackbell itself. Facts are gathered within a deadline ([`gather`]), judged here
//! without looking at anything else, and printed as the plugin guidelines want it
//! (<https://www.monitoring-plugins.org/doc/guidelines.html>).

pub(crate) mod gather;
pub(crate) mod installs;
pub(crate) mod listener;
pub(crate) mod nodes;

use crate::config::Missing;
use crate::model::time_text::{Unit, short_span};
use crate::monitoring::local::Account;
use crate::monitoring::shell::Danger;
use crate::state_dir::listener_status::ListenerStatus;
use crate::store::{Health, KnownNode, StoreError};
use crate::system::order;
use installs::SharedInstall;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// How bad something is. The order is that of the verdict: the worst finding speaks for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// Worth saying, nobody needs to do anything.
    Info,
    Unknown,
    Warning,
    Critical,
}

/// One thing found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) level: Level,
    pub(crate) text: String,
    /// The remedy, as a command where there is one.
    pub(crate) remedy: Option<String>,
}

impl Finding {
    pub(crate) fn new(level: Level, text: impl Into<String>) -> Self {
        Self { level, text: text.into(), remedy: None }
    }

    pub(crate) fn remedy(self, remedy: impl Into<String>) -> Self {
        Self { remedy: Some(remedy.into()), ..self }
    }
}

/// From when on something is bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Thresholds {
    /// Age of the oldest message that waits.
    pub(crate) warning_age: Duration,
    pub(crate) critical_age: Duration,
    /// How many wait.
    pub(crate) warning_queue: i64,
    pub(crate) critical_queue: i64,
}

/// The facts that were gathered in time. A part that is `None` took too long; an `Err` says why it couldn't be seen. Unix seconds.
#[derive(Debug, Clone, Default)]
pub(crate) struct Facts {
    pub(crate) now: i64,
    pub(crate) listener: Option<Result<Listener, String>>,
    pub(crate) spool: Option<Result<Spool, String>>,
    pub(crate) outbox: Option<Result<Health, Unread>>,
    /// The outbox is on a server: while that is away nothing is delivered, whoever looks.
    pub(crate) has_database: bool,
    pub(crate) config: Option<Configured>,
    /// Whether the audit has the row that the caller kept the hash of; `None` where none was given, too.
    pub(crate) audit_head: Option<Result<bool, String>>,
    /// By core: what its transport said.
    pub(crate) cores: BTreeMap<String, CommandTransport>,
    pub(crate) closed_state: Option<ClosedState>,
    /// Definitions by which a text reaches a core's shell.
    pub(crate) dangers: Vec<Danger>,
    /// By core: the hosts that notify for it, where they are several and nobody said what they are to each other.
    pub(crate) origins: BTreeMap<String, Vec<String>>,
    /// Who shares the outbox, if it is on a server.
    pub(crate) nodes: Vec<KnownNode>,
    /// The installations that the nodes share.
    pub(crate) installs: Vec<SharedInstall>,
    /// The name of this machine's node.
    pub(crate) node: String,
    /// The machine that has this name: two may have the same by mistake.
    pub(crate) machine: String,
}

/// Why the outbox can't be seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unread {
    pub(crate) reason: String,
    /// Its server isn't reached, or can't work now.
    pub(crate) is_away: bool,
}

impl From<&StoreError> for Unread {
    fn from(e: &StoreError) -> Self {
        Self { reason: e.to_string(), is_away: e.is_away() }
    }
}

/// A state directory that is root's, or has such a spool, where the core's user can't store a notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClosedState {
    pub(crate) state_dir: PathBuf,
    /// The directory that is root's: that one, or one in it.
    pub(crate) path: PathBuf,
    /// The core's.
    pub(crate) account: Account,
}

impl ClosedState {
    /// The finding, and its remedy.
    pub(crate) fn judge(&self) -> (String, String) {
        let Account { user, group, .. } = &self.account;
        let path = self.path.display();
        let found = format!("{path} belongs to root, and the core runs as {user}: its notifications can't be stored");
        (found, format!("sudo chown -R {user}:{group} {}", self.state_dir.display()))
    }
}

/// Who delivers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Listener {
    /// None runs; or a process without a status file holds the delivery lock: a `notify` or `queue flush`.
    None {
        lock_holder: Option<u32>,
    },
    /// It left a status file and no longer runs.
    Died(ListenerStatus),
    /// It holds the delivery lock and its heart stopped.
    Stuck(ListenerStatus),
    Runs(ListenerStatus),
}

/// The spool, before the outbox.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Spool {
    pub(crate) files: usize,
    /// Since when the oldest waits.
    pub(crate) oldest: Option<i64>,
    pub(crate) bad: usize,
}

/// The configuration as it is on disk now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Configured {
    Good {
        /// Slack's clicks are to come in: by Socket Mode or over HTTP.
        takes_callbacks: bool,
        /// Why a template isn't used.
        template: Option<String>,
        /// Integrations that should have a token and have none.
        missing: Vec<Missing>,
    },
    /// The first problem, and how many there are.
    Broken {
        first: String,
        count: usize,
    },
    NotTried(String),
}

/// Whether a core would take a command now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CommandTransport {
    Open,
    Closed(String),
    /// This user may not try it.
    NotTried(String),
}

/// The plugin's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) level: Level,
    /// Worst first.
    pub(crate) findings: Vec<Finding>,
    /// When all is well.
    summary: String,
    pub(crate) perfdata: String,
}

/// Judges.
pub(crate) fn judge(facts: &Facts, thresholds: &Thresholds) -> Verdict {
    let mut findings = Vec::new();
    queue(facts, thresholds, &mut findings);
    audit_head(facts, &mut findings);
    findings.extend(facts.closed_state.iter().map(|closed| {
        let (found, remedy) = closed.judge();
        Finding::new(Level::Critical, found).remedy(remedy)
    }));
    listener::judge(facts, &mut findings);
    nodes::judge(facts, &mut findings);
    installs::judge(facts, &mut findings);
    configuration(facts, &mut findings);
    cores(facts, &mut findings);
    origins(facts, &mut findings);
    // The remedy has a bar in it, which a plugin can't say.
    let danger =
        |danger: &Danger| Finding::new(Level::Warning, &danger.found).remedy("ackbell doctor says what to set");
    findings.extend(facts.dangers.iter().map(danger));
    order::by_key(&mut findings, |finding| std::cmp::Reverse(finding.level));
    let level = findings.first().map_or(Level::Info, |worst| worst.level);
    Verdict { level, findings, summary: summary(facts), perfdata: perfdata(facts, thresholds) }
}

/// Findings about the listener alone, worst first.
pub(crate) fn judge_listener(facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    listener::judge(facts, &mut findings);
    order::by_key(&mut findings, |finding| std::cmp::Reverse(finding.level));
    findings
}

impl Verdict {
    /// `OK`, `WARNING`, `CRITICAL` or `UNKNOWN`.
    pub(crate) fn status_name(&self) -> &'static str {
        match self.level {
            Level::Info => "OK",
            Level::Warning => "WARNING",
            Level::Critical => "CRITICAL",
            Level::Unknown => "UNKNOWN",
        }
    }

    /// The plugin's output: one line with the worst and the perfdata, then every finding with its remedy.
    pub(crate) fn text(&self) -> String {
        let worst: Vec<&str> =
            self.findings.iter().filter(|f| f.level == self.level && f.level > Level::Info).map(|f| &*f.text).collect();
        let head = if worst.is_empty() { self.summary.clone() } else { worst.join("; ") };
        let mut text = format!("ACKBELL {} - {} | {}", self.status_name(), plain(&head), self.perfdata);
        for finding in &self.findings {
            let label = match finding.level {
                Level::Info => "note",
                Level::Unknown => "not seen",
                Level::Warning => "WARNING",
                Level::Critical => "CRITICAL",
            };
            text.push_str(&format!("\n{label}: {}", plain(&finding.text)));
            text.extend(finding.remedy.iter().map(|remedy| format!("\n  {}", plain(remedy))));
        }
        text
    }
}

/// A bar would begin the perfdata.
fn plain(text: &str) -> String {
    crate::model::notification::clean_line(text).replace('|', "/")
}

/// `42 s`, `7 min`, `3 h`, `2 d`
pub(crate) fn span(seconds: i64) -> String {
    short_span(seconds, Unit::Spaced)
}

/// `1 message`, `2 messages`
fn count(number: i64, one: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {one}s") }
}

impl Facts {
    fn outbox(&self) -> Option<&Health> {
        self.outbox.as_ref()?.as_ref().ok()
    }

    fn spool(&self) -> Option<&Spool> {
        self.spool.as_ref()?.as_ref().ok()
    }

    /// How many messages wait, before and in the outbox, and the age of the oldest.
    fn waiting(&self) -> (i64, i64) {
        let spooled = self.spool().map_or(0, |spool| i64::try_from(spool.files).unwrap_or(i64::MAX));
        let queued = self.outbox().map_or(0, |outbox| outbox.summary.waiting);
        let in_spool = self.spool().and_then(|spool| spool.oldest);
        let in_outbox = self.outbox().and_then(|outbox| outbox.summary.oldest).map(|ms| ms / 1000);
        let oldest = [in_spool, in_outbox].into_iter().flatten().min();
        (spooled.saturating_add(queued), oldest.map_or(0, |since| self.now.saturating_sub(since).max(0)))
    }
}

impl Facts {
    /// Whether the listener says that it delivers nothing.
    fn is_interrupted(&self) -> bool {
        matches!(&self.listener, Some(Ok(Listener::Runs(status))) if status.interrupted.is_some())
    }

    /// Another node that has a way to this core.
    fn reaching(&self, core: &str) -> Option<&str> {
        let reaches = |node: &&KnownNode| {
            !node.is_gone() && node.beat.name != self.node && node.beat.reaches.iter().any(|name| name == core)
        };
        self.nodes.iter().find(reaches).map(|node| &*node.beat.name)
    }
}

fn audit_head(facts: &Facts, findings: &mut Vec<Finding>) {
    match &facts.audit_head {
        None | Some(Ok(true)) => {}
        Some(Ok(false)) => {
            let text = "the audit has no row with the hash given by --audit-head: its end was cut off, it was replaced, \
                        or the row is older than [audit] keep";
            let remedy =
                "ackbell audit --verify; the journal has the later heads: journalctl -u ackbell -g 'audit head'";
            findings.push(Finding::new(Level::Critical, text).remedy(remedy));
        }
        Some(Err(e)) => findings.push(Finding::new(Level::Unknown, format!("the audit can't be seen: {e}"))),
    }
}

fn origins(facts: &Facts, findings: &mut Vec<Finding>) {
    for (core, hosts) in &facts.origins {
        let (core_label, table) = match core.as_str() {
            "" => ("the core".to_owned(), "[core]".to_owned()),
            name => (format!("core \"{name}\""), format!("[cores.{name}]")),
        };
        let text = format!("{} hosts notify for {core_label}: {}", hosts.len(), hosts.join(", "));
        let remedy = format!(
            "if each is a core that checks by itself, write redundant = true in {table}; if they speak for one core, \
             redundant = false; if they have nothing to do with each other, give each its name: ackbell notify --core NAME"
        );
        findings.push(Finding::new(Level::Warning, text).remedy(remedy));
    }
}

fn queue(facts: &Facts, thresholds: &Thresholds, findings: &mut Vec<Finding>) {
    let unseen = |what: &str, why: Option<&str>| {
        let why = why.unwrap_or("it took too long");
        Finding::new(Level::Unknown, format!("{what} can't be seen: {why}"))
    };
    match &facts.spool {
        None => findings.push(unseen("the spool", None)),
        Some(Err(e)) => findings.push(unseen("the spool", Some(e)).remedy("run this check as the core's user")),
        Some(Ok(spool)) if spool.bad > 0 => {
            let bad = i64::try_from(spool.bad).unwrap_or(i64::MAX);
            let text = format!("{} can't be read and isn't delivered", count(bad, "spool file"));
            let remedy = "ackbell queue list says where; written by a newer version: upgrade, then ackbell queue retry";
            findings.push(Finding::new(Level::Critical, text).remedy(remedy));
        }
        Some(Ok(_)) => {}
    }
    match &facts.outbox {
        None if facts.has_database => {
            let text = "the database gives no answer: nothing is delivered";
            findings.push(Finding::new(Level::Critical, text).remedy("ackbell doctor"));
        }
        // The listener says it, and since when: in other words, as it waits longer for an answer.
        Some(Err(e)) if facts.has_database && e.is_away && facts.is_interrupted() => {}
        Some(Err(e)) if facts.has_database => {
            findings.push(Finding::new(Level::Critical, &e.reason).remedy("ackbell doctor"));
        }
        None => findings.push(unseen("the outbox", None)),
        Some(Err(e)) => findings.push(unseen("the outbox", Some(&e.reason))),
        Some(Ok(outbox)) => {
            if outbox.summary.dead > 0 {
                let mut text = format!("{} given up", count(outbox.summary.dead, "dead message"));
                text.extend(outbox.dead_reason.iter().map(|reason| format!(" (the last: {reason})")));
                let remedy = "ackbell queue list; then ackbell queue retry, or ackbell queue drop ID";
                findings.push(Finding::new(Level::Critical, text).remedy(remedy));
            }
            for paused in &outbox.pauses {
                let name = &paused.integration;
                let text = format!("[{name}] can't deliver: {}", paused.reason);
                let level = if paused.needs_repair { Level::Critical } else { Level::Info };
                findings.push(Finding::new(level, text).remedy(format!("ackbell doctor --integration {name}")));
            }
        }
    }
    let (waiting, age) = facts.waiting();
    let (warning, critical) = (seconds(thresholds.warning_age), seconds(thresholds.critical_age));
    let level = if age >= critical || waiting >= thresholds.critical_queue {
        Level::Critical
    } else if age >= warning || waiting >= thresholds.warning_queue {
        Level::Warning
    } else {
        return;
    };
    let text = waiting_phrase(waiting, age);
    findings.push(Finding::new(level, text).remedy("ackbell queue list says what for"));
}

fn configuration(facts: &Facts, findings: &mut Vec<Finding>) {
    let is_running = matches!(facts.listener, Some(Ok(Listener::Runs(_))));
    match &facts.config {
        None => findings.push(Finding::new(Level::Unknown, "the configuration can't be seen: it took too long")),
        Some(Configured::NotTried(why)) => {
            findings.push(Finding::new(Level::Unknown, why).remedy("run this check as the core's user"));
        }
        Some(Configured::Broken { first, count: problems }) => {
            let more = if *problems > 1 { format!(" (and {} more)", problems - 1) } else { String::new() };
            let (level, what) = if is_running {
                (Level::Warning, "; the listener goes on with the old one and wouldn't start again")
            } else {
                (Level::Critical, "; nothing is delivered")
            };
            let text = format!("the configuration is broken: {first}{more}{what}");
            findings.push(Finding::new(level, text).remedy("ackbell config check"));
        }
        Some(Configured::Good { template, missing, .. }) => {
            for Missing { what, remedy } in missing {
                findings.push(Finding::new(Level::Critical, what).remedy(remedy));
            }
            if let Some(why) = template {
                let text = format!("a template of [message] fails, so the default is shown: {why}");
                findings.push(Finding::new(Level::Warning, text).remedy("ackbell preview shows the result"));
            }
        }
    }
}

fn cores(facts: &Facts, findings: &mut Vec<Finding>) {
    for (name, transport) in &facts.cores {
        let core = if name.is_empty() { "the core".to_owned() } else { format!("the core \"{name}\"") };
        match transport {
            CommandTransport::Open => {}
            CommandTransport::Closed(why) => findings.push(match facts.reaching(name) {
                // Its files are on that node's machine.
                Some(node) => Finding::new(Level::Info, format!("{core} gets its commands from node {node}")),
                None => {
                    Finding::new(Level::Warning, format!("{core} takes no commands: {why}")).remedy("ackbell doctor")
                }
            }),
            CommandTransport::NotTried(why) => {
                findings.push(Finding::new(Level::Info, format!("whether {core} takes commands wasn't tried: {why}")));
            }
        }
    }
}

/// `1 message waiting for 4 min`; `count` isn't 0.
fn waiting_phrase(count: i64, age: i64) -> String {
    match count {
        1 => format!("1 message waiting for {}", span(age)),
        several => format!("{several} messages waiting, the oldest for {}", span(age)),
    }
}

fn summary(facts: &Facts) -> String {
    let (waiting, age) = facts.waiting();
    let queue = match waiting {
        0 => "nothing waits".to_owned(),
        some => waiting_phrase(some, age),
    };
    match &facts.listener {
        Some(Ok(Listener::Runs(status))) => format!("{queue}, the listener {} runs", status.version),
        _ => format!("{queue}, notify delivers by itself"),
    }
}

fn perfdata(facts: &Facts, thresholds: &Thresholds) -> String {
    let (waiting, age) = facts.waiting();
    let Thresholds { warning_age, critical_age, warning_queue, critical_queue } = thresholds;
    let (warning_age, critical_age) = (seconds(*warning_age), seconds(*critical_age));
    // An unknown value is U, as the guidelines want it.
    let known = |number: Option<i64>| number.map_or("U".to_owned(), |number| number.to_string());
    let both = facts.spool().is_some() && facts.outbox().is_some();
    let (waiting, age) = (known(both.then_some(waiting)), known(both.then_some(age)));
    let age = if age == "U" { age } else { format!("{age}s") };
    let dead = known(facts.outbox().map(|outbox| outbox.summary.dead));
    let bad = known(facts.spool().map(|spool| i64::try_from(spool.bad).unwrap_or(i64::MAX)));
    format!(
        "waiting={waiting};{warning_queue};{critical_queue};0 oldest={age};{warning_age};{critical_age};0 \
         dead={dead};;1;0 bad={bad};;1;0"
    )
}

fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;

//! Judges the listener's status.

use super::{Configured, Facts, Finding, Level, Listener, count, span};
use crate::state_dir::listener_status::{ListenerStatus, RelayLink, SOCKET_MODE_OFF, Skew, Socket};

/// Slack's requests are refused when the clocks are 300 s apart; before that somebody should know.
const SKEW_WARNING: i64 = 60;
const SKEW_CRITICAL: i64 = 240;
/// How long a measured skew counts: it is measured when somebody clicks.
const SKEW_BELIEVED: i64 = 24 * 60 * 60;
/// A Socket Mode connection may need so long to come back.
const SOCKET_WARNING: i64 = 30;
const SOCKET_CRITICAL: i64 = 5 * 60;

/// The remedy of an app whose Socket Mode is switched off.
pub(crate) const SWITCH_ON: &str = "api.slack.com/apps, Socket Mode: switch it on; then: systemctl reload ackbell";
const RESTART: &str = "systemctl restart ackbell; its log: journalctl -u ackbell";

pub(super) fn judge(facts: &Facts, findings: &mut Vec<Finding>) {
    let mut add = |level, text: String, remedy: &str| {
        findings.push(Finding::new(level, text).remedy(remedy));
    };
    let takes_callbacks = matches!(facts.config, Some(Configured::Good { takes_callbacks: true, .. }));
    match &facts.listener {
        None => add(Level::Unknown, "the listener can't be seen: it took too long".to_owned(), "ackbell doctor"),
        Some(Err(why)) => {
            add(Level::Unknown, format!("the listener can't be seen: {why}"), "run this check as the core's user");
        }
        Some(Ok(Listener::None { lock_holder })) => {
            if takes_callbacks {
                let text = "no listener runs: clicks in Slack reach nobody".to_owned();
                add(Level::Critical, text, "systemctl start ackbell");
            } else {
                findings.push(Finding::new(Level::Info, "no listener runs; notify delivers by itself"));
            }
            if let Some(pid) = lock_holder {
                let text = format!("process {pid} holds the delivery lock and delivers");
                findings.push(Finding::new(Level::Info, text));
            }
        }
        Some(Ok(Listener::Died(status))) => {
            let ago = span(facts.now - status.heartbeat);
            add(Level::Critical, format!("the listener died: process {} was last seen {ago} ago", status.pid), RESTART);
        }
        Some(Ok(Listener::Stuck(status))) => {
            let ago = span(facts.now - status.heartbeat);
            let text = format!(
                "the listener is stuck: process {} holds the delivery lock and has been silent for {ago}",
                status.pid
            );
            add(Level::Critical, text, RESTART);
        }
        Some(Ok(Listener::Runs(status))) => running(status, facts.now, findings),
    }
}

/// What brings a Socket Mode connection back.
fn socket_remedy(name: &str, socket: &Socket) -> String {
    if socket.error.as_deref() == Some(SOCKET_MODE_OFF) {
        return SWITCH_ON.to_owned();
    }
    format!("ackbell doctor --integration {name}; after the repair: systemctl reload ackbell")
}

fn running(status: &ListenerStatus, now: i64, findings: &mut Vec<Finding>) {
    let mut add = |level, text: String, remedy: &str| findings.push(Finding::new(level, text).remedy(remedy));
    let ours = env!("CARGO_PKG_VERSION");
    if status.version != ours {
        let text = format!("the listener is ackbell {}, this is {ours}", status.version);
        add(Level::Warning, text, "systemctl restart ackbell");
    }
    if let Some(failure) = &status.interrupted {
        let text = format!("delivery has been interrupted for {}: {}", span(now - failure.at), failure.reason);
        add(Level::Critical, text, "delivery continues by itself once that is repaired");
    }
    if let Some(failure) = &status.refused {
        let first = failure.reason.lines().next().unwrap_or_default();
        let text = format!("the listener refused the configuration {} ago: {first}", span(now - failure.at));
        add(Level::Warning, text, "ackbell config check; then systemctl reload ackbell");
    }
    if let Some(failure) = &status.http {
        add(Level::Critical, format!("the HTTP listener isn't open: {}", failure.reason), "ss -ltnp shows who listens");
    }
    if let Some(failure) = &status.deadman {
        let text =
            format!("the dead man's switch hasn't been renewed for {}: {}", span(now - failure.at), failure.reason);
        add(Level::Warning, text, "ackbell doctor; Slack will say that this host is silent");
    }
    for (name, socket) in &status.sockets {
        let silent = now - socket.since;
        if !socket.connected && silent >= SOCKET_WARNING {
            let level = if silent >= SOCKET_CRITICAL { Level::Critical } else { Level::Warning };
            let why = socket.error.as_deref().unwrap_or("no answer yet");
            let text = format!("[{name}] has had no Socket Mode connection for {}: {why}", span(silent));
            add(level, text, &socket_remedy(name, socket));
        }
        if socket.connected && socket.other_connections > 0 {
            let others = count(i64::try_from(socket.other_connections).unwrap_or(i64::MAX), "other connection");
            let text = format!(
                "[{name}] {others} of the app: Slack sends some clicks there, and this listener never sees them"
            );
            let remedy = "stop the other listener; connections that Slack hasn't closed yet end within minutes, or at once with a new app token";
            add(Level::Warning, text, remedy);
        }
    }
    if let Some(Skew { seconds, .. }) = status.skew.filter(|skew| now - skew.at < SKEW_BELIEVED) {
        let level = match seconds.abs() {
            SKEW_CRITICAL.. => Level::Critical,
            SKEW_WARNING.. => Level::Warning,
            _ => Level::Info,
        };
        if level > Level::Info {
            let side = if seconds > 0 { "ahead of" } else { "behind" };
            let text =
                format!("this machine's clock is {} s {side} Slack's: at 300 s every click is refused", seconds.abs());
            add(level, text, "timedatectl set-ntp true");
        }
    }
    relays(status, now, &mut add);
    centre(status, now, &mut add);
    for (core, down) in &status.addresses_down {
        let table = if core.is_empty() { "[core]".to_owned() } else { format!("[cores.{core}]") };
        for (address, failure) in down {
            let text = format!("{table} {address} hasn't answered for {}: {}", span(now - failure.at), failure.reason);
            add(Level::Warning, text, "ackbell doctor; another address of that core is used while one answers");
        }
    }
    for (name, failure) in &status.commands {
        let core = if name.is_empty() { String::new() } else { format!(" to \"{name}\"") };
        let text =
            format!("the last command{core} wasn't handed over {} ago: {}", span(now - failure.at), failure.reason);
        add(Level::Warning, text, "ackbell doctor");
    }
}

/// How long the way between a relay and its centre may be cut before somebody should know.
const RELAY_WARNING: i64 = 30;
const RELAY_CRITICAL: i64 = 5 * 60;

/// The relays of this listener's cores.
fn relays(status: &ListenerStatus, now: i64, add: &mut impl FnMut(Level, String, &str)) {
    for (name, link) in &status.relays {
        let RelayLink { seen, connected, waiting, bad, ahead, .. } = link;
        let silent = now - if *seen == 0 { status.since } else { *seen };
        if !connected && silent >= RELAY_WARNING {
            let level = if silent >= RELAY_CRITICAL { Level::Critical } else { Level::Warning };
            let when =
                if *seen == 0 { "never called".to_owned() } else { format!("was last seen {} ago", span(silent)) };
            let others = || status.relays.values().any(|other| other.core == link.core && other.connected);
            let (level, effect) = match (others(), link.is_redundant) {
                (false, _) => (level, "clicks don't reach that core"),
                // One that was replaced, or whose core rests.
                (true, false) => continue,
                (true, true) => (Level::Warning, "clicks reach the other core only"),
            };
            let text = format!("the relay of {name} isn't connected: it {when}; {effect}");
            add(level, text, "on the relay's machine: systemctl status ackbell; ackbell doctor");
            continue;
        }
        // By the relay's clock.
        let age = link.oldest.map_or(0, |oldest| now.saturating_add(*ahead).saturating_sub(oldest));
        if *connected && age >= RELAY_CRITICAL {
            let count = count(i64::try_from(*waiting).unwrap_or(i64::MAX), "notification");
            let text = format!("{count} at the relay of {name} not handed in, the oldest for {}", span(age));
            add(Level::Warning, text, "on the relay's machine: ackbell check");
        }
        if *bad > 0 {
            let files = count(i64::try_from(*bad).unwrap_or(i64::MAX), "spool file");
            let text = format!("{files} put aside at the relay of {name}, as it isn't a notification");
            add(Level::Warning, text, "on the relay's machine: ackbell queue list");
        }
        if ahead.abs() >= SKEW_WARNING {
            let side = if *ahead > 0 { "ahead of" } else { "behind" };
            let text = format!(
                "the clock of the relay of {name} is {} s {side} ours; times are corrected by that",
                ahead.abs()
            );
            add(Level::Warning, text, "on both machines: timedatectl set-ntp true");
        }
    }
}

/// The centre of this relay.
fn centre(status: &ListenerStatus, now: i64, add: &mut impl FnMut(Level, String, &str)) {
    let Some((centre, failure)) = status.centre.as_ref().and_then(|centre| Some((centre, centre.error.as_ref()?)))
    else {
        return;
    };
    let since = now - failure.at;
    let level = match since {
        _ if centre.needs_repair => Level::Critical,
        RELAY_CRITICAL.. => Level::Critical,
        RELAY_WARNING.. => Level::Warning,
        _ => Level::Info,
    };
    let text = format!("nothing has been handed in for {}, all is kept: {}", span(since), failure.reason);
    add(level, text, "ackbell doctor");
}

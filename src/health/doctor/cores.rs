//! The monitoring cores: would a command be taken, can the state be read back.

use super::{Mark, Step, Trouble};
use crate::config::{Config, Core, CoreKind};
use crate::health::check::gather::{self, takes_callbacks};
use crate::health::check::{Listener, span};
use crate::monitoring::addresses::{self, Address};
use crate::monitoring::error::{ReadError, SendError};
use crate::monitoring::relay::centre::{Centre, CentreError};
use crate::monitoring::shell::{self, Danger, DangerKind};
use crate::monitoring::{log_readable, objects_readable, paths, send, state};
use crate::system::clock;
use crate::system::environment::Environment;
use std::time::Duration;

/// For asking the centre.
const CENTRE_WITHIN: Duration = Duration::from_secs(10);

/// A core writes its state every 10 s, some every minute; what is older comes from one that stopped or hangs.
const STATE_AGE_MAX: i64 = 5 * 60;

/// The cores to look at: the configured ones, else the one of this machine where clicks are to reach it.
pub(super) fn of(config: &Config) -> Vec<Core> {
    match config.cores.as_slice() {
        [] if takes_callbacks(config) => vec![paths::found()],
        configured => configured.iter().flat_map(Core::members).collect(),
    }
}

/// A core behind a relay: only the listener speaks to that.
pub(super) fn remote(config: &Config, core: &Core) -> Vec<Step> {
    let label = core.relay_tokens.first().map_or(&core.name, |token| &token.label);
    let (hop, name) = (format!("[{label}] relay"), &core.name);
    let now = clock::wall_ms() / 1000;
    let Ok(Listener::Runs(status)) = gather::listener(&config.state_dir, &config.runtime_dir, now) else {
        let found = "no listener runs that could say whether it is connected";
        return vec![Step::warning(&hop, found, "systemctl start ackbell")];
    };
    let link = status.relays.get(label).cloned();
    let on_the_relay = "on the relay's machine: systemctl status ackbell; ackbell doctor";
    let is_another_there = status.relays.values().any(|other| other.core == *name && other.connected);
    if is_another_there && core.redundant != Some(true) && !link.as_ref().is_some_and(|link| link.connected) {
        let found = format!("not connected, but another relay of {name} is");
        return vec![Step::warning(&hop, found, format!("{on_the_relay}; or remove its token from [cores.{name}]"))];
    }
    let Some(link) = link.filter(|link| link.seen > 0) else {
        let found = format!("the relay of {label} has not called since the listener started");
        let remedy = format!("{on_the_relay}; does [relay] token there match [cores.{name}] relay_token here?");
        return vec![Step::bad(Trouble::Unreachable, &hop, found, remedy)];
    };
    let seen = span(now - link.seen);
    let mut steps = vec![if link.connected {
        let found =
            format!("ackbell {} is connected, last heard of {seen} ago; {} waiting there", link.version, link.waiting);
        Step::good(&hop, found)
    } else {
        Step::bad(Trouble::Unreachable, &hop, format!("not connected, last seen {seen} ago"), on_the_relay)
    }];
    if link.kind != core.kind.name() {
        let found = format!("its core is a {}, [cores.{name}] is configured as {}", link.kind, core.kind.name());
        steps.push(Step::warning(&hop, found, format!("set [cores.{name}] kind = \"{}\"", link.kind)));
    }
    steps
}

/// The centre that this relay hands in to.
pub(super) fn centres(config: &Config, env: &Environment) -> Vec<Step> {
    let Some(relay) = &config.relay else { return Vec::new() };
    let step = |url: &String| {
        let asked = Centre::new(relay, url, env).and_then(|centre| centre.hand_in("", CENTRE_WITHIN));
        match asked {
            Ok(_) => Step::good("centre", format!("{url} takes this relay's token")),
            Err(e) => {
                let (trouble, remedy) = match &e {
                    CentreError::Token { .. } => {
                        (Trouble::Refused, "[relay] token must be one of [cores.NAME] relay_token at the centre")
                    }
                    CentreError::Forbidden { .. } => {
                        (Trouble::Refused, "[relay] client_cert must be of the CA in the centre's [listen] client_ca")
                    }
                    CentreError::Protocol { .. } => (Trouble::Refused, "upgrade the older one of the two"),
                    _ => (Trouble::Unreachable, "curl -v that address; its certificate's CA: [relay] ca_file"),
                };
                Step::bad(trouble, "centre", e.to_string(), remedy)
            }
        }
    };
    relay.to.iter().map(step).collect()
}

pub(super) fn core(core: &Core) -> Vec<Step> {
    let hop = |what: &str| if core.name.is_empty() { what.to_owned() } else { format!("[{}] {what}", core.name) };
    let mut steps = vec![transport_step(&hop("commands"), core)];
    steps.extend(addresses::probe_each(core).into_iter().map(|address| address_step(&hop("address"), address)));
    steps.extend(state_steps(&hop("state"), core));
    if let Some((path, readable)) = objects_readable(core) {
        steps.push(match readable {
            Ok(()) => Step::good(&hop("objects"), format!("{} lists each object's contacts", path.display())),
            Err(e) => {
                let found = format!("can't read {}: {e}", path.display());
                Step::warning(
                    &hop("objects"),
                    found,
                    format!("ls -l {}; contacts aren't known without it", path.display()),
                )
            }
        });
    }
    if let Some((path, Err(e))) = log_readable(core) {
        let found = format!("can't read the core's log {}: {e}", path.display());
        let remedy =
            format!("ls -l {}; without it ackbell is late to know, or doesn't know, who acknowledged", path.display());
        steps.push(Step::warning(&hop("log"), found, remedy));
    }
    steps.extend(shell_steps(&hop("shell lines"), core));
    steps
}

/// The machine's own core, which nobody configured and nobody's click is to reach: what it runs us with is looked at
/// all the same, and reported only when it is dangerous.
pub(super) fn unconfigured() -> Vec<Step> {
    let steps = shell_steps("shell lines", &paths::found());
    steps.into_iter().filter(|step| step.mark != Mark::Good).collect()
}

fn shell_steps(hop: &str, core: &Core) -> Vec<Step> {
    let step = |danger: Danger| match danger.what {
        DangerKind::Output | DangerKind::Definition => {
            Step::bad(Trouble::Configuration, hop, danger.found, danger.remedy)
        }
        DangerKind::Characters | DangerKind::Names | DangerKind::Quote => {
            Step::warning(hop, danger.found, danger.remedy)
        }
    };
    match shell::dangers(core) {
        None => Vec::new(),
        Some(dangers) if dangers.is_empty() => vec![Step::good(hop, "no text from outside can run as a command")],
        Some(dangers) => dangers.into_iter().map(step).collect(),
    }
}

fn transport_step(hop: &str, core: &Core) -> Step {
    let disabled = paths::Paths::find(core).external_commands_checked == Some(false);
    match send::probe(core) {
        Ok(_) if disabled => {
            let e = SendError::Disabled;
            Step::bad(Trouble::Configuration, hop, e.to_string(), remedy(&e, core.kind))
        }
        // Nothing on this machine says whether there are satellites.
        Ok(transport) if core.kind == CoreKind::OpenItCockpit && core.api.is_none() => {
            let found =
                format!("the master's core takes them by its {transport}; hosts of satellites need api_url in [core]");
            Step::good(hop, found)
        }
        Ok(transport) => Step::good(hop, format!("the core takes them by its {transport}")),
        Err(e) => {
            let trouble = match e {
                SendError::NoTransport | SendError::NotAFifo(_) | SendError::Disabled | SendError::Unsayable { .. } => {
                    Trouble::Configuration
                }
                SendError::Forbidden(_) | SendError::Login { .. } | SendError::Refused(_) => Trouble::Refused,
                SendError::Missing(_)
                | SendError::NoReader(_)
                | SendError::Full(_)
                | SendError::Broken(_)
                | SendError::Write { .. }
                | SendError::Unreachable { .. }
                | SendError::Relay(_)
                | SendError::Late(_)
                | SendError::Half(_) => Trouble::Unreachable,
            };
            Step::bad(trouble, hop, e.to_string(), remedy(&e, core.kind))
        }
    }
}

/// Whether one of several answers; that another one does is said by the step of the commands.
fn address_step(hop: &str, Address { name, answers }: Address) -> Step {
    match answers {
        Ok(()) => Step::good(hop, format!("{name} answers")),
        Err(reason) => {
            let found = format!("{name} doesn't answer: {reason}");
            Step::warning(hop, found, "repair it, or remove it from the list; the others are used meanwhile")
        }
    }
}

fn remedy(error: &SendError, kind: CoreKind) -> String {
    let (unit, main_config) = (kind.facts().unit, kind.facts().main_config);
    match error {
        SendError::NoTransport => "set command_file or api_url in [core]; ackbell config check".to_owned(),
        SendError::Disabled => {
            format!("in {main_config}: check_external_commands=1; then systemctl restart {unit}")
        }
        SendError::Missing(path) => {
            format!("systemctl status {unit}; grep command_file in its main configuration: {}?", path.display())
        }
        SendError::NoReader(_) => format!("systemctl restart {unit}"),
        SendError::Forbidden(path) => {
            format!("ls -l {}; usermod -aG ITS-GROUP USER, or sudo -u nagios ackbell doctor", path.display())
        }
        SendError::NotAFifo(path) => format!("rm {}; then restart the core, which makes its FIFO", path.display()),
        SendError::Login { .. } => "correct api_user, api_password or api_key in [core]".to_owned(),
        _ if kind == CoreKind::Centreon => format!("systemctl status {unit}"),
        _ => "systemctl status nagios4 (nagios, naemon, icinga2)".to_owned(),
    }
}

fn state_steps(hop: &str, core: &Core) -> Vec<Step> {
    let snapshot = match state::read(core, &[]) {
        Ok(snapshot) => snapshot,
        Err(e) => {
            let remedy = match &e {
                ReadError::NoSource => "set status_file, livestatus or api_url in [core]".to_owned(),
                ReadError::File { path, .. } | ReadError::NoStatus(path) => {
                    format!("ls -l {}; it must be readable for ackbell's user", path.display())
                }
                ReadError::Relay(_) => "ackbell doctor on the relay's machine".to_owned(),
                ReadError::Unreadable { .. } => "correct livestatus or api_url in [core]".to_owned(),
            };
            let found = format!("no acknowledgement can be confirmed: {e}");
            return vec![Step::bad(Trouble::Unreachable, hop, found, remedy)];
        }
    };
    let age = clock::wall_ms() / 1000 - snapshot.created;
    let mut steps = vec![match age {
        STATE_AGE_MAX.. => {
            let found = format!("the core's state is {} old: the core stopped, or writes another file", span(age));
            Step::bad(
                Trouble::Unreachable,
                hop,
                found,
                format!("systemctl status {}; correct status_file", core.kind.facts().unit),
            )
        }
        _ => Step::good(hop, format!("read back, {} old", span(age))),
    }];
    if snapshot.program.notifications_enabled == Some(false) {
        let found = "notifications are disabled in the core: none will arrive";
        steps.push(Step::warning(
            hop,
            found,
            format!(
                "in {}: enable_notifications=1, or enable them in its web interface",
                core.kind.facts().main_config
            ),
        ));
    }
    steps
}

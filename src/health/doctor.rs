//! `doctor`: proves every hop between the core and Slack, in their order, and says the remedy of what is broken.
//!
//! It changes nothing, except that `--send` posts. Each hop is looked at by a thread of its own with a deadline, so none
//! can hold up those after it. What this user has no right to see is said, with how to see it.

mod channels;
mod cores;
mod curves;
mod database;
mod machine;
mod nodes;
mod on_call;
mod slack;

use crate::config::{Config, Integration};
use crate::rules::manifest::at_its_site;
use crate::system::environment::Environment;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

/// Longer than the calls of any step may take.
const STEP_MAX: Duration = Duration::from_secs(60);
/// For reading the configuration.
const CONFIG_MAX: Duration = Duration::from_secs(10);
/// For one call.
const CALL_MAX: Duration = Duration::from_secs(10);

/// How a hop is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    Good,
    Warning,
    Bad(Trouble),
}

/// The side that has the trouble; the greatest decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Trouble {
    /// Slack or the core can't be reached.
    Unreachable,
    /// The state can't be written.
    State,
    /// Slack or the core refuses.
    Refused,
    Configuration,
}

/// One line of the status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) mark: Mark,
    pub(crate) hop: String,
    pub(crate) found: String,
    pub(crate) remedy: Option<String>,
}

impl Step {
    fn good(hop: &str, found: impl Into<String>) -> Self {
        Self { mark: Mark::Good, hop: hop.to_owned(), found: found.into(), remedy: None }
    }

    fn warning(hop: &str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { mark: Mark::Warning, remedy: Some(remedy.into()), ..Self::good(hop, found) }
    }

    fn bad(trouble: Trouble, hop: &str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { mark: Mark::Bad(trouble), ..Self::warning(hop, found, remedy) }
    }
}

/// The options of `ackbell doctor`.
#[derive(Debug, Clone, Default)]
pub(crate) struct DoctorOptions {
    /// Post a test message to every destination.
    pub(crate) send: bool,
    /// Only this integration.
    pub(crate) integration: Option<String>,
}

/// Collects the steps as they are done.
struct Steps(Sender<Step>);

impl Steps {
    fn push(&self, step: Step) {
        // Nobody waits any more for what took too long.
        let _ = self.0.send(step);
    }

    fn extend(&self, steps: impl IntoIterator<Item = Step>) {
        steps.into_iter().for_each(|step| self.push(step));
    }
}

/// Examines everything; `show_step` hears each step as it is done. The worst trouble, if any.
pub(crate) fn examine(
    path: Option<&Path>,
    env: &Environment,
    options: &DoctorOptions,
    show_step: &mut dyn FnMut(Step),
) -> Option<Trouble> {
    let mut worst = None;
    let mut show_step = |step: Step| {
        if let Mark::Bad(trouble) = step.mark {
            worst = worst.max(Some(trouble));
        }
        show_step(step);
    };
    let (sender, receiver) = channel();
    let (asked, early_env) = (path.map(Path::to_owned), env.clone());
    std::thread::spawn(move || drop(sender.send(machine::configuration(asked.as_deref(), &early_env))));
    let Ok((config, steps)) = receiver.recv_timeout(CONFIG_MAX) else {
        let text = format!("reading it takes more than {} s", CONFIG_MAX.as_secs());
        show_step(Step::bad(
            Trouble::Configuration,
            "configuration",
            text,
            "ls -l it: its disk hangs, or it is a FIFO",
        ));
        return worst;
    };
    steps.into_iter().for_each(&mut show_step);
    if let (Some(config), Some(name)) = (&config, &options.integration)
        && !config.integrations.iter().any(|integration| integration.name == *name)
    {
        let known: Vec<&str> = config.integrations.iter().map(|integration| &*integration.name).collect();
        let found = format!("there is no integration \"{name}\"");
        show_step(Step::bad(Trouble::Configuration, "integration", found, format!("known: {}", known.join(", "))));
        return worst;
    }
    let (path, early_env) = (path.map(Path::to_owned), env.clone());
    hop("state", move |steps| steps.extend(machine::state(path.as_deref(), &early_env)), &mut show_step);
    let Some(config) = config.map(Arc::new) else {
        return worst;
    };
    let asked = Arc::clone(&config);
    hop("listener", move |steps| steps.extend(machine::listener(&asked)), &mut show_step);
    let (asked, early_env) = (Arc::clone(&config), env.clone());
    hop("centre", move |steps| steps.extend(cores::centres(&asked, &early_env)), &mut show_step);
    // A relay's notifications are sent by its centre.
    let sends = config.relay.is_none();
    if sends && options.integration.is_none() && config.integrations.iter().all(|integration| !integration.enabled) {
        show_step(nothing_enabled());
    }
    for own in chosen(&config, options) {
        let (asked, env, own, send) = (Arc::clone(&config), env.clone(), own.clone(), options.send);
        let (name, api_url) = (format!("[{}]", own.name), own.api_url.clone());
        let mut show_step = |step: Step| {
            let remedy = step.remedy.map(|remedy| at_its_site(&remedy, &api_url));
            show_step(Step { remedy, ..step });
        };
        hop(&name, move |steps| slack::integration(&asked, &own, &env, send, steps), &mut show_step);
    }
    if options.integration.is_none() {
        examine_cores(&config, &mut show_step);
        if !config.on_call.is_empty() {
            let (asked, env) = (Arc::clone(&config), env.clone());
            hop("on call", move |steps| steps.extend(on_call::plans(&asked, &env)), &mut show_step);
        }
        let (asked, own_env) = (Arc::clone(&config), env.clone());
        hop("curve", move |steps| steps.extend(curves::sources(&asked, &own_env)), &mut show_step);
        let (asked, env) = (Arc::clone(&config), env.clone());
        hop("public_url", move |steps| steps.extend(slack::public_url(&asked, &env)), &mut show_step);
    }
    worst
}

/// Each core, and what is configured beside it.
fn examine_cores(config: &Arc<Config>, show_step: &mut dyn FnMut(Step)) {
    let looked_at = cores::of(config);
    if looked_at.is_empty() {
        hop("core", |steps| steps.extend(cores::unconfigured()), show_step);
    }
    for core in looked_at {
        let asked = Arc::clone(config);
        if core.is_remote() {
            hop("relay", move |steps| steps.extend(cores::remote(&asked, &core)), show_step);
            continue;
        }
        let core_again = core.clone();
        hop("core", move |steps| steps.extend(cores::core(&core)), show_step);
        let core = core_again;
        hop("core", move |steps| steps.extend(on_call::escalated_twice(&asked, &core)), show_step);
    }
}

/// The configuration as a package brings it.
fn nothing_enabled() -> Step {
    let found = "no integration is enabled: nothing can be delivered, every notification waits";
    let remedy = "sudo ackbell setup; or give [slack] webhook_url or bot_token, and remove enabled = false";
    Step::bad(Trouble::Configuration, "integration", found, remedy)
}

fn chosen<'a>(config: &'a Config, options: &DoctorOptions) -> Vec<&'a Integration> {
    let is_chosen = |i: &&Integration| options.integration.as_ref().map_or(i.enabled, |name| i.name == *name);
    config.integrations.iter().filter(is_chosen).collect()
}

/// Runs one hop; a disk or a name server that hangs costs its time, not the rest of the status.
fn hop(name: &str, look: impl FnOnce(&Steps) + Send + 'static, show_step: &mut dyn FnMut(Step)) {
    let (sender, receiver) = channel();
    let spawned = std::thread::Builder::new().name("hop".into()).spawn(move || look(&Steps(sender)));
    loop {
        match receiver.recv_timeout(STEP_MAX) {
            Ok(step) => show_step(step),
            Err(RecvTimeoutError::Disconnected) if spawned.is_ok() => return,
            Err(_) => {
                let text = format!("gave no answer within {} s", STEP_MAX.as_secs());
                return show_step(Step::bad(
                    Trouble::Unreachable,
                    name,
                    text,
                    "a disk, a name server or a socket hangs: see dmesg",
                ));
            }
        }
    }
}

//! Looks at everything a check is about, with read rights only, without the network, within a deadline.
//!
//! One thread looks, part after part; whoever waits takes what is there when the time is up. A disk that hangs hangs
//! that thread alone, and the process ends without it.

use super::{ClosedState, CommandTransport, Configured, Facts, Listener, Spool, Unread, installs};
use crate::config::lenient::state_dirs;
use crate::config::{self, Config, Flavor, Integration, LivestatusAddress, LoadError, OutboxAt};
use crate::monitoring::error::SendError;
use crate::monitoring::local::account_of_core;
use crate::monitoring::{send, shell};
use crate::state_dir::listener_status::{self, ListenerStatus};
use crate::state_dir::machine::machine;
use crate::state_dir::owner::closed_by_root;
use crate::state_dir::{StateDirs, delivery_lock, spool};
use crate::store::{Health, KnownNode, Store, StoreError};
use crate::system::clock;
use crate::system::environment::Environment;
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A plugin that takes longer is a problem of its own.
const DEADLINE: Duration = Duration::from_millis(4500);
/// How long the database may be locked.
const PATIENCE: Duration = Duration::from_millis(1500);
/// A heart that is silent so long has stopped: the longest single step of the listener is a good deal shorter.
const HEART_STOPPED: i64 = 120;

/// Gathers; never takes much longer than [`DEADLINE`].
pub(crate) fn gather(config: Option<&Path>, env: &Environment, audit_head: Option<&str>) -> Facts {
    let facts = Arc::new(Mutex::new(Facts { now: clock::wall_ms() / 1000, ..Facts::default() }));
    let (done, finished) = channel::<()>();
    let (inside, config, env) = (Arc::clone(&facts), config.map(Path::to_owned), env.clone());
    let head = audit_head.map(str::to_owned);
    let spawned = std::thread::Builder::new().name("check".into()).spawn(move || {
        look(&inside, config.as_ref(), head.as_deref(), &env);
        drop(done);
    });
    if spawned.is_ok() {
        // Finished, or not in time: what is there is taken.
        let (Ok(()) | Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected)) =
            finished.recv_timeout(DEADLINE);
    }
    let facts = facts.lock().unwrap_or_else(PoisonError::into_inner);
    facts.clone()
}

fn look(facts: &Mutex<Facts>, path: Option<&PathBuf>, audit_head: Option<&str>, env: &Environment) {
    let put = |change: &mut dyn FnMut(&mut Facts)| change(&mut facts.lock().unwrap_or_else(PoisonError::into_inner));
    let now = facts.lock().unwrap_or_else(PoisonError::into_inner).now;
    let StateDirs { state_dir, runtime_dir, .. } = state_dirs(path.map(PathBuf::as_path), env);
    let listener = listener(&state_dir, &runtime_dir, now);
    put(&mut |facts| facts.listener = Some(listener.clone()));
    let spool = spool(&state_dir);
    put(&mut |facts| facts.spool = Some(spool.clone()));
    let (configured, config) = configured(path.map(PathBuf::as_path), env);
    put(&mut |facts| facts.config = Some(configured.clone()));
    let at = OutboxAt::of(&state_dir, config.as_ref().and_then(|config| config.database.as_ref()));
    let has_database = matches!(at, OutboxAt::Database(_));
    put(&mut |facts| facts.has_database = has_database);
    let closed = closed_state(config.as_ref(), &state_dir);
    put(&mut |facts| facts.closed_state.clone_from(&closed));
    let store = Store::open_for_reading(at, PATIENCE);
    if let Some(head) = audit_head {
        let seen = has_audit_head(&store, head);
        put(&mut |facts| facts.audit_head = Some(seen.clone()));
    }
    let mut outbox = outbox(&store, now);
    if let (Ok(health), Some(config)) = (&mut outbox, &config) {
        // The others are said already, or nobody wants them any more.
        let is_ready = |i: &&Integration| i.enabled && i.missing_token().is_none();
        let ready: Vec<&str> = config.integrations.iter().filter(is_ready).map(|i| &*i.name).collect();
        health.pauses.retain(|paused| ready.contains(&&*paused.integration));
    }
    put(&mut |facts| facts.outbox = Some(outbox.clone()));
    let Some(config) = config else { return };
    let store = store.ok().flatten();
    let origins = origins(store.as_ref(), &config, now);
    let nodes = nodes(store.as_ref());
    let installs = store.as_ref().map_or_else(Vec::new, |store| installs::look(&config, store));
    put(&mut |facts| {
        facts.origins.clone_from(&origins);
        (facts.nodes, facts.node) = (nodes.clone(), config.listen.node.clone());
        facts.installs.clone_from(&installs);
        facts.machine = machine(&config.state_dir);
    });
    let mut cores: Vec<config::Core> = config.cores.iter().flat_map(config::Core::members).collect();
    if cores.is_empty() {
        cores.push(crate::monitoring::paths::found());
    }
    let is_asked = takes_callbacks(&config) || !config.cores.is_empty();
    // Only `doctor` looks beyond this machine.
    let is_local = |core: &&config::Core| {
        let over_tcp = core.command_file.is_none()
            && core
                .livestatus
                .iter()
                .flat_map(|all| &all.0)
                .any(|address| !matches!(address, LivestatusAddress::Unix(_)));
        core.api.is_none() && !over_tcp && !core.is_remote()
    };
    for core in cores.iter().filter(|core| is_asked && is_local(core)) {
        let transport = match send::probe(core) {
            Ok(_) => CommandTransport::Open,
            Err(e @ SendError::Forbidden(_)) => CommandTransport::NotTried(e.to_string()),
            Err(e) => CommandTransport::Closed(e.to_string()),
        };
        put(&mut |facts| drop(facts.cores.insert(core.name.clone(), transport.clone())));
    }
    for core in &cores {
        let dangers = shell::dangers(core).unwrap_or_default();
        put(&mut |facts| facts.dangers.extend(dangers.iter().cloned()));
    }
}

/// Whether the state directory is root's and closed to the core's user.
pub(crate) fn closed_state(config: Option<&Config>, state_dir: &Path) -> Option<ClosedState> {
    if std::fs::symlink_metadata(state_dir).ok()?.uid() != 0 {
        return None;
    }
    let account = account_of_core(config, state_dir).filter(|account| account.uid != 0)?;
    let path = closed_by_root(state_dir, account.gid)?;
    Some(ClosedState { state_dir: state_dir.to_owned(), path, account })
}

/// Who delivers, by the status, the delivery lock and the process.
pub(crate) fn listener(state_dir: &Path, runtime_dir: &Path, now: i64) -> Result<Listener, String> {
    let path = listener_status::path(runtime_dir);
    let read = listener_status::read(runtime_dir).map_err(|e| format!("can't read {}: {e}", path.display()))?;
    let lock_holder = delivery_lock::holder(state_dir);
    Ok(match read {
        None => Listener::None { lock_holder },
        Some(status) => state_of(status, lock_holder, now),
    })
}

fn state_of(status: ListenerStatus, lock_holder: Option<u32>, now: i64) -> Listener {
    let is_silent = now - status.heartbeat > HEART_STOPPED;
    // In another container the process has another number here, so a lock that is held speaks for it.
    let is_alive = lock_holder.is_some() || is_process(status.pid);
    match (is_alive, is_silent, lock_holder) {
        (true, false, _) => Listener::Runs(status),
        (true, true, Some(holder)) if holder == status.pid || !is_process(status.pid) => Listener::Stuck(status),
        (false, ..) | (true, true, _) => Listener::Died(status),
    }
}

fn is_process(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    // Somebody else's may not be signalled, but is there.
    pid.is_some_and(|pid| rustix::process::test_kill_process(pid) != Err(rustix::io::Errno::SRCH))
}

fn spool(state_dir: &Path) -> Result<Spool, String> {
    let spool = spool::Spool::new(state_dir);
    let oldest = spool.oldest(1).map_err(|e| e.to_string())?;
    let oldest = oldest.first().and_then(spool::SpoolId::received);
    Ok(Spool { files: spool.count(), oldest, bad: spool.bad().len() })
}

fn outbox(store: &Result<Option<Store>, StoreError>, now: i64) -> Result<Health, Unread> {
    match store {
        Ok(Some(store)) => store.health(now.saturating_mul(1000)).map_err(|e| Unread::from(&e)),
        Ok(None) => Ok(Health::default()),
        Err(e) => Err(e.into()),
    }
}

/// Who shares the outbox; nobody where it is a file. A database that can't be read is told elsewhere.
pub(crate) fn nodes(store: Option<&Store>) -> Vec<KnownNode> {
    store.filter(|store| store.is_shared()).and_then(|store| store.nodes().ok()).unwrap_or_default()
}

/// Several hosts that notify for one core, of which the configuration doesn't say what they are to each other. An outbox
/// that can't be read is told elsewhere.
fn origins(store: Option<&Store>, config: &Config, now: i64) -> BTreeMap<String, Vec<String>> {
    let found = store.and_then(|store| store.origins(now.saturating_mul(1000)).ok()).unwrap_or_default();
    // A relay's token says for which core it speaks.
    let is_known = |core: &config::Core| core.redundant.is_some() || core.is_remote();
    let is_reported = |name: &str| config.cores.iter().any(|core| core.name == name && is_known(core));
    found.into_iter().filter(|(core, hosts)| hosts.len() > 1 && !is_reported(core)).collect()
}

fn has_audit_head(store: &Result<Option<Store>, StoreError>, head: &str) -> Result<bool, String> {
    match store {
        Ok(Some(store)) => store.has_audit_head(head).map_err(|e| e.to_string()),
        Ok(None) => Ok(false),
        Err(e) => Err(e.to_string()),
    }
}

fn configured(path: Option<&Path>, env: &Environment) -> (Configured, Option<Config>) {
    match config::load(path, env) {
        Ok((config, _)) => {
            let texts = [&config.message.title, &config.message.body];
            let template = texts.into_iter().flatten().find_map(|text| crate::rules::render::failing_sample(text));
            let enabled = config.integrations.iter().filter(|integration| integration.enabled);
            let missing = enabled.filter_map(Integration::missing_token).collect();
            (Configured::Good { takes_callbacks: takes_callbacks(&config), template, missing }, Some(config))
        }
        Err(e @ LoadError::Read { .. }) if e.is_forbidden() => (Configured::NotTried(e.to_string()), None),
        Err(e) => {
            let problems = e.problems();
            // The place and the sentence; the excerpt and the remedy are for `config check`.
            (Configured::Broken { first: e.first_line(), count: problems.len() }, None)
        }
    }
}

/// Whether clicks are to come in.
pub(crate) fn takes_callbacks(config: &Config) -> bool {
    // The centre's clicks reach a core through its relay.
    if config.relay.is_some() {
        return true;
    }
    let over_socket = config.integrations.iter().any(|integration| {
        config.listen.socket_mode
            && integration.enabled
            && integration.flavor == Flavor::Slack
            && integration.app_token.is_some()
    });
    over_socket || config.listen.address(&config.integrations).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heart_lock_and_process_together_say_how_the_listener_is() {
        let (me, gone) = (std::process::id(), u32::try_from(i32::MAX).unwrap());
        let status = |pid, heartbeat| ListenerStatus { pid, heartbeat, ..ListenerStatus::default() };
        for (pid, holder, age, expected) in [
            (me, Some(me), 10, "Runs"),
            (me, None, 10, "Runs"),
            (me, Some(me), 121, "Stuck"),
            (me, Some(gone), 121, "Died"),
            (gone, None, 10, "Died"),
            (gone, Some(me), 10, "Runs"),
            (gone, Some(me), 121, "Stuck"),
        ] {
            let found = format!("{:?}", state_of(status(pid, 1000), holder, 1000 + age));
            assert!(found.starts_with(expected), "{pid} {holder:?} {age}: {found}");
        }
    }
}

//! `ackbell queue`: lists the messages that wait or are dead, tries them again, drops them.

mod list;

use super::args::{QueueArgs, QueueVerb};
use super::{Exit, Output, load};
use crate::config::Config;
use crate::flow::deliver::{self, Here};
use crate::flow::relay;
use crate::state_dir::delivery_lock::DeliveryLock;
use crate::state_dir::spool::{Entry, Spool};
use crate::state_dir::wake;
use crate::store::{Row, Store, StoreError, Subscription};
use crate::system::clock;
use crate::system::environment::Environment;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

/// How long `flush` goes on.
const FLUSH_BUDGET: Duration = Duration::from_secs(10 * 60);
const PROGRESS_EVERY: Duration = Duration::from_millis(500);

/// Why a queue command couldn't be done.
enum Failure {
    Store(StoreError),
    /// With the message for the person.
    Other(Exit, String),
}

impl From<StoreError> for Failure {
    fn from(e: StoreError) -> Self {
        Self::Store(e)
    }
}

pub(super) fn run(args: QueueArgs, config: Option<&Path>, env: &Environment, out: &mut Output) -> Exit {
    let config = match load(config, env, out) {
        Ok(config) => config,
        Err(exit) => return exit,
    };
    let done = match args.what {
        QueueVerb::List(filter) => list::deliveries(&config, &filter, args.json, out),
        QueueVerb::Subscriptions => list::subscriptions(&config, args.json, out),
        QueueVerb::Show { id } => show(&config, &id, args.json, out),
        QueueVerb::Retry { id } => retry(&config, id.as_deref(), args.json, out),
        QueueVerb::Drop { id } => drop_one(&config, &id, args.json, out),
        QueueVerb::Flush => flush(&config, env, args.json, out),
    };
    match done {
        Ok(exit) => exit,
        Err(Failure::Store(e)) => {
            out.error(&e.to_string());
            Exit::CantWrite
        }
        Err(Failure::Other(exit, text)) => {
            out.error(&text);
            exit
        }
    }
}

/// A channel's subscription, for scripts.
pub(super) fn subscription_json(one: &Subscription) -> Value {
    json!({ "integration": one.integration, "channel": one.channel, "filter": one.filter, "user": one.user,
            "name": one.name, "at": one.at / 1000 })
}

fn row_json(row: &Row) -> Value {
    json!({
        "id": row.id, "state": row.state.name(), "integration": row.queue.integration, "to": row.queue.target.as_text(),
        "received": row.received / 1000, "due": row.due / 1000, "attempts": row.attempts, "reason": row.reason,
        "code": row.code,
        "spool_id": row.spool_id, "channel": row.channel, "ts": row.ts, "notification": row.incoming,
    })
}

fn show(config: &Config, id: &str, as_json: bool, out: &mut Output) -> Result<Exit, Failure> {
    let store = existing(config)?;
    let row = store.row(number(id)?)?.ok_or_else(|| not_found(id))?;
    if as_json {
        out.line(&row_json(&row).to_string());
        return Ok(Exit::Done);
    }
    let pretty = serde_json::to_string_pretty(&row.incoming).unwrap_or_default();
    out.line(&format!("{}\n{pretty}", list::table(&[row], clock::wall_ms(), out)));
    Ok(Exit::Done)
}

/// Dead and waiting deliveries go at once; those without a destination are routed anew; bad spool files come back.
fn retry(config: &Config, id: Option<&str>, as_json: bool, out: &mut Output) -> Result<Exit, Failure> {
    let spool = Spool::new(&config.state_dir);
    let cant_write = |e: crate::state_dir::spool::SpoolError| Failure::Other(Exit::CantWrite, e.to_string());
    let mut count = 0;
    let names = id.map_or_else(|| spool.bad(), |id| vec![id.to_owned()]);
    for name in names {
        count += usize::from(spool.bring_back(&name).map_err(cant_write)?);
    }
    if count == 0 || id.is_none() {
        let chosen = id.map(number).transpose()?;
        if let Some(store) = Store::open_existing(config.outbox_at())? {
            count += store.retry(chosen, clock::wall_ms())?;
            for row in store.without_destination(chosen)? {
                // Durable in the spool first: a kill before the removal routes it twice, never not at all.
                spool.put(&Entry { received: row.received, incoming: row.incoming }).map_err(cant_write)?;
                count += usize::from(store.drop_row(row.id)?);
            }
        }
    }
    if let (0, Some(id)) = (count, id) {
        return Err(not_found(id));
    }
    wake::hint(&config.runtime_dir);
    print(as_json, "retried", count, &format!("messages that are tried again: {count}"), out);
    Ok(Exit::Done)
}

fn drop_one(config: &Config, id: &str, as_json: bool, out: &mut Output) -> Result<Exit, Failure> {
    let store = existing(config)?;
    if !store.drop_row(number(id)?)? {
        return Err(not_found(id));
    }
    print(as_json, "dropped", 1, &format!("message {id} is dropped"), out);
    Ok(Exit::Done)
}

/// The same on a machine whose centre has Slack.
fn hand_in(
    config: &Config,
    env: &Environment,
    lock: DeliveryLock,
    as_json: bool,
    out: &mut Output,
) -> Result<Exit, Failure> {
    let Some(to) = &config.relay else { return Ok(Exit::Done) };
    let done = with_progress(config, out, || relay::here(config, to, env, lock, FLUSH_BUDGET));
    done.map_err(|e| Failure::Other(Exit::Unavailable, format!("{e}; all is kept")))?;
    let count = Spool::new(&config.state_dir).count();
    let text =
        if count == 0 { "everything is handed in".to_owned() } else { format!("{count} waiting to be handed in") };
    print(as_json, "waiting", count, &text, out);
    Ok(Exit::Done)
}

fn flush(config: &Config, env: &Environment, as_json: bool, out: &mut Output) -> Result<Exit, Failure> {
    if let Some(store) = Store::open_existing(config.outbox_at())? {
        store.hurry()?;
    }
    let io =
        |e: std::io::Error| Failure::Other(Exit::CantWrite, format!("can't lock {}: {e}", config.state_dir.display()));
    let Some(lock) = DeliveryLock::try_take(&config.state_dir).map_err(io)? else {
        wake::hint(&config.runtime_dir);
        print(
            as_json,
            "delivering_elsewhere",
            1,
            "a listener or another process delivers already; it was told to look again",
            out,
        );
        return Ok(Exit::Done);
    };
    if config.relay.is_some() {
        return hand_in(config, env, lock, as_json, out);
    }
    let here = with_progress(config, out, || deliver::here(config, env, lock, FLUSH_BUDGET));
    let waiting =
        Store::open_existing(config.outbox_at())?.map(|store| store.summary()).transpose()?.unwrap_or_default();
    match here {
        Err(e) => Err(Failure::Other(Exit::CantWrite, e.to_string())),
        Ok(Here::Done | Here::SomeoneElse) if waiting.waiting == 0 => {
            print(as_json, "waiting", 0, "no messages are waiting", out);
            Ok(Exit::Done)
        }
        Ok(_) => {
            let count = usize::try_from(waiting.waiting).unwrap_or(usize::MAX);
            print(
                as_json,
                "waiting",
                count,
                &format!("messages still waiting: {count}; see `ackbell queue list`"),
                out,
            );
            Ok(Exit::Later)
        }
    }
}

/// Does the work, and shows meanwhile how much is left.
fn with_progress<T>(config: &Config, out: &mut Output, work: impl FnOnce() -> T) -> T {
    let (done, is_done) = channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let is_done = is_done;
            let mut store = None;
            while is_done.recv_timeout(PROGRESS_EVERY) == Err(RecvTimeoutError::Timeout) {
                // It is made by the first delivery, and made anew if it is corrupt.
                store = store.or_else(|| Store::open_existing(config.outbox_at()).ok().flatten());
                match store.as_ref().map(Store::summary) {
                    Some(Ok(summary)) => out.progress(&format!("{} waiting, {} dead", summary.waiting, summary.dead)),
                    Some(Err(_)) => store = None,
                    None => {}
                }
            }
            out.progress("");
        });
        let result = work();
        drop(done);
        result
    })
}

fn print(as_json: bool, key: &str, count: usize, text: &str, out: &mut Output) {
    if as_json { out.line(&json!({ key: count }).to_string()) } else { out.line(text) }
}

fn existing(config: &Config) -> Result<Store, Failure> {
    let nothing = || Failure::Other(Exit::Usage, format!("nothing was ever queued in {}", config.state_dir.display()));
    Store::open_existing(config.outbox_at())?.ok_or_else(nothing)
}

fn number(id: &str) -> Result<i64, Failure> {
    id.parse().map_err(|_| Failure::Other(Exit::Usage, format!("\"{id}\" isn't a number; see `ackbell queue list`")))
}

fn not_found(id: &str) -> Failure {
    Failure::Other(Exit::Usage, format!("no waiting or dead message has the number {id}; see `ackbell queue list`"))
}

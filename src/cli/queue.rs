//! `ackbell queue`: what waits, what is dead, and what to do about it.

use super::args::{QueueArgs, QueueVerb};
use super::{Exit, Output, load};
use crate::clock;
use crate::config::{Config, Environment};
use crate::deliver::{self, Here};
use crate::lock::DeliveryLock;
use crate::spool::{Entry, Spool};
use crate::store::{Row, Store, StoreError};
use crate::wake;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

/// How many deliveries are listed.
const LIST_MAX: u32 = 10_000;
/// How long `flush` goes on.
const FLUSH_BUDGET: Duration = Duration::from_secs(10 * 60);

/// Why a queue command couldn't be done.
enum Failure {
    Store(StoreError),
    Said(Exit, String),
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
        QueueVerb::List { all } => list(&config, all, args.json, out),
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
        Err(Failure::Said(exit, text)) => {
            out.error(&text);
            exit
        }
    }
}

fn list(config: &Config, all: bool, as_json: bool, out: &mut Output) -> Result<Exit, Failure> {
    let spool = Spool::new(&config.state_dir);
    let (spooled, _) = spool.waiting();
    let bad = spool.bad();
    let store = Store::open_existing(&config.state_dir)?;
    let (rows, summary) = match &store {
        Some(store) => (store.rows(all, LIST_MAX)?, store.summary()?),
        None => (Vec::new(), crate::store::Summary::default()),
    };
    if as_json {
        let rows: Vec<Value> = rows.iter().map(row_json).collect();
        let oldest = summary.oldest.map(|ms| ms / 1000);
        out.line(
            &json!({ "spooled": spooled, "waiting": summary.waiting, "dead": summary.dead,
            "oldest_waiting": oldest, "bad_spool_files": bad, "deliveries": rows })
            .to_string(),
        );
        return Ok(Exit::Done);
    }
    let mut text = String::new();
    if !rows.is_empty() {
        text.push_str(&format!(
            "{:>6}  {:<9}  {:<20}  {:>6}  {:>5}  NOTIFICATION\n",
            "ID", "STATE", "TO", "AGE", "TRIES"
        ));
    }
    let now = clock::wall_ms();
    for row in &rows {
        text.push_str(&row_line(row, now));
    }
    text.push_str(&format!("{} waiting, {} dead, {spooled} in the spool", summary.waiting, summary.dead));
    if !bad.is_empty() {
        text.push_str(&format!(", {} unreadable in {}/spool/bad", bad.len(), config.state_dir.display()));
    }
    out.line(&text);
    Ok(Exit::Done)
}

fn row_line(row: &Row, now: i64) -> String {
    let to = place(row);
    let state = row.notification.state_name().unwrap_or("-");
    let what = format!("{} {state} {}", row.notification.kind.name(), row.notification.object_label());
    let mut line = format!(
        "{:>6}  {:<9}  {to:<20}  {:>6}  {:>5}  {what}\n",
        row.id,
        row.state,
        age(now - row.received),
        row.attempts
    );
    if let Some(reason) = &row.reason {
        let wait = row.due.saturating_sub(now);
        let next =
            if row.state == "waiting" && wait > 0 { format!(" (next try in {})", age(wait)) } else { String::new() };
        line.push_str(&format!("        {reason}{next}\n"));
    }
    line
}

fn place(row: &Row) -> String {
    match (row.integration.as_str(), row.target.as_str()) {
        ("", _) => "nowhere".to_owned(),
        ("default", "") => "webhook".to_owned(),
        ("default", target) => target.to_owned(),
        (integration, "") => format!("{integration}: webhook"),
        (integration, target) => format!("{integration}: {target}"),
    }
}

/// `42s`, `7m`, `3h`, `2d`
fn age(ms: i64) -> String {
    match ms.max(0) / 1000 {
        s @ 0..120 => format!("{s}s"),
        s @ 120..7200 => format!("{}m", s / 60),
        s @ 7200..172_800 => format!("{}h", s / 3600),
        s => format!("{}d", s / 86_400),
    }
}

fn row_json(row: &Row) -> Value {
    json!({
        "id": row.id, "state": row.state, "integration": row.integration, "to": row.target,
        "received": row.received / 1000, "due": row.due / 1000, "attempts": row.attempts, "reason": row.reason,
        "spool_id": row.spool_id, "channel": row.channel, "ts": row.ts, "notification": row.notification,
    })
}

fn show(config: &Config, id: &str, as_json: bool, out: &mut Output) -> Result<Exit, Failure> {
    let store = existing(config)?;
    let row = store.row(number(id)?)?.ok_or_else(|| none_of(id))?;
    if as_json {
        out.line(&row_json(&row).to_string());
        return Ok(Exit::Done);
    }
    let pretty = serde_json::to_string_pretty(&row.notification).unwrap_or_default();
    out.line(&format!("{}\n{pretty}", row_line(&row, clock::wall_ms()).trim_end()));
    Ok(Exit::Done)
}

/// Dead and waiting deliveries go at once; those that had no place are routed anew; bad spool files come back.
fn retry(config: &Config, id: Option<&str>, as_json: bool, out: &mut Output) -> Result<Exit, Failure> {
    let spool = Spool::new(&config.state_dir);
    let cant_write = |e: crate::spool::SpoolError| Failure::Said(Exit::CantWrite, e.to_string());
    let mut count = 0;
    let names = id.map_or_else(|| spool.bad(), |id| vec![id.to_owned()]);
    for name in names {
        count += usize::from(spool.bring_back(&name).map_err(cant_write)?);
    }
    if count == 0 || id.is_none() {
        let chosen = id.map(number).transpose()?;
        if let Some(store) = Store::open_existing(&config.state_dir)? {
            count += store.retry(chosen, clock::wall_ms())?;
            for row in store.unplaced(chosen)? {
                // Durable in the spool first: a kill before the removal routes it twice, never not at all.
                spool.put(&Entry { received: row.received, notification: row.notification }).map_err(cant_write)?;
                count += usize::from(store.drop_row(row.id)?);
            }
        }
    }
    if let (0, Some(id)) = (count, id) {
        return Err(none_of(id));
    }
    wake::hint(&config.runtime_dir);
    say(as_json, "retried", count, &format!("{count} to be tried again"), out);
    Ok(Exit::Done)
}

fn drop_one(config: &Config, id: &str, as_json: bool, out: &mut Output) -> Result<Exit, Failure> {
    let store = existing(config)?;
    if !store.drop_row(number(id)?)? {
        return Err(none_of(id));
    }
    say(as_json, "dropped", 1, &format!("{id} is dropped"), out);
    Ok(Exit::Done)
}

fn flush(config: &Config, env: &Environment, as_json: bool, out: &mut Output) -> Result<Exit, Failure> {
    let io =
        |e: std::io::Error| Failure::Said(Exit::CantWrite, format!("can't lock {}: {e}", config.state_dir.display()));
    let Some(lock) = DeliveryLock::try_take(&config.state_dir).map_err(io)? else {
        wake::hint(&config.runtime_dir);
        say(as_json, "delivering_elsewhere", 1, "a listener (or another process) delivers already; it was woken", out);
        return Ok(Exit::Done);
    };
    let here = deliver::here(config, env, lock, FLUSH_BUDGET);
    let waiting =
        Store::open_existing(&config.state_dir)?.map(|store| store.summary()).transpose()?.unwrap_or_default();
    match here {
        Err(e) => Err(Failure::Said(Exit::CantWrite, e.to_string())),
        Ok(Here::Done | Here::SomeoneElse) if waiting.waiting == 0 => {
            say(as_json, "waiting", 0, "nothing waits", out);
            Ok(Exit::Done)
        }
        Ok(_) => {
            let count = usize::try_from(waiting.waiting).unwrap_or(usize::MAX);
            say(as_json, "waiting", count, &format!("{count} still waiting; see `ackbell queue list`"), out);
            Ok(Exit::Later)
        }
    }
}

fn say(as_json: bool, key: &str, count: usize, text: &str, out: &mut Output) {
    if as_json { out.line(&json!({ key: count }).to_string()) } else { out.line(text) }
}

fn existing(config: &Config) -> Result<Store, Failure> {
    let nothing = || Failure::Said(Exit::Usage, format!("nothing was ever queued in {}", config.state_dir.display()));
    Store::open_existing(&config.state_dir)?.ok_or_else(nothing)
}

fn number(id: &str) -> Result<i64, Failure> {
    id.parse().map_err(|_| Failure::Said(Exit::Usage, format!("\"{id}\" is no number; see `ackbell queue list`")))
}

fn none_of(id: &str) -> Failure {
    Failure::Said(Exit::Usage, format!("nothing waiting or dead has the number {id}; see `ackbell queue list`"))
}

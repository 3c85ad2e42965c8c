//! The messages that wait or are dead, and the channels' subscriptions: tables for people, JSON for scripts.

use super::{Failure, row_json, subscription_json};
use crate::cli::args::QueueFilter;
use crate::cli::terminal::table::{Column, Table, number_column, text_column};
use crate::cli::{Exit, Output};
use crate::config::{COMMAND, Config};
use crate::model::notification::clean_line;
use crate::model::pattern::{Pattern, takes};
use crate::model::time_text::{Unit, short_span, utc};
use crate::state_dir::spool::Spool;
use crate::store::{DeliveryState, Row, Store, Summary};
use crate::system::clock;
use serde_json::{Value, json};

/// How many deliveries are listed.
const LIST_MAX: usize = 10_000;
const COLUMNS: [Column; 6] = [
    number_column("ID"),
    text_column("STATE"),
    text_column("TO"),
    number_column("AGE"),
    number_column("TRIES"),
    text_column("NOTIFICATION"),
];
const SUBSCRIPTIONS: [Column; 5] = [
    text_column("CHANNEL"),
    text_column("FILTER"),
    text_column("BY"),
    text_column("SINCE"),
    text_column("INTEGRATION"),
];

pub(super) fn deliveries(
    config: &Config,
    filter: &QueueFilter,
    as_json: bool,
    out: &mut Output,
) -> Result<Exit, Failure> {
    let spool = Spool::new(&config.state_dir);
    let spooled = spool.count();
    let bad = spool.bad();
    let store = Store::open_existing(config.outbox_at())?;
    let (rows, summary) = match &store {
        Some(store) => {
            let state = filter.state.as_deref().and_then(DeliveryState::from_name);
            let is_wanted = |row: &Row| state.is_none_or(|state| row.state == state) && is_wanted(row, filter);
            (store.rows(filter.all, LIST_MAX, is_wanted)?, store.summary()?)
        }
        None => (Vec::new(), Summary::default()),
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
    if !rows.is_empty() {
        out.line(&table(&rows, clock::wall_ms(), out));
    }
    let mut text = format!("{} waiting, {} dead, {spooled} in the spool", summary.waiting, summary.dead);
    if !bad.is_empty() {
        text.push_str(&format!(", {} unreadable in {}/spool/bad", bad.len(), config.state_dir.display()));
    }
    out.line(&text);
    Ok(Exit::Done)
}

fn is_wanted(row: &Row, filter: &QueueFilter) -> bool {
    let like = |pattern: &Option<String>, texts: &[Option<&str>]| {
        pattern.as_ref().is_none_or(|pattern| takes(&[Pattern(pattern.clone())], texts))
    };
    like(&filter.host, &[row.incoming.host_name()])
        && like(&filter.to, &[Some(&destination(row)), Some(&row.queue.target.as_text()), row.channel.as_deref()])
}

/// The deliveries as lines, each with its reason below it.
pub(super) fn table(rows: &[Row], now: i64, out: &Output) -> String {
    let cells: Vec<Vec<String>> = rows.iter().map(|row| cells(row, now)).collect();
    let table = Table::of(&COLUMNS, &cells, out.columns);
    let mut lines = vec![table.head()];
    for (row, cells) in rows.iter().zip(&cells) {
        let line = table.line(cells);
        lines.push(if row.state == DeliveryState::Dead { out.paint("31", &line) } else { line });
        if let Some(reason) = &row.reason {
            let wait = row.due.saturating_sub(now);
            let is_later = row.state == DeliveryState::Waiting && wait > 0;
            let next = if is_later {
                format!(" (next try in {})", short_span(wait / 1000, Unit::Compact))
            } else {
                String::new()
            };
            lines.push(out.fit(&format!("        {reason}{next}")));
        }
    }
    lines.join("\n")
}

fn cells(row: &Row, now: i64) -> Vec<String> {
    vec![
        row.id.to_string(),
        row.state.name().to_owned(),
        destination(row),
        short_span((now - row.received) / 1000, Unit::Compact),
        row.attempts.to_string(),
        row.incoming.summary(),
    ]
}

fn destination(row: &Row) -> String {
    match (row.queue.integration.as_str(), &row.queue.target) {
        ("", _) => "nowhere".to_owned(),
        ("default", target) => target.to_string(),
        (integration, target) => format!("{integration}: {target}"),
    }
}

/// The channels' subscriptions from Slack: routes beside the configuration's.
pub(super) fn subscriptions(config: &Config, as_json: bool, out: &mut Output) -> Result<Exit, Failure> {
    let store = Store::open_existing(config.outbox_at())?;
    let all = store.map(|store| store.subscriptions()).transpose()?.unwrap_or_default();
    if as_json {
        out.line(&json!({ "subscriptions": all.iter().map(subscription_json).collect::<Vec<_>>() }).to_string());
        return Ok(Exit::Done);
    }
    if all.is_empty() {
        let command = config.integrations.first().map_or(COMMAND, |first| &first.command);
        out.line(&format!("no channel has a subscription; to add one, type {command} subscribe in Slack"));
        return Ok(Exit::Done);
    }
    let cells = all.iter().map(|one| {
        let filter = if one.filter.is_empty() { "everything" } else { &one.filter };
        let by = clean_line(if one.name.is_empty() { &one.user } else { &one.name });
        vec![one.channel.clone(), filter.to_owned(), by.clone(), utc(one.at / 1000), one.integration.clone()]
    });
    let cells: Vec<Vec<String>> = cells.collect();
    let table = Table::of(&SUBSCRIPTIONS, &cells, out.columns);
    out.line(&table.head());
    for cells in &cells {
        out.line(&table.line(cells));
    }
    Ok(Exit::Done)
}

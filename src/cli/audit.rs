//! `ackbell audit`: the actions from Slack, with person, time and the core's answer.

use super::args::AuditArgs;
use super::{Exit, Output, load};
use crate::cli::terminal::table::{Column, Table, text_column};
use crate::model::notification::clean_line;
use crate::model::pattern::{Pattern, takes};
use crate::model::time_text::utc;
use crate::store::{AuditStep, Chain, Store, StoreError};
use crate::system::clock;
use crate::system::environment::Environment;
use serde_json::{Value, json};
use std::path::Path;

const COLUMNS: [Column; 5] =
    [text_column("WHEN"), text_column("STEP"), text_column("ACTION"), text_column("OBJECT"), text_column("BY")];
/// A row takes some microseconds.
const PROGRESS_EVERY: i64 = 20_000;

pub(super) fn run(args: &AuditArgs, path: Option<&Path>, env: &Environment, out: &mut Output) -> Exit {
    let config = match load(path, env, out) {
        Ok(config) => config,
        Err(exit) => return exit,
    };
    let shown = Store::open_existing(config.outbox_at()).and_then(|store| match store {
        None if args.verify => Ok(verdict(&Chain::Whole { rows: 0, last: String::new() }, args.json, out)),
        None => Ok(Exit::Done),
        Some(store) if args.verify => {
            let progress = |seq| {
                if seq % PROGRESS_EVERY == 0 {
                    out.progress(&format!("{seq} rows follow from the one before"));
                }
            };
            let chain = store.verify_audit(progress);
            out.progress("");
            chain.map(|chain| verdict(&chain, args.json, out))
        }
        Some(store) => list(&store, args, out),
    });
    shown.unwrap_or_else(|e| {
        out.error(&e.to_string());
        Exit::CantWrite
    })
}

fn list(store: &Store, args: &AuditArgs, out: &mut Output) -> Result<Exit, StoreError> {
    let from = args.since.map_or(0, |span| (clock::wall_ms() - clock::millis(span)) / 1000);
    let wanted = |seq: i64, text: &str| {
        let mut entry = serde_json::from_str::<Value>(text).ok()?;
        entry["seq"] = Value::from(seq);
        Some(entry).filter(|entry| entry["at"].as_i64().unwrap_or(0) >= from && is_wanted(entry, args))
    };
    let mut table = Table::new(&COLUMNS);
    if !args.json {
        let mut is_empty = true;
        // Reads the rows twice: there may be more than fit into memory.
        store.audit(|seq, text| {
            if let Some(entry) = wanted(seq, text) {
                table.measure(&cells(&entry));
                is_empty = false;
            }
            true
        })?;
        if let Some(width) = out.columns {
            table.fit(width);
        }
        if !is_empty {
            out.line(&table.head());
        }
    }
    store.audit(|seq, text| {
        match wanted(seq, text) {
            Some(entry) if args.json => out.line(&entry.to_string()),
            Some(entry) => print(&entry, &table, out),
            None if serde_json::from_str::<Value>(text).is_err() => out.error(&format!("row {seq} can't be read")),
            None => {}
        }
        true
    })?;
    Ok(Exit::Done)
}

fn is_wanted(entry: &Value, args: &AuditArgs) -> bool {
    let like = |pattern: &Option<String>, text: &Value| {
        let Some(pattern) = pattern else { return true };
        takes(&[Pattern(pattern.clone())], &[Some(text.as_str().unwrap_or_default())])
    };
    let is = |wanted: &Option<String>, text: &Value| wanted.as_ref().is_none_or(|wanted| text == wanted.as_str());
    let user = args.user.as_ref().is_none_or(|wanted| {
        let wanted = wanted.to_lowercase();
        let known = [&entry["user"], &entry["name"], &entry["email"]];
        known.iter().any(|text| text.as_str().is_some_and(|text| text.to_lowercase().contains(&wanted)))
    });
    user && like(&args.host, &entry["object"]["host"])
        && like(&args.service, &entry["object"]["service"])
        && is(&args.action, &entry["action"])
        && is(&args.step, &entry["step"])
}

fn cells(entry: &Value) -> Vec<String> {
    let text = |value: &Value| clean_line(value.as_str().unwrap_or_default());
    let object = match (text(&entry["object"]["service"]), text(&entry["object"]["host"])) {
        (service, host) if service.is_empty() => host,
        (service, host) => format!("{service} on {host}"),
    };
    let object = if object.is_empty() { "a digest".to_owned() } else { object };
    let name = if text(&entry["name"]).is_empty() { text(&entry["user"]) } else { text(&entry["name"]) };
    let by = format!("{name} ({} in {})", text(&entry["user"]), text(&entry["channel"]));
    let at = utc(entry["at"].as_i64().unwrap_or(0));
    vec![at, text(&entry["step"]), text(&entry["action"]), object, by]
}

/// A row, and below it the commands and the detail.
fn print(entry: &Value, table: &Table, out: &mut Output) {
    let line = table.line(&cells(entry));
    let line = match entry["step"].as_str().and_then(AuditStep::from_name) {
        Some(AuditStep::Confirmed) => out.paint("32", &line),
        Some(AuditStep::Failed | AuditStep::Refused | AuditStep::NotTaken) => out.paint("31", &line),
        _ => line,
    };
    out.line(&line);
    let commands = entry["commands"].as_array().map(Vec::as_slice).unwrap_or_default();
    let details = commands.iter().chain([&entry["detail"]]).filter_map(Value::as_str);
    for detail in details.flat_map(str::lines).filter(|detail| !detail.is_empty()) {
        out.line(&out.fit(&format!("    {}", clean_line(detail.trim_end()))));
    }
}

fn verdict(chain: &Chain, as_json: bool, out: &mut Output) -> Exit {
    match chain {
        Chain::Whole { rows, last } => {
            let text = format!("rows: {rows}; each follows from the one before; the last one's hash is {last}");
            out.line(&if as_json { json!({ "whole": true, "rows": rows, "last": last }).to_string() } else { text });
            Exit::Done
        }
        Chain::Broken { seq } => {
            if as_json {
                out.line(&json!({ "whole": false, "broken_at": seq }).to_string());
            } else {
                out.error(&format!(
                    "row {seq} doesn't follow from the one before: it, or one before it, was changed or removed"
                ));
            }
            Exit::Refused
        }
    }
}

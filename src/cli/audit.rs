//! `ackbell audit`: who did what from Slack, when, and what the core made of it.

use super::args::AuditArgs;
use super::{Exit, Output, load};
use crate::clock;
use crate::config::{Environment, Pattern};
use crate::render::utc;
use crate::route::matcher::takes;
use crate::store::{Chain, Store, StoreError};
use serde_json::{Value, json};
use std::path::Path;

pub(super) fn run(args: &AuditArgs, path: Option<&Path>, env: &Environment, out: &mut Output) -> Exit {
    let config = match load(path, env, out) {
        Ok(config) => config,
        Err(exit) => return exit,
    };
    let shown = Store::open_existing(&config.state_dir).and_then(|store| match store {
        None if args.verify => Ok(verdict(&Chain::Whole { rows: 0, last: String::new() }, args.json, out)),
        None => Ok(Exit::Done),
        Some(store) if args.verify => store.verify_audit().map(|chain| verdict(&chain, args.json, out)),
        Some(store) => list(&store, args, out),
    });
    shown.unwrap_or_else(|e| {
        out.error(&e.to_string());
        Exit::CantWrite
    })
}

fn list(store: &Store, args: &AuditArgs, out: &mut Output) -> Result<Exit, StoreError> {
    let from = args.since.map_or(0, |span| (clock::wall_ms() - clock::millis(span)) / 1000);
    store.audit(|seq, text| {
        let Ok(mut entry) = serde_json::from_str::<Value>(text) else {
            out.error(&format!("row {seq} can't be read"));
            return true;
        };
        if entry["at"].as_i64().unwrap_or(0) >= from && is_wanted(&entry, args) {
            entry["seq"] = Value::from(seq);
            out.line(&if args.json { entry.to_string() } else { line(&entry) });
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

/// `2026-11-21 11:40:02 UTC  confirmed  acknowledge  Disk on web01  by Alice (U0123, C0456)`
fn line(entry: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let object = match (text(&entry["object"]["service"]), text(&entry["object"]["host"])) {
        (service, host) if service.is_empty() => host,
        (service, host) => format!("{service} on {host}"),
    };
    let object = if object.is_empty() { "a digest".to_owned() } else { object };
    let name = if text(&entry["name"]).is_empty() { text(&entry["user"]) } else { text(&entry["name"]) };
    let mut line = format!(
        "{}  {:<13}  {:<14}  {object}  by {name} ({} in {})",
        utc(entry["at"].as_i64().unwrap_or(0)),
        text(&entry["step"]),
        text(&entry["action"]),
        text(&entry["user"]),
        text(&entry["channel"]),
    );
    let commands = entry["commands"].as_array().map(Vec::as_slice).unwrap_or_default();
    let details = commands.iter().map(text).chain([text(&entry["detail"])]);
    for detail in details.filter(|detail| !detail.is_empty()) {
        line.push_str(&format!("\n    {}", detail.trim_end().replace('\n', "\n    ")));
    }
    line
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

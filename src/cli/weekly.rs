//! `ackbell report`: the summary of a time, for a terminal, a script or a browser.

use super::args::WeeklyArgs;
use super::{Exit, Output, load};
use crate::flow::weekly::summary;
use crate::model::notification::clean_line;
use crate::rules::weekly::Summary;
use crate::store::Store;
use crate::system::clock;
use crate::system::environment::Environment;
use std::path::Path;
use std::sync::Mutex;

const STYLE: &str = "body{font:16px/1.5 sans-serif;max-width:50em;margin:2em auto;padding:0 1em}table{border-collapse:collapse}\
    td,th{padding:.2em .8em .2em 0;text-align:left}td.n{text-align:right}:root{color-scheme:light dark}";

pub(super) fn run(args: &WeeklyArgs, path: Option<&Path>, env: &Environment, out: &mut Output) -> Exit {
    let config = match load(path, env, out) {
        Ok(config) => config,
        Err(exit) => return exit,
    };
    let counted = Store::open_existing(config.outbox_at()).and_then(|store| {
        let Some(store) = store else { return Ok(None) };
        let length = clock::millis(args.since) / 1000;
        summary(&store, &config, &Mutex::default(), (length, clock::wall_ms() / 1000)).map(Some)
    });
    match counted {
        Ok(None) => {
            out.error("nothing is remembered yet: no notification was delivered, and no log imported");
            Exit::Usage
        }
        Ok(Some(summary)) if args.json => {
            out.line(&summary.json().to_string());
            Exit::Done
        }
        Ok(Some(summary)) if args.html => {
            out.line(&page(&summary));
            Exit::Done
        }
        Ok(Some(summary)) => {
            out.line(&summary.lines().iter().map(|line| cleaned(line)).collect::<Vec<_>>().join("\n"));
            Exit::Done
        }
        Err(e) => {
            out.error(&e.to_string());
            Exit::CantWrite
        }
    }
}

/// The indent of a line is ours.
fn cleaned(line: &str) -> String {
    let text = line.trim_start();
    format!("{}{}", &line[..line.len() - text.len()], clean_line(text))
}

fn page(summary: &Summary) -> String {
    let mut body =
        format!("<h1>Notifications</h1><p>{}. In parentheses: the same time before.</p>", escaped(&summary.headline()));
    for list in &summary.lists {
        body.push_str(&format!("<h2>{}</h2><table><tr><th>Object<th>Now<th>Before</tr>", list.heading));
        for (name, now, before) in &list.rows {
            body.push_str(&format!("<tr><td>{}<td class=n>{now}<td class=n>{before}</tr>", escaped(name)));
        }
        body.push_str("</table>");
    }
    if !summary.answers.is_empty() {
        body.push_str(
            "<h2>Median to the first acknowledgement</h2><table><tr><th>Destination<th>Now<th>Problems<th>Before</tr>",
        );
        for (name, middle, count, before) in &summary.answers {
            let before = before.map_or_else(|| "none".to_owned(), crate::model::time_text::span);
            let middle = crate::model::time_text::span(*middle);
            body.push_str(&format!("<tr><td>{}<td>{middle}<td class=n>{count}<td>{before}</tr>", escaped(name)));
        }
        body.push_str("</table>");
    }
    format!(
        "<!doctype html><html lang=en><meta charset=utf-8><title>Notifications</title><style>{STYLE}</style><body>{body}</body></html>"
    )
}

fn escaped(text: &str) -> String {
    let text = clean_line(text);
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

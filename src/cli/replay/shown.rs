//! The numbers of a replay for a terminal, a script or a browser.

use crate::cli::terminal::table::{Column, Table, number_column, text_column};
use crate::config::Config;
use crate::flow::replay::{ReplayState, local_text};
use crate::model::notification::clean_line;
use crate::rules::replay::{Counts, Numbers};
use crate::system::order;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const COLUMNS: [Column; 5] = [
    text_column("DESTINATION"),
    number_column("MESSAGES"),
    number_column("AT NIGHT"),
    number_column("REPLIES"),
    number_column("EDITS"),
];
const MENTIONED: [Column; 3] = [text_column("MENTIONED"), number_column("MESSAGES"), number_column("AT NIGHT")];
const NIGHT: &str = "Night is 22:00 to 07:00 by this machine's clock.";
const STYLE: &str = "body{font:16px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}table{border-collapse:collapse}\
    td,th{padding:.2em .8em .2em 0;text-align:left}td.n{text-align:right}:root{color-scheme:light dark}";

/// Everything that is shown.
pub(super) struct Shown<'a> {
    pub(super) state: &'a ReplayState,
    pub(super) config: &'a Config,
    /// The configuration in force and its numbers, where another one was replayed.
    pub(super) before: Option<(&'a Config, &'a Counts)>,
}

/// A heading, the columns' names, and the rows.
type Section = (&'static str, Vec<&'static str>, Vec<Vec<String>>);

impl Shown<'_> {
    /// The lines for a terminal.
    pub(super) fn lines(&self, since: &str, files: usize, width: Option<usize>) -> Vec<String> {
        let mut lines = self.head(since, files);
        for (columns, rows) in [(&COLUMNS[..], self.destinations()), (&MENTIONED[..], self.mentions())] {
            if rows.is_empty() {
                continue;
            }
            let columns: &'static [Column] = if columns.len() == COLUMNS.len() { &COLUMNS } else { &MENTIONED };
            let table = Table::of(columns, &rows, width);
            lines.push(String::new());
            lines.push(table.head());
            lines.extend(rows.iter().map(|row| table.line(row)));
        }
        lines.push(String::new());
        lines.extend(self.tail());
        lines
    }

    /// One self-contained page.
    pub(super) fn page(&self, since: &str, files: usize) -> String {
        let mut body = format!("<h1>Replay</h1><p>{}</p>", escaped(&self.head(since, files).join(" ")));
        let sections: [Section; 2] = [
            ("Destinations", vec!["Destination", "Messages", "At night", "Replies", "Edits"], self.destinations()),
            ("Mentioned", vec!["Person or group", "Messages", "At night"], self.mentions()),
        ];
        for (heading, columns, rows) in sections.iter().filter(|(_, _, rows)| !rows.is_empty()) {
            let titles: String = columns.iter().map(|title| format!("<th>{title}")).collect();
            body.push_str(&format!("<h2>{heading}</h2><table><tr>{titles}</tr>"));
            for row in rows {
                let cells: String = row.iter().skip(1).map(|cell| format!("<td class=n>{}", escaped(cell))).collect();
                let name = row.first().map(|name| escaped(name)).unwrap_or_default();
                body.push_str(&format!("<tr><td>{name}{cells}</tr>"));
            }
            body.push_str("</table>");
        }
        for line in self.tail() {
            body.push_str(&format!("<p>{}</p>", escaped(&line)));
        }
        format!(
            "<!doctype html><html lang=en><meta charset=utf-8><title>Replay</title><style>{STYLE}</style><body>{body}</body></html>"
        )
    }

    pub(super) fn json(&self, from: i64, files: usize) -> Value {
        let of = |config: &Config, counts: &Counts| {
            let mut value = counts.json();
            value["config"] = json!(config.path);
            value
        };
        json!({
            "from": from, "files": files, "lines": self.state.lines, "commands": self.state.commands,
            "stopped": self.state.was_stopped, "replayed": of(self.config, &self.state.counts),
            "in_force": self.before.map(|(config, counts)| of(config, counts)),
        })
    }

    fn head(&self, since: &str, files: usize) -> Vec<String> {
        let counts = &self.state.counts;
        let mut head = vec![format!(
            "The last {since}: {}, {}, {}. Nothing was sent. {NIGHT}",
            counted(u64::try_from(files).unwrap_or(u64::MAX), "file"),
            counted(self.state.lines, "line"),
            counted(counts.notifications, "notification")
        )];
        if let Some((before, _)) = self.before {
            head.push(format!("In parentheses: the difference to the configuration in force, {}.", named(before)));
        }
        head
    }

    fn destinations(&self) -> Vec<Vec<String>> {
        let cells = |now: Numbers, before: Option<Numbers>| {
            let cell = |of: fn(&Numbers) -> u64| with_difference(of(&now), before.map(|before| of(&before)));
            vec![cell(|of| of.messages), cell(|of| of.at_night), cell(|of| of.replies), cell(|of| of.edits)]
        };
        self.rows(|counts| &counts.destinations, cells)
    }

    fn mentions(&self) -> Vec<Vec<String>> {
        let cells = |now: Numbers, before: Option<Numbers>| {
            let cell = |of: fn(&Numbers) -> u64| with_difference(of(&now), before.map(|before| of(&before)));
            vec![cell(|of| of.messages), cell(|of| of.at_night)]
        };
        self.rows(|counts| &counts.mentions, cells)
    }

    /// The rows of one table, those with the most messages first.
    fn rows(
        &self,
        table: fn(&Counts) -> &BTreeMap<String, Numbers>,
        cells: impl Fn(Numbers, Option<Numbers>) -> Vec<String>,
    ) -> Vec<Vec<String>> {
        let now = table(&self.state.counts);
        let before = self.before.map(|(_, counts)| table(counts));
        let names = order::set(now.keys().chain(before.into_iter().flat_map(BTreeMap::keys)));
        let numbers = |of: &BTreeMap<String, Numbers>, name: &String| of.get(name).copied().unwrap_or_default();
        let mut rows: Vec<(&String, Numbers, Option<Numbers>)> =
            names.into_iter().map(|name| (name, numbers(now, name), before.map(|of| numbers(of, name)))).collect();
        order::by_key(&mut rows, |(_, now, _)| std::cmp::Reverse(now.messages));
        let row = |(name, now, before): (&String, Numbers, Option<Numbers>)| {
            std::iter::once(clean_line(name)).chain(cells(now, before)).collect()
        };
        rows.into_iter().map(row).collect()
    }

    /// Storms, routes, and what a replay doesn't show.
    fn tail(&self) -> Vec<String> {
        let counts = &self.state.counts;
        let (storms, largest) = counts.storms();
        let before = self.before.map(|(_, counts)| counts.storms().0);
        let to_u64 = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        let mut lines =
            vec![format!("Storms that became one message: {}", with_difference(to_u64(storms), before.map(to_u64)))];
        for storm in &largest {
            let at = local_text(storm.at);
            lines.push(format!("  {at}  {}  {} problems", clean_line(&storm.destination), storm.problems));
        }
        if storms > largest.len() {
            lines.push(format!("  and {} smaller ones", storms - largest.len()));
        }
        lines.push(format!("Routes that never matched: {}", route_lines(&counts.unmatched())));
        if let Some((config, counts)) = self.before {
            lines.push(format!("In {}: {}", named(config), route_lines(&counts.unmatched())));
        }
        if counts.without_destination > 0 {
            lines.push(format!("Notifications without any destination: {}", counts.without_destination));
        }
        if !self.config.escalation.is_empty() || self.config.weekly.is_some() {
            lines.push("Not replayed: steps of [[escalate]], questions and [report].".to_owned());
        }
        lines
    }
}

fn counted(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

fn named(config: &Config) -> String {
    config.path.as_ref().map_or_else(|| "the environment".to_owned(), |path| clean_line(&path.display().to_string()))
}

fn route_lines(lines: &[usize]) -> String {
    match lines {
        [] => "none".to_owned(),
        [line] => format!("the one at line {line}"),
        several => {
            let several: Vec<String> = several.iter().map(ToString::to_string).collect();
            format!("those at lines {}", several.join(", "))
        }
    }
}

/// `12`, or with the difference to another number: `12 (+3)`.
fn with_difference(now: u64, before: Option<u64>) -> String {
    match before {
        None => now.to_string(),
        Some(before) if before == now => format!("{now} (=)"),
        Some(before) if before < now => format!("{now} (+{})", now - before),
        Some(before) => format!("{now} (-{})", before - now),
    }
}

fn escaped(text: &str) -> String {
    let text = clean_line(text);
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

//! An answer of Livestatus: a header of 16 bytes, then rows in JSON.

use crate::confirm::snapshot::{Acknowledged, State};
use serde_json::Value;

#[derive(Debug)]
pub(super) struct Table(Vec<Value>);

/// One row; a missing column is empty or 0.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'a>(&'a Value);

impl Table {
    /// Reads `200         106\n[[...],...]`.
    pub(super) fn of(answer: &[u8]) -> Result<Self, String> {
        let (header, body) = answer.split_at_checked(16).ok_or("the answer is cut off")?;
        let header = String::from_utf8_lossy(header);
        let (status, length) = header.trim().split_once(' ').ok_or("the answer has no header")?;
        if status != "200" {
            let text = crate::notification::clean_line(&String::from_utf8_lossy(body));
            return Err(format!("{status} {}", text.chars().take(200).collect::<String>()));
        }
        let length: usize = length.trim().parse().map_err(|_| "the answer has no length")?;
        let body = body.get(..length).ok_or("the answer is cut off")?;
        // A core passes on whatever bytes its plugins wrote.
        match serde_json::from_str(&String::from_utf8_lossy(body)) {
            Ok(Value::Array(rows)) => Ok(Self(rows)),
            Ok(_) => Err("the answer is no table".to_owned()),
            Err(e) => Err(format!("the answer can't be read: {e}")),
        }
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.0.iter().map(Row)
    }
}

impl<'a> Row<'a> {
    pub(super) fn text(self, column: usize) -> &'a str {
        self.0.get(column).and_then(Value::as_str).unwrap_or_default()
    }

    pub(super) fn number(self, column: usize) -> i64 {
        self.0.get(column).and_then(Value::as_i64).unwrap_or_default()
    }

    /// A list of names.
    pub(super) fn texts(self, column: usize) -> Vec<&'a str> {
        self.0.get(column).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// The columns behind the two names: see the query.
    pub(super) fn state(self) -> State {
        let acknowledged = match (self.number(4), self.number(5)) {
            (0, _) => Acknowledged::No,
            (_, 2) => Acknowledged::Sticky,
            _ => Acknowledged::Normal,
        };
        State {
            code: self.number(2).try_into().unwrap_or_default(),
            is_hard: self.number(3) == 1,
            acknowledged,
            downtime_depth: self.number(6).try_into().unwrap_or_default(),
            notifications_enabled: self.number(7) != 0,
            last_check: self.number(8),
            next_check: self.number(9),
            last_state_change: self.number(10),
            output: self.text(11).to_owned(),
            ..State::default()
        }
    }
}

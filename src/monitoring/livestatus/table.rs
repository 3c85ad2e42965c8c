//! An answer of Livestatus: a header of 16 bytes, then the rows, every field ended by a NUL.
//!
//! NUL is the one byte that no text of a core has, so nothing is escaped and every byte arrives as the core has it. Its
//! JSON isn't suitable: Naemon's module writes what is beyond U+FFFF as another character, and cuts a text at the first
//! byte that isn't UTF-8.

use crate::model::core_snapshot::{Acknowledged, State};

/// The query headers for this form of answer.
pub(super) const FORM: &str = "OutputFormat: csv\nSeparators: 0 0 1 2\nResponseHeader: fixed16\n";
/// Between the members of a list.
const LIST: char = '\u{1}';

#[derive(Debug)]
pub(super) struct Table {
    columns: usize,
    fields: Vec<String>,
}

/// One row; a missing column is empty or 0.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'a>(&'a [String]);

impl Table {
    /// Reads `200          24` and a newline, then the rows of an answer to this query.
    pub(super) fn parse(answer: &[u8], query: &str) -> Result<Self, String> {
        let (header, body) = answer.split_at_checked(16).ok_or("the answer is cut off")?;
        // Its last byte is a newline; Icinga 2 puts the rows' separator there.
        let header = String::from_utf8_lossy(&header[..15]);
        let (status, length) = header.trim().split_once(' ').ok_or("the answer has no header")?;
        if status != "200" {
            let text = crate::model::notification::clean_line(&String::from_utf8_lossy(body));
            return Err(format!("{status} {}", text.chars().take(200).collect::<String>()));
        }
        let length: usize = length.trim().parse().map_err(|_| "the answer has no length")?;
        let body = body.get(..length).ok_or("the answer is cut off")?;
        let names = query.lines().find_map(|line| line.strip_prefix("Columns: ")).unwrap_or_default();
        let columns = names.split(' ').count();
        // A core passes on whatever bytes its plugins wrote.
        let text = |field: &[u8]| String::from_utf8_lossy(field).into_owned();
        let fields: Vec<String> = match body.strip_suffix(b"\0") {
            Some(rows) => rows.split(|byte| *byte == 0).map(text).collect(),
            None if body.iter().all(u8::is_ascii_whitespace) => Vec::new(),
            None => return Err("the answer is no table".to_owned()),
        };
        if !fields.len().is_multiple_of(columns) {
            return Err("the answer is no table".to_owned());
        }
        Ok(Self { columns, fields })
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.fields.chunks_exact(self.columns).map(Row)
    }
}

impl<'a> Row<'a> {
    pub(super) fn text(self, column: usize) -> &'a str {
        self.0.get(column).map_or("", String::as_str)
    }

    /// The whole part: Icinga 2's times may have a fraction.
    #[expect(clippy::cast_possible_truncation, reason = "times and small numbers; what is out of range is cut")]
    pub(super) fn number(self, column: usize) -> i64 {
        let text = self.text(column);
        text.parse().unwrap_or_else(|_| text.parse::<f64>().unwrap_or_default() as i64)
    }

    /// A list of names.
    pub(super) fn texts(self, column: usize) -> Vec<&'a str> {
        Some(self.text(column)).filter(|text| !text.is_empty()).into_iter().flat_map(|text| text.split(LIST)).collect()
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
            is_pending: self.number(11) == 0,
            output: self.text(12).to_owned(),
            ..State::default()
        }
    }
}

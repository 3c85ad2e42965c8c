//! As much of Python as Checkmk writes into its configuration: assignments and `update` of plain values. Nothing is run.

use super::{DEPTH_MAX, Fault, line_of};

/// A value, and its line.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Item {
    pub(super) line: usize,
    pub(super) value: Value,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    None,
    True,
    False,
    Number(String),
    Text(String),
    /// A tuple, too.
    List(Vec<Item>),
    Dict(Vec<(Item, Item)>),
}

/// What the file gives the variable: `name = VALUE`, `name.update(VALUE)`, `name["key"] = VALUE`; other variables are
/// passed over.
pub(super) fn values_of(text: &str, name: &str) -> Result<Vec<Item>, Fault> {
    let mut reader = Reader { text, at: 0, counted: (0, 1) };
    let mut found = Vec::new();
    loop {
        reader.skip();
        if reader.rest().is_empty() {
            return Ok(found);
        }
        let (variable, value) = reader.statement()?;
        if variable == name {
            found.push(value);
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    /// A place that was passed, and its line.
    counted: (usize, usize),
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// The line of this place; what was counted isn't counted again.
    fn line(&mut self) -> usize {
        let (from, line) = self.counted;
        self.counted = (self.at, line + self.text[from..self.at].matches('\n').count());
        self.counted.1
    }

    fn fault(&self, message: &str) -> Fault {
        let seen: String = self.rest().lines().next().unwrap_or_default().chars().take(30).collect();
        let seen = if seen.is_empty() { "the end".to_owned() } else { format!("\"{}\"", seen.trim_end()) };
        Fault { line: line_of(self.text, self.at), message: format!("{message}, at {seen}") }
    }

    /// Passes over blanks, line ends and comments.
    fn skip(&mut self) {
        loop {
            let rest = self.rest();
            let trimmed =
                rest.trim_start_matches(|c: char| c.is_whitespace() || c == '\\' || c == ';' || c == '\u{feff}');
            self.at += rest.len() - trimmed.len();
            if !trimmed.starts_with('#') {
                return;
            }
            self.at += trimmed.find('\n').unwrap_or(trimmed.len());
        }
    }

    /// Passes over this text, if it is next.
    fn take(&mut self, text: &str) -> bool {
        self.skip();
        let is_next = self.rest().starts_with(text);
        self.at += if is_next { text.len() } else { 0 };
        is_next
    }

    fn expect(&mut self, text: &str) -> Result<(), Fault> {
        if self.take(text) { Ok(()) } else { Err(self.fault(&format!("\"{text}\" is missing"))) }
    }

    fn identifier(&mut self) -> &'a str {
        self.skip();
        let rest = self.rest();
        let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn statement(&mut self) -> Result<(&'a str, Item), Fault> {
        const ONLY: &str = "only values are read here (sites.update({...}), sites = {...})";
        let variable = self.identifier();
        if variable.is_empty() {
            return Err(self.fault(ONLY));
        }
        if self.take(".") {
            let start = self.at;
            if self.identifier() != "update" {
                self.at = start;
                return Err(self.fault(ONLY));
            }
            self.expect("(")?;
            let value = self.value(0)?;
            self.expect(")")?;
            return Ok((variable, value));
        }
        let key = if self.take("[") {
            let key = self.value(0)?;
            self.expect("]")?;
            Some(key)
        } else {
            None
        };
        if !(self.take("+=") || self.take("|=") || self.take("=")) {
            return Err(self.fault(ONLY));
        }
        let value = self.value(0)?;
        Ok((
            variable,
            match key {
                Some(key) => Item { line: key.line, value: Value::Dict(vec![(key, value)]) },
                None => value,
            },
        ))
    }

    fn value(&mut self, depth: usize) -> Result<Item, Fault> {
        self.skip();
        if depth > DEPTH_MAX {
            return Err(self.fault("values are nested too deep"));
        }
        let line = self.line();
        let rest = self.rest();
        let value = match rest.chars().next() {
            Some('{') => self.dict(depth)?,
            Some('[') => self.list("[", "]", depth)?,
            Some('(') => self.list("(", ")", depth)?,
            Some('0'..='9' | '-' | '+') => {
                let end = rest.find(|c: char| !(c.is_alphanumeric() || "-+._".contains(c))).unwrap_or(rest.len());
                self.at += end;
                Value::Number(rest[..end].to_owned())
            }
            _ if self.starts_text() => self.texts()?,
            _ => {
                let start = self.at;
                match self.identifier() {
                    "None" => Value::None,
                    "True" => Value::True,
                    "False" => Value::False,
                    _ => {
                        self.at = start;
                        return Err(self.fault("a plain value is missing"));
                    }
                }
            }
        };
        Ok(Item { line, value })
    }

    fn dict(&mut self, depth: usize) -> Result<Value, Fault> {
        self.expect("{")?;
        let mut entries = Vec::new();
        while !self.take("}") {
            let key = self.value(depth + 1)?;
            self.expect(":")?;
            entries.push((key, self.value(depth + 1)?));
            if !self.take(",") {
                self.expect("}")?;
                break;
            }
        }
        Ok(Value::Dict(entries))
    }

    fn list(&mut self, open: &str, close: &str, depth: usize) -> Result<Value, Fault> {
        self.expect(open)?;
        let mut items = Vec::new();
        while !self.take(close) {
            items.push(self.value(depth + 1)?);
            if !self.take(",") {
                self.expect(close)?;
                break;
            }
        }
        Ok(Value::List(items))
    }

    /// Where the string's quotes are that is next; before them only letters as in `u'...'`.
    fn quotes(&self) -> Option<usize> {
        let at = self.rest().find(['\'', '"'])?;
        (at <= 2 && self.rest()[..at].chars().all(|c| "uUrRbB".contains(c))).then_some(at)
    }

    fn starts_text(&self) -> bool {
        self.quotes().is_some()
    }

    /// One string, or several side by side, which are one.
    fn texts(&mut self) -> Result<Value, Fault> {
        let mut text = String::new();
        while let Some(prefix) = self.quotes() {
            let is_raw = self.rest()[..prefix].contains(['r', 'R']);
            self.text(prefix, is_raw, &mut text)?;
            self.skip();
        }
        Ok(Value::Text(text))
    }

    fn text(&mut self, prefix: usize, is_raw: bool, text: &mut String) -> Result<(), Fault> {
        let start = self.at;
        let rest = &self.rest()[prefix..];
        let quote = if rest.starts_with("'''") || rest.starts_with("\"\"\"") { &rest[..3] } else { &rest[..1] };
        self.at += prefix + quote.len();
        loop {
            let rest = self.rest();
            if rest.starts_with(quote) {
                self.at += quote.len();
                return Ok(());
            }
            let mut chars = rest.chars();
            match chars.next() {
                Some('\n') if quote.len() == 1 => break,
                Some('\\') if !is_raw => {
                    let escaped = chars.next();
                    self.at += 1 + escaped.map_or(0, char::len_utf8);
                    match escaped {
                        Some('\n') | None => {}
                        Some('n') => text.push('\n'),
                        Some('t') => text.push('\t'),
                        Some(c @ ('x' | 'u' | 'U')) => self.code(c, text)?,
                        Some(c @ ('\\' | '\'' | '"')) => text.push(c),
                        Some(c) => text.extend(['\\', c]),
                    }
                }
                Some(c) => {
                    self.at += c.len_utf8();
                    text.push(c);
                }
                None => break,
            }
        }
        self.at = start;
        Err(self.fault("the string has no end"))
    }

    /// The character of `\xe9`, `\u00e9` or `\U000000e9`.
    fn code(&mut self, kind: char, text: &mut String) -> Result<(), Fault> {
        let length = match kind {
            'x' => 2,
            'u' => 4,
            _ => 8,
        };
        let digits = self.rest().get(..length);
        let character = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok()).and_then(char::from_u32);
        let character = character.ok_or_else(|| self.fault("a character's number is missing"))?;
        self.at += length;
        text.push(character);
        Ok(())
    }
}

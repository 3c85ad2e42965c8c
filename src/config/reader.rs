//! Walks one table of the tree: asks for the keys it knows, then reports every other one.

use super::problem::{Mistake, Problems};
use super::suggest;
use super::tree::{Entry, Node, Span, Value};
use crate::system::environment::Environment;

/// A string of the file with its place.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Text<'a> {
    pub(crate) text: &'a str,
    pub(crate) span: Span,
}

/// A table being read. A key that was asked for is a known one; [`Table::finish`] reports the others.
#[derive(Debug)]
pub(crate) struct Table<'a> {
    /// As the reader knows it: `[slack]`, `[[route]]`, or `the file` at the top.
    pub(crate) name: String,
    /// Its first line, for problems about missing keys.
    pub(crate) span: Option<Span>,
    entries: &'a [Entry],
    known: Vec<&'static str>,
    passes_over_emptied: bool,
}

impl<'a> Table<'a> {
    /// A table under the name its problems use.
    pub(crate) fn new(name: impl Into<String>, span: Option<Span>, entries: &'a [Entry]) -> Self {
        Self { name: name.into(), span, entries, known: Vec::new(), passes_over_emptied: false }
    }

    /// The same, with a key that was emptied (`""`) counting as not given: whoever takes an integration out of use
    /// empties its fields. Not for patterns and rules, where less said means more allowed.
    pub(crate) fn passing_over_emptied(mut self) -> Self {
        self.passes_over_emptied = true;
        self
    }

    /// The value of a key, known from now on.
    pub(crate) fn node(&mut self, key: &'static str) -> Option<&'a Entry> {
        self.known.push(key);
        let is_emptied = |entry: &Entry| matches!(&entry.node.value, Value::Text(text) if text.is_empty());
        self.entries.iter().find(|entry| entry.key == key && !(self.passes_over_emptied && is_emptied(entry)))
    }

    /// Every key with its value, for tables whose keys are names.
    pub(crate) fn entries(&self) -> &'a [Entry] {
        self.entries
    }

    /// A string.
    pub(crate) fn text(&mut self, key: &'static str, problems: &mut Problems<'_>) -> Option<Text<'a>> {
        let entry = self.node(key)?;
        let Value::Text(text) = &entry.node.value else {
            problems.error(Some(entry.node.span), self.wrong_type(entry, "a string"));
            return None;
        };
        Some(Text { text, span: entry.node.span })
    }

    /// True or false.
    pub(crate) fn flag(&mut self, key: &'static str, problems: &mut Problems<'_>) -> Option<bool> {
        let entry = self.node(key)?;
        let Value::Flag(flag) = entry.node.value else {
            problems.error(Some(entry.node.span), self.wrong_type(entry, "true or false"));
            return None;
        };
        Some(flag)
    }

    /// A whole number of at least one.
    pub(crate) fn count(&mut self, key: &'static str, problems: &mut Problems<'_>) -> Option<u32> {
        let entry = self.node(key)?;
        let number = match &entry.node.value {
            Value::Number(number) => number.parse().ok().filter(|&number| number > 0),
            _ => None,
        };
        if number.is_none() {
            problems.error(Some(entry.node.span), self.wrong_type(entry, "a whole number of at least 1"));
        }
        number
    }

    /// A string, or a list of strings.
    pub(crate) fn texts(&mut self, key: &'static str, problems: &mut Problems<'_>) -> Option<Vec<Text<'a>>> {
        let entry = self.node(key)?;
        Some(texts_of(entry, &self.name, problems))
    }

    /// Whether it is given as a list.
    pub(crate) fn is_list(&self, key: &str) -> bool {
        self.entries.iter().any(|entry| entry.key == key && matches!(entry.node.value, Value::List(_)))
    }

    /// A string read into a strict value.
    pub(crate) fn parsed<T>(
        &mut self,
        key: &'static str,
        problems: &mut Problems<'_>,
        parse: impl Fn(&str) -> Result<T, Mistake>,
    ) -> Option<T> {
        let text = self.text(key, problems)?;
        parse(text.text).map_err(|mistake| problems.error(Some(text.span), mistake.about(key))).ok()
    }

    /// The same, from the environment variable `name` where the key isn't given; an empty variable isn't either.
    pub(crate) fn parsed_or<T>(
        &mut self,
        key: &'static str,
        (env, name): (&Environment, &str),
        problems: &mut Problems<'_>,
        parse: impl Fn(&str) -> Result<T, Mistake>,
    ) -> Option<T> {
        let Some(text) = self.text(key, problems) else {
            let value = env.get(name).filter(|value| !value.is_empty())?;
            return parse(&value).map_err(|mistake| problems.error(None, mistake.about(name))).ok();
        };
        parse(text.text).map_err(|mistake| problems.error(Some(text.span), mistake.about(key))).ok()
    }

    /// A string or list of strings, each read into a strict value; empty when the key is absent.
    pub(crate) fn parsed_list<T>(
        &mut self,
        key: &'static str,
        problems: &mut Problems<'_>,
        parse: impl Fn(&str) -> Result<T, Mistake>,
    ) -> Vec<T> {
        let texts = self.texts(key, problems).unwrap_or_default();
        texts
            .into_iter()
            .filter_map(|text| {
                parse(text.text).map_err(|mistake| problems.error(Some(text.span), mistake.about(key))).ok()
            })
            .collect()
    }

    /// A table inside.
    pub(crate) fn table(&mut self, key: &'static str, problems: &mut Problems<'_>) -> Option<Table<'a>> {
        let entry = self.node(key)?;
        let Value::Table(entries) = &entry.node.value else {
            problems.error(Some(entry.key_span), self.wrong_type(entry, "a table").remedy(format!("write [{key}]")));
            return None;
        };
        Some(Table::new(format!("[{key}]"), Some(entry.key_span), entries))
    }

    /// Tables under names of the user's choice: `[key.NAME]`.
    pub(crate) fn named_tables(&mut self, key: &'static str, problems: &mut Problems<'_>) -> Vec<(&'a str, Table<'a>)> {
        let Some(outer) = self.table(key, problems) else { return Vec::new() };
        let mut tables = Vec::new();
        for entry in outer.entries {
            let name = &entry.key;
            if let Value::Table(entries) = &entry.node.value {
                tables.push((name.as_str(), Table::new(format!("[{key}.{name}]"), Some(entry.key_span), entries)));
            } else {
                let remedy = format!("[{key}] holds tables with names of your choice: write [{key}.NAME]");
                problems.error(Some(entry.key_span), outer.wrong_type(entry, "a table").remedy(remedy));
            }
        }
        tables
    }

    /// A list of tables: `[[key]]`.
    pub(crate) fn tables(&mut self, key: &'static str, problems: &mut Problems<'_>) -> Vec<Table<'a>> {
        let Some(entry) = self.node(key) else { return Vec::new() };
        let remedy = format!("start each one with [[{key}]]");
        let Value::List(items) = &entry.node.value else {
            problems.error(Some(entry.key_span), self.wrong_type(entry, "a list of tables").remedy(remedy));
            return Vec::new();
        };
        let mut tables = Vec::new();
        for item in items {
            if let Value::Table(entries) = &item.value {
                tables.push(Table::new(format!("[[{key}]]"), Some(item.span), entries));
            } else {
                let message = format!("\"{key}\" must be a list of tables, this is {}", item.value.noun());
                problems.error(Some(item.span), Mistake::new(message).remedy(remedy.clone()));
            }
        }
        tables
    }

    /// Reports every key that was not asked for.
    pub(crate) fn finish(self, problems: &mut Problems<'_>) {
        for entry in self.entries.iter().filter(|entry| !self.known.contains(&entry.key.as_str())) {
            let mistake = Mistake::new(format!("unknown key \"{}\" in {}", entry.key, self.name));
            let remedy = suggest::did_you_mean(&entry.key, self.known.iter().copied());
            let remedy = remedy.unwrap_or_else(|| format!("known here: {}", self.known.join(", ")));
            problems.error(Some(entry.key_span), mistake.remedy(remedy));
        }
    }

    fn wrong_type(&self, entry: &Entry, wanted: &str) -> Mistake {
        wrong_type(entry, &self.name, wanted)
    }
}

/// The strings of an entry that is one string or a list of them.
pub(crate) fn texts_of<'a>(entry: &'a Entry, table: &str, problems: &mut Problems<'_>) -> Vec<Text<'a>> {
    let nodes: &[Node] = match &entry.node.value {
        Value::List(items) => items,
        _ => std::slice::from_ref(&entry.node),
    };
    let mut texts = Vec::with_capacity(nodes.len());
    for node in nodes {
        if let Value::Text(text) = &node.value {
            texts.push(Text { text, span: node.span });
        } else {
            let mistake = wrong_type(entry, table, "a string or a list of strings");
            problems.error(Some(node.span), mistake);
        }
    }
    texts
}

fn wrong_type(entry: &Entry, table: &str, wanted: &str) -> Mistake {
    let found = entry.node.value.noun();
    let message = format!("\"{}\" in {table} must be {wanted}, this is {found}", entry.key);
    match &entry.node.value {
        Value::Number(_) if wanted.contains("string") => Mistake::new(message).remedy("put it in double quotes"),
        Value::Text(text) if wanted == "true or false" && matches!(text.as_str(), "true" | "false") => {
            Mistake::new(message).remedy("remove the quotes")
        }
        _ => Mistake::new(message),
    }
}

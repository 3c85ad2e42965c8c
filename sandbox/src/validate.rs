//! Slack's rules for what a message may hold, applied to every level of it.
//!
//! What Slack refuses becomes a *problem*, with the words and the pointer Slack uses; what it would take but nobody
//! should send becomes a *note*. Lengths are counted in Unicode scalars of the escaped text, which is the stricter way.

mod attachments;
mod blocks;
mod elements;
mod limits;
mod metadata;
mod mrkdwn;
mod objects;
mod view;

use std::collections::HashSet;

use serde_json::{Map, Value};

pub(super) use metadata::metadata_error;
pub(super) use view::view;

/// Where blocks are shown; each place takes other ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Surface {
    Message,
    Modal,
    Home,
}

/// What was found in one message or view.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// Lines for `response_metadata.messages`; any of them refuses the whole.
    pub(super) problems: Vec<String>,
    /// Kind and detail of violations.
    pub(super) notes: Vec<(&'static str, String)>,
    block_ids: HashSet<String>,
    markdown_chars: usize,
    tables: usize,
}

/// Checks the blocks of a message; `pointer` is where they stand.
pub(super) fn message_blocks(blocks: &[Value], pointer: &str, findings: &mut Findings) {
    blocks::check(blocks, pointer, Surface::Message, findings);
}

/// Checks a message's attachments.
pub(super) fn message_attachments(list: &[Value], findings: &mut Findings) {
    attachments::check(list, findings);
}

/// Checks the markup of a message's `text`.
pub(super) fn message_text(text: &str, findings: &mut Findings) {
    mrkdwn::check(text, "/text", findings);
}

impl Findings {
    fn problem(&mut self, pointer: &str, message: &str) {
        self.problems.push(format!("[ERROR] {message} [json-pointer:{pointer}]"));
    }

    fn add_violation(&mut self, kind: &'static str, detail: String) {
        self.notes.push((kind, detail));
    }

    /// The fields of an object, or a problem.
    fn object<'a>(&mut self, value: &'a Value, pointer: &str) -> Option<&'a Map<String, Value>> {
        if value.is_null() {
            self.add_violation("null_value", pointer.to_owned());
        }
        let fields = value.as_object();
        if fields.is_none() {
            self.problem(pointer, "must provide an object");
        }
        fields
    }

    /// Every field must be one of `known`, and none null.
    fn known_fields(&mut self, fields: &Map<String, Value>, pointer: &str, known: &[&[&str]]) {
        for (name, value) in fields {
            if !known.iter().any(|list| list.contains(&name.as_str())) {
                self.problem(pointer, &format!("invalid additional property: {name}"));
            } else if value.is_null() {
                self.add_violation("null_value", format!("{pointer}/{name}"));
                self.problem(&format!("{pointer}/{name}"), "must not be null");
            }
        }
    }

    /// Text of 1 to `max` characters, if it is there.
    fn string(&mut self, fields: &Map<String, Value>, pointer: &str, name: &str, max: usize) {
        let Some(value) = fields.get(name) else { return };
        let pointer = format!("{pointer}/{name}");
        match value.as_str() {
            None => self.problem(&pointer, "must be a string"),
            Some(text) => self.length(text, &pointer, 1, max),
        }
    }

    /// The same, and it must be there.
    fn required_string(&mut self, fields: &Map<String, Value>, pointer: &str, name: &str, max: usize) {
        if self.required(fields, pointer, name).is_some() {
            self.string(fields, pointer, name, max);
        }
    }

    fn required<'a>(&mut self, fields: &'a Map<String, Value>, pointer: &str, name: &str) -> Option<&'a Value> {
        let value = fields.get(name);
        if value.is_none() {
            self.problem(pointer, &format!("missing required field: {name}"));
        }
        value
    }

    fn length(&mut self, text: &str, pointer: &str, min: usize, max: usize) {
        let count = text.chars().count();
        if count < min {
            self.problem(pointer, &format!("must be more than {} characters", min - 1));
        }
        if count > max {
            self.problem(pointer, &format!("must be less than {} characters", max + 1));
        }
    }

    /// A list of `min` to `max` items, if it is there.
    fn list<'a>(
        &mut self,
        fields: &'a Map<String, Value>,
        pointer: &str,
        name: &str,
        (min, max): (usize, usize),
    ) -> &'a [Value] {
        let Some(value) = fields.get(name) else { return &[] };
        let pointer = format!("{pointer}/{name}");
        let Some(items) = value.as_array() else {
            self.problem(&pointer, "must be an array");
            return &[];
        };
        if items.len() < min {
            self.problem(&pointer, &format!("no fewer than {min} items allowed"));
        }
        if items.len() > max {
            self.problem(&pointer, &format!("no more than {max} items allowed"));
        }
        items
    }

    fn boolean(&mut self, fields: &Map<String, Value>, pointer: &str, name: &str) {
        if fields.get(name).is_some_and(|value| !value.is_boolean()) {
            self.problem(&format!("{pointer}/{name}"), "must be a boolean");
        }
    }

    fn one_of(&mut self, fields: &Map<String, Value>, pointer: &str, name: &str, allowed: &[&str]) {
        if let Some(value) = fields.get(name)
            && !value.as_str().is_some_and(|text| allowed.contains(&text))
        {
            self.problem(&format!("{pointer}/{name}"), &format!("must be a valid enum value: {}", allowed.join(", ")));
        }
    }

    fn url(&mut self, fields: &Map<String, Value>, pointer: &str, name: &str, max: usize) {
        self.string(fields, pointer, name, max);
        let bad = fields.get(name).and_then(Value::as_str).is_some_and(|url| {
            let schemes = ["http://", "https://", "mailto:", "slack://", "tel:"];
            !schemes.iter().any(|scheme| url.starts_with(scheme)) || url.chars().any(char::is_whitespace)
        });
        if bad {
            self.problem(&format!("{pointer}/{name}"), "must be a valid URL");
        }
    }
}

#[cfg(test)]
mod tests;

//! One spanned tree for both languages of the configuration: what the reader walks, with each thing's place.

use crate::system::order;
use jsonc_parser::ast;
use toml::de::{DeTable, DeValue};

/// A half-open range of bytes in the file's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// A value with its place.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) span: Span,
    pub(crate) value: Value,
}

/// A value of either language.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Text(String),
    Flag(bool),
    /// A number as it is written.
    Number(String),
    DateTime,
    Null,
    List(Vec<Node>),
    Table(Vec<Entry>),
}

impl Value {
    /// Its type's name, with the article.
    pub(crate) fn noun(&self) -> &'static str {
        match self {
            Self::Text(_) => "a string",
            Self::Flag(_) => "true or false",
            Self::Number(_) => "a number",
            Self::DateTime => "a date",
            Self::Null => "null",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
        }
    }
}

/// A key and its value, in the file's order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_span: Span,
    pub(crate) node: Node,
}

/// The position where the text isn't TOML or JSON any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SyntaxError {
    pub(crate) span: Span,
    pub(crate) message: String,
    pub(crate) remedy: Option<&'static str>,
}

/// Reads TOML; all its syntax errors at once.
pub(crate) fn parse_toml(text: &str) -> Result<Vec<Entry>, Vec<SyntaxError>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        return Ok(toml_entries(table.into_inner()));
    }
    Err(errors
        .into_iter()
        .map(|error| {
            let span = error.span().unwrap_or(0..0);
            let span = Span { start: span.start, end: span.end };
            SyntaxError { span, message: error.message().to_owned(), remedy: toml_remedy(error.message()) }
        })
        .collect())
}

/// The remedies of the most common mistakes.
fn toml_remedy(message: &str) -> Option<&'static str> {
    if message.contains("duplicate key") {
        Some("remove one of the two")
    } else if message.contains("quoted") || message.contains("string") {
        Some("write text in double quotes")
    } else {
        None
    }
}

fn toml_entries(table: DeTable<'_>) -> Vec<Entry> {
    let mut entries: Vec<Entry> = table
        .into_iter()
        .map(|(key, value)| {
            let span = key.span();
            let key_span = Span { start: span.start, end: span.end };
            Entry { key: key.into_inner().into_owned(), key_span, node: toml_node(value) }
        })
        .collect();
    order::by_key(&mut entries, |entry| entry.key_span.start);
    entries
}

fn toml_node(value: toml::Spanned<DeValue<'_>>) -> Node {
    let span = value.span();
    let span = Span { start: span.start, end: span.end };
    let value = match value.into_inner() {
        DeValue::String(text) => Value::Text(text.into_owned()),
        DeValue::Boolean(flag) => Value::Flag(flag),
        DeValue::Integer(number) => Value::Number(number.to_string()),
        DeValue::Float(number) => Value::Number(number.to_string()),
        DeValue::Datetime(_) => Value::DateTime,
        DeValue::Array(items) => Value::List(items.into_iter().map(toml_node).collect()),
        DeValue::Table(table) => Value::Table(toml_entries(table)),
    };
    Node { span, value }
}

/// Reads strict JSON: no comments, no trailing commas, each key once.
pub(crate) fn parse_json(text: &str) -> Result<Vec<Entry>, Vec<SyntaxError>> {
    let strict = jsonc_parser::ParseOptions {
        allow_comments: false,
        allow_loose_object_property_names: false,
        allow_trailing_commas: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
    };
    let parsed = jsonc_parser::parse_to_ast(text, &jsonc_parser::CollectOptions::default(), &strict);
    let value = match parsed {
        Ok(result) => result.value,
        Err(error) => return Err(vec![json_error(&error)]),
    };
    let mut errors = Vec::new();
    match value {
        Some(ast::Value::Object(object)) => {
            let entries = json_entries(object, &mut errors);
            if errors.is_empty() { Ok(entries) } else { Err(errors) }
        }
        _ => Err(vec![SyntaxError {
            span: Span { start: 0, end: 0 },
            message: "not a JSON object".to_owned(),
            remedy: Some("start the file with \"{\""),
        }]),
    }
}

fn json_error(error: &jsonc_parser::errors::ParseError) -> SyntaxError {
    use jsonc_parser::errors::ParseErrorKind;
    let remedy = match error.kind() {
        ParseErrorKind::CommentsNotAllowed => Some("remove the comment, or write the configuration as TOML"),
        ParseErrorKind::TrailingCommasNotAllowed => Some("remove the comma"),
        ParseErrorKind::SingleQuotedStringsNotAllowed => Some("use double quotes"),
        ParseErrorKind::ExpectedComma => Some("put a comma before this"),
        _ => None,
    };
    let kind = error.kind().to_string();
    let mut letters = kind.chars();
    let message = letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect());
    SyntaxError { span: Span { start: error.range().start, end: error.range().end }, message, remedy }
}

fn json_entries(object: ast::Object<'_>, errors: &mut Vec<SyntaxError>) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::with_capacity(object.properties.len());
    for property in object.properties {
        let range = match &property.name {
            ast::ObjectPropName::String(name) => name.range,
            ast::ObjectPropName::Word(name) => name.range,
        };
        let key_span = Span { start: range.start, end: range.end };
        let key = property.name.into_string();
        if entries.iter().any(|entry| entry.key == key) {
            errors.push(SyntaxError {
                span: key_span,
                message: "duplicate key".to_owned(),
                remedy: Some("remove one of the two"),
            });
        }
        entries.push(Entry { key, key_span, node: json_node(property.value, errors) });
    }
    entries
}

fn json_node(value: ast::Value<'_>, errors: &mut Vec<SyntaxError>) -> Node {
    let range = jsonc_parser::common::Ranged::range(&value);
    let value = match value {
        ast::Value::StringLit(text) => Value::Text(text.value.into_owned()),
        ast::Value::BooleanLit(flag) => Value::Flag(flag.value),
        ast::Value::NumberLit(number) => Value::Number(number.value.to_owned()),
        ast::Value::NullKeyword(_) => Value::Null,
        ast::Value::Array(array) => {
            Value::List(array.elements.into_iter().map(|item| json_node(item, errors)).collect())
        }
        ast::Value::Object(object) => Value::Table(json_entries(object, errors)),
    };
    Node { span: Span { start: range.start, end: range.end }, value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn toml_keeps_the_files_order_and_places() {
        let text = "b = \"x\"\na = [true, 1]\n\n[[route]]\nto = \"#ops\"\n";
        let entries = parse_toml(text).unwrap();
        assert_eq!(entries.iter().map(|entry| entry.key.as_str()).collect::<Vec<_>>(), ["b", "a", "route"]);
        assert_eq!(entries[1].node.span, Span { start: 12, end: 21 });
        let Value::List(routes) = &entries[2].node.value else { panic!("{entries:?}") };
        assert_eq!(&text[routes[0].span.start..routes[0].span.end], "[[route]]");
    }

    #[test]
    fn json_is_strict() {
        for (text, message) in [
            ("{\"a\": 1} // no", "comments are not allowed"),
            ("{\"a\": 1,}", "trailing commas are not allowed"),
            ("{'a': 1}", "single-quoted strings are not allowed"),
            ("{\"a\": 1, \"a\": 2}", "duplicate key"),
            ("[]", "not a JSON object"),
            ("", "not a JSON object"),
        ] {
            assert_eq!(parse_json(text).unwrap_err()[0].message, message, "{text}");
        }
    }
}

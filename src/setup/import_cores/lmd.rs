//! LMD's `lmd.ini`, which is TOML: one `[[Connections]]` for each core, `source` its address or alternatives. Keys in any
//! case. (<https://github.com/sni/lmd>: `lmd.ini.example`, README)

use super::{Fault, Found, line_of};
use crate::system::order;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

pub(super) fn read(text: &str) -> Result<Vec<Found>, Fault> {
    let at = |at: usize, message: &str| Fault { line: line_of(text, at), message: message.to_owned() };
    let file = DeTable::parse(text)
        .map_err(|e| at(e.span().map_or(0, |span| span.start), e.message().trim_end_matches('.')))?;
    let mut found = Vec::new();
    for (_, value) in file.get_ref().iter().filter(|(key, _)| key.get_ref().eq_ignore_ascii_case("connections")) {
        let DeValue::Array(connections) = value.get_ref() else {
            return Err(at(value.span().start, "Connections isn't a list of tables: write [[Connections]]"));
        };
        for connection in connections {
            let DeValue::Table(table) = connection.get_ref() else {
                return Err(at(connection.span().start, "a connection isn't a table: write [[Connections]]"));
            };
            found.push(
                core(table, line_of(text, connection.span().start))
                    .map_err(|(position, message)| at(position, &message))?,
            );
        }
    }
    // "Connections" and "connections" are two keys.
    order::by_key(&mut found, |core: &Found| core.line);
    Ok(found)
}

fn core(table: &DeTable<'_>, line: usize) -> Result<Found, (usize, String)> {
    let mut core = Found { line, kind: "naemon", ..Found::default() };
    let mut id = String::new();
    for (key, value) in table {
        match key.get_ref().to_ascii_lowercase().as_str() {
            "name" => core.name = string("name", value)?,
            "id" => id = string("id", value)?,
            "source" | "fallback" => {
                let sources = match value.get_ref() {
                    DeValue::Array(sources) => sources.iter().map(|source| string("source", source)).collect(),
                    _ => string("source", value).map(|source| vec![source]),
                };
                sources?.iter().for_each(|source| core.add(source));
            }
            // Of the web interface.
            "section" | "flags" | "noconfigtool" | "auth" | "remote_name" => {}
            _ => core.notes.push(format!("Not taken over: {}", key.get_ref())),
        }
    }
    if core.name.is_empty() {
        core.name = id;
    }
    if core.name.is_empty() {
        return Err((
            table.iter().next().map_or(0, |(key, _)| key.span().start),
            "the connection has neither name nor id".to_owned(),
        ));
    }
    Ok(core)
}

fn string(key: &str, value: &Spanned<DeValue<'_>>) -> Result<String, (usize, String)> {
    match value.get_ref() {
        DeValue::String(text) => Ok(text.to_string()),
        _ => Err((value.span().start, format!("{key} isn't a string"))),
    }
}

//! Each statement of the sources is one text that both engines take.

use super::*;
use crate::store::db::postgres::{Link, Server};

/// What stands in braces in a statement of a file, and each text that it may stand for. A `const` of the file is read from it.
const PARTS: &[(&str, &str, &[&str])] = &[
    ("", "table", &["post", "digest"]),
    ("", "READ_MAX", &["9"]),
    ("", "COVERED_MAX", &["9"]),
    ("", "PROBLEMS_MAX", &["9"]),
    ("", "HOUR_MS", &["9"]),
    ("", "clock", &["CAST(0 AS BIGINT)"]),
    (
        "action.rs",
        "rows",
        &["action_request WHERE state = 'done' AND at < ?1", "action_request WHERE outcome = 'refused' AND at < ?1"],
    ),
    ("claim.rs", "", &["post", "digest"]),
    ("claim.rs", "json", &["updated"]),
    ("claim.rs", "which", &["d.post = ?1 ORDER BY d.id", "d.digest = ?1 AND d.line = 1 ORDER BY d.urgency DESC, d.id"]),
    ("curve.rs", "rows", &["curve WHERE until <= ?1 OR until > ?2"]),
    ("curve.rs", "edits", &["delivery WHERE curve = 1 AND state = 'waiting' AND (since + ?3 <= ?1 OR since > ?2)"]),
    ("digest.rs", "own_line", &["m.is_host = 1"]),
    ("escalation.rs", "column", &["id", "digest"]),
    ("escalation.rs", "which", &["object = ?1", "digest = ?1"]),
    ("rows.rs", "table", &["verdict WHERE at < ?1", "open_problem WHERE heard < ?1"]),
    (
        "request_owner.rs",
        "of_the_dead",
        &[
            "reply IS NOT NULL AND owner <> ?1 AND owner NOT IN (SELECT name FROM node WHERE seen > CAST(0 AS BIGINT) - ?2)",
        ],
    ),
    ("message.rs", "", &["post", "digest"]),
    ("outbox.rs", "numbers", &["?1, ?2"]),
    (
        "outbox.rs",
        "table_and_use",
        &[
            "post WHERE id IN (SELECT p.id FROM post p WHERE p.updated < ?1 AND (p.open = 0 OR p.updated < ?2) LIMIT ?3)",
        ],
    ),
    ("queue.rs", "", &["waiting"]),
    ("queue.rs", "which", &["", "AND d.state IN ('waiting', 'dead')"]),
    ("record_outcome.rs", "", &["post", "digest"]),
    ("refusal.rs", "due", &["(until <= ?1 OR until > ?2) AND person = COALESCE(?3, person)"]),
];

/// Every statement of the sources, with its parts filled in. A copy goes one way, so each of its statements is for one engine.
fn statements() -> Vec<String> {
    let mut all = Vec::new();
    let mut folders = vec![PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src/store"))];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() && !["tests", "db", "schema"].contains(&name) {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == "rs")
                && !["tests.rs", "db.rs", "schema.rs", "copy.rs"].contains(&name)
            {
                let source = std::fs::read_to_string(&path).unwrap();
                for text in texts(&source).iter().filter(|text| !text.contains("{assignments}")) {
                    all.extend(filled(text, name, &source));
                }
                all.extend(updates(&source));
            }
        }
    }
    all
}

/// What a source's calls of `MessageId::update` come to, for each table that has the columns.
fn updates(source: &str) -> Vec<String> {
    let given = source.split(".update(").skip(1).filter_map(|call| call.split('"').nth(1));
    let is_assignment = |text: &&str| text.split_once(" = ").is_some_and(|(column, _)| !column.contains(' '));
    let assignments: Vec<&str> = given.filter(is_assignment).collect();
    assert_eq!(assignments.len(), source.matches("id.update(").count(), "one that isn't a plain text: {source}");
    assignments
        .into_iter()
        .flat_map(|text| {
            let is_of_digest = text.starts_with("mentioned ") || text.contains("digest.");
            let tables: &[&str] = if is_of_digest { &["digest"] } else { &["post", "digest"] };
            tables.iter().map(move |table| format!("UPDATE {table} SET {text} WHERE id = ?1"))
        })
        .collect()
}

/// The string literals that begin as a statement does.
fn texts(source: &str) -> Vec<String> {
    let mut texts = Vec::new();
    let mut rest = source;
    while let Some(at) = rest.find(['"', '\'', '/']) {
        let after = &rest[at + 1..];
        match rest.as_bytes()[at] {
            b'/' if after.starts_with('/') => rest = after.split_once('\n').map_or("", |(_, next)| next),
            b'\'' if after.starts_with("\"'") => rest = &after[2..],
            b'"' => {
                let mut end = 0;
                while after.as_bytes()[end] != b'"' {
                    end += if after.as_bytes()[end] == b'\\' { 2 } else { 1 };
                }
                let text = after[..end].replace("\\\"", "\"").replace("\\n", "\n");
                let words = ["SELECT ", "INSERT ", "UPDATE ", "DELETE ", "WITH "];
                if words.iter().any(|word| text.starts_with(word)) {
                    texts.push(text);
                }
                rest = &after[end + 1..];
            }
            _ => rest = after,
        }
    }
    texts
}

fn filled(text: &str, file: &str, source: &str) -> Vec<String> {
    let Some((before, (name, after))) =
        text.split_once('{').and_then(|(before, rest)| Some((before, rest.split_once('}')?)))
    else {
        return vec![text.to_owned()];
    };
    let constant = source.split_once(&format!("const {name}: &str = \"")).filter(|_| !name.is_empty());
    let constant = constant.map(|(_, from)| from.split_once("\";").unwrap().0);
    let of_file = PARTS.iter().find(|(of, part, _)| *of == file && *part == name);
    let listed = of_file.or_else(|| PARTS.iter().find(|(of, part, _)| of.is_empty() && *part == name));
    let parts = constant.into_iter().chain(listed.iter().flat_map(|(_, _, parts)| parts.iter().copied()));
    let filled: Vec<String> = parts.flat_map(|part| filled(&format!("{before}{part}{after}"), file, source)).collect();
    assert!(!filled.is_empty(), "{file}: what {{{name}}} stands for isn't in PARTS: {text}");
    filled
}

#[test]
fn each_is_prepared_by_sqlite() {
    let store = Store::temporary().unwrap();
    let all = statements();
    assert!(all.len() > 150, "{}", all.len());
    assert!(all.iter().any(|sql| sql.starts_with("UPDATE digest SET open = CASE")), "what `update` sets");
    for sql in all {
        if let Err(e) = store.db.prepare(&sql) {
            panic!("{e}: {sql}");
        }
    }
}

#[test]
#[ignore = "needs postgresql: tests/run"]
fn each_is_prepared_by_postgresql() {
    let database = both::database("statements");
    Store::init(&database).unwrap();
    let link = Link::new(Arc::new(Server::new(&database).unwrap()), Duration::from_secs(5)).unwrap();
    let mut wrong = Vec::new();
    for sql in statements() {
        match link.parameter_types(&sql) {
            // A time doesn't fit into less than 64 bits, and anything else was not meant.
            Ok(types) if types.iter().all(|name| ["int8", "text", "bool"].contains(&name.as_str())) => {}
            Ok(types) => wrong.push(format!("{types:?}: {sql}")),
            Err(e) => wrong.push(format!("{e}: {sql}")),
        }
    }
    assert!(wrong.is_empty(), "{} statements:\n{}", wrong.len(), wrong.join("\n\n"));
}

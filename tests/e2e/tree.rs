//! The invariants on the library's front page, grepped for in the tree.

use std::fs;
use std::path::{Path, PathBuf};

/// Every Rust file below the directory, with its text.
fn files(directory: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            found.push((path, text));
        }
    }
    found
}

/// The code of the program by its path in `src`. Tests beside it may do what the code may not.
fn sources(directory: &Path) -> Vec<(PathBuf, String)> {
    let of_src = |(path, text): (PathBuf, String)| (path.strip_prefix(root().join("src")).unwrap().to_owned(), text);
    let code = files(directory).into_iter().map(of_src).filter(|(path, _)| !is_test(path));
    code.map(|(path, text)| (path, text.split("#[cfg(test)]").next().unwrap().to_owned())).collect()
}

fn is_test(path: &Path) -> bool {
    path.ends_with("tests.rs") || path.iter().any(|part| part == "tests")
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn is_in(path: &Path, rooms: &[&str]) -> bool {
    let path = path.to_str().unwrap();
    rooms.iter().any(|room| path == format!("{room}.rs") || path.starts_with(&format!("{room}/")) || path == *room)
}

#[track_caller]
fn assert_only(rooms: &[&str], words: &[&str]) {
    for (path, code) in sources(&root().join("src")) {
        for word in words.iter().filter(|_| !is_in(&path, rooms)) {
            let line = code.lines().find(|line| line.contains(word) && !line.trim_start().starts_with("//"));
            assert!(line.is_none(), "{} may not use {word}: {}", path.display(), line.unwrap());
        }
    }
}

/// The floors of the house, from the ground up; the front page of the library has the same.
const FLOORS: [&[&str]; 10] = [
    &["system"],
    &["model"],
    &["state_dir"],
    &["config"],
    &["rules"],
    &["monitoring", "slack"],
    &["store"],
    &["flow"],
    &["health", "listen", "setup"],
    &["cli"],
];

#[test]
fn a_room_imports_only_from_the_floors_below() {
    let floor_of = |room: &str| FLOORS.iter().position(|floor| floor.contains(&room));
    let rooms: Vec<&str> = FLOORS.concat();
    for (path, code) in sources(&root().join("src")) {
        let room = path.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs");
        if ["lib", "main", "fuzz"].contains(&room) {
            continue;
        }
        let floor = floor_of(room).unwrap_or_else(|| panic!("{room} is no room: give it a floor"));
        for line in code.lines().filter(|line| !line.trim_start().starts_with("//")) {
            assert!(!line.contains("use crate::{"), "{}: one room in each import: {line}", path.display());
            for other in rooms.iter().filter(|other| line.contains(&format!("crate::{other}"))) {
                let is_below = *other == room || floor_of(other).is_some_and(|other| other < floor);
                assert!(is_below, "{} imports from {other}, which is not below it: {line}", path.display());
            }
        }
    }
    let front_page = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    for (number, room) in
        FLOORS.iter().zip(1..).flat_map(|(floor, number)| floor.iter().map(move |room| (number, room)))
    {
        assert!(front_page.contains(&format!("| {number} | [`{room}`] |")), "{room}'s floor on the front page");
        let first = fs::read_to_string(root().join(format!("src/{room}.rs"))).unwrap();
        assert!(first.starts_with("//! "), "{room} says what it is for");
    }
}

#[test]
fn model_and_rules_are_pure() {
    let impure = [
        "std::fs",
        "std::net",
        "std::env",
        "std::process",
        "log::",
        "rusqlite",
        "system::clock",
        "SystemTime",
        "Instant",
        "ureq",
    ];
    for (path, code) in sources(&root().join("src")) {
        if is_in(&path, &["model", "rules", "slack/interaction", "flow/callback/request", "listen/message_api/message"])
        {
            for word in impure {
                assert!(!code.contains(word), "{} uses {word}", path.display());
            }
        }
    }
}

#[test]
fn every_room_keeps_to_itself() {
    assert_only(&["store"], &["SELECT ", "INSERT "]);
    // The error type and the tests of old files beside it; all else goes through the driver.
    assert_only(&["store/db", "store.rs", "store/schema.rs", "store/tests"], &["rusqlite"]);
    assert_only(&["store/db/postgres", "config.rs", "config/database.rs", "store/db.rs"], &["tokio_postgres"]);
    assert_only(
        &[
            "slack/api",
            "monitoring/http",
            "monitoring/relay/centre",
            "config/values.rs",
            "system/tls.rs",
            "system/fetch.rs",
        ],
        &["ureq::"],
    );
    // What reaches a core went through `Authorised` and `ExternalCommand`: only here are they made.
    assert_only(&["rules/authorise"], &["Authorised {"]);
    assert_only(&["rules/command"], &["ExternalCommand {"]);
    assert_only(&["cli", "system/logging"], &["println!", "io::stdout", "io::stderr", "std::process::exit"]);
    assert_only(&["listen/http", "store/db/postgres"], &["async ", "tokio::"]);
    assert_only(&["listen/http"], &["hyper::"]);
    assert_only(&["rules/verify"], &["Verified {"]);
    assert_only(&["system/clock"], &["SystemTime::now"]);
    let sandbox = fs::read_to_string(root().join("sandbox/Cargo.toml")).unwrap();
    let own = sandbox.lines().skip_while(|line| *line != "[dependencies]").any(|line| line.contains("ackbell"));
    assert!(!own, "the stand-in shares nothing with what it stands against");
}

#[test]
fn the_notify_path_reaches_delivery_only_through_its_closure() {
    let code = fs::read_to_string(root().join("src/flow/notify.rs")).unwrap();
    for room in ["store", "slack", "rules", "flow::deliver", "listen", "rusqlite", "jiff"] {
        assert!(!code.contains(&format!("crate::{room}")), "notify.rs uses {room}");
    }
}

#[test]
fn nothing_is_left_open() {
    assert_only(&[], &[concat!("TO", "DO"), concat!("FIX", "ME")]); // clippy refuses todo! and dbg!
    for (path, _) in sources(&root().join("src")) {
        assert!(!path.ends_with("mod.rs"), "{}", path.display());
    }
    assert!(fs::read_to_string(root().join("src/lib.rs")).unwrap().contains("# Invariants"));
}

#[test]
fn every_test_that_is_named_exists() {
    let code: String = ["src", "sandbox/src", "tests/e2e"]
        .iter()
        .flat_map(|of| files(&root().join(of)))
        .map(|(_, text)| text)
        .collect();
    for page in ["tests/mutations", "docs/security.md", "docs/proof/faults.md", "docs/proof/promises.md"] {
        let text = fs::read_to_string(root().join(page)).unwrap();
        let words = text.split(|c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || "_:.*".contains(c)));
        let names = words.filter_map(|word| word.trim_end_matches('.').rsplit_once("::")).map(|(_, name)| name);
        // A name is cut where dots or a star stand for the rest; code in the mutations has shorter words.
        for name in names.filter(|name| name.matches('_').count() > 2 && !name.contains(['.', '*', ':'])) {
            assert!(code.contains(name), "{page} names a test that doesn't exist: {name}");
        }
    }
}

#[test]
fn every_mutation_that_the_promises_name_exists() {
    let mutations = fs::read_to_string(root().join("tests/mutations")).unwrap();
    let promises = fs::read_to_string(root().join("docs/proof/promises.md")).unwrap();
    for row in promises.lines().filter(|line| line.starts_with("| ")).skip(1) {
        let last = row.strip_suffix("|").unwrap_or(row).rsplit("| ").next().unwrap();
        for name in last.split('`').skip(1).step_by(2) {
            assert!(mutations.contains(&format!("(\"{name}\", ")), "no mutation is called {name}: {row}");
        }
    }
}

/// Words that meant several things, or nothing to a newcomer, and their successors: `## Words` in CONTRIBUTING.md.
const RETIRED: [(&[&str], &str); 23] = [
    (&["place", "places", "placing"], "it meant eight things: destination, position, slot, file, paths, PostPlacement"),
    (
        &["said", "says", "told", "tell", "tells"],
        "who speaks to whom? reply, notify, error, output, covered, configured",
    ),
    (&["word", "words"], "remark, text, token, phrase or argument"),
    (&["note", "noted"], "annotation (in a message), failure, update"),
    (&["hold", "held"], "pause, lock, slot; the core's state is confirmed"),
    (&["report", "reports"], "listener status, problems, event"),
    (&["act", "acts", "deed"], "an action request; the action taken"),
    (&["stage", "fate"], "state; the command log's result"),
    (&["voice", "lives", "living"], "a message has a mode"),
    (&["letter"], "direct message"),
    (&["lane"], "delivery queue"),
    (&["settle", "settled", "settlement"], "record_outcome"),
    (&["clerk", "errand", "twin", "keeper"], "slash command, slash request, duplicate, supervise"),
    (&["asker", "whose"], "requester, request context"),
    (&["wish", "offer", "offers"], "requested action, available action"),
    (&["listing"], "slash reply"),
    (&["reach"], "interactivity"),
    (&["leave", "gate", "whisper"], "permission, access check, ephemeral reply"),
    (&["dress", "essence", "tally"], "to_payload, without_timestamps, stats"),
    (&["door", "doors"], "transport into the core; endpoint or listener where requests come in"),
    (&["stranger", "strangers", "elsewhere"], "rejected request, other connection, outsider; fallback"),
    (&["survey", "extent", "adopt", "salvage"], "object list, scope, assign_orphans, recover"),
    (&["talk", "scene", "hall", "story"], "prompt, setup context, panel, scenario"),
];

/// `acts` is the configuration's key; a parser's `Word` is its own; a `StatusNote` is the one note; ring seals in place.
const ALLOWED: [&str; 6] = ["acts", "Act", "Word", "StatusNote", "seal_in_place_append_tag", "open_in_place"];

#[test]
fn retired_words_dont_come_back() {
    for room in ["src", "sandbox/src"] {
        for (path, text) in files(&root().join(room)).into_iter().filter(|(path, _)| !is_test(path)) {
            let code = without_comments_and_strings(text.split("#[cfg(test)]").next().unwrap());
            let identifiers = code.split(|c: char| !c.is_alphanumeric() && c != '_');
            for identifier in identifiers.filter(|identifier| !ALLOWED.contains(identifier)) {
                let parts = parts(identifier);
                let hit = RETIRED.iter().find(|(words, _)| parts.iter().any(|part| words.contains(&part.as_str())));
                assert!(hit.is_none(), "{}: {identifier} has a retired word; say: {}", path.display(), hit.unwrap().1);
            }
        }
    }
}

/// The words of an identifier in snake or camel case.
fn parts(identifier: &str) -> Vec<String> {
    let mut snake = String::new();
    for c in identifier.chars() {
        if c.is_uppercase() && snake.ends_with(char::is_lowercase) {
            snake.push('_');
        }
        snake.push(c);
    }
    snake.to_lowercase().split('_').map(str::to_owned).collect()
}

fn without_comments_and_strings(text: &str) -> String {
    let mut code = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if let Some(raw) = rest.strip_prefix("r#\"") {
            raw.find("\"#").map_or(rest.len(), |end| end + 5)
        } else if first == '"' {
            end_of_quoted(rest, '"')
        } else if first == '\'' && (rest[1..].starts_with('\\') || rest.chars().nth(2) == Some('\'')) {
            end_of_quoted(rest, '\'') // a lifetime has no second quote
        } else {
            code.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        };
        code.push(' ');
        rest = &rest[length..];
    }
    code
}

/// How long the quoted text is at the beginning of the code, both quotes included.
fn end_of_quoted(code: &str, quote: char) -> usize {
    let mut is_escaped = false;
    for (at, c) in code.char_indices().skip(1) {
        if c == quote && !is_escaped {
            return at + 1;
        }
        is_escaped = c == '\\' && !is_escaped;
    }
    code.len()
}

#[test]
fn only_code_is_searched_for_retired_words() {
    let code = "let place = \"a \\\" said\"; // told\nlet c = '\\''; let d = '\"'; fn f<'a>(x: &'a str) { r#\"word \"b\" \"#; held }";
    let expected = "let place =  ;  \nlet c =  ; let d =  ; fn f<'a>(x: &'a str) {  ; held }";
    assert_eq!(without_comments_and_strings(code), expected);
    assert_eq!(parts("StatusNote"), ["status", "note"]);
    assert_eq!(parts("is_told"), ["is", "told"]);
}

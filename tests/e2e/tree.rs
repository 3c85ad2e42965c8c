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

#[test]
fn the_pure_core_touches_nothing() {
    let impure = [
        "std::fs",
        "std::net",
        "std::env",
        "std::process",
        "log::",
        "rusqlite",
        "crate::clock",
        "SystemTime",
        "Instant",
        "ureq",
    ];
    for (path, code) in sources(&root().join("src")) {
        let pure = [
            "notification",
            "intake",
            "route",
            "render",
            "schedule",
            "problem",
            "storm",
            "authorise",
            "command",
            "confirm",
            "manifest",
            "verify",
            "callback/interaction",
            "callback/request",
        ];
        if is_in(&path, &pure) {
            for word in impure {
                assert!(!code.contains(word), "{} uses {word}", path.display());
            }
        }
    }
}

#[test]
fn every_room_keeps_to_itself() {
    assert_only(&["store"], &["rusqlite", "SELECT ", "INSERT "]);
    assert_only(&["slack/api", "core/http", "config/values.rs"], &["ureq::"]);
    // What reaches a core went through `Authorised` and `ExternalCommand`: only here are they made.
    assert_only(&["authorise"], &["Authorised {"]);
    assert_only(&["command"], &["ExternalCommand {"]);
    assert_only(
        &["cli", "logging"],
        &["println!", "io::stdout", "io::stderr", "ExitCode::"]
            .map(|w| if w == "ExitCode::" { "std::process::exit" } else { w }),
    );
    assert_only(&["listen/http"], &["async ", "tokio::", "hyper::"]);
    assert_only(&["verify"], &["Verified {"]);
    assert_only(&["clock", "sandbox"], &["SystemTime::now"]);
    for (path, code) in sources(&root().join("src")) {
        if is_in(&path, &["sandbox"]) {
            for word in ["crate::slack", "crate::render", "crate::notification"] {
                assert!(!code.contains(word), "{} shares {word}", path.display());
            }
        }
    }
}

#[test]
fn the_notify_path_reaches_delivery_only_through_its_closure() {
    let code = fs::read_to_string(root().join("src/notify.rs")).unwrap();
    for room in ["store", "slack", "render", "deliver", "listen", "rusqlite", "jiff"] {
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
    let code: String =
        ["src", "tests/e2e"].iter().flat_map(|of| files(&root().join(of))).map(|(_, text)| text).collect();
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

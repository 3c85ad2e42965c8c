//! `cargo test` runs what needs nothing but Rust and a minute. It says what it left out, and how to run that.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;

/// How many tests of the tree have each reason to be ignored.
fn reasons(directory: &Path, counts: &mut BTreeMap<String, usize>) {
    for entry in fs::read_dir(directory).unwrap().flatten() {
        let (path, name) = (entry.path(), entry.file_name().into_string().unwrap_or_default());
        let is_made = name == "target" || name == "dist" || name.starts_with('.');
        if path.is_dir() && !is_made {
            reasons(&path, counts);
        }
        let is_rust = path.is_file() && path.extension().is_some_and(|extension| extension == "rs");
        let text = if is_rust { fs::read_to_string(&path).unwrap() } else { String::new() };
        for line in text.lines().map(str::trim_start).filter(|line| line.starts_with("#[ignore")) {
            let reason = line.strip_prefix("#[ignore = \"").and_then(|rest| rest.strip_suffix("\"]"));
            let reason = reason.unwrap_or_else(|| panic!("{}: {line} doesn't say why", path.display()));
            let (why, how) = reason.split_once(": ").unwrap_or_else(|| panic!("{reason} doesn't say how to run it"));
            assert!(why == "slow" || why.starts_with("needs "), "{why}");
            assert!(!how.is_empty(), "{reason}");
            *counts.entry(why.to_owned()).or_default() += 1;
        }
    }
}

#[test]
fn every_test_that_is_left_out_says_why_and_how_to_run_it() {
    let mut counts = BTreeMap::new();
    reasons(Path::new(env!("CARGO_MANIFEST_DIR")), &mut counts);
    let all: usize = counts.values().sum();
    assert!(all > 0);
    if std::env::args().any(|argument| argument.ends_with("ignored")) {
        return;
    }
    let parts: Vec<String> = counts.iter().map(|(why, count)| format!("{count} ({why})")).collect();
    let line = format!("\nleft out: {all} tests: {}.\nAll of them: tests/run, as root.\n\n", parts.join(", "));
    // Not by `println!`, which the harness keeps to itself when a test passes.
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

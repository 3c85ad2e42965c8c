//! The changes that `tests/mutations` makes still have their places, wherever those moved to.

use crate::harness::process::text;
use std::process::Command;

#[test]
fn every_place_that_a_mutation_changes_is_there_once() {
    let tool = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/mutations");
    let done = Command::new("python3").args([tool, "--check"]).output().unwrap();
    assert!(done.status.success(), "{}", text(&done.stderr));
}

//! The fuzzer's targets without a fuzzer: every seed of every parser, as it is and with a few thousand changes drawn from
//! a fixed start, so that each run tries the same. A seed that failed once is kept and fails here for good.

use super::{
    answer, arguments, click, configuration, fields, icinga2, install, intake, livestatus, macros, objects, people,
    request, slash, spool, status,
};
use std::fmt::Write;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// Longer inputs are the fuzzer's.
const BYTES_MAX: usize = 16 * 1024;
/// What parsers stumble over: ends, quotes, escapes, numbers without end, text that isn't UTF-8 or turns around.
const TOKENS: [&[u8]; 24] = [
    b"\n",
    b"\r\n",
    b"\0",
    b"\"",
    b"'",
    b"\\",
    b"\\u0000",
    b"\\ud800",
    b"%00",
    b"%",
    b"&amp;",
    b";",
    b"=",
    b"{",
    b"}",
    b"]",
    b"[[[[[[[[",
    b"-1",
    b"9223372036854775808",
    b"1e309",
    b"null",
    b"\xff\xfe",
    "\u{202e}".as_bytes(),
    "\u{1f525}".as_bytes(),
];

/// Numbers from a fixed start (xorshift, <https://doi.org/10.18637/jss.v008.i14>).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 16).unwrap() % end.max(1)
    }
}

/// One to four changes of a seed.
fn changed(seed: &[u8], others: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..=dice.below(4) {
        let (at, length) = (dice.below(bytes.len() + 1), dice.below(bytes.len() / 2 + 2));
        let end = (at + length).min(bytes.len());
        match dice.below(7) {
            0 if at < bytes.len() => bytes[at] ^= 1 << dice.below(8),
            1 => drop(bytes.drain(at..end)),
            2 => {
                let part = bytes[at..end].to_vec();
                bytes.splice(at..at, part);
            }
            3 => bytes.truncate(at),
            4 => {
                let other = &others[dice.below(others.len())];
                let from = dice.below(other.len() + 1);
                bytes.splice(at..end, other[from..].iter().copied());
            }
            _ => drop(bytes.splice(at..at, TOKENS[dice.below(TOKENS.len())].iter().copied())),
        }
    }
    bytes.truncate(BYTES_MAX);
    bytes
}

fn seeds(name: &str) -> Vec<Vec<u8>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
    let mut paths: Vec<_> = fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// Gives the target its seeds, everybody else's, and `changes` changed ones of each of its own.
fn feed(name: &str, changes: usize, target: fn(&[u8])) {
    let try_it = |bytes: &[u8]| {
        if catch_unwind(AssertUnwindSafe(|| target(bytes))).is_err() {
            let shown = bytes.iter().fold(String::new(), |mut text, byte| {
                let _ = write!(text, "{}", std::ascii::escape_default(*byte));
                text
            });
            panic!("{name} fails (keep the input in fuzz/corpus/{name}): printf '%b' '{shown}'");
        }
    };
    let own = seeds(name);
    assert!(!own.is_empty(), "fuzz/corpus/{name} is empty");
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    for entry in fs::read_dir(corpus).unwrap() {
        for bytes in seeds(entry.unwrap().file_name().to_str().unwrap()) {
            try_it(&bytes);
        }
    }
    let mut dice = Dice(0x5eed_0000_0000_0001);
    for seed in &own {
        (0..changes).for_each(|_| try_it(&changed(seed, &own, &mut dice)));
    }
}

macro_rules! fed {
    ($($test:ident: $target:ident, $changes:expr;)*) => {
        $(#[test]
        fn $test() {
            feed(stringify!($target), $changes, $target);
        })*

        #[test]
        fn every_corpus_and_every_target_of_the_fuzzer_is_fed_here() {
            let mut known = vec![$(stringify!($target)),*];
            known.sort_unstable();
            for directory in ["fuzz/corpus", "fuzz/targets"] {
                let mut there: Vec<String> = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(directory)).unwrap()
                    .map(|entry| entry.unwrap().file_name().to_str().unwrap().replace(".rs", "")).collect();
                there.sort_unstable();
                assert_eq!(there, known, "{directory}");
            }
        }
    };
}

// As many as fit into two seconds of an unoptimised build.
fed! {
    what_programs_hand_in: intake, 60;
    any_answer_of_slack_is_classified_and_redacted: answer, 3000;
    any_command_line_is_taken_or_refused: arguments, 20;
    any_body_that_is_signed_is_one_line_a_command: click, 2000;
    any_configuration_is_taken_or_refused_with_a_reason: configuration, 200;
    any_fields_make_a_notification: fields, 1000;
    any_answer_of_icinga_2_is_read: icinga2, 1000;
    nobody_installs_who_did_not_begin: install, 1000;
    any_answer_of_livestatus_is_read: livestatus, 3000;
    any_macro_is_text_and_reads_as_it_was_written: macros, 3000;
    any_file_of_objects_is_read: objects, 1000;
    any_answer_about_a_person_is_about_who_clicked: people, 2000;
    nobody_unsigned_gets_in: request, 2000;
    any_text_behind_the_slash_command_is_understood_or_refused: slash, 3000;
    any_spool_file_is_read_or_set_aside: spool, 1000;
    any_status_file_is_read: status, 2000;
}

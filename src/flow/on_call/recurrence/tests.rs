//! The rules beside dateutil's, and properties of their own.

use super::*;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use std::path::Path;

fn strategy() -> impl Strategy<Value = (DateTime, String)> {
    let list = |numbers: std::ops::RangeInclusive<i16>| {
        let number = numbers.prop_filter("0", |n| *n != 0).prop_map(|n| n.to_string());
        prop::collection::vec(number, 1..4).prop_map(|all| all.join(","))
    };
    let weekday = prop::sample::select(vec!["MO", "TU", "WE", "TH", "FR", "SA", "SU"]);
    // All of them numbered, or none: dateutil has only dates that are both, where the RFC has those that are either.
    let number = prop_oneof![1..5_i16, -5..-1_i16];
    let numbered = prop::collection::vec((number, weekday.clone()), 1..4)
        .prop_map(|all| all.into_iter().map(|(number, day)| format!("{number}{day}")).collect::<Vec<_>>());
    let plain = prop::collection::vec(weekday.clone().prop_map(str::to_owned), 1..4);
    let weekdays = prop_oneof![2 => plain, 1 => numbered];
    let start = (2015_i16..2026, 1_i8..=12, 1_i8..=28, 0_i8..24)
        .prop_map(|(year, month, day, hour)| jiff::civil::date(year, month, day).at(hour, 0, 0, 0));
    let end = prop_oneof![
        2 => Just(String::new()),
        1 => (1..400).prop_map(|count| format!(";COUNT={count}")),
        1 => (2024..2027, 1..=12).prop_map(|(year, month)| format!(";UNTIL={year}{month:02}15T120000")),
    ];
    let by = (
        prop::option::weighted(0.3, list(1..=12)),
        prop::option::weighted(0.3, list(-31..=31)),
        prop::option::weighted(0.5, weekdays),
        prop::option::weighted(0.2, list(-3..=3)),
    );
    (start, 0..4_usize, 1..6, end, by, prop::option::weighted(0.2, weekday)).prop_map(
        |(start, frequency, interval, end, (months, days, weekdays, positions), week_start)| {
            let name = ["DAILY", "WEEKLY", "MONTHLY", "YEARLY"][frequency];
            let mut rule = format!("FREQ={name};INTERVAL={interval}{end}");
            let mut add = |name: &str, value: Option<String>| {
                rule.extend(value.map(|value| format!(";{name}={value}")));
            };
            add("BYMONTH", months);
            add("BYMONTHDAY", days.filter(|_| frequency != 1));
            let weekdays = weekdays.map(|days| days.join(","));
            let weekdays = weekdays.map(|days| {
                if frequency < 2 { days.replace(|c: char| c.is_ascii_digit() || c == '-', "") } else { days }
            });
            // A position needs something to choose from.
            add("BYSETPOS", positions.filter(|_| weekdays.is_some()));
            add("BYDAY", weekdays);
            add("WKST", week_start.map(str::to_owned));
            (start, rule)
        },
    )
}

fn found(start: DateTime, text: &str, span: (DateTime, DateTime)) -> Vec<DateTime> {
    let rule = Rule::parse(text, start).unwrap();
    let until = rule.until.as_ref().map(|until| DateTime::strptime("%Y%m%dT%H%M%S", until).unwrap());
    rule.occurrences(start, until, span, &Cell::new(10_000_000)).unwrap()
}

fn year() -> (DateTime, DateTime) {
    (jiff::civil::date(2026, 1, 1).at(0, 0, 0, 0), jiff::civil::date(2027, 1, 1).at(0, 0, 0, 0))
}

#[test]
#[ignore = "needs Python's recurring-ical-events: tests/run"]
fn five_hundred_rules_are_followed_as_dateutil_follows_them() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let draw = |_| strategy().new_tree(&mut runner).unwrap().current();
    let rules: Vec<(DateTime, String)> = (0..500).map(draw).collect();
    let (from, to) = year();
    let asked: Vec<_> =
        rules.iter().map(|(start, rule)| [start.to_string(), rule.clone(), from.to_string(), to.to_string()]).collect();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("rules.json");
    std::fs::write(&file, serde_json::to_vec(&asked).unwrap()).unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = std::process::Command::new(root.join("target/venv/bin/python"))
        .arg(root.join("tests/calendar/expand.py"))
        .args(["--rules".as_ref(), file.as_os_str()])
        .output()
        .unwrap();
    assert!(python.status.success(), "{}", String::from_utf8_lossy(&python.stderr));
    let expected: Vec<Vec<DateTime>> = serde_json::from_slice::<Vec<Vec<String>>>(&python.stdout)
        .unwrap()
        .into_iter()
        .map(|all| all.iter().map(|at| at.parse().unwrap()).collect())
        .collect();
    for ((start, rule), expected) in rules.iter().zip(&expected) {
        assert_eq!(&found(*start, rule, (from, to)), expected, "{rule} from {start}");
    }
    let all: usize = expected.iter().map(Vec::len).sum();
    assert!(all > 2_000, "{all}");
}

proptest! {
    #[test]
    fn a_part_of_a_span_has_what_the_whole_has_there((start, rule) in strategy(), day in 0..365_i64) {
        let (from, to) = year();
        let middle = from.checked_add(day.days()).unwrap();
        let whole = found(start, &rule, (from, to));
        let parts = [found(start, &rule, (from, middle)), found(start, &rule, (middle, to))].concat();
        prop_assert_eq!(&whole, &parts);
        prop_assert!(whole.is_sorted() && whole.iter().all(|at| *at >= start && at.time() == start.time()));
    }

    #[test]
    fn no_text_ends_the_program(text in "[A-Z=;,0-9-]{0,60}", rest in "(FREQ=(DAILY|YEARLY))?(;[A-Z]{4,10}=[0-9,-]{1,9})*") {
        for text in [text, rest] {
            if let Ok(rule) = Rule::parse(&text, year().0) {
                let _ = rule.occurrences(year().0, None, (DateTime::MIN, DateTime::MAX), &Cell::new(5_000));
            }
        }
    }
}

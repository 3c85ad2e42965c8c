use super::*;
use crate::model::past_problem::{Answer, Ending, Worst};

fn past(began: i64, lasted: i64, answer: Option<(i64, &str, &str)>) -> PastProblem {
    PastProblem {
        began,
        ended: began + lasted,
        worst: Worst::Critical,
        notified: 1,
        has_flapped: false,
        ending: Ending::Recovered,
        answer: answer.map(|(after, by, remark)| Answer {
            at: began + after,
            by: Some(by.to_owned()),
            remark: Some(remark.to_owned()),
        }),
        destination: None,
    }
}

fn wall(weekday: u8, hour: u8, date: &str) -> WallTime {
    WallTime { weekday, hour, date: date.to_owned() }
}

const WEEK: i64 = 7 * DAY_SECONDS;
const NOW: i64 = 100 * WEEK;

fn earlier(problems: Vec<(PastProblem, WallTime)>) -> Earlier {
    Earlier { problems, own: Some((NOW, wall(0, 3, "26 Nov"))), ..Earlier::default() }
}

#[test]
fn a_pattern_is_named_from_three_on() {
    let four: Vec<_> = (1..=4)
        .map(|week| {
            let answer = (week == 1).then_some((240, "Alice", "restarted mysqld"));
            (past(NOW - week * WEEK, 720, answer), wall(0, 3, "19 Nov"))
        })
        .collect();
    let memory = earlier(four.clone()).memory();
    assert_eq!(
        memory.line.as_deref(),
        Some("5th time in 30 days, mostly Mon 03:00; over by itself after 12 min in 3 of 4.")
    );
    let last = "Last time (19 Nov) Alice answered after 4 min: \"restarted mysqld\"; it was over after 12 min.";
    assert_eq!(memory.more, [last]);
    let one = earlier(four[..1].to_vec()).memory();
    assert_eq!((one.line.as_deref(), one.more.len()), (Some(last), 0), "below three only the last one");
    assert_eq!(earlier(Vec::new()).memory(), Memory::default(), "a first time proves nothing");
}

#[test]
fn what_is_older_than_the_window_is_only_the_last_time() {
    let old: Vec<_> = (5..=9).map(|week| (past(NOW - week * WEEK, 60, None), wall(0, 3, "1 Oct"))).collect();
    let memory = earlier(old).memory();
    let last = "Last time (1 Oct) nobody acknowledged it; it was over by itself after 60 s.";
    assert_eq!((memory.line.as_deref(), memory.more.len()), (Some(last), 0));
}

#[test]
fn no_hour_is_named_that_fewer_than_half_have() {
    let at = |i: i64, hour| (past(NOW - i * DAY_SECONDS, 60, None), wall(2, hour, "x"));
    let line = earlier(vec![at(1, 3), at(2, 4), at(3, 5)]).memory().line.unwrap();
    assert_eq!(line, "4th time in 30 days; over by itself after 60 s in 3 of 3.");
    let mut days = earlier(vec![at(1, 3), at(2, 3), at(3, 5)]);
    days.problems[1].1.weekday = 4;
    let line = days.memory().line.unwrap();
    assert_eq!(line, "4th time in 30 days, mostly between 03:00 and 04:00; over by itself after 60 s in 3 of 3.");
}

#[test]
fn an_end_that_nobody_reported_is_not_called_one() {
    let mut unseen = past(NOW - DAY_SECONDS, 3600, None);
    unseen.ending = Ending::Unseen;
    let memory = earlier(vec![(unseen, wall(1, 1, "25 Nov"))]).memory();
    let text = "Last time (25 Nov) nobody acknowledged it; its end, within 1 h, was not reported.";
    assert_eq!(memory.line.as_deref(), Some(text));
}

#[test]
fn neighbours_are_named_and_the_rest_is_mentioned() {
    let mut earlier = earlier(Vec::new());
    earlier.neighbours = ["a", "b"].map(str::to_owned).to_vec();
    assert_eq!(earlier.memory().more, ["The same service also has a problem on a, b."]);
    earlier.neighbours = ["a", "b", "c", "d", "e"].map(str::to_owned).to_vec();
    assert_eq!(earlier.memory().more, ["The same service also has a problem on a, b, c, d and others."]);
}

#[test]
fn numbers_are_written_in_english() {
    let numbers = [1, 2, 3, 4, 11, 12, 13, 21, 102, 111];
    assert_eq!(numbers.map(ordinal), ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "102nd", "111th"]);
    assert_eq!(median(&mut [5, 1, 9, 3]), Some(3));
    assert_eq!(median(&mut []), None);
}

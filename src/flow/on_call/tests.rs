use super::*;
use crate::config::{CalendarAddress, CalendarSource};
use std::collections::BTreeMap;

fn berlin() -> TimeZone {
    TimeZone::get("Europe/Berlin").unwrap()
}

fn at(text: &str) -> i64 {
    text.parse::<jiff::Timestamp>().unwrap().as_second()
}

fn plan(shifts: Shifts) -> OnCall {
    OnCall {
        name: "dba".to_owned(),
        shifts,
        overriding: None,
        names: BTreeMap::from([("alice a.".to_owned(), "alice@example.com".to_owned())]),
        fallback: vec!["carol@example.com".to_owned()],
        usergroup: None,
        channel: None,
        integration: None,
    }
}

fn by_calendar(events: &str, now: &str) -> Duty {
    let source = CalendarSource { address: CalendarAddress::File("x".into()), login: None };
    let plan = plan(Shifts::Calendar(source));
    let text =
        format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n{}END:VCALENDAR\r\n", events.replace('\n', "\r\n"));
    duty(&plan, &Calendars { plan: Some(text), ..Calendars::default() }, at(now), &berlin())
}

const WEEKLY: &str = "BEGIN:VEVENT\nUID:1\nDTSTART;TZID=Europe/Berlin:20261005T090000\nDTEND;TZID=Europe/Berlin:20261012T090000\n\
    RRULE:FREQ=WEEKLY;INTERVAL=2\nSUMMARY:Alice A.\nEND:VEVENT\n\
    BEGIN:VEVENT\nUID:2\nDTSTART;TZID=Europe/Berlin:20261012T090000\nDTEND;TZID=Europe/Berlin:20261019T090000\n\
    RRULE:FREQ=WEEKLY;INTERVAL=2\nATTENDEE;CN=Bob:mailto:Bob@example.com\nSUMMARY:DBA\nEND:VEVENT\n";

#[test]
fn a_weekly_shift_changes_at_the_same_hour_after_the_clock_was_put_back() {
    for (now, who) in [
        ("2026-10-05T07:00:00Z", "alice@example.com"),
        ("2026-10-12T06:59:59Z", "alice@example.com"),
        ("2026-10-12T07:00:00Z", "bob@example.com"),
        // The clock goes back on 25 October: nine in the morning is an hour later by UTC.
        ("2026-10-26T07:59:59Z", "alice@example.com"),
        ("2026-10-26T08:00:00Z", "bob@example.com"),
    ] {
        let found = by_calendar(WEEKLY, now);
        assert_eq!((found.people.as_slice(), found.problem), ([who.to_owned()].as_slice(), None), "{now}");
    }
    assert_eq!(by_calendar(WEEKLY, "2026-10-05T07:00:00Z").until, Some(at("2026-10-12T07:00:00Z")));
}

#[test]
fn an_empty_shift_is_the_fallbacks_and_an_unknown_name_is_said() {
    let found = by_calendar(WEEKLY, "2026-10-01T07:00:00Z");
    assert_eq!((found.people, found.is_fallback), (vec!["carol@example.com".to_owned()], true));
    let event = "BEGIN:VEVENT\nUID:1\nDTSTART:20261005T090000Z\nDTEND:20261006T090000Z\nSUMMARY:Zoe\nEND:VEVENT\n";
    let found = by_calendar(event, "2026-10-05T10:00:00Z");
    assert!(found.is_fallback && found.problem.unwrap().contains("the shift names \"Zoe\""));
}

#[test]
fn outlooks_own_zones_exceptions_and_moved_shifts() {
    let outlook = "BEGIN:VTIMEZONE\nTZID:Ours\n\
        BEGIN:STANDARD\nDTSTART:16010101T030000\nTZOFFSETFROM:+0200\nTZOFFSETTO:+0100\nRRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=10\nEND:STANDARD\n\
        BEGIN:DAYLIGHT\nDTSTART:16010101T020000\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0200\nRRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=3\nEND:DAYLIGHT\n\
        END:VTIMEZONE\n\
        BEGIN:VEVENT\nUID:1\nDTSTART;TZID=Ours:20261019T200000\nDTEND;TZID=Ours:20261020T080000\nRRULE:FREQ=DAILY;UNTIL=20261101T190000Z\n\
        EXDATE;TZID=Ours:20261022T200000\nSUMMARY:alice@example.com\nEND:VEVENT\n\
        BEGIN:VEVENT\nUID:1\nRECURRENCE-ID;TZID=Ours:20261023T200000\nDTSTART;TZID=Ours:20261023T220000\nDTEND;TZID=Ours:20261024T080000\n\
        SUMMARY:bob@example.com\nEND:VEVENT\n";
    for (now, who) in [
        ("2026-10-19T18:00:00Z", "alice@example.com"),
        ("2026-10-22T19:00:00Z", "carol@example.com"),
        ("2026-10-23T18:30:00Z", "carol@example.com"),
        ("2026-10-23T20:30:00Z", "bob@example.com"),
        // The night in which the clock goes back ends at eight, thirteen hours later.
        ("2026-10-25T06:30:00Z", "alice@example.com"),
        ("2026-10-25T07:00:00Z", "carol@example.com"),
        ("2026-11-01T19:30:00Z", "alice@example.com"),
        ("2026-11-02T19:30:00Z", "carol@example.com"),
    ] {
        let found = by_calendar(outlook, now);
        assert_eq!((found.people.as_slice(), found.problem), ([who.to_owned()].as_slice(), None), "{now}");
    }
}

#[test]
fn people_take_turns_also_over_the_change_of_the_clock() {
    let people = ["alice@example.com", "bob@example.com"].map(str::to_owned).to_vec();
    let start = jiff::civil::date(2026, 10, 19).at(9, 0, 0, 0);
    let rotation = Rotation { people, start, every: std::time::Duration::from_secs(7 * 86_400), time: None };
    let who = |rotation: &Rotation, now: &str| {
        duty(&plan(Shifts::Rotation(rotation.clone())), &Calendars::default(), at(now), &berlin()).people.join(",")
    };
    for (now, expected) in [
        ("2026-10-19T06:59:59Z", "carol@example.com"),
        ("2026-10-19T07:00:00Z", "alice@example.com"),
        ("2026-10-26T07:59:59Z", "alice@example.com"),
        ("2026-10-26T08:00:00Z", "bob@example.com"),
        ("2026-11-02T08:00:00Z", "alice@example.com"),
    ] {
        assert_eq!(who(&rotation, now), expected, "{now}");
    }
    let by_day = TimeWindows(vec![crate::config::TimeWindow { days: [true; 7], from_minute: 480, to_minute: 1080 }]);
    let rotation = Rotation { time: Some(by_day), ..rotation };
    assert_eq!(who(&rotation, "2026-10-20T10:00:00Z"), "alice@example.com");
    assert_eq!(who(&rotation, "2026-10-20T20:00:00Z"), "carol@example.com");
}

#[test]
fn whatever_a_calendar_says_the_work_is_bounded_and_the_reason_said() {
    let read = |text: &str| shifts(text, 1_790_000_000, 1_796_000_000, &berlin());
    assert!(read("<html>").unwrap_err().contains("it isn't a calendar"));
    assert!(read("").is_err() && read("BEGIN:VCALENDAR\nnonsense").is_err());
    let event = |rule: &str| {
        format!(
            "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTART:19700101T000000Z\r\nDTEND:19700101T010000Z\r\n{rule}\r\nSUMMARY:a@b.c\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
        )
    };
    assert!(read(&event("RRULE:FREQ=SECONDLY")).unwrap_err().contains("too often"));
    assert!(read(&event("RRULE:FREQ=HOURLY")).unwrap_err().contains("occurrences"));
    assert!(read(&event("RRULE:FREQ=NEVER")).unwrap_err().contains("isn't a rule"));
    let started = std::time::Instant::now();
    let _ = read(&event("RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"));
    let _ = read(&event("RRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"));
    assert!(started.elapsed() < std::time::Duration::from_secs(20), "{:?}", started.elapsed());
    assert!(!read(&event("RRULE:FREQ=DAILY")).unwrap().is_empty());
}

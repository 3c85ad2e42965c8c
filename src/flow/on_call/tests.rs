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
    assert!(read(&event("RRULE:FREQ=HOURLY")).unwrap_err().contains("too often"));
    assert!(read(&event("RRULE:FREQ=NEVER")).unwrap_err().contains("isn't a rule"));
    assert!(read(&event("RRULE:FREQ=YEARLY;BYWEEKNO=20")).unwrap_err().contains("doesn't know BYWEEKNO=20"));
    assert!(read(&event("RRULE:FREQ=DAILY;UNTIL=never")).unwrap_err().contains("\"NEVER\" isn't a time"));
    let started = std::time::Instant::now();
    let _ = read(&event("RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"));
    let _ = read(&event("RRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"));
    let far = event("RRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30;COUNT=9").replace("19700101", "00010101");
    let body = far.split_once("\r\n").unwrap().1.replace("END:VCALENDAR\r\n", "").repeat(5000);
    let many = read(&format!("BEGIN:VCALENDAR\r\n{body}END:VCALENDAR\r\n"));
    assert!(many.unwrap_err().contains("reach back too far"));
    assert!(started.elapsed() < std::time::Duration::from_secs(90), "{:?}", started.elapsed());
    assert!(!read(&event("RRULE:FREQ=DAILY")).unwrap().is_empty());
}

/// Calendars as they are exported: shifts of a day, a night, a week; weekdays, the last of a month, ends, counts, exceptions,
/// moved and cancelled ones, one that a zone of the calendar's own defines.
const EXPORTED: [&str; 8] = [
    "DTSTART;TZID=Europe/Berlin:20251229T090000\nDTEND;TZID=Europe/Berlin:20260105T090000\nRRULE:FREQ=WEEKLY;INTERVAL=3\n",
    "DTSTART;TZID=Europe/Berlin:20260101T200000\nDTEND;TZID=Europe/Berlin:20260102T080000\nRRULE:FREQ=DAILY\n\
     EXDATE;TZID=Europe/Berlin:20260328T200000,20261024T200000\n",
    "DTSTART;TZID=America/New_York:20260101T080000\nDTEND;TZID=America/New_York:20260101T170000\n\
     RRULE:FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR;UNTIL=20261030T120000Z\n",
    "DTSTART:20260131T000000Z\nDTEND:20260201T000000Z\nRRULE:FREQ=MONTHLY;BYDAY=-1SA;COUNT=9\n",
    "DTSTART;TZID=Europe/London:20260101T023000\nDTEND;TZID=Europe/London:20260101T043000\nRRULE:FREQ=DAILY;INTERVAL=2\n",
    "DTSTART;TZID=Europe/Berlin:20260105T070000\nDTEND;TZID=Europe/Berlin:20260105T190000\nRRULE:FREQ=MONTHLY;BYMONTHDAY=5,20;BYMONTH=1,2,3,10,11\n\
     RDATE;TZID=Europe/Berlin:20260713T070000\n",
    "DTSTART;TZID=Australia/Lord_Howe:20260301T220000\nDTEND;TZID=Australia/Lord_Howe:20260302T100000\nRRULE:FREQ=WEEKLY;BYDAY=SU,WE\n",
    "DTSTART;TZID=Europe/Berlin:20260301T120000\nDTEND;TZID=Europe/Berlin:20260302T120000\nRRULE:FREQ=YEARLY;BYDAY=1SU;BYMONTH=3,9\n",
];

#[test]
#[ignore = "needs Python's recurring-ical-events: tests/run"]
fn a_year_of_shifts_is_what_an_independent_expander_finds() {
    let mut text = "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//ackbell//test//EN\n".to_owned();
    for (number, event) in EXPORTED.iter().enumerate() {
        text.push_str(&format!(
            "BEGIN:VEVENT\nUID:{number}\nDTSTAMP:20260101T000000Z\nSUMMARY:{number}\n{event}END:VEVENT\n"
        ));
    }
    // One night is moved, another cancelled.
    text.push_str("BEGIN:VEVENT\nUID:1\nDTSTAMP:20260101T000000Z\nSUMMARY:moved\nRECURRENCE-ID;TZID=Europe/Berlin:20260410T200000\n\
        DTSTART;TZID=Europe/Berlin:20260411T100000\nDTEND;TZID=Europe/Berlin:20260411T180000\nEND:VEVENT\nEND:VCALENDAR\n");
    let text = text.replace('\n', "\r\n");
    let (from, to) = (at("2026-01-01T00:00:00Z"), at("2027-01-01T00:00:00Z"));
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("year.ics");
    std::fs::write(&file, &text).unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = std::process::Command::new(root.join("target/venv/bin/python"))
        .arg(root.join("tests/calendar/expand.py"))
        .arg(&file)
        .args([from.to_string(), to.to_string()])
        .output()
        .unwrap();
    assert!(python.status.success(), "{}", String::from_utf8_lossy(&python.stderr));
    let expected: Vec<(i64, i64, String)> = serde_json::from_slice(&python.stdout).unwrap();
    let found: Vec<(i64, i64, String)> = shifts(&text, from, to, &berlin())
        .unwrap()
        .into_iter()
        .map(|shift| (shift.start, shift.end, shift.who.join(",")))
        .collect();
    let missing: Vec<_> = expected.iter().filter(|shift| !found.contains(shift)).take(10).collect();
    let others: Vec<_> = found.iter().filter(|shift| !expected.contains(shift)).take(10).collect();
    assert!(missing.is_empty() && others.is_empty(), "missing {missing:?}, too many {others:?}");
    assert!(found.len() > 850, "{}", found.len());
}

/// Answers every request with this, byte for byte; gives its address.
fn serve(answer: Vec<u8>) -> String {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let own = address.clone();
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let _ = connection.read(&mut [0; 4096]);
            let answer = String::from_utf8_lossy(&answer).replace("SELF", &own);
            let _ = connection.write_all(answer.as_bytes());
        }
    });
    address
}

#[test]
fn a_calendar_that_cant_be_used_says_why_and_the_last_good_copy_stays() {
    let directory = tempfile::tempdir().unwrap();
    let at = |url: &str| {
        let address = CalendarAddress::Url(crate::system::secret::Secret::new(format!("{url}/private-secret/x.ics")));
        plan(Shifts::Calendar(CalendarSource { address, login: None }))
    };
    let fetch = |url: &str| fetch_calendars(&at(url), directory.path(), &Environment::default());
    let ok = |body: &str| {
        format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
    };
    let status = |line: &str, more: &str| {
        format!("HTTP/1.1 {line}\r\nConnection: close\r\nContent-Length: 0\r\n{more}\r\n").into_bytes()
    };
    let none = fetch("http://127.0.0.1:1");
    assert!(none.problem.unwrap().contains("there is no copy of it yet"));
    let good = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nEND:VCALENDAR\r\n";
    let first = fetch(&serve(ok(good)));
    assert_eq!((first.plan.as_deref(), first.problem), (Some(good), None));
    let large = format!("{good}{}", "x".repeat(6_000_000));
    for (answer, reason) in [
        (ok("<html>log in</html>"), "it isn't a calendar"),
        (ok(&large), "more than 5 MB"),
        (status("401 Unauthorized", ""), "needs another user or password"),
        (status("404 Not Found", ""), "it answered 404"),
        (status("302 Found", "Location: SELF/again\r\n"), "redirects more than 3 times"),
    ] {
        let found = fetch(&serve(answer));
        let problem = found.problem.unwrap_or_else(|| panic!("{reason}"));
        assert!(problem.contains(reason) && problem.contains("the last good copy is used"), "{problem}");
        assert!(!problem.contains("secret"), "{problem}");
        assert_eq!(found.plan.as_deref(), Some(good), "{reason}");
    }
}

proptest::proptest! {
    #[test]
    fn no_calendar_ends_the_program(cut in 0_usize..2000, with in "[ -~\r\n]{0,40}") {
        let text = format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n{}END:VCALENDAR\r\n", WEEKLY.replace('\n', "\r\n"));
        let at = cut.min(text.len());
        let broken = format!("{}{with}{}", &text[..at], &text[(at + with.len() / 2).min(text.len())..]);
        let _ = calendar::shifts(&broken, 1_790_000_000, 1_796_000_000, &TimeZone::UTC);
    }
}

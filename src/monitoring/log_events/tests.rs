use super::*;
use std::io::Write;

const NAGIOS: &[u8] = include_bytes!("../../../tests/samples/nagios-4.4.6-nagios.log");
const NAEMON: &[u8] = include_bytes!("../../../tests/samples/naemon-1.5.2-naemon.log");
/// Of `CompatLogger`, with each kind of notification of its own; one comment has a second line.
const ICINGA: &[u8] = include_bytes!("../../../tests/samples/icinga2-2.13.6-compat.log");
const NOW: i64 = 1_800_000_000;

/// The events as text, and what was skipped.
fn read(bytes: &[u8]) -> (Vec<String>, Skipped) {
    let mut reader = LogReader::new(io::Cursor::new(bytes.to_vec()), NOW).unwrap();
    let mut events = Vec::new();
    let done = reader.each(|event| {
        events.push(format!("{event:?}"));
        true
    });
    let mut skipped = reader.skipped;
    skipped.undecodable += u64::from(done.is_err()) * 1000;
    (events, skipped)
}

#[test]
fn every_line_of_interest_of_two_cores_is_decoded() {
    for log in [NAGIOS, NAEMON] {
        let text = String::from_utf8_lossy(log);
        let wanted = |line: &&str| {
            [" ALERT: ", " NOTIFICATION: ", "EXTERNAL COMMAND: "].iter().any(|what| line.contains(what))
                && line.starts_with('[')
        };
        let (events, skipped) = read(log);
        let events = events.iter().filter(|event| !event.contains("name: \"\"")).count();
        assert_eq!((events, skipped.wrong_time), (text.lines().filter(wanted).count(), 0));
    }
}

#[test]
fn each_kind_of_line_has_its_event() {
    let object = LogObject { host: "web01", service: "Disk" };
    for (line, entry) in [
        (
            "[1795234354] SERVICE ALERT: web01;Disk;CRITICAL;HARD;3;x;y",
            LogEntry::State { object, state: "CRITICAL", is_hard: true, output: "x;y", source: StateSource::Alert },
        ),
        (
            "[1795234354] CURRENT SERVICE STATE: web01;Disk;OK;SOFT;1;x",
            LogEntry::State { object, state: "OK", is_hard: false, output: "x", source: StateSource::Current },
        ),
        (
            "[1795234354] SERVICE NOTIFICATION: alice;web01;Disk;ACKNOWLEDGEMENT (CRITICAL);cmd;full;bob;on it",
            LogEntry::Notification {
                contact: "alice",
                object,
                kind: "ACKNOWLEDGEMENT",
                state: "CRITICAL",
                command: "cmd",
                output: "full",
                author_and_comment: Some(("bob", "on it")),
            },
        ),
        (
            "[1795234354] HOST NOTIFICATION: alice;web01;UP;cmd;PING OK",
            LogEntry::Notification {
                contact: "alice",
                object: LogObject { host: "web01", service: "" },
                kind: "RECOVERY",
                state: "UP",
                command: "cmd",
                output: "PING OK",
                author_and_comment: None,
            },
        ),
        (
            "[1795234354] SERVICE DOWNTIME ALERT: web01;Disk;STARTED; entered",
            LogEntry::Downtime { object, has_started: true },
        ),
        (
            "[1795234354] SERVICE FLAPPING ALERT: web01;Disk;STOPPED; calm",
            LogEntry::Flapping { object, has_started: false },
        ),
        (
            "[1795234354] EXTERNAL COMMAND: ACKNOWLEDGE_SVC_PROBLEM;web01;Disk;2;1;1;alice;x; y",
            LogEntry::Command { name: "ACKNOWLEDGE_SVC_PROBLEM", arguments: "web01;Disk;2;1;1;alice;x; y" },
        ),
    ] {
        assert_eq!(event(line), Some(LogEvent { at: 1_795_234_354, entry }), "{line}");
    }
}

#[test]
fn what_is_broken_is_counted_and_skipped() {
    let mut log = b"[1795234354] SERVICE ALERT: web01;Disk;CRITICAL;HARD;3;x\n".to_vec();
    log.extend(b"[0] SERVICE ALERT: web01;Disk;CRITICAL;HARD;3;before the clock was set\n");
    log.extend(b"[4102444800] SERVICE ALERT: web01;Disk;OK;HARD;3;the year 2100\n");
    log.extend(b"[1795234355] SERVICE ALERT: web01\n");
    log.extend(b"no time at all\n\n");
    log.extend(b"[1795234355] SERVICE ALERT: w\xfcb01;Disk;OK;HARD;3;x\n");
    log.extend(b"[1795234356] SERVICE ALERT: web01;Disk;OK;HARD;3;");
    log.extend(vec![b'x'; 3 * LINE_BYTES_MAX]);
    log.extend(b"\n[1795234357] SERVICE ALERT: web01;Di");
    let (events, skipped) = read(&log);
    assert_eq!(events.len(), 3, "{events:?}");
    assert!(events[1].contains("wüb01"), "{}", events[1]);
    let expected = Skipped { cut: 1, wrong_time: 2, undecodable: 2, latin1: 1, first_line: Some(2) };
    assert_eq!((skipped, skipped.lines()), (expected, 5));
}

#[test]
fn a_gzipped_log_is_read_and_a_broken_one_until_it_breaks() {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(NAGIOS).unwrap();
    let whole = encoder.finish().unwrap();
    assert_eq!(read(&whole), read(NAGIOS));
    let (events, skipped) = read(&whole[..whole.len() / 2]);
    assert!(!events.is_empty() && skipped.undecodable >= 1000, "{} {skipped:?}", events.len());
    let twice = [whole.clone(), whole].concat();
    assert_eq!(read(&twice).0.len(), 2 * read(NAGIOS).0.len(), "rotated archives that were appended");
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..400), cut in 0..400_usize) {
        let mut log = NAEMON[..cut.min(NAEMON.len())].to_vec();
        log.extend(bytes);
        let _ = read(&log);
    }
}

#[test]
fn icinga_2_writes_notifications_in_words_of_its_own() {
    let (events, skipped) = read(ICINGA);
    let text = String::from_utf8_lossy(ICINGA);
    let lines = text.lines().filter(|line| line.contains(" NOTIFICATION: ")).count();
    assert_eq!(events.iter().filter(|event| event.contains("Notification {")).count(), lines);
    assert_eq!((skipped.undecodable, skipped.wrong_time, skipped.cut), (2, 0, 0), "the second line of a comment");
    let of = |line: &str| match event(line).unwrap().entry {
        LogEntry::Notification { kind, state, output, author_and_comment, .. } => {
            format!("{kind}/{state}/{output}/{author_and_comment:?}")
        }
        other => panic!("{other:?}"),
    };
    for (line, expected) in [
        ("SERVICE NOTIFICATION: bob;web01;Disk;CRITICAL;mail;used 97 %;", "PROBLEM/CRITICAL/used 97 %/None"),
        ("SERVICE NOTIFICATION: bob;web01;Disk;RECOVERY;mail;fine again;", "RECOVERY/OK/fine again/None"),
        ("HOST NOTIFICATION: alice;web02;DOWN (DOWN);mail;hard;", "PROBLEM/DOWN/hard/None"),
        ("HOST NOTIFICATION: bob;web02;RECOVERY (UP);mail;pong;", "RECOVERY/UP/pong/None"),
        ("SERVICE NOTIFICATION: alice;web01;Flap;FLAPPINGEND;mail;steady;", "FLAPPINGEND//steady/None"),
        (
            "SERVICE NOTIFICATION: alice;web01;Disk;CUSTOM;mail;used 97 %;carl;custom: hello",
            "CUSTOM//used 97 %/Some((\"carl\", \"custom: hello\"))",
        ),
    ] {
        assert!(text.contains(line), "the core wrote it: {line}");
        assert_eq!(of(&format!("[1795731447] {line}")), expected);
    }
}

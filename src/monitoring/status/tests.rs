use super::*;
use proptest::prelude::*;

mod centreon;

#[cfg(not(debug_assertions))] // figures of an unoptimised build say nothing
mod figures;

const NAGIOS: &[u8] = include_bytes!("../../../tests/samples/nagios-4.4.6-status.dat");
const NAEMON: &[u8] = include_bytes!("../../../tests/samples/naemon-1.5.2-status.dat");

fn object(host: &str, service: Option<&str>) -> Object {
    Object { core: String::new(), host: host.into(), service: service.map(str::to_owned) }
}

fn parsed(file: &[u8], wanted: &[Object]) -> Snapshot {
    read(file, wanted).unwrap().unwrap()
}

#[test]
fn a_nagios_tells_its_state() {
    let [http, disk, host] = [object("web01", Some("HTTP")), object("web01", Some("Disk")), object("web01", None)];
    let gone = object("web01", Some("Gone"));
    let snapshot = parsed(NAGIOS, &[http.clone(), disk.clone(), host.clone(), gone.clone(), object("nohost", None)]);
    assert_eq!(snapshot.created, 1_795_234_456);
    let program = Program {
        pid: Some(10816),
        start: Some(1_795_234_312),
        notifications_enabled: Some(true),
        external_commands_checked: None,
    };
    assert_eq!(snapshot.program, program);
    assert_eq!(snapshot.states.len(), 3);
    let state = &snapshot.states[&http];
    assert_eq!((state.code, state.is_hard, state.acknowledged), (2, true, Acknowledged::Sticky));
    assert_eq!((state.problem_id.as_str(), state.output.as_str()), ("2", "CRITICAL - path C:\\"));
    assert_eq!((state.last_check, state.next_check), (1_795_234_456, 1_795_234_458));
    assert_eq!(state.last_state_change, 1_795_234_314);
    assert_eq!(state.acknowledgements.len(), 2);
    let first = &state.acknowledgements[0];
    assert_eq!((first.author.as_str(), first.time), ("alice", 1_795_234_359));
    assert_eq!(first.comment, "Ack via Slack: with; semicolons \"q\" | p");
    assert_eq!(state.acknowledgement().unwrap().comment, "x");
    assert_eq!(state.comments.len(), 3);
    assert_eq!(snapshot.states[&disk].acknowledged, Acknowledged::No);
    let host = &snapshot.states[&host];
    assert_eq!((host.code, host.problem_id.as_str()), (0, ""));
}

#[test]
fn when_it_was_written_is_read_without_the_rest() {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples");
    assert_eq!(created(&samples.join("nagios-4.4.6-status.dat")), Some(1_795_234_456));
    assert_eq!(created(&samples.join("no-such-file")), None);
    assert_eq!(created(Path::new(file!())), None);
}

#[test]
fn a_naemon_leaves_the_type_of_an_acknowledgement_behind() {
    let (mysql, http) = (object("db01", Some("MySQL")), object("web01", Some("HTTP")));
    let snapshot = parsed(NAEMON, &[mysql.clone(), http.clone()]);
    let state = &snapshot.states[&mysql];
    assert_eq!(state.acknowledged, Acknowledged::No);
    assert_eq!(state.acknowledgement(), None, "its comment outlived it");
    assert_eq!(state.problem_id, "cdb663ff-4965-4de0-af11-96f91ae143b6");
    let acknowledgement = snapshot.states[&http].acknowledgement().unwrap();
    assert_eq!((acknowledgement.author.as_str(), acknowledgement.comment.as_str()), ("alice", "bad sticky"));
}

#[test]
fn downtimes_are_told() {
    let file = b"info {\n\tcreated=5\n\t}\nhoststatus {\n\thost_name=a\n\tscheduled_downtime_depth=1\n\t}\nhostdowntime {\n\thost_name=a\n\
        \tdowntime_id=7\n\tentry_time=1\n\tstart_time=10\n\tflex_downtime_start=0\n\tend_time=20\n\ttriggered_by=0\n\tfixed=1\n\
        \tduration=10\n\tauthor=alice\n\tcomment=up=grade\n\t}\nservicedowntime {\n\thost_name=a\n\tservice_description=b\n\tdowntime_id=8\n\t}\n";
    let snapshot = parsed(file, &[object("a", None), object("a", Some("b"))]);
    let state = &snapshot.states[&object("a", None)];
    let expected = Downtime {
        id: "7".into(),
        author: "alice".into(),
        comment: "up=grade".into(),
        start: 10,
        end: 20,
        is_fixed: true,
    };
    assert_eq!((state.downtime_depth, state.downtimes.as_slice()), (1, [expected].as_slice()));
    assert_eq!(snapshot.states.len(), 1, "a service that has only a downtime doesn't exist");
}

#[test]
fn what_is_no_status_file_says_nothing() {
    for file in [&b""[..], b"x", b"{}", b"define host {\n}\n", &NAGIOS[..NAGIOS.len() / 2]] {
        assert_eq!(read(file, &[object("web01", None)]).unwrap(), None);
    }
}

#[test]
fn thousands_of_comments_keep_the_latest() {
    let mut file = "info {\n}\nhoststatus {\nhost_name=a\n}\n".to_owned();
    for i in 0..1500 {
        file += &format!("hostcomment {{\nhost_name=a\nentry_type=4\nentry_time={i}\n}}\n");
    }
    let snapshot = parsed(file.as_bytes(), &[object("a", None)]);
    let list = &snapshot.states[&object("a", None)].acknowledgements;
    assert_eq!((list.len(), list.last().unwrap().time), (NOTES_MAX, 1499));
}

/// Lines a status file may have, in any order.
fn line() -> impl Strategy<Value = Vec<u8>> {
    let known = [
        "info {",
        "hoststatus {",
        "servicestatus {",
        "servicecomment {",
        "hostdowntime {",
        "\t}",
        "\thost_name=a",
        "\tservice_description=b",
        "\tentry_type=4",
        "\tcurrent_state=99999",
        "\tlast_check=-1e9",
        "=",
        "\tauthor=\u{fffd}",
        "\t_HOST_ID=0;1",
        "\t_SERVICE_ID=0;2",
        "\thost_id=1",
        "\tservice_id=2",
    ];
    prop_oneof![
        proptest::sample::select(known.to_vec()).prop_map(|text| text.as_bytes().to_vec()),
        proptest::collection::vec(any::<u8>(), 0..40)
    ]
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(lines in proptest::collection::vec(line(), 0..40)) {
        let wanted = [object("a", None), object("a", Some("b")), object("", None)];
        if let Some(snapshot) = read(&lines.join(&b'\n')[..], &wanted).unwrap() {
            prop_assert!(snapshot.states.keys().all(|object| wanted.contains(object)));
        }
    }
}

#[test]
fn a_survey_tells_what_is_wrong_and_what_there_is() {
    let problems = list(NAGIOS, Scope::Problems).unwrap().unwrap();
    let http = problems.iter().find(|(found, _)| *found == object("web01", Some("HTTP"))).unwrap();
    assert_eq!((http.1.code, http.1.output.as_str()), (2, "CRITICAL - path C:\\"));
    assert!(problems.iter().all(|(_, state)| state.code != 0));
    let names = list(NAGIOS, Scope::Names).unwrap().unwrap();
    assert!(names.len() > problems.len());
    assert!(names.iter().any(|(found, _)| *found == object("web01", None)));
    assert_eq!(list(&NAGIOS[..NAGIOS.len() / 2], Scope::Names).unwrap(), None, "cut off");
    assert_eq!(list(&b"hello"[..], Scope::Names).unwrap(), None);
}

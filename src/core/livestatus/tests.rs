use super::*;
use crate::confirm::snapshot::Acknowledged;
use crate::core::door::tests::play;

fn object(host: &str, service: Option<&str>) -> Object {
    Object { core: String::new(), host: host.into(), service: service.map(str::to_owned) }
}

/// As Livestatus frames it.
fn framed(status: u16, body: &str) -> Vec<u8> {
    format!("{status} {:>11}\n{body}", body.len()).into_bytes()
}

#[test]
fn the_recorded_frame_is_read() {
    let recorded =
        "200         106\n[[\"web01\",\"Disk\",2,1,[[3,\"dave\",\"via livestatus\",1795240318,4,0,0]],[\"alice\"]]]\n";
    let body = &recorded[16..];
    let table = Table::of(format!("200 {:>11}\n{body}", body.len()).as_bytes()).unwrap();
    assert_eq!(table.rows().next().unwrap().text(1), "Disk");
    for (answer, reason) in [
        (&b"400          10\nno such ta"[..], "400 no such ta"),
        (b"200", "the answer is cut off"),
        (b"200         106\n[[", "the answer is cut off"),
        (b"200           x\n[[", "the answer has no length"),
        (b"200           2\n{}", "the answer is no table"),
    ] {
        assert_eq!(Table::of(answer).unwrap_err(), reason);
    }
}

#[test]
fn the_state_is_read_from_memory() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("live");
    let (host, disk) = (object("web01", None), object("web01", Some("Disk")));
    let state = "2,1,1,2,1,1,1795240300,1795240360,1795240000,\"bad\"";
    let played = play(
        &path,
        b"\n\n",
        vec![
            framed(200, "[[17,1795240000,1,0]]"),
            framed(200, "[[\"web01\",\"web01\",0,1,0,0,0,1,5,6,7,\"up\"]]"),
            framed(200, &format!("[[\"web01\",\"Disk\",{state}],[\"web01\",\"Other\",{state}]]")),
            framed(
                200,
                "[[\"web01\",\"Disk\",\"dave\",\"via livestatus\",1795240318,4],[\"web01\",\"\",\"eve\",\"hi\",9,1]]",
            ),
            framed(200, "[[\"web01\",\"Disk\",7,\"dave\",\"up\",1,2,1]]"),
        ],
    );
    let hostile = object("a\nFilter: x", None);
    let snapshot = read(&LivestatusAddress::Unix(path), &[host.clone(), disk.clone(), hostile]).unwrap();
    let asked = played.join().unwrap();
    assert!(asked[2].starts_with("GET services\nColumns: host_name description state "), "{}", asked[2]);
    let end = "\nFilter: host_name = web01\nFilter: description = Disk\nAnd: 2\nOutputFormat: json\nResponseHeader: fixed16\n\n";
    assert!(asked[2].ends_with(end), "{}", asked[2]);
    assert!(asked[3].contains("Filter: host_name = web01\nFilter: host_name = web01\nOr: 2\n"), "{}", asked[3]);
    assert!(snapshot.created > 1_700_000_000);
    assert_eq!((snapshot.program.pid, snapshot.program.external_commands_checked), (Some(17), Some(false)));
    assert_eq!(snapshot.states.len(), 2);
    let state = &snapshot.states[&disk];
    assert_eq!((state.code, state.is_hard, state.acknowledged), (2, true, Acknowledged::Sticky));
    let expected = Acknowledgement { author: "dave".into(), comment: "via livestatus".into(), time: 1_795_240_318 };
    assert_eq!(state.acknowledgement(), Some(&expected));
    assert_eq!((state.downtimes[0].id.as_str(), state.downtimes[0].is_fixed), ("7", true));
    assert_eq!(snapshot.states[&host].comments[0].author, "eve");
}

#[test]
fn contacts_are_told_without_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("live");
    let contacts = "[[\"alice\",\"alice@example.com\",1],[\"bob\",\"\",0]]";
    let played = play(&path, b"\n\n", vec![framed(200, "[[[\"alice\",\"eve\"]]]"), framed(200, contacts)]);
    let livestatus = Some(LivestatusAddress::Unix(path));
    let core = crate::config::Core { kind: crate::config::CoreKind::Checkmk, livestatus, ..Default::default() };
    let found = crate::core::contacts::Contacts::default().of(&core, &object("web01", Some("Disk"))).unwrap();
    assert!(played.join().unwrap()[0].starts_with("GET services\nColumns: contacts\nFilter: host_name = web01\n"));
    assert_eq!(found.iter().map(|contact| contact.is_objects).collect::<Vec<_>>(), [true, false]);
    assert_eq!((found[0].email.as_deref(), found[1].email.as_deref()), (Some("alice@example.com"), None));
    assert!(!found[1].can_submit_commands);
}

proptest::proptest! {
    #[test]
    fn no_answer_makes_it_panic(body in "[\\[\\]\",0-9a-z]{0,60}|\\PC{0,40}", cut in 0..80_usize) {
        let answer = framed(200, &body);
        for answer in [&answer[..], &answer[..cut.min(answer.len())], body.as_bytes()] {
            if let Ok(table) = Table::of(answer) {
                table.rows().for_each(|row| drop((row.state(), row.text(0))));
            }
        }
    }
}

#[test]
fn what_it_refuses_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("live");
    let _played = play(&path, b"\n\n", vec![framed(452, "No such column")]);
    let error = read(&LivestatusAddress::Unix(path.clone()), &[]).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("Livestatus at {} doesn't tell the core's state: 452 No such column", path.display())
    );
}

#[test]
fn a_survey_asks_for_what_is_wrong() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("live");
    let hosts = framed(200, "[[\"web01\",\"web01\",1,1,0,0,0,1,5,6,7,\"down\"]]");
    let services = framed(200, "[[\"web01\",\"Disk\",2,1,1,2,1,1,5,6,7,\"bad\"]]");
    let played = play(&path, b"\n\n", vec![hosts, services]);
    let found = survey(&LivestatusAddress::Unix(path), Extent::Problems).unwrap();
    let asked = played.join().unwrap();
    assert!(asked[1].starts_with("GET services\nColumns: host_name description state "), "{}", asked[1]);
    assert!(asked[1].contains("\nFilter: state != 0\nOutputFormat"), "{}", asked[1]);
    assert_eq!(found[0].0, object("web01", None));
    assert_eq!((&found[1].0, found[1].1.code), (&object("web01", Some("Disk")), 2));
}

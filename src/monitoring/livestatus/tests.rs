use super::*;
use crate::model::core_snapshot::Acknowledged;
use crate::monitoring::send::tests::play;

fn object(host: &str, service: Option<&str>) -> Object {
    Object { core: String::new(), host: host.into(), service: service.map(str::to_owned) }
}

/// As Livestatus frames it: these rows, in JSON, in the form that we ask for.
fn framed(status: u16, body: &str) -> Vec<u8> {
    let field = |value: &serde_json::Value| match value {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Array(list) => {
            list.iter().map(|one| one.as_str().unwrap().to_owned()).collect::<Vec<_>>().join("\u{1}")
        }
        other => other.to_string(),
    };
    let rows: Vec<Vec<serde_json::Value>> = serde_json::from_str(body).unwrap_or_default();
    let body = if rows.is_empty() {
        body.trim_start_matches("[]").to_owned()
    } else {
        rows.iter().flatten().map(|value| format!("{}\0", field(value))).collect()
    };
    format!("{status} {:>11}\n{body}", body.len()).into_bytes()
}

/// Real answers, byte by byte: Naemon 1.5.2 with its Livestatus 1.5.1, Icinga 2 2.13.6.
const NAEMON: &[u8] = include_bytes!("../../../tests/samples/naemon-livestatus-1.5.1-comments.bin");
const NAEMON_REFUSAL: &[u8] = include_bytes!("../../../tests/samples/naemon-livestatus-1.5.1-refusal.bin");
const ICINGA2: &[u8] = include_bytes!("../../../tests/samples/icinga2-2.13.6-livestatus-services.bin");
const ICINGA2_NOTES: &[u8] = include_bytes!("../../../tests/samples/icinga2-2.13.6-livestatus-comments.bin");

#[test]
fn the_recorded_answers_are_read() {
    let table =
        Table::parse(NAEMON, "GET comments\nColumns: host_name service_description author comment entry_type\n")
            .unwrap();
    let rows: Vec<_> = table.rows().collect();
    // Its JSON would have said U+07E5, and ended the text at the byte that is no UTF-8.
    assert_eq!([rows[0].text(1), rows[0].text(3)], ["Disk", "x 🔥 \u{fffd} y \\n C:\\temp"]);
    assert_eq!((rows.len(), rows[0].number(4)), (1, 1));
    let query = format!("GET services\nColumns: host_name description {STATE}\n");
    let table = Table::parse(ICINGA2, &query).unwrap();
    let rows: Vec<_> = table.rows().map(|row| (row.text(1), row.state())).collect();
    let of = |name: &str| &rows.iter().find(|(found, _)| *found == name).unwrap().1;
    // Booleans, and a time that has a fraction or none.
    assert_eq!((of("Disk").acknowledged, of("Disk").is_pending), (Acknowledged::Sticky, false));
    assert_eq!((of("never").acknowledged, of("never").is_pending), (Acknowledged::No, true));
    assert_eq!((of("emoji 🔥").output.as_str(), of("emoji 🔥").notifications_enabled), ("out 🔥 x", true));
    assert!(of("Disk").last_check > 1_795_000_000 && of("Disk").last_state_change > 1_795_000_000);
    let table =
        Table::parse(ICINGA2_NOTES, "Columns: host_name service_description author comment entry_time entry_type\n");
    let table = table.unwrap();
    let row = table.rows().next().unwrap();
    assert_eq!((row.text(2), row.text(3), row.number(5)), ("alice", "C:\\temp a\\nb; semi", 4));
    for (answer, reason) in [
        (&b"400          10\nno such ta"[..], "400 no such ta"),
        (b"200", "the answer is cut off"),
        (b"200         106\n[[", "the answer is cut off"),
        (b"200           x\n[[", "the answer has no length"),
        (b"200           2\n{}", "the answer is no table"),
        (b"200           4\na\0b\0", "the answer is no table"),
    ] {
        assert_eq!(Table::parse(answer, "Columns: a b c").unwrap_err(), reason);
    }
}

#[test]
fn a_naemon_undoes_backslashes_and_says_what_it_refuses() {
    let directory = tempfile::tempdir().unwrap();
    let comment = "C:\\new\\".to_owned();
    let action = crate::model::action::Action::Comment { persistent: true, comment };
    let command = crate::rules::command::tests::command(&action, "back\\slash", Some("Disk C:\\"), "alice").unwrap();
    for (kind, doubles) in [
        (CoreKind::Naemon, true),
        (CoreKind::OpenItCockpit, true),
        (CoreKind::Icinga2, false),
        (CoreKind::Checkmk, false),
        (CoreKind::Nagios, false),
    ] {
        let path = directory.path().join(format!("{kind:?}"));
        let played = play(&path, b"\n\n", vec![Vec::new()]);
        let core =
            crate::config::Core { kind, livestatus: Some(LivestatusAddress::Unix(path).into()), ..Default::default() };
        let nowhere = Some(directory.path().join("none"));
        let core = crate::config::Core { main_config: nowhere, ..core };
        crate::monitoring::send::send(&core, &command).unwrap();
        let line = command.lines()[0].trim_end().to_owned();
        let expected = if doubles { line.replace('\\', "\\\\") } else { line };
        assert_eq!(played.join().unwrap(), [format!("COMMAND {expected}\n\n")], "{kind:?}");
    }
    let path = directory.path().join("live");
    let _played = play(&path, b"\n\n", vec![NAEMON_REFUSAL.to_vec()]);
    let error = send(&LivestatusAddress::Unix(path).into(), Backslashes::Undone, &command).unwrap_err();
    let verdict = "the monitoring core refused it: Failed validation of service as type service (argument 0)";
    assert_eq!((error.to_string().as_str(), error.is_verdict()), (verdict, true));
}

#[test]
fn the_state_is_read_from_memory() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("live");
    let (host, disk) = (object("web01", None), object("web01", Some("Disk")));
    let state = "2,1,1,2,1,1,1795240300,1795240360,1795240000,1,\"bad\"";
    let played = play(
        &path,
        b"\n\n",
        vec![
            framed(200, "[[17,1795240000,1,0]]"),
            framed(200, "[[\"web01\",\"web01\",0,1,0,0,0,1,5,6,7,1,\"up\"]]"),
            framed(200, &format!("[[\"web01\",\"Disk\",{state}],[\"web01\",\"Other\",{state}]]")),
            framed(
                200,
                "[[\"web01\",\"Disk\",\"dave\",\"via livestatus\",1795240318,4],[\"web01\",\"\",\"eve\",\"hi\",9,1]]",
            ),
            framed(200, "[[\"web01\",\"Disk\",7,\"dave\",\"up\",1,2,1]]"),
        ],
    );
    let hostile = object("a\nFilter: x", None);
    let snapshot = read(&LivestatusAddress::Unix(path).into(), &[host.clone(), disk.clone(), hostile]).unwrap();
    let asked = played.join().unwrap();
    assert!(asked[2].starts_with("GET services\nColumns: host_name description state "), "{}", asked[2]);
    let end = "\nFilter: host_name = web01\nFilter: description = Disk\nAnd: 2\nOutputFormat: csv\nSeparators: 0 0 1 2\nResponseHeader: fixed16\n\n";
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
    let livestatus = Some(LivestatusAddress::Unix(path).into());
    let core = crate::config::Core { kind: CoreKind::Checkmk, livestatus, ..Default::default() };
    let found = crate::monitoring::contacts::Contacts::default().of(&core, &object("web01", Some("Disk"))).unwrap();
    assert!(played.join().unwrap()[0].starts_with("GET services\nColumns: contacts\nFilter: host_name = web01\n"));
    assert_eq!(found.iter().map(|contact| contact.is_objects).collect::<Vec<_>>(), [true, false]);
    assert_eq!((found[0].email.as_deref(), found[1].email.as_deref()), (Some("alice@example.com"), None));
    assert!(!found[1].can_submit_commands);
}

proptest::proptest! {
    #[test]
    fn no_answer_makes_it_panic(body in "[\0\u{1}0-9a-z.]{0,60}|\\PC{0,40}", cut in 0..80_usize) {
        let answer = format!("200 {:>11}\n{body}", body.len()).into_bytes();
        for answer in [&answer[..], &answer[..cut.min(answer.len())], body.as_bytes()] {
            if let Ok(table) = Table::parse(answer, "Columns: a b") {
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
    let error = read(&LivestatusAddress::Unix(path.clone()).into(), &[]).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("can't get the core's state from Livestatus at {}: 452 No such column", path.display())
    );
}

#[test]
fn a_survey_asks_for_what_is_wrong() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("live");
    let hosts = framed(200, "[[\"web01\",\"web01\",1,1,0,0,0,1,5,6,7,1,\"down\"]]");
    let services = framed(200, "[[\"web01\",\"Disk\",2,1,1,2,1,1,5,6,7,1,\"bad\"]]");
    let played = play(&path, b"\n\n", vec![hosts, services]);
    let found = list(&LivestatusAddress::Unix(path).into(), Scope::Problems).unwrap();
    let asked = played.join().unwrap();
    assert!(asked[1].starts_with("GET services\nColumns: host_name description state "), "{}", asked[1]);
    assert!(asked[1].contains("\nFilter: state != 0\nFilter: has_been_checked = 1\nOutputFormat"), "{}", asked[1]);
    assert_eq!(found[0].0, object("web01", None));
    assert_eq!((&found[1].0, found[1].1.code), (&object("web01", Some("Disk")), 2));
}

fn alternatives(paths: &[&std::path::Path]) -> Livestatus {
    Livestatus(paths.iter().map(|path| LivestatusAddress::Unix((*path).to_owned())).collect())
}

#[test]
fn the_first_address_that_answers_is_used_and_one_that_is_down_rests() {
    let directory = tempfile::tempdir().unwrap();
    let [away, spare, mute] = ["away", "spare", "mute"].map(|name| directory.path().join(name));
    let both = alternatives(&[&away, &spare]);
    let reason = |e: ReadError| e.to_string();
    let nobody = read(&both, &[]).map_err(reason).unwrap_err();
    let expected = format!(
        "can't get the core's state from Livestatus: {}: No such file or directory (os error 2); {}: No such file or directory (os error 2)",
        away.display(),
        spare.display()
    );
    assert_eq!(nobody, expected);
    let played = play(&spare, b"\n\n", vec![framed(200, "[[17,1,1,0]]"), framed(200, "[[18,1,1,0]]")]);
    assert_eq!(read(&both, &[]).unwrap().program.pid, Some(17));
    // The preferred one is back, and rests still.
    let _back = std::os::unix::net::UnixListener::bind(&away).unwrap();
    assert_eq!(read(&both, &[]).unwrap().program.pid, Some(18));
    assert_eq!(played.join().unwrap().len(), 2);
    // A forwarder without a core behind it closes; the answer of a core that is asked nonsense is one.
    let _closed = play(&mute, b"\n\n", vec![Vec::new(), Vec::new()]);
    let nonsense = directory.path().join("nonsense");
    let _played = play(&nonsense, b"\n\n", vec![framed(452, "no such column")]);
    let unreadable = read(&alternatives(&[&mute, &nonsense]), &[]).map_err(reason).unwrap_err();
    assert!(unreadable.ends_with("Livestatus: 452 no such column"), "{unreadable}");
}

#[test]
fn a_command_goes_to_one_address_only() {
    let directory = tempfile::tempdir().unwrap();
    let [away, first, spare] = ["away", "first", "spare"].map(|name| directory.path().join(name));
    let action = crate::model::action::Action::Comment { persistent: true, comment: "x".to_owned() };
    let command = crate::rules::command::tests::command(&action, "web01", None, "alice").unwrap();
    // It has the command and dies: the state will show whether it ran it.
    let played = play(&first, b"\n\n", vec![Vec::new()]);
    let other = std::os::unix::net::UnixListener::bind(&spare).unwrap();
    other.set_nonblocking(true).unwrap();
    send(&alternatives(&[&away, &first, &spare]), Backslashes::Kept, &command).unwrap();
    assert_eq!(played.join().unwrap().len(), 1);
    assert_eq!(other.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

/// A certificate for that name, as a file, and the TLS of somebody who has it.
fn certificate(directory: &std::path::Path, name: &str) -> (std::path::PathBuf, std::sync::Arc<rustls::ServerConfig>) {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    let file = directory.join(name);
    std::fs::write(&file, made.cert.pem()).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = builder.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key).unwrap();
    (file, std::sync::Arc::new(config))
}

/// Answers one request over TLS, and closes without a word of TLS, as many do. What it was asked; nothing without a handshake.
fn play_tls(
    config: std::sync::Arc<rustls::ServerConfig>,
    answer: Vec<u8>,
) -> (String, std::thread::JoinHandle<String>) {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let played = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut stream = rustls::StreamOwned::new(rustls::ServerConnection::new(config).unwrap(), stream);
        let (mut asked, mut chunk) = (Vec::new(), [0; 4096]);
        while !asked.ends_with(b"\n\n") {
            match stream.read(&mut chunk) {
                Ok(count @ 1..) => asked.extend_from_slice(&chunk[..count]),
                _ => return String::new(),
            }
        }
        let _ = stream.write_all(&answer);
        let _ = stream.flush();
        String::from_utf8(asked).unwrap()
    });
    (address, played)
}

#[test]
fn over_tls_the_right_one_gets_the_command_and_nobody_else() {
    let directory = tempfile::tempdir().unwrap();
    let (file, own) = certificate(directory.path(), "mysite");
    let (_, strangers) = certificate(directory.path(), "elsewhere");
    let tls = |address: String, name: &str| LivestatusAddress::Tls {
        address,
        ca_file: Some(file.clone()),
        name: Some(name.to_owned()),
    };
    let (address, asked) = play_tls(std::sync::Arc::clone(&own), framed(200, "[[17,1,1,0]]"));
    assert_eq!(read(&tls(address, "mysite").into(), &[]).unwrap().program.pid, Some(17));
    assert!(asked.join().unwrap().starts_with("GET status\n"));
    let action = crate::model::action::Action::Comment { persistent: true, comment: "x".to_owned() };
    let command = crate::rules::command::tests::command(&action, "web01", None, "alice").unwrap();
    // The first has another certificate, the second another name: the third gets it.
    let (first, no_first) = play_tls(strangers, Vec::new());
    let (second, no_second) = play_tls(std::sync::Arc::clone(&own), Vec::new());
    let (third, asked) = play_tls(own, Vec::new());
    let addresses = Livestatus(vec![tls(first, "mysite"), tls(second, "yoursite"), tls(third, "mysite")]);
    send(&addresses, Backslashes::Kept, &command).unwrap();
    assert_eq!([no_first, no_second].map(|asked| asked.join().unwrap()), [String::new(), String::new()]);
    assert_eq!(asked.join().unwrap(), format!("COMMAND {}\n\n", command.lines()[0].trim_end()));
    // Nobody who speaks TLS.
    let plain = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = tls(plain.local_addr().unwrap().to_string(), "mysite");
    let error = read(&silent.into(), &[]).unwrap_err().to_string();
    assert!(error.ends_with("no answer within 2 s"), "{error}");
}

#[test]
fn parents_and_services_make_the_topology() {
    let ask = |query: &str| {
        let rows = if query.starts_with("GET hosts") {
            r#"[["sw",[]],["web",["sw"]],["db",["sw","other"]]]"#
        } else {
            r#"[["web"],["web"],["db"]]"#
        };
        Table::parse(&framed(200, rows), query)
    };
    let topology = topology_from(&ask).unwrap();
    assert_eq!(topology.count_behind("sw"), (1, 2), "db has another way");
    assert!(topology_from(&|_: &str| Err("away".to_owned())).is_err());
}

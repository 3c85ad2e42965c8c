//! Real FIFOs and sockets; the exchanges are those recorded with the real cores.

use super::*;
use crate::config::{Api, ApiLogin, LivestatusAddress};
use crate::model::action::Action;
use crate::rules::command::CommandError;
use crate::rules::command::tests::command;
use crate::system::secret::Secret;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::thread::JoinHandle;

fn acknowledge() -> ExternalCommand {
    let comment = "on it".to_owned();
    let action = Action::Acknowledge { sticky: true, notify: true, persistent: false, comment, expiry: None };
    command(&action, "web01", Some("HTTP"), "alice").unwrap()
}

const LINE: &str = "[1795240000] ACKNOWLEDGE_SVC_PROBLEM;web01;HTTP;2;1;0;alice;on it";

fn host_with_services() -> Result<ExternalCommand, CommandError> {
    let comment = "upgrade".to_owned();
    let (start, end) = (1_795_240_000, 1_795_247_200);
    command(&Action::Downtime { start, end, flexible: None, comment, host_services: true }, "web01", None, "alice")
}

fn fifo(path: &Path) {
    rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
}

fn with_file(path: &Path) -> Core {
    Core { command_file: Some(path.to_owned()), ..Core::default() }
}

#[test]
fn a_fifo_takes_whole_commands() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("nagios.cmd");
    fifo(&path);
    let mut reader = fs::OpenOptions::new().read(true).custom_flags(OFLAGS_NONBLOCK).open(&path).unwrap();
    let receipt = send(&with_file(&path), &acknowledge()).unwrap();
    assert_eq!(receipt, Receipt { transport: "command file", answer: None, ..Receipt::default() });
    send(&with_file(&path), &host_with_services().unwrap()).unwrap();
    let mut read = String::new();
    reader.read_to_string(&mut read).unwrap();
    let lines: Vec<&str> = read.lines().collect();
    assert_eq!((lines.len(), lines[0]), (3, LINE));
    assert!(lines[2].contains("SCHEDULE_HOST_SVC_DOWNTIME;web01;"), "{read}");
}

const OFLAGS_NONBLOCK: i32 = 0o4000;

#[test]
fn every_failure_of_a_fifo_has_its_sentence() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let refused = |path: &Path| send(&with_file(path), &acknowledge()).unwrap_err();
    assert!(matches!(refused(&path("gone")), SendError::Missing(_)));
    fifo(&path("idle"));
    assert!(matches!(refused(&path("idle")), SendError::NoReader(_)));
    fs::write(path("file"), "untouched").unwrap();
    let _listener = UnixListener::bind(path("socket")).unwrap();
    std::os::unix::fs::symlink("/dev/null", path("null")).unwrap();
    fs::create_dir(path("directory")).unwrap();
    for name in ["file", "socket", "null", "directory"] {
        assert!(matches!(refused(&path(name)), SendError::NotAFifo(_)), "{name}");
    }
    assert_eq!(fs::read(path("file")).unwrap(), b"untouched");
    assert!(!path("gone").exists(), "never created");

    fifo(&path("full"));
    let _reader = fs::OpenOptions::new().read(true).custom_flags(OFLAGS_NONBLOCK).open(path("full")).unwrap();
    let mut full = fs::OpenOptions::new().write(true).custom_flags(OFLAGS_NONBLOCK).open(path("full")).unwrap();
    while full.write(&[b'\n'; 4096]).is_ok() {}
    assert!(matches!(refused(&path("full")), SendError::Full(_)));

    for (error, start) in [
        (refused(&path("gone")), "the monitoring core isn't running, or takes no commands: there is no command file /"),
        (refused(&path("idle")), "the monitoring core isn't running: nobody reads its command file /"),
        (refused(&path("full")), "the monitoring core is busy or hangs: its command file /"),
        (refused(&path("file")), "/"),
    ] {
        assert!(error.to_string().starts_with(start), "{error}");
    }
    assert!(matches!(
        send(&Core { kind: CoreKind::Checkmk, ..Core::default() }, &acknowledge()),
        Err(SendError::NoTransport)
    ));
}

#[test]
fn commands_that_are_disabled_are_told() {
    let directory = tempfile::tempdir().unwrap();
    let main = directory.path().join("nagios.cfg");
    fs::write(&main, "command_file=nagios.cmd\ncheck_external_commands=0\n").unwrap();
    let core = Core { main_config: Some(main), ..Core::default() };
    assert!(matches!(send(&core, &acknowledge()), Err(SendError::Disabled)));
    fifo(&directory.path().join("nagios.cmd"));
    assert!(matches!(send(&core, &acknowledge()), Err(SendError::Disabled)));
}

#[test]
fn a_forbidden_fifo_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("nagios.cmd");
    fifo(&path);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
    if rustix::process::geteuid().is_root() {
        return; // root may
    }
    assert!(matches!(send(&with_file(&path), &acknowledge()), Err(SendError::Forbidden(_))));
}

/// Answers one connection after the other with these answers, and returns what was asked.
pub(crate) fn play(path: &Path, ends_with: &'static [u8], answers: Vec<Vec<u8>>) -> JoinHandle<Vec<String>> {
    let listener = UnixListener::bind(path).unwrap();
    std::thread::spawn(move || {
        let mut asked = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let (mut request, mut byte) = (Vec::new(), [0]);
            while !request.ends_with(ends_with) && stream.read(&mut byte).unwrap() > 0 {
                request.push(byte[0]);
            }
            stream.write_all(&answer).unwrap();
            asked.push(String::from_utf8(request).unwrap());
        }
        asked
    })
}

fn naemon(directory: &Path) -> Core {
    Core { kind: CoreKind::Naemon, query_socket: Some(directory.join("naemon.qh")), ..Core::default() }
}

#[test]
fn a_query_handler_gives_its_verdict() {
    for (answer, expected) in [
        (&b"200: OK\0"[..], Ok("200: OK")),
        (b"200: OK", Ok("200: OK")),
        // As Naemon 1.5.2 gives it.
        (
            b"400: Failed validation of service as type service (argument 0)\n\0",
            Err("the monitoring core refused it: Failed validation of service as type service (argument 0)"),
        ),
        (
            b"404: command: No such handler\0",
            Err("the monitoring core refused it: its query handler takes no commands"),
        ),
        (b"", Err("gave no answer that can be read")),
        (b"hello", Err("gave no answer that can be read")),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let core = naemon(directory.path());
        let played = play(core.query_socket.as_ref().unwrap(), b"\0", vec![answer.to_vec()]);
        match (send(&core, &acknowledge()), expected) {
            (Ok(receipt), Ok(text)) => {
                assert_eq!(
                    receipt,
                    Receipt { transport: "query handler", answer: Some(text.into()), ..Receipt::default() }
                );
            }
            (Err(error), Err(text)) => assert!(error.to_string().contains(text), "{error}"),
            other => panic!("{other:?}"),
        }
        assert_eq!(played.join().unwrap(), [format!("#command run {LINE}\0")]);
    }
}

#[test]
fn an_answer_ends_with_its_nul_though_the_connection_stays_open() {
    let directory = tempfile::tempdir().unwrap();
    let core = naemon(directory.path());
    for (answer, is_good) in [(&b"200: OK\0"[..], true), (b"400: no\n\0", false)] {
        let path = core.query_socket.as_ref().unwrap();
        let listener = UnixListener::bind(path).unwrap();
        let core_thread = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 512];
            let _ = stream.read(&mut request).unwrap();
            stream.write_all(answer).unwrap();
            stream
        });
        let started = std::time::Instant::now();
        let sent = send(&core, &acknowledge());
        assert!(sent.is_ok() == is_good && started.elapsed() < std::time::Duration::from_secs(1), "{sent:?}");
        drop(core_thread.join().unwrap());
        fs::remove_file(path).unwrap();
    }
}

#[test]
fn what_a_line_cant_say_is_that_doors_to_refuse() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("icinga2.cmd");
    fifo(&path);
    let _reader = fs::OpenOptions::new().read(true).custom_flags(OFLAGS_NONBLOCK).open(&path).unwrap();
    let action = Action::RemoveAcknowledgement;
    let command = command(&action, "web01", Some("a;b"), "alice").unwrap();
    let core = Core { kind: CoreKind::Icinga2, ..with_file(&path) };
    let error = send(&core, &command).unwrap_err();
    assert_eq!(
        error.to_string(),
        "\"a;b\" can't be named through the command file: fields end at a semicolon there; rename it in the monitoring, \
         or let ackbell use the core's API: api_url in [core]"
    );
    let good = r#"{"results":[{"code":200.0,"status":"ok"}]}"#;
    let (url, served) = serve(vec![(200, good.to_owned())]);
    send(&icinga2(url), &command).unwrap();
    assert!(served.join().unwrap()[0].contains(r#""ackbell_service":"a;b""#));
}

#[test]
fn the_second_half_may_fail() {
    let directory = tempfile::tempdir().unwrap();
    let core = naemon(directory.path());
    let answers = vec![b"200: OK\0".to_vec(), b"400: no\0".to_vec()];
    let _played = play(core.query_socket.as_ref().unwrap(), b"\0", answers);
    let error = send(&core, &host_with_services().unwrap()).unwrap_err();
    assert!(error.to_string().starts_with("only the first of two commands could be submitted: "), "{error}");
}

#[test]
fn without_a_handler_the_fifo_is_next() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("naemon.cmd");
    fifo(&path);
    let core = Core { command_file: Some(path.clone()), ..naemon(directory.path()) };
    let _played = play(core.query_socket.as_ref().unwrap(), b"\0", vec![b"404: command: No such handler\0".to_vec()]);
    let _reader = fs::OpenOptions::new().read(true).custom_flags(OFLAGS_NONBLOCK).open(&path).unwrap();
    assert_eq!(send(&core, &acknowledge()).unwrap().transport, "command file");
    // A core that was killed leaves its socket behind.
    fs::remove_file(core.query_socket.as_ref().unwrap()).unwrap();
    drop(UnixListener::bind(core.query_socket.as_ref().unwrap()).unwrap());
    assert_eq!(send(&core, &acknowledge()).unwrap().transport, "command file");
}

#[test]
fn an_answer_that_says_nothing_sends_the_command_nowhere_else() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("naemon.cmd");
    fifo(&path);
    let core = Core { command_file: Some(path.clone()), ..naemon(directory.path()) };
    // A core that dies may have run it before.
    let _played = play(core.query_socket.as_ref().unwrap(), b"\0", vec![Vec::new()]);
    let mut reader = fs::OpenOptions::new().read(true).custom_flags(OFLAGS_NONBLOCK).open(&path).unwrap();
    let error = send(&core, &acknowledge()).unwrap_err();
    assert!(error.to_string().contains("gave no answer that can be read"), "{error}");
    assert_eq!(reader.read(&mut [0]).unwrap(), 0, "nothing is there");
}

#[test]
fn a_socket_that_never_answers_is_left_in_time() {
    let directory = tempfile::tempdir().unwrap();
    let core = naemon(directory.path());
    let listener = UnixListener::bind(core.query_socket.as_ref().unwrap()).unwrap();
    // It may still run the command: the command file must not get it a second time.
    let path = directory.path().join("naemon.cmd");
    fifo(&path);
    let mut reader = fs::OpenOptions::new().read(true).custom_flags(OFLAGS_NONBLOCK).open(&path).unwrap();
    let core = Core { command_file: Some(path), ..core };
    let started = std::time::Instant::now();
    let error = send(&core, &acknowledge()).unwrap_err();
    assert!(error.to_string().ends_with("no answer within 2 s"), "{error}");
    assert!(started.elapsed() < std::time::Duration::from_secs(4));
    assert_eq!(reader.read(&mut [0]).unwrap(), 0, "nothing is there");
    drop(listener);
}

#[test]
fn without_a_handler_and_a_fifo_livestatus_is_next() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("live");
    let livestatus = Some(LivestatusAddress::Unix(path.clone()).into());
    let core = Core { livestatus, ..naemon(directory.path()) };
    let _handler = play(core.query_socket.as_ref().unwrap(), b"\0", vec![b"404: command: No such handler\0".to_vec()]);
    let _played = play(&path, b"\n\n", vec![Vec::new()]);
    assert_eq!(send(&core, &acknowledge()).unwrap().transport, "Livestatus");
}

#[test]
fn livestatus_takes_commands_when_there_is_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("live");
    let livestatus = Some(LivestatusAddress::Unix(path.clone()).into());
    let core = Core { kind: CoreKind::Checkmk, livestatus, ..Core::default() };
    let played = play(&path, b"\n\n", vec![Vec::new()]);
    assert_eq!(
        send(&core, &acknowledge()).unwrap(),
        Receipt { transport: "Livestatus", answer: None, ..Receipt::default() }
    );
    assert_eq!(played.join().unwrap(), [format!("COMMAND {LINE}\n\n")]);
    let error = send(&core, &acknowledge()).unwrap_err();
    assert!(error.to_string().starts_with("the monitoring core can't be reached by its Livestatus: /"), "{error}");
}

/// An HTTP server that answers each request on a connection of its own, and returns the requests.
pub(crate) fn serve(answers: Vec<(u16, String)>) -> (String, JoinHandle<Vec<String>>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let served = std::thread::spawn(move || {
        let mut asked = Vec::new();
        for (status, body) in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let (mut request, mut chunk) = (Vec::new(), [0; 4096]);
            loop {
                let length = stream.read(&mut chunk).unwrap();
                request.extend_from_slice(&chunk[..length]);
                let text = String::from_utf8_lossy(&request).into_owned();
                let Some((head, sent)) = text.split_once("\r\n\r\n") else { continue };
                let length =
                    head.lines().find_map(|l| l.to_lowercase().strip_prefix("content-length: ").map(str::to_owned));
                if sent.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                    asked.push(text);
                    break;
                }
            }
            let answer =
                format!("HTTP/1.1 {status} x\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
            stream.write_all(answer.as_bytes()).unwrap();
        }
        asked
    });
    (url, served)
}

pub(crate) fn icinga2(url: String) -> Core {
    let login = ApiLogin::Basic { user: "ackbell".into(), password: Secret::new("s:3".into()) };
    Core { kind: CoreKind::Icinga2, api: Some(Api { urls: vec![url], login, ca_file: None }), ..Core::default() }
}

#[test]
fn an_api_that_is_down_or_locked_is_told() {
    let refused = |core: &Core| send(core, &acknowledge()).unwrap_err().to_string();
    let (url, served) = serve(Vec::new());
    // Nobody listens there any more. What is accepted and then dropped may have arrived.
    served.join().unwrap();
    assert!(refused(&icinga2(url)).starts_with("the monitoring core can't be reached by its Icinga 2 API: "));
    let (url, _) = serve(vec![(401, String::new())]);
    let locked = refused(&icinga2(url));
    assert!(
        locked.starts_with("the Icinga 2 API refuses ackbell's login (401, unknown user or wrong password)"),
        "{locked}"
    );
    let (url, _) = serve(vec![(200, "<html>".into())]);
    assert!(refused(&icinga2(url)).ends_with("it answered 200"));
    let (url, _) = serve(vec![(500, "<html>".into())]);
    assert!(refused(&icinga2(url)).ends_with("it answered 500"));
}

fn with_urls(urls: Vec<String>) -> Core {
    let mut core = icinga2(String::new());
    core.api.as_mut().unwrap().urls = urls;
    core
}

#[test]
fn an_api_at_several_addresses_gets_a_command_once() {
    let done = || vec![(200, r#"{"results":[{"code":200,"status":"Done."}]}"#.to_owned())];
    // Nobody listens there: the next one takes it.
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (url, served) = serve(done());
    send(&with_urls(vec![format!("http://{nobody}"), url]), &acknowledge()).unwrap();
    assert_eq!(served.join().unwrap().len(), 1);
    // One takes it and dies without an answer: nobody else gets it.
    let deaf = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = deaf.local_addr().unwrap();
    let dies = std::thread::spawn(move || {
        let (mut stream, _) = deaf.accept().unwrap();
        let mut chunk = [0; 4096];
        assert!(stream.read(&mut chunk).unwrap() > 0);
    });
    let spare = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    spare.set_nonblocking(true).unwrap();
    let spare_url = format!("http://{}", spare.local_addr().unwrap());
    let sent = send(&with_urls(vec![format!("http://{address}"), spare_url]), &acknowledge()).unwrap();
    dies.join().unwrap();
    assert_eq!(sent.answer, None, "it may have it: that is looked for");
    assert_eq!(spare.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    // A question may be asked elsewhere.
    let (away, _) = serve(vec![(503, String::new())]);
    let (url, _) = serve(vec![(200, r#"{"results":[]}"#.into())]);
    probe(&with_urls(vec![away, url])).unwrap();
}

#[test]
fn a_command_that_an_api_may_have_is_looked_for_and_one_that_it_cannot_have_has_failed() {
    // A proxy that waited in vain.
    let (url, _) = serve(vec![(504, String::new())]);
    let receipt = send(&with_urls(vec![url]), &acknowledge()).unwrap();
    assert_eq!(receipt, Receipt { transport: "Icinga 2 API", ..Receipt::default() });
    // It is reloading.
    let (url, _) = serve(vec![(503, String::new())]);
    assert!(matches!(send(&with_urls(vec![url]), &acknowledge()), Err(SendError::Unreachable { .. })));
    // No TLS there, so nothing was sent.
    let plain = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", plain.local_addr().unwrap());
    let answers = std::thread::spawn(move || {
        let (mut stream, _) = plain.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    let error = send(&with_urls(vec![url]), &acknowledge()).unwrap_err();
    answers.join().unwrap();
    assert!(matches!(error, SendError::Unreachable { .. }), "{error}");
}

#[test]
fn only_what_is_there_is_a_way_to_the_core() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("live");
    // Of a kind whose command file is at no usual place of this machine.
    let over = |livestatus: LivestatusAddress| Core {
        kind: CoreKind::OpenItCockpit,
        livestatus: Some(livestatus.into()),
        ..Core::default()
    };
    let over_livestatus = over(LivestatusAddress::Unix(socket.clone()));
    let command_file = directory.path().join("nagios.cmd");
    assert!(!reaches(&over_livestatus) && !reaches(&with_file(&command_file)));
    let _core = UnixListener::bind(&socket).unwrap();
    fifo(&command_file);
    assert!(reaches(&over_livestatus) && reaches(&with_file(&command_file)));
    assert!(reaches(&over(LivestatusAddress::Tcp("127.0.0.1:9".into()))), "nobody is asked");
}

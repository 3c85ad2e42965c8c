//! The way it is in the field: through a proxy that wants a password, over TLS, with a CA of the site's own.

use super::super::*;
use super::stand_in::{QUICK, StandIn, click, eventually};
use crate::config::Proxy;
use crate::system::secret::Secret;
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::json;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use tungstenite::Message;

/// A proxy that takes `user:p@ss` and leads wherever it is asked; says what that was.
fn proxy() -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let seen = Arc::clone(&seen);
            std::thread::spawn(move || lead(client, &seen));
        }
    });
    (port, asked)
}

fn lead(mut client: TcpStream, seen: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(client.try_clone().unwrap());
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        reader.read_line(&mut head).unwrap();
    }
    seen.lock().unwrap().push(head.lines().next().unwrap().to_owned());
    if !head.to_ascii_lowercase().contains("proxy-authorization: basic dxnlcjpwqhnz\r\n") {
        let _ = client.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n");
        return;
    }
    let target = head.split(' ').nth(1).unwrap().replace("localhost", "127.0.0.1");
    let mut server = TcpStream::connect(target).unwrap();
    client.write_all(b"HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n").unwrap();
    let (mut back, mut front) = (server.try_clone().unwrap(), client.try_clone().unwrap());
    std::thread::spawn(move || io::copy(&mut back, &mut front));
    let _ = io::copy(&mut client, &mut server);
}

type Server = tungstenite::WebSocket<StreamOwned<ServerConnection, TcpStream>>;

/// A greeting over TLS, then one click: gives the acknowledgement.
fn serve(listener: &TcpListener, config: Arc<ServerConfig>) -> Message {
    let tcp = listener.accept().unwrap().0;
    let tls = StreamOwned::new(ServerConnection::new(config).unwrap(), tcp);
    let mut server: Server = tungstenite::accept(tls).unwrap();
    server.send(Message::text(json!({ "type": "hello", "num_connections": 1 }).to_string())).unwrap();
    server.send(Message::text(click("e1").to_string())).unwrap();
    server.read().unwrap()
}

fn tls_server() -> (String, Arc<ServerConfig>) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let builder = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let config = builder.with_single_cert(vec![made.cert.der().clone()], key).unwrap();
    (made.cert.pem(), Arc::new(config))
}

#[test]
fn proxy_tls_and_own_ca_are_honoured() {
    let (pem, config) = tls_server();
    let directory = tempfile::tempdir().unwrap();
    let ca_file = directory.path().join("ca.pem");
    std::fs::write(&ca_file, pem).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (proxy_port, asked) = proxy();

    let mut slack = StandIn::start();
    slack.answer_next(&[&json!({ "ok": true, "url": format!("wss://localhost:{port}/link/?ticket=x") }).to_string()]);
    slack.integration.ca_file = Some(ca_file);
    slack.integration.proxy = Proxy::Url(Secret::new(format!("http://user:p%40ss@127.0.0.1:{proxy_port}")));
    let calm = Timing { silence: Duration::from_secs(20), ..QUICK };
    let (socket, _taken) = slack.run(calm, |_| EnvelopeReply::Payload(json!({ "text": "ok" })));
    let acknowledgement = serve(&listener, config);
    let expected = json!({ "envelope_id": "e1", "payload": { "text": "ok" } });
    assert_eq!(serde_json::from_str::<Value>(acknowledgement.to_text().unwrap()).unwrap(), expected);
    drop(socket);
    let asked = asked.lock().unwrap();
    assert_eq!(asked.last().unwrap(), &format!("CONNECT localhost:{port} HTTP/1.1"));
}

#[test]
fn a_foreign_certificate_and_a_refusing_proxy_are_told() {
    let (_, config) = tls_server();
    let (other_pem, _) = tls_server();
    let directory = tempfile::tempdir().unwrap();
    let ca_file = directory.path().join("ca.pem");
    std::fs::write(&ca_file, other_pem).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("wss://localhost:{}/link/?ticket=secret", listener.local_addr().unwrap().port());
    std::thread::spawn(move || {
        let tcp = listener.accept().unwrap().0;
        let _ = tungstenite::accept(StreamOwned::new(ServerConnection::new(config).unwrap(), tcp));
    });
    let mut slack = StandIn::start();
    slack.answer_next(&[&json!({ "ok": true, "url": url }).to_string()]);
    slack.integration.ca_file = Some(ca_file);
    let (socket, _taken) = slack.run(QUICK, |_| EnvelopeReply::Empty);
    let error = eventually(|| socket.status().last_error);
    assert!(error.starts_with("no WebSocket with localhost: ") && error.contains("certificate"), "{error}");
    assert!(!error.contains("secret"));

    let (proxy_port, _) = proxy();
    let mut slack = StandIn::start();
    slack.integration.proxy = Proxy::Url(Secret::new(format!("http://user:wrong@127.0.0.1:{proxy_port}")));
    let (socket, _taken) = slack.run(QUICK, |_| EnvelopeReply::Empty);
    let error = eventually(|| socket.status().last_error);
    assert!(error.contains("407") || error.contains("proxy"), "{error}");
    assert!(!error.contains("wrong"), "{error}");
}

//! Slack's side, played by the test step by step.

use super::super::*;
use serde_json::json;
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::AtomicU64;
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;
use tungstenite::{Message, WebSocket};

/// What a test waits for comes within this, or it fails.
const PATIENCE: Duration = Duration::from_secs(5);

/// Times as short as they can be told apart.
pub(super) const QUICK: Timing = Timing {
    hello: Duration::from_millis(500),
    silence: Duration::from_millis(200),
    close: Duration::from_millis(300),
    retry_first: Duration::from_millis(40),
    retry_max: Duration::from_millis(400),
    healthy: Duration::ZERO,
    hopeless: Duration::from_millis(300),
    link_disabled: Duration::from_millis(600),
};

pub(super) type Server = WebSocket<TcpStream>;

/// The Web API and the WebSocket server.
pub(super) struct StandIn {
    sockets: TcpListener,
    /// Bodies for the next calls of apps.connections.open, before the good ones.
    answers: Arc<Mutex<VecDeque<String>>>,
    /// When it was called, and with which request.
    requests: Receiver<(Instant, String)>,
    pub(super) integration: Integration,
}

impl StandIn {
    pub(super) fn start() -> Self {
        let sockets = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("ws://{}/link/?ticket=secret&app_id=A1", sockets.local_addr().unwrap());
        let api = TcpListener::bind("127.0.0.1:0").unwrap();
        let integration = integration(&format!("http://{}/api/", api.local_addr().unwrap()));
        let answers = Arc::new(Mutex::new(VecDeque::new()));
        let (sender, requests) = channel();
        let script = Arc::clone(&answers);
        std::thread::spawn(move || {
            for connection in api.incoming() {
                let mut connection = connection.unwrap();
                let mut reader = BufReader::new(connection.try_clone().unwrap());
                let mut head = String::new();
                while !head.ends_with("\r\n\r\n") {
                    reader.read_line(&mut head).unwrap();
                }
                let good = json!({ "ok": true, "url": url }).to_string();
                let body = script.lock().unwrap().pop_front().unwrap_or(good);
                let length = body.len();
                let _ = sender.send((Instant::now(), head));
                let _ = write!(
                    connection,
                    "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
                );
            }
        });
        Self { sockets, answers, requests, integration }
    }

    pub(super) fn answer_next(&self, bodies: &[&str]) {
        self.answers.lock().unwrap().extend(bodies.iter().map(|&body| body.to_owned()));
    }

    /// The next call of apps.connections.open.
    pub(super) fn call(&self) -> (Instant, String) {
        self.requests.recv_timeout(PATIENCE).unwrap()
    }

    /// Whether there is no call for so long.
    pub(super) fn is_quiet(&self, time: Duration) -> bool {
        self.requests.recv_timeout(time).is_err()
    }

    /// The next connection, before its greeting.
    pub(super) fn accept(&self) -> Server {
        self.sockets.set_nonblocking(true).unwrap();
        let tcp = eventually(|| self.sockets.accept().ok()).0;
        tcp.set_nonblocking(false).unwrap();
        tcp.set_read_timeout(Some(PATIENCE)).unwrap();
        tungstenite::accept(tcp).unwrap()
    }

    /// The next connection, greeted.
    pub(super) fn greet(&self, num_connections: u64) -> Server {
        let mut server = self.accept();
        send_frame(&mut server, &json!({ "type": "hello", "num_connections": num_connections }));
        server
    }

    /// Starts what is tested; each envelope goes to the test, and is answered by `reply`.
    pub(super) fn run(
        &self,
        timing: Timing,
        reply: impl Fn(&Envelope) -> EnvelopeReply + Send + Sync + 'static,
    ) -> (SocketMode, Receiver<Envelope>) {
        self.run_beside(&Arc::default(), timing, reply)
    }

    /// The same where so many other nodes live.
    pub(super) fn run_beside(
        &self,
        others: &Arc<AtomicU64>,
        timing: Timing,
        reply: impl Fn(&Envelope) -> EnvelopeReply + Send + Sync + 'static,
    ) -> (SocketMode, Receiver<Envelope>) {
        let (sender, taken) = channel();
        let sender = Mutex::new(sender);
        let take: Handler = Arc::new(move |envelope| {
            let reply = reply(&envelope);
            let _ = sender.lock().unwrap().send(envelope);
            reply
        });
        let timing = (timing, Arc::clone(others));
        let socket = SocketMode::start(self.integration.clone(), Environment::default(), timing, take).unwrap();
        (socket, taken)
    }
}

fn integration(api_url: &str) -> Integration {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ackbell.toml");
    let text = format!(
        "[slack]\nbot_token = \"xoxb-1\"\napp_token = \"xapp-1-A1\"\nchannel = \"#ops\"\napi_url = \"{api_url}\"\nproxy = \"none\"\n"
    );
    std::fs::write(&path, text).unwrap();
    let (config, _) = crate::config::load(Some(&path), &Environment::default()).unwrap();
    config.integrations[0].clone()
}

pub(super) fn eventually<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < until, "it never came");
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub(super) fn send_frame(server: &mut Server, frame: &Value) {
    server.send(Message::text(frame.to_string())).unwrap();
}

/// The next JSON text; pings and pongs are passed over.
pub(super) fn hear(server: &mut Server) -> Value {
    loop {
        match server.read().unwrap() {
            Message::Text(text) => return serde_json::from_str(&text).unwrap(),
            Message::Ping(_) | Message::Pong(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

/// Waits for the client's Close, and says its reason.
pub(super) fn hear_close(server: &mut Server) -> String {
    loop {
        match server.read().unwrap() {
            Message::Close(frame) => return frame.map(|frame| frame.reason.to_string()).unwrap_or_default(),
            Message::Ping(_) | Message::Pong(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

pub(super) fn click(id: &str) -> Value {
    json!({ "type": "interactive", "envelope_id": id, "accepts_response_payload": true,
        "payload": { "type": "block_actions" } })
}

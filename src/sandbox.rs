//! A strict local stand-in for Slack: incoming webhooks, the Web API, response URLs, and the compatible receivers.
//!
//! It plays the server's side of the wire for `demo`, previews and the tests: it accepts only what Slack accepts,
//! refuses with Slack's words, and can be told to misbehave in every way a network can. What a client does wrong but
//! Slack would silently take is kept as a *violation* for a test to read.
//!
//! It reads JSON by itself and shares no type with the code that talks to Slack: one misunderstanding must not
//! cancel out another.

mod app;
mod chat;
mod click;
mod clock;
mod content;
mod control;
mod conversations;
mod directory;
mod faults;
mod journal;
mod pace;
mod people;
mod play;
mod receivers;
mod respond;
mod response_url;
mod server;
mod state;
mod validate;
mod views;
mod web_api;
mod webhook;
mod wire;
mod workspace;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// How a sandbox is started.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// Where to listen; port 0 takes a free one.
    pub(crate) listen: SocketAddr,
    /// Certificate chain and private key, both PEM; without them the sandbox speaks plain HTTP.
    pub(crate) tls: Option<(PathBuf, PathBuf)>,
    /// The one bot token that is valid from the start.
    pub(crate) bot_token: String,
    /// The one app-level token, for Socket Mode.
    pub(crate) app_token: String,
    /// What requests to the app are signed with.
    pub(crate) signing_secret: String,
    /// Where clicks go; the control API can change it.
    pub(crate) request_url: Option<String>,
    /// Whether one message a second and channel is enforced.
    pub(crate) strict_pace: bool,
    /// How many messages may come at once before the pace counts; 1 is the strictest.
    pub(crate) burst: u32,
}

/// A running sandbox. It lives as long as the process does.
#[derive(Debug)]
pub(crate) struct Sandbox {
    address: SocketAddr,
    encrypted: bool,
    accepting: JoinHandle<()>,
}

impl Sandbox {
    /// Binds, starts the accepting thread and returns at once.
    pub(crate) fn start(options: Options) -> io::Result<Self> {
        let tls = options.tls.as_ref().map(|(cert, key)| server::tls_config(cert, key)).transpose()?;
        let encrypted = tls.is_some();
        let listener = TcpListener::bind(options.listen)?;
        let address = listener.local_addr()?;
        let state = Arc::new(Mutex::new(state::State::new(options, clock::Clock::start())));
        let accepting = std::thread::Builder::new()
            .name("sandbox".to_owned())
            .spawn(move || server::accept(&listener, tls.as_ref(), &state))?;
        Ok(Self { address, encrypted, accepting })
    }

    /// `http://127.0.0.1:PORT` or `https://…`; the Web API is below `/api/`.
    pub(crate) fn base_url(&self) -> String {
        let scheme = if self.encrypted { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// Blocks for ever.
    pub(crate) fn wait(self) {
        // A panic of the accepting thread has been printed already; there is nothing left to wait for.
        drop(self.accepting.join());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpStream;

    fn exchange(sandbox: &Sandbox, head: &str, body: &str) -> String {
        let mut socket = TcpStream::connect(sandbox.address).unwrap();
        let length = body.len();
        let request =
            format!("{head}\r\nhost: a\r\nuser-agent: test\r\ncontent-length: {length}\r\nconnection: close\r\n");
        write!(socket, "{request}content-type: application/json; charset=utf-8\r\n\r\n{body}").unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn a_message_goes_in_over_the_wire_and_comes_out_at_the_control() {
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let options = Options {
            listen,
            tls: None,
            bot_token: "xoxb-a".to_owned(),
            app_token: "xapp-a".to_owned(),
            signing_secret: "s".to_owned(),
            request_url: None,
            strict_pace: true,
            burst: 1,
        };
        let sandbox = Sandbox::start(options).unwrap();
        assert!(sandbox.base_url().starts_with("http://127.0.0.1:"));
        let webhook = exchange(&sandbox, "POST /services/T0/B0OPS00001/x HTTP/1.1", r#"{"text":"by webhook"}"#);
        assert!(webhook.ends_with("\r\n\r\nok"), "{webhook}");
        let second = exchange(&sandbox, "POST /services/T0/B0OPS00001/x HTTP/1.1", r#"{"text":"too soon"}"#);
        assert!(second.starts_with("HTTP/1.1 429 ") && second.contains("retry-after: 1"), "{second}");
        let post = "POST /api/chat.postMessage HTTP/1.1\r\nauthorization: Bearer xoxb-a";
        let answer = exchange(&sandbox, post, r##"{"channel":"#db-alerts","text":"by token"}"##);
        assert!(answer.contains(r#""channel":"C0DB000001""#) && answer.contains(r#""ok":true"#), "{answer}");
        let messages = exchange(&sandbox, "GET /_sandbox/messages HTTP/1.1", "");
        assert!(messages.contains("by webhook") && messages.contains("by token"), "{messages}");
        let violations = exchange(&sandbox, "GET /_sandbox/violations HTTP/1.1", "");
        assert!(violations.contains("too_fast") && !violations.contains("unknown_field"), "{violations}");
    }
}

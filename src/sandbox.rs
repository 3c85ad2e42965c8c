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
mod elements;
mod faults;
mod journal;
mod link;
mod notices;
mod pace;
mod people;
mod play;
mod reactions;
mod receivers;
mod respond;
mod response_url;
mod server;
mod sockets;
mod state;
mod submit;
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
mod tests;

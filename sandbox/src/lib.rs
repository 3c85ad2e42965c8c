//! A strict local stand-in for Slack: incoming webhooks, the Web API, response URLs, clicks, modals, slash commands,
//! events, Socket Mode, and the compatible receivers.
//!
//! It plays the server's side of the wire for `demo`, previews and the tests: it accepts only what Slack accepts,
//! refuses with Slack's words, and can be told to misbehave in every way a network can. What a client does wrong but
//! Slack would silently take is kept as a *violation* for a test to read.
//!
//! # Control
//!
//! Below `/_sandbox/`, JSON in and out; a 400 has `{"ok": false, "error"}`. `GET`: `messages` and `requests` (`?since=N`),
//! `violations`, `views`, `sockets`, `stats`, `state`, and for the web page at `/`: `page` (all it shows), `traffic?number=N`
//! (one exchange with its bodies), `changes` (server-sent events: a number that grows with every change). `POST`:
//!
//! | path | takes |
//! |---|---|
//! | `reset` | forgets messages, faults, views and counts; the workspace, the app and the connections stay |
//! | `faults` | `faults: [{kind, times, method, channel, …}]`, `random: {seed, rate, kinds}` |
//! | `state` | `channels`, `users` (`guest`: true or `"single"`, `team`), `usergroups`, `webhooks`, `tokens` (`scopes`, `error` or `app_level`), `pace`, `auto_channels`, `response_urls`, `app: {request_url, slash_url, events_url, signing_secret, socket_mode}`, `delete_message: {channel, ts}`, `oauth: {client_id, client_secret, redirect_url, expires_in, grace_ms, declines, team, uninstalled}` |
//! | `click` | `channel`, `ts`, and `action_id` or (legacy) `name`; `block_id`, `option`, `user`, `team`; `stale`: also what earlier versions or a deleted message had; in a view: `view_id`, `action_id`, `values`; or only `again`: the last request byte for byte |
//! | `submit`, `close` | `view_id` (else the topmost modal), `values` per action or block id, `user`; `clear` |
//! | `slash` | `command`, `text`, `channel`, `user` |
//! | `event` | `event: {type, …}`, `event_id`, `retry`, `reason` |
//! | `send` | `kind`: `url_verification` or `ssl_check` |
//! | `socket` | `disconnect`: reason, with `grace_ms`; `cut`, `mute`: these three for all connections or one `connection`; `ghosts`, `fragment`, `ping_ms` |
//!
//! What goes to the app is answered when the app has answered, after 3 s at the latest: `{ok, status, body, ms, payload,
//! error?}`, where `error` is `operation_timeout`, `http_error`, `connection_failed: …`, `no_connection` (Socket Mode),
//! what was wrong with the body of the answer, or `refused_by_client` with the `complaints` of Slack's own form.
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
pub mod demo;
mod directory;
mod elements;
mod fault_script;
mod faults;
mod files;
mod journal;
mod link;
mod notices;
mod oauth;
mod pace;
mod page;
mod reactions;
mod receivers;
mod respond;
mod response_url;
mod schedule;
mod server;
mod shortcuts;
mod sockets;
mod state;
mod submit;
mod traffic;
mod user_actions;
mod validate;
mod views;
mod web_api;
mod webhook;
mod wire;
mod workspace;

pub use page::preview_page;
pub use web_api::scopes_taken;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// How a sandbox is started.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Certificate chain and private key, both PEM; without them the sandbox speaks plain HTTP.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// The one bot token that is valid from the start.
    pub bot_token: String,
    /// The one app-level token, for Socket Mode.
    pub app_token: String,
    /// What requests to the app are signed with.
    pub signing_secret: String,
    /// Where clicks go; without it they go over Socket Mode. The control API can change both.
    pub request_url: Option<String>,
    /// Whether one message a second and channel is enforced.
    pub strict_pace: bool,
    /// How many messages may come at once before the pace counts; 1 is the strictest.
    pub burst: u32,
}

/// A running sandbox. It lives as long as the process does.
#[derive(Debug)]
pub struct Sandbox {
    address: SocketAddr,
    encrypted: bool,
    accepting: JoinHandle<()>,
}

impl Sandbox {
    /// Binds, starts the accepting thread and returns at once.
    pub fn start(options: Options) -> io::Result<Self> {
        Self::start_with(options, None)
    }

    /// As [`Sandbox::start`]; `extra` answers `/demo/…`, what the page asks for beside the sandbox itself.
    fn start_with(options: Options, extra: Option<page::Extra>) -> io::Result<Self> {
        let tls = options.tls.as_ref().map(|(cert, key)| server::tls_config(cert, key)).transpose()?;
        let encrypted = tls.is_some();
        let listener = TcpListener::bind(options.listen)?;
        let address = listener.local_addr()?;
        let state = Arc::new(Mutex::new(state::State::new(options, extra, clock::Clock::start())));
        let accepting = std::thread::Builder::new()
            .name("sandbox".to_owned())
            .spawn(move || server::accept(&listener, tls.as_ref(), &state))?;
        Ok(Self { address, encrypted, accepting })
    }

    /// `http://127.0.0.1:PORT` or `https://…`; the Web API is below `/api/`.
    pub fn base_url(&self) -> String {
        let scheme = if self.encrypted { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// Blocks for ever.
    pub fn wait(self) {
        // A panic of the accepting thread has been printed already; there is nothing left to wait for.
        drop(self.accepting.join());
    }
}

#[cfg(test)]
mod tests;

//! The app behind the bot: where Slack sends what people do, and with which signature.

use std::io::{self, BufReader, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::sockets;
use super::state::{State, lock};
use super::wire::{Answer, form_encode, read_answer};

/// The app's id.
pub(super) const APP_ID: &str = "A0SANDBOX";
/// How long Slack waits for an answer. <https://docs.slack.dev/interactivity/handling-user-interaction>
pub(super) const PATIENCE: Duration = Duration::from_secs(3);
const URLS: [&str; 3] = ["request_url", "slash_url", "events_url"];

/// The app's settings, as on its page at Slack.
#[derive(Debug, Default)]
pub(super) struct App {
    /// Per name of [`URLS`]; the first stands for the others.
    urls: [Option<String>; 3],
    pub(super) signing_secret: String,
    /// While it is on, nothing goes to the URLs and nothing is signed. `None` until the control API says: then it is on
    /// in an app without any URL.
    socket_mode: Option<bool>,
    /// The last request, for `again`.
    last: Option<(Parcel, u64)>,
    made: u64,
}

/// What is sent to the app.
#[derive(Debug, Clone)]
pub(super) struct Parcel {
    pub(super) kind: Kind,
    pub(super) payload: Value,
    /// Header fields beside the usual ones.
    pub(super) headers: Vec<(&'static str, String)>,
}

/// Which of the app's doors a request is for, and so how it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A form with the one field `payload`; whether the answer says anything to Slack.
    Interactive { answered: bool },
    /// A form of all fields.
    Slash,
    /// JSON.
    Event,
    /// A form without a signature: Slack doesn't promise one.
    SslCheck,
}

/// How the app took it.
#[derive(Debug, Clone, Default)]
pub(super) struct Delivered {
    /// None when no answer came.
    pub(super) status: Option<u16>,
    pub(super) body: Vec<u8>,
    /// How long the answer took, in milliseconds.
    pub(super) ms: u64,
    /// Why the person saw an error.
    pub(super) error: Option<String>,
}

impl App {
    /// The app at this address; without one it has Socket Mode.
    pub(super) fn new(request_url: Option<String>, signing_secret: String) -> Self {
        Self { urls: [request_url, None, None], signing_secret, ..Self::default() }
    }

    /// Takes over what the control API was given.
    pub(super) fn set(&mut self, given: &Value) -> Result<(), String> {
        for (name, value) in given.as_object().into_iter().flatten() {
            let text = value.as_str().map(str::to_owned);
            match name.as_str() {
                "signing_secret" => self.signing_secret = text.ok_or("signing_secret must be a text")?,
                "socket_mode" => self.socket_mode = Some(value.as_bool().ok_or("socket_mode must be a boolean")?),
                name => {
                    let index = URLS.iter().position(|url| *url == name);
                    let index = index.ok_or_else(|| format!("unknown key app.{name}"))?;
                    if text.as_ref().is_some_and(|url| !url.starts_with("http://")) {
                        return Err(format!("app.{name} must begin with http://"));
                    }
                    self.urls[index] = text;
                }
            }
        }
        Ok(())
    }

    /// The settings, for the control API.
    pub(super) fn json(&self) -> Value {
        let [request_url, slash_url, events_url] = &self.urls;
        json!({"request_url": request_url, "slash_url": slash_url, "events_url": events_url,
            "signing_secret": self.signing_secret, "socket_mode": self.has_socket_mode()})
    }

    /// Whether clicks go over Socket Mode.
    pub(super) fn has_socket_mode(&self) -> bool {
        self.socket_mode.unwrap_or_else(|| self.urls.iter().all(Option::is_none))
    }

    fn url(&self, kind: Kind) -> Option<String> {
        let own = match kind {
            Kind::Interactive { .. } => None,
            Kind::Slash | Kind::SslCheck => self.urls[1].clone(),
            Kind::Event => self.urls[2].clone(),
        };
        own.or_else(|| self.urls[0].clone())
    }

    /// A number that was never given before.
    pub(super) fn next(&mut self) -> u64 {
        self.made += 1;
        self.made
    }

    /// What was sent last, and when, in milliseconds since 1970.
    pub(super) fn last(&self) -> Option<(Parcel, u64)> {
        self.last.clone()
    }
}

impl Parcel {
    /// An interaction; `answered` if the body of the answer means something.
    pub(super) fn interactive(payload: Value, answered: bool) -> Self {
        Self { kind: Kind::Interactive { answered }, payload, headers: Vec::new() }
    }

    fn body(&self) -> (&'static str, String) {
        const FORM: &str = "application/x-www-form-urlencoded";
        match self.kind {
            Kind::Interactive { .. } => (FORM, format!("payload={}", form_encode(&self.payload.to_string()))),
            Kind::Slash | Kind::SslCheck => {
                let fields = self.payload.as_object().into_iter().flatten();
                let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                let pairs: Vec<String> =
                    fields.map(|(name, value)| format!("{name}={}", form_encode(&text(value)))).collect();
                (FORM, pairs.join("&"))
            }
            Kind::Event => ("application/json", self.payload.to_string()),
        }
    }

    /// The whole request. Signed as <https://docs.slack.dev/authentication/verifying-requests-from-slack> says.
    fn request(&self, host: &str, path: &str, secret: &str, seconds: u64) -> Vec<u8> {
        let (media, body) = self.body();
        let mut head = format!(
            "POST {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: Slackbot 1.0 (+https://api.slack.com/robots)\r\n\
            Accept: application/json,*/*\r\nContent-Type: {media}\r\nContent-Length: {}\r\n",
            body.len()
        );
        if self.kind != Kind::SslCheck {
            let signature = signature(secret, seconds, &body);
            head.push_str(&format!("X-Slack-Signature: {signature}\r\nX-Slack-Request-Timestamp: {seconds}\r\n"));
        }
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        format!("{head}Connection: close\r\n\r\n{body}").into_bytes()
    }
}

/// `v0=` and the HMAC-SHA256 of version, time and body.
fn signature(secret: &str, seconds: u64, body: &str) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return String::new() };
    mac.update(format!("v0:{seconds}:{body}").as_bytes());
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("v0={hex}")
}

/// Sends it and waits as long as Slack would. The lock is free meanwhile: the app calls back. `time_ms` is signed: a
/// request sent again carries the old one.
pub(super) fn deliver(state: &Mutex<State>, parcel: &Parcel, time_ms: u64) -> Delivered {
    let started = Instant::now();
    let (url, secret) = {
        let app = &mut lock(state).app;
        app.last = Some((parcel.clone(), time_ms));
        (app.url(parcel.kind).filter(|_| !app.has_socket_mode()), app.signing_secret.clone())
    };
    if lock(state).app.has_socket_mode() {
        return sockets::deliver(state, parcel);
    }
    let Some(url) = url else {
        // The words people see. <https://docs.slack.dev/interactivity/handling-user-interaction>
        let error = Some("This app is not configured to handle interactive responses".to_owned());
        return Delivered { error, ..Delivered::default() };
    };
    let mut delivered = match post(&url, parcel, &secret, time_ms / 1000, started + PATIENCE) {
        Ok(answer) => Delivered {
            error: (answer.status != 200).then(|| "http_error".to_owned()),
            status: Some(answer.status),
            body: answer.body,
            ms: 0,
        },
        Err(error) => {
            let late = matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock);
            let error = if late { "operation_timeout".to_owned() } else { format!("connection_failed: {error}") };
            Delivered { error: Some(error), ..Delivered::default() }
        }
    };
    delivered.ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    delivered
}

fn post(url: &str, parcel: &Parcel, secret: &str, seconds: u64, deadline: Instant) -> io::Result<Answer> {
    let rest = url.strip_prefix("http://").ok_or(ErrorKind::InvalidInput)?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let named = if host.contains(':') { host.to_owned() } else { format!("{host}:80") };
    let address = named.to_socket_addrs()?.next().ok_or(ErrorKind::NotFound)?;
    let mut socket = TcpStream::connect_timeout(&address, left(deadline)?)?;
    socket.set_write_timeout(Some(left(deadline)?))?;
    socket.write_all(&parcel.request(host, &format!("/{path}"), secret, seconds))?;
    read_answer(&mut BufReader::new(Hurried { socket, deadline }))
}

fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(left) }
}

/// A socket that is read until a deadline, however slowly the bytes come.
struct Hurried {
    socket: TcpStream,
    deadline: Instant,
}

impl Read for Hurried {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.set_read_timeout(Some(left(self.deadline)?))?;
        self.socket.read(buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The published example. <https://docs.slack.dev/authentication/verifying-requests-from-slack>
    #[test]
    fn signs_as_slack_does() {
        let body = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V\
            &channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=\
            &response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN\
            &trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
        let expected = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";
        assert_eq!(signature("8f742231b10e8888abcd99yyyzzz85a5", 1_531_420_618, body), expected);
    }

    #[test]
    fn a_wrong_setting_is_refused() {
        let mut app = App::default();
        assert!(app.set(&json!({"request_uri": "http://127.0.0.1:1/"})).is_err());
        assert!(app.set(&json!({"request_url": "127.0.0.1:1"})).is_err());
        app.set(&json!({"request_url": "http://127.0.0.1:1/a", "socket_mode": true})).unwrap();
        assert_eq!(app.url(Kind::Slash).as_deref(), Some("http://127.0.0.1:1/a"));
    }
}

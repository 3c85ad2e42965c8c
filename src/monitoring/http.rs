//! The HTTP side of a core's API: JSON in, JSON out, bounded in time and size, without retries or redirects.

use super::alternatives::{self, Attempt};
use crate::config::{Api, ApiLogin};
use crate::system::environment::Environment;
use crate::system::tls;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;
use std::io::Read;
use std::time::Duration;

/// For a whole call.
const TIMEOUT: Duration = Duration::from_secs(10);
/// For connecting, where another address may answer sooner.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How much of an answer is read.
const ANSWER_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// The API's answer; a body that isn't JSON is `Null`.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Value,
}

/// What became of a command.
#[derive(Debug)]
pub(super) enum Commanded {
    Answered(Answer),
    /// No answer came after it was sent: the core may have it, and its state will show it.
    Unknown,
}

/// A client for one core's API.
#[derive(Debug)]
pub(super) struct Client<'a> {
    agent: ureq::Agent,
    api: &'a Api,
}

impl<'a> Client<'a> {
    /// The error is a reason in words.
    pub(super) fn new(api: &'a Api) -> Result<Self, String> {
        let tls = tls::config(api.ca_file.as_deref(), &Environment::default()).map_err(|e| e.to_string())?;
        let config = ureq::Agent::config_builder()
            .tls_config(tls)
            // The core is near; a proxy is for the way to Slack.
            .proxy(None)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(TIMEOUT))
            .timeout_connect((api.urls.len() > 1).then_some(CONNECT_TIMEOUT))
            .user_agent(concat!("ackbell/", env!("CARGO_PKG_VERSION")))
            .build();
        Ok(Self { agent: config.into(), api })
    }

    /// Posts a command. It is posted once: another address gets it only when there was no connection to the one before.
    pub(super) fn command(&self, path: &str, body: &Value) -> Result<Commanded, String> {
        match self.posted(path, body, false) {
            // Also a proxy that waited for the core in vain.
            Ok(Answer { status: 502 | 504, .. }) | Err(Failure { is_unsent: false, .. }) => Ok(Commanded::Unknown),
            Ok(answer) => Ok(Commanded::Answered(answer)),
            Err(Failure { reason, .. }) => Err(reason),
        }
    }

    /// Posts to the first address that answers; `is_query` asks for what a GET would, with a body
    /// (`X-HTTP-Method-Override`).
    pub(super) fn post(&self, path: &str, body: &Value, is_query: bool) -> Result<Answer, String> {
        self.posted(path, body, is_query).map_err(|failure| failure.reason)
    }

    fn posted(&self, path: &str, body: &Value, is_query: bool) -> Result<Answer, Failure> {
        let urls = &self.api.urls;
        let posted = alternatives::first(urls, |url| match self.post_to(url, path, body, is_query) {
            // Something that forwards connections says so while the core behind it is away.
            Ok(Answer { status: status @ 502..=504, .. }) if is_query && urls.len() > 1 => {
                Err(Attempt::next(format!("it answered {status}")))
            }
            Ok(answer) => Ok(answer),
            Err(failure) if is_query || failure.is_unsent => Err(Attempt::Next(failure.reason)),
            Err(failure) if urls.len() > 1 => {
                let reason = format!("{}: {}", alternatives::name(url), failure.reason);
                Err(Attempt::Final(Failure { reason, ..failure }))
            }
            Err(failure) => Err(Attempt::Final(failure)),
        });
        posted.map_err(|failure| failure.into_error(|reason| Failure { reason, is_unsent: true }))
    }

    fn post_to(&self, url: &str, path: &str, body: &Value, is_query: bool) -> Result<Answer, Failure> {
        let authorization = match &self.api.login {
            ApiLogin::Basic { user, password } => {
                format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{}", password.expose())))
            }
            ApiLogin::Key(key) => format!("X-OITC-API {}", key.expose()),
        };
        let mut request = self.agent.post(format!("{url}{path}")).header("Authorization", authorization);
        request = request.header("Accept", "application/json").header("Content-Type", "application/json");
        if is_query {
            request = request.header("X-HTTP-Method-Override", "GET");
        }
        let mut response = request.send(body.to_string()).map_err(|e| Failure::new(&e))?;
        let status = response.status().as_u16();
        let mut bytes = Vec::new();
        let mut reader = response.body_mut().as_reader().take(ANSWER_BYTES_MAX);
        let cut_off = |e| Failure { reason: format!("the answer was cut off: {e}"), is_unsent: false };
        reader.read_to_end(&mut bytes).map_err(cut_off)?;
        Ok(Answer { status, body: serde_json::from_slice(&bytes).unwrap_or_default() })
    }
}

/// There is no answer.
struct Failure {
    reason: String,
    /// There was no connection, so the core has nothing of the request.
    is_unsent: bool,
}

impl Failure {
    fn new(error: &ureq::Error) -> Self {
        use std::io::ErrorKind::{ConnectionRefused, HostUnreachable, NetworkUnreachable};
        let is_unsent = match error {
            ureq::Error::HostNotFound | ureq::Error::ConnectionFailed => true,
            ureq::Error::Timeout(limit) => matches!(limit, ureq::Timeout::Resolve | ureq::Timeout::Connect),
            ureq::Error::Rustls(e) => is_handshake(e),
            ureq::Error::Io(e) => {
                let tls = e.get_ref().and_then(|inner| inner.downcast_ref());
                matches!(e.kind(), ConnectionRefused | HostUnreachable | NetworkUnreachable)
                    || tls.is_some_and(is_handshake)
            }
            _ => false,
        };
        Self { reason: crate::system::secret::redact(&error.to_string()), is_unsent }
    }
}

/// Whether the two didn't come to speak TLS with each other, so that no request was sent.
fn is_handshake(error: &rustls::Error) -> bool {
    use rustls::Error::{InvalidCertificate, InvalidMessage, NoCertificatesPresented, PeerIncompatible};
    matches!(error, InvalidCertificate(_) | InvalidMessage(_) | PeerIncompatible(_) | NoCertificatesPresented)
}

//! Beside the core: the HTTP client for the centre. Bounded in time and size, without redirects.

use super::wire::{CLOCK_HEADER, CORE_REQUEST_PATH, Call, Given, PROTOCOL, PROTOCOL_HEADER, SPOOL_PATH, VARS_HEADER};
use crate::config::Relay;
use crate::system::environment::Environment;
use crate::system::{clock, tls};
use std::fmt::Write as _;
use std::io::Read;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

/// For a batch: the centre makes it durable first.
const SPOOL_TIMEOUT: Duration = Duration::from_secs(30);
/// For a call that may wait: longer than the centre lets it.
const CALL_TIMEOUT: Duration = Duration::from_secs(20);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const ANSWER_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// A client for one of the centre's addresses.
#[derive(Debug)]
pub(crate) struct Centre {
    agent: ureq::Agent,
    url: String,
    authorization: String,
}

/// The centre's reply.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: String,
    /// The custom variables that it uses, where it says so.
    pub(crate) vars: Option<String>,
}

/// Why the centre doesn't have it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CentreError {
    #[error("the centre {url} can't be reached: {reason}")]
    Unreachable { url: String, reason: String },
    #[error(
        "the centre {url} refuses this relay's token ({status}); compare [relay] token with [cores.NAME] relay_token there"
    )]
    Token { url: String, status: u16 },
    #[error(
        "the centre {url} doesn't let this relay in (403): it wants a certificate ([relay] client_cert), or a proxy before it refuses"
    )]
    Forbidden { url: String },
    #[error("the centre {url} is older or newer than this relay: {reason}; upgrade the older one")]
    Protocol { url: String, reason: String },
    #[error("the centre {url} can't take it now ({status}): {reason}")]
    Later { url: String, status: u16, reason: String },
    #[error("the centre {url} can't take so much at once")]
    TooLarge { url: String },
}

impl CentreError {
    /// Whether somebody must do something before it can work again.
    pub(crate) fn needs_repair(&self) -> bool {
        matches!(self, Self::Token { .. } | Self::Forbidden { .. } | Self::Protocol { .. })
    }
}

impl Centre {
    pub(crate) fn new(relay: &Relay, url: &str, env: &Environment) -> Result<Self, CentreError> {
        let tls = tls::config_with_client(relay.ca_file.as_deref(), relay.client.as_ref(), env)
            .map_err(|e| CentreError::Unreachable { url: url.to_owned(), reason: e.to_string() })?;
        let config = ureq::Agent::config_builder()
            .tls_config(tls)
            // HTTPS_PROXY stands for the way out of the zone, as it does for Slack.
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .user_agent(concat!("ackbell/", env!("CARGO_PKG_VERSION")))
            .build();
        let authorization = format!("Bearer {}", relay.token.expose());
        Ok(Self { agent: config.into(), url: url.to_owned(), authorization })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Hands in a batch, at most for so long. 204 and 400 are replies, all else is an error.
    pub(crate) fn hand_in(&self, batch: &str, within: Duration) -> Result<Reply, CentreError> {
        let reply = self.post(SPOOL_PATH, batch, "application/x-ndjson", within.min(SPOOL_TIMEOUT))?;
        match reply.status {
            204 | 400 => Ok(reply),
            _ => Err(self.refused(&reply)),
        }
    }

    /// Calls for a request, takes or answers one; `None`: there is none.
    pub(crate) fn call(&self, call: &Call) -> Result<Option<Given>, CentreError> {
        let body = serde_json::to_string(call).unwrap_or_default();
        let reply = self.post(CORE_REQUEST_PATH, &body, "application/json", CALL_TIMEOUT)?;
        match reply.status {
            200 => serde_json::from_str(&reply.body).map(Some).map_err(|e| CentreError::Protocol {
                url: self.url.clone(),
                reason: format!("its request can't be read: {e}"),
            }),
            204 | 410 => Ok(None),
            _ => Err(self.refused(&reply)),
        }
    }

    fn refused(&self, reply: &Reply) -> CentreError {
        let (url, status) = (self.url.clone(), reply.status);
        let mut reason: String = crate::model::notification::clean_line(&reply.body).chars().take(200).collect();
        if reason.is_empty() {
            let _ = write!(reason, "it answered {status}");
        }
        match status {
            401 => CentreError::Token { url, status },
            403 => CentreError::Forbidden { url },
            404 | 409 => CentreError::Protocol { url, reason },
            413 => CentreError::TooLarge { url },
            _ => CentreError::Later { url, status, reason },
        }
    }

    fn post(&self, path: &str, body: &str, kind: &str, within: Duration) -> Result<Reply, CentreError> {
        let unreachable = |reason: String| CentreError::Unreachable { url: self.url.clone(), reason };
        let request = self.agent.post(format!("{}{path}", self.url)).config().timeout_global(Some(within)).build();
        let request = request.header("Authorization", &self.authorization).header("Content-Type", kind);
        let request = request.header(PROTOCOL_HEADER, PROTOCOL.to_string());
        let request = request.header(CLOCK_HEADER, clock::wall_ms().to_string());
        let redacted = |e: ureq::Error| unreachable(crate::system::secret::redact(&e.to_string()));
        // ureq resolves names in a thread, and panics where the system allows none more (`ulimit -u`, TasksMax).
        let sent = std::panic::catch_unwind(AssertUnwindSafe(|| request.send(body)));
        let mut response = sent.map_err(|_| unreachable("no thread could be started".to_owned()))?.map_err(redacted)?;
        let status = response.status().as_u16();
        let vars = response.headers().get(VARS_HEADER).and_then(|vars| vars.to_str().ok()).map(str::to_owned);
        let mut bytes = Vec::new();
        let mut reader = response.body_mut().as_reader().take(ANSWER_BYTES_MAX);
        reader.read_to_end(&mut bytes).map_err(|e| unreachable(format!("the answer was cut off: {e}")))?;
        Ok(Reply { status, body: String::from_utf8_lossy(&bytes).into_owned(), vars })
    }
}

//! The HTTP side of a core's API: JSON in, JSON out, bounded in time and size, without retries or redirects.

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
/// How much of an answer is read.
const ANSWER_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// The API's answer; a body that isn't JSON is `Null`.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Value,
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
            .user_agent(concat!("ackbell/", env!("CARGO_PKG_VERSION")))
            .build();
        Ok(Self { agent: config.into(), api })
    }

    /// Posts; `is_query` asks for what a GET would, with a body (`X-HTTP-Method-Override`).
    pub(super) fn post(&self, path: &str, body: &Value, is_query: bool) -> Result<Answer, String> {
        let authorization = match &self.api.login {
            ApiLogin::Basic { user, password } => {
                format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{}", password.expose())))
            }
            ApiLogin::Key(key) => format!("X-OITC-API {}", key.expose()),
        };
        let mut request = self.agent.post(format!("{}{path}", self.api.url)).header("Authorization", authorization);
        request = request.header("Accept", "application/json").header("Content-Type", "application/json");
        if is_query {
            request = request.header("X-HTTP-Method-Override", "GET");
        }
        let redacted = |e: ureq::Error| crate::system::secret::redact(&e.to_string());
        let mut response = request.send(body.to_string()).map_err(redacted)?;
        let status = response.status().as_u16();
        let mut bytes = Vec::new();
        let mut reader = response.body_mut().as_reader().take(ANSWER_BYTES_MAX);
        reader.read_to_end(&mut bytes).map_err(|e| format!("the answer was cut off: {e}"))?;
        Ok(Answer { status, body: serde_json::from_slice(&bytes).unwrap_or_default() })
    }
}

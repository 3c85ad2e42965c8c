//! Fetches one file over https: bounded in bytes, time and redirects.

use super::environment::Environment;
use super::secret::{Secret, redact};
use super::tls;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

/// For all of it, redirects included.
const TIMEOUT: Duration = Duration::from_secs(20);
/// How much of an error is read, and how much of its reason is told.
const REASON_BYTES_MAX: u64 = 16_384;
const REASON_CHARS_MAX: usize = 200;
/// Calendars redirect once or twice to where they are kept.
const REDIRECTS_MAX: u32 = 3;

/// Why a file couldn't be fetched. No text has the address in it, as that may hold a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FetchError {
    #[error("no answer within {} s", .0.as_secs())]
    Slow(Duration),
    /// By the status of its answer.
    #[error("it answered {0}: it needs another user or password")]
    Login(u16),
    #[error("it redirects to another address: write that one")]
    Redirects,
    #[error("{0}")]
    Other(String),
}

/// Who asks, where the address wants to know.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Login<'a> {
    Basic(&'a str, &'a Secret),
    Bearer(&'a Secret),
}

/// The bounds of one request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds<'a> {
    pub(crate) bytes_max: u64,
    /// For all of it, redirects included.
    pub(crate) timeout: Duration,
    pub(crate) redirects_max: u32,
    /// Certificates of those to trust; else the system's.
    pub(crate) ca_file: Option<&'a Path>,
}

/// The file behind an address. `login`: only for the first address, not
/// for those that it redirects to.
pub(crate) fn get(
    url: &Secret,
    login: Option<(&str, &Secret)>,
    bytes_max: u64,
    env: &Environment,
) -> Result<Vec<u8>, FetchError> {
    let login = login.map(|(user, password)| Login::Basic(user, password));
    let bounds = Bounds { bytes_max, timeout: TIMEOUT, redirects_max: REDIRECTS_MAX, ca_file: None };
    get_within(url.expose(), login, &bounds, env)
}

/// The same within other bounds.
pub(crate) fn get_within(
    url: &str,
    login: Option<Login<'_>>,
    bounds: &Bounds<'_>,
    env: &Environment,
) -> Result<Vec<u8>, FetchError> {
    let Bounds { bytes_max, timeout, redirects_max, ca_file } = *bounds;
    let tls = tls::config(ca_file, env).map_err(|e| FetchError::Other(e.to_string()))?;
    let is_plain = url.starts_with("http://");
    let config = ureq::Agent::config_builder()
        .tls_config(tls)
        // Where it is on this machine it stays there; else no redirect leads away from https.
        .https_only(!is_plain)
        .http_status_as_error(false)
        .max_redirects(redirects_max)
        .timeout_global(Some(timeout))
        .user_agent(concat!("ackbell/", env!("CARGO_PKG_VERSION")))
        .build();
    let agent: ureq::Agent = config.into();
    let mut request = agent.get(url);
    if let Some(login) = login {
        let value = match login {
            Login::Basic(user, password) => {
                format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{}", password.expose())))
            }
            Login::Bearer(token) => format!("Bearer {}", token.expose()),
        };
        request = request.header("Authorization", value);
    }
    let mut response = request.call().map_err(|e| match e {
        ureq::Error::TooManyRedirects => FetchError::Other(format!("it redirects more than {redirects_max} times")),
        ureq::Error::Timeout(_) => FetchError::Slow(timeout),
        other => FetchError::Other(redact(&other.to_string())),
    })?;
    match response.status().as_u16() {
        200 => {}
        status @ (401 | 403) => return Err(FetchError::Login(status)),
        300..=399 => return Err(FetchError::Redirects),
        status => {
            let reason = reason_in(response.body_mut().as_reader());
            return Err(FetchError::Other(format!("it answered {status}{reason}")));
        }
    }
    let mut bytes = Vec::new();
    let mut reader = response.body_mut().as_reader().take(bytes_max.saturating_add(1));
    reader.read_to_end(&mut bytes).map_err(|e| FetchError::Other(format!("the answer was cut off: {e}")))?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > bytes_max {
        return Err(FetchError::Other(format!("it has more than {} MB", bytes_max / 1_000_000)));
    }
    Ok(bytes)
}

/// The reason in an answer of JSON: Prometheus has `error`, Grafana `message`.
fn reason_in(body: impl Read) -> String {
    let mut bytes = Vec::new();
    // What isn't whole is no JSON.
    let _ = body.take(REASON_BYTES_MAX).read_to_end(&mut bytes);
    let answer: serde_json::Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let reason = answer["error"].as_str().or_else(|| answer["message"].as_str()).unwrap_or_default();
    let parts: Vec<&str> =
        reason.split(|c: char| c.is_whitespace() || c.is_control()).filter(|part| !part.is_empty()).collect();
    let text: String = parts.join(" ").chars().take(REASON_CHARS_MAX).collect();
    if text.is_empty() { text } else { format!(": {}", redact(&text)) }
}

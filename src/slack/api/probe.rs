//! Single steps towards Slack, for `doctor`: each failure keeps apart what the way of a message may lump together.

use super::{ANSWER_BYTES_MAX, Answer, Client, Environment, proxy};
use crate::config::Integration;
use crate::model::outcome::Outcome;
use crate::slack::outcome::{brief, of_lookup};
use serde_json::Value;
use std::io::{ErrorKind, Read};
use std::time::Duration;

/// What came back.
#[derive(Debug)]
pub(crate) struct ProbeResponse {
    pub(crate) status: u16,
    /// The other side's clock, in Unix seconds (`Date`).
    pub(crate) date: Option<i64>,
    /// The token's (`x-oauth-scopes`, <https://docs.slack.dev/authentication/installing-with-oauth>).
    pub(crate) scopes: Option<Vec<String>>,
    body: String,
}

/// What stands in the way of any answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ConnectFailure {
    Name,
    /// The proxy refused, or can't be reached.
    Proxy(String),
    /// Its certificate isn't signed by a CA that is known here.
    UnknownCa,
    Tls(String),
    /// No connection, or no answer.
    Timeout(String),
    Refused,
    Other(String),
}

impl ProbeResponse {
    /// A Web API answer's meaning.
    pub(crate) fn answer(&self) -> Result<Value, Outcome> {
        of_lookup(&Answer { status: self.status, retry_after: None, body: self.body.clone() })
    }
}

impl Client {
    /// Calls `auth.test` (<https://docs.slack.dev/reference/methods/auth.test>).
    pub(crate) fn probe_token(&self, budget: Duration) -> Result<ProbeResponse, ConnectFailure> {
        let request = self.agent.post(format!("{}auth.test", self.integration.api_url));
        let request = request.header("Authorization", self.bearer()).config().timeout_global(Some(budget)).build();
        self.response(request.send_empty())
    }

    /// Gets a page; what it shows doesn't matter, only that somebody answers.
    pub(crate) fn probe_page(&self, url: &str, budget: Duration) -> Result<ProbeResponse, ConnectFailure> {
        self.response(self.agent.get(url).config().timeout_global(Some(budget)).build().call())
    }

    fn response(
        &self,
        result: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> Result<ProbeResponse, ConnectFailure> {
        let mut response = result.map_err(|e| self.connect_failure(&e))?;
        let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
        let date = header("date").and_then(|text| {
            let parsed = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text);
            parsed.ok().map(jiff::Timestamp::as_second)
        });
        let scopes =
            header("x-oauth-scopes").map(|list| list.split(',').map(|scope| scope.trim().to_owned()).collect());
        let status = response.status().as_u16();
        let mut body = Vec::new();
        let read = response.body_mut().as_reader().take(ANSWER_BYTES_MAX).read_to_end(&mut body);
        read.map_err(|e| ConnectFailure::Other(format!("the answer was cut off: {e}")))?;
        Ok(ProbeResponse { status, date, scopes, body: String::from_utf8_lossy(&body).into_owned() })
    }

    fn connect_failure(&self, error: &ureq::Error) -> ConnectFailure {
        use ureq::Error::{ConnectProxyFailed, HostNotFound, Io, Rustls, Timeout, Tls};
        let text = brief(&error.to_string());
        let connect_failure = match error {
            HostNotFound => ConnectFailure::Name,
            ConnectProxyFailed(why) => return ConnectFailure::Proxy(brief(why)),
            Timeout(which) => ConnectFailure::Timeout(which.to_string()),
            Rustls(rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer)) => {
                ConnectFailure::UnknownCa
            }
            // rustls' errors come wrapped in those of the stream.
            Io(_) if text.contains("UnknownIssuer") => ConnectFailure::UnknownCa,
            Rustls(_) | Tls(_) => ConnectFailure::Tls(text),
            Io(_) if text.contains("certificate") => ConnectFailure::Tls(text),
            // The resolver's errors have no kind of their own in std.
            Io(_) if text.contains("failed to lookup address") => ConnectFailure::Name,
            Io(e) if e.kind() == ErrorKind::ConnectionRefused => ConnectFailure::Refused,
            Io(e) if e.kind() == ErrorKind::TimedOut => ConnectFailure::Timeout("connect".into()),
            _ => ConnectFailure::Other(text),
        };
        match (connect_failure, self.agent.config().proxy()) {
            (ConnectFailure::Name, Some(_)) => ConnectFailure::Proxy("its name can't be resolved".into()),
            (ConnectFailure::Refused, Some(_)) => ConnectFailure::Proxy("it refuses the connection".into()),
            // It hung up, or speaks something else.
            (ConnectFailure::Other(text), Some(_)) => ConnectFailure::Proxy(text),
            (connect_failure, _) => connect_failure,
        }
    }
}

/// `host:port` of the proxy in use, where one is.
pub(crate) fn proxy_in_use(integration: &Integration, env: &Environment) -> Option<String> {
    let proxy = proxy(integration, env).ok().flatten()?;
    Some(format!("{}:{}", proxy.host(), proxy.port()))
}

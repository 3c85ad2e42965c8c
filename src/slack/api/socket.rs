//! What Socket Mode needs of the client: the address to connect to, and the same proxy and CAs on the way there.

use super::{Client, ClientError, proxy};
use crate::config::Integration;
use crate::model::outcome::Outcome;
use crate::slack::outcome::of_lookup;
use crate::system::environment::Environment;
use crate::system::secret::Secret;
use crate::system::tls;
use rustls::ClientConfig;
use serde_json::Value;
use std::sync::Arc;
use ureq::{ProxyProtocol, http::Uri};

/// A proxy that is asked to `CONNECT`.
#[derive(Debug)]
pub(crate) struct ConnectProxy {
    pub(crate) host: String,
    pub(crate) port: u16,
    /// User and password.
    pub(crate) credentials: Option<(String, Secret)>,
}

impl Client {
    /// Asks for the address of one new connection
    /// (<https://docs.slack.dev/reference/methods/apps.connections.open>). It holds a ticket that works once, soon.
    pub(crate) fn open_connection(&self) -> Result<Secret, Outcome> {
        let token = self.integration.app_token.as_ref().map_or("", |token| token.expose());
        let request = self.agent.post(format!("{}apps.connections.open", self.integration.api_url));
        let request = request.header("Authorization", format!("Bearer {token}"));
        let answer = of_lookup(&Self::read(|| request.send_empty())?)?;
        let url = answer.get("url").and_then(Value::as_str).map(|url| Secret::new(url.to_owned()));
        url.ok_or_else(|| Outcome::Temporary { reason: "Slack gave no address to connect to".into(), slow: true })
    }
}

/// TLS with the roots that the client uses.
pub(crate) fn tls(integration: &Integration, env: &Environment) -> Result<Arc<ClientConfig>, ClientError> {
    Ok(tls::client(integration.ca_file.as_deref(), env)?)
}

/// The proxy towards `target`, by the rules of the client; `None` where none is to be used.
pub(crate) fn connect_proxy(
    integration: &Integration,
    env: &Environment,
    target: &str,
) -> Result<Option<ConnectProxy>, ClientError> {
    let Some(proxy) = proxy(integration, env)? else {
        return Ok(None);
    };
    if target.parse::<Uri>().is_ok_and(|uri| proxy.is_no_proxy(&uri)) {
        return Ok(None);
    }
    if proxy.protocol() != ProxyProtocol::Http {
        return Err(ClientError::Proxy("Socket Mode goes through http:// proxies only".into()));
    }
    let password = || Secret::new(proxy.password().unwrap_or_default().to_owned());
    let credentials = proxy.username().map(|user| (user.to_owned(), password()));
    Ok(Some(ConnectProxy { host: proxy.host().to_owned(), port: proxy.port(), credentials }))
}

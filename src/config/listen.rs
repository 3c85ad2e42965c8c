//! `[listen]`: how Slack and other programs reach the listener.

use super::problem::{Mistake, Problems};
use super::reader::Table;
use super::secrets::{self, LoadContext};
use super::{Config, Integration, values};
use crate::system::environment::Environment;
use crate::system::host::host_name;
use crate::system::secret::Secret;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// `[listen]`
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a key by itself, or follows from one")]
pub(crate) struct Listen {
    pub(crate) http: Http,
    /// The public address of the HTTP listener, without a slash at its end.
    pub(crate) public_url: Option<String>,
    /// Loaded by the HTTP listener itself: a bad pair closes that listener only, and a new one is used without a restart.
    pub(crate) tls: Option<TlsFiles>,
    /// Off: an app token opens no connection.
    pub(crate) socket_mode: bool,
    /// The token of other programs for the message API; without one it is closed over TCP.
    pub(crate) intake_token: Option<Secret>,
    /// Without a token whoever comes from this machine is taken over TCP, and whoever a proxy here lets through.
    pub(crate) intake_without_token: bool,
    /// Who beside root and the listener's own user may hand in by the socket `intake`: names or numbers.
    pub(crate) intake_users: Vec<String>,
    /// `/metrics` and `/healthz` answer everybody who reaches the listener, not only this machine.
    pub(crate) metrics_for_all: bool,
    /// Relays of cores hand in here.
    pub(crate) has_relays: bool,
    /// This listener's name among those that share its outbox.
    pub(crate) node: String,
}

/// Where the HTTP listener binds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Http {
    /// Not said: [`HTTP_DEFAULT`] when there is a signing secret, an intake token or a relay, else nowhere, as nobody could be
    /// believed.
    Default,
    /// `http = "none"`
    Off,
    At(SocketAddr),
}

/// A certificate chain and its key, in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TlsFiles {
    pub(crate) cert: PathBuf,
    pub(crate) key: PathBuf,
    /// The CA of the certificates that relays must show; without it they need none.
    pub(crate) client_ca: Option<PathBuf>,
}

/// Only from this machine: a reverse proxy or a tunnel stands before it.
const HTTP_DEFAULT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9277);

impl Listen {
    /// The address to listen at, if at all.
    pub(crate) fn address(&self, integrations: &[Integration]) -> Option<SocketAddr> {
        // A browser that installs an app needs the HTTP listener, too, at a public address.
        let can_install = |i: &Integration| self.public_url.is_some() && i.is_installable();
        let is_signed = integrations.iter().any(|i| !i.signing_secrets.is_empty() || i.enabled && can_install(i));
        match self.http {
            Http::At(address) => Some(address),
            Http::Default if is_signed || self.has_relays || self.intake_token.is_some() => Some(HTTP_DEFAULT),
            Http::Default | Http::Off => None,
        }
    }
}

/// Reads the table; the files it names are sources, so that a change of them is a change of the configuration.
pub(super) fn read(
    top: &mut Table<'_>,
    base: &Path,
    (env, integrations): (&Environment, &[Integration]),
    sources: &mut Vec<PathBuf>,
    problems: &mut Problems<'_>,
) -> Listen {
    let mut listen = Listen {
        http: Http::Default,
        public_url: None,
        tls: None,
        socket_mode: true,
        intake_token: None,
        intake_without_token: false,
        intake_users: Vec::new(),
        metrics_for_all: false,
        has_relays: false,
        node: host_name(),
    };
    let table = top.table("listen", problems).unwrap_or_else(|| Table::new("the environment", None, &[]));
    let mut table = table.passing_over_emptied();
    listen.http = table.parsed_or("http", (env, "ACKBELL_HTTP"), problems, http).unwrap_or(Http::Default);
    listen.public_url = table.parsed_or("public_url", (env, "ACKBELL_PUBLIC_URL"), problems, public_url);
    let (cert, key) = (table.text("tls_cert", problems), table.text("tls_key", problems));
    let client_ca = table.text("client_ca", problems);
    if let (Some(given), None) = (client_ca, cert) {
        let mistake = Mistake::new("client_ca has no effect without tls_cert: whoever ends TLS asks for certificates");
        problems
            .error(Some(given.span), mistake.remedy("set tls_cert and tls_key, or let the reverse proxy ask for them"));
    }
    listen.tls = match (cert, key) {
        (Some(cert), Some(key)) => {
            let client_ca = client_ca.map(|text| base.join(text.text));
            Some(TlsFiles { cert: base.join(cert.text), key: base.join(key.text), client_ca })
        }
        (None, None) => None,
        (Some(given), None) => half(given.span, "tls_cert", "tls_key", problems),
        (None, Some(given)) => half(given.span, "tls_key", "tls_cert", problems),
    };
    if let Some(tls) = &listen.tls {
        sources.extend([&tls.cert, &tls.key].into_iter().chain(&tls.client_ca).cloned());
    }
    let mut context = LoadContext { base, state_dir: base, env: env.clone(), sources };
    let (names, variable) = (("intake_token", "intake_token_file"), ["ACKBELL_INTAKE_TOKEN"]);
    listen.intake_token = secrets::one_secret(&mut table, names, &variable, intake_token, &mut context, problems);
    listen.intake_without_token = table.flag("intake_without_token", problems).unwrap_or(false);
    if listen.intake_without_token && listen.intake_token.is_some() {
        let mistake = Mistake::new("both an intake_token and intake_without_token are given");
        problems.error(table.span, mistake.remedy("keep one of them"));
    }
    let users = table.texts("intake_users", problems).unwrap_or_default();
    listen.intake_users = users.iter().map(|user| user.text.to_owned()).collect();
    let for_all = |text: &str| values::choice(text, &[("local", false), ("all", true)]);
    listen.metrics_for_all = table.parsed("metrics", problems, for_all).unwrap_or(false);
    let is_wanted = table.flag("socket_mode", problems);
    if is_wanted == Some(true) && integrations.iter().all(|integration| integration.app_token.is_none()) {
        let mistake = Mistake::new("socket_mode has no effect: no integration has an app-level token");
        problems.warning(table.span, mistake.remedy("give one app_token = \"xapp-...\" (or app_token_file)"));
    }
    listen.socket_mode = is_wanted.unwrap_or(true);
    if let Some(name) = table.parsed("node", problems, node) {
        listen.node = name;
    }
    table.finish(problems);
    listen
}

fn half(span: super::tree::Span, given: &str, missing: &str, problems: &mut Problems<'_>) -> Option<TlsFiles> {
    let mistake = Mistake::new(format!("\"{given}\" is given without \"{missing}\""));
    problems.error(Some(span), mistake.remedy("TLS needs both, the certificate chain and its key, in PEM"));
    None
}

fn http(text: &str) -> Result<Http, Mistake> {
    match text {
        "none" => Ok(Http::Off),
        _ => text.parse().map(Http::At).map_err(|_| {
            Mistake::new(format!("\"{text}\" isn't an address to listen on"))
                .remedy("write \"127.0.0.1:9277\", \"0.0.0.0:443\", \"[::]:443\" or \"none\"")
        }),
    }
}

/// Where nodes share an outbox the host's name is one, unless another is given.
pub(super) fn check(config: &Config, problems: &mut Problems<'_>) {
    if config.database.is_some()
        && let Err(mistake) = node(&config.listen.node)
    {
        problems.error(None, mistake.remedy("give this machine's node a name: node = \"NAME\" under [listen]"));
    }
}

fn node(text: &str) -> Result<String, Mistake> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    if !text.is_empty() && text.len() <= 64 && text.chars().all(is_name) {
        return Ok(text.to_owned());
    }
    Err(Mistake::new(format!("\"{text}\" isn't a valid name of a node"))
        .remedy("use up to 64 letters, digits, dots, hyphens and underscores, or leave it out for the host's name"))
}

/// A short one could be guessed.
fn intake_token(text: &str) -> Result<(), Mistake> {
    if text.len() >= 16 && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    Err(Mistake::new("it must have 16 or more letters, digits and signs")
        .remedy("make one with `openssl rand -hex 24`"))
}

/// Slack calls https only (<https://docs.slack.dev/apis/events-api/using-http-request-urls>).
fn public_url(text: &str) -> Result<String, Mistake> {
    match values::link(text)? {
        url if url.starts_with("https://") => Ok(url),
        _ => Err(Mistake::new("Slack calls https addresses only").remedy("it starts with https://")),
    }
}

//! `[relay]`, and what a core behind a relay needs of the rest of the configuration.

use super::problem::{Mistake, Problems};
use super::reader::Table;
use super::secrets::{self, LoadContext};
use super::{Config, Core, values};
use crate::model::notification::clean_line;
use crate::system::environment::Environment;
use crate::system::secret::Secret;
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// The token of a relay, and the name of the relay: of the token's file, or made of the token. What relays with different
/// names hand in has different origins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RelayToken {
    pub(crate) name: String,
    /// In sentences, "the relay of ...": the core's name, or `CORE/RELAY` where it has several.
    pub(crate) label: String,
    pub(crate) secret: Secret,
}

/// `[relay]`: this machine hands its notifications to a listener that reaches Slack, and answers its questions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Relay {
    /// The centre's addresses without a slash at their ends; several where several listeners share one outbox.
    pub(crate) to: Vec<String>,
    pub(crate) token: Secret,
    /// The CA of the centre's certificate; else the distribution's.
    pub(crate) ca_file: Option<PathBuf>,
    /// The certificate chain that it shows to the centre, and its key.
    pub(crate) client: Option<(PathBuf, PathBuf)>,
}

/// A centre's address and a relay's token, checked as `[relay]` checks them; the error is a sentence.
pub(crate) fn from_arguments(to: &str, token: &str, ca_file: Option<PathBuf>) -> Result<Relay, String> {
    let to = vec![address(to).map_err(Mistake::sentence)?];
    self::token(token).map_err(|mistake| format!("the token: {}", mistake.sentence()))?;
    Ok(Relay { to, token: Secret::new(token.to_owned()), ca_file, client: None })
}

/// A token that nobody guesses; `ackbell relay-token` makes one of 64.
const TOKEN_CHARS_MIN: usize = 32;
/// What a core's table may not have beside a relay's token: the relay finds these where the core is.
const BESIDE_THE_CORE: [&str; 8] =
    ["main_config", "objects_file", "command_file", "status_file", "query_socket", "log_file", "livestatus", "api_url"];

pub(super) fn read(
    top: &mut Table<'_>,
    base: &Path,
    sources: &mut Vec<PathBuf>,
    problems: &mut Problems<'_>,
) -> Option<Relay> {
    let mut table = top.table("relay", problems)?.passing_over_emptied();
    let is_given = table.entries().iter().any(|entry| entry.key == "to");
    let to = table.parsed_list("to", problems, address);
    let mut context = LoadContext { base, state_dir: base, env: Environment::default(), sources };
    let names = ("token", "token_file");
    let token = secrets::one_secret(&mut table, names, &[], token, &mut context, problems);
    let ca_file = table.text("ca_file", problems).map(|text| (base.join(text.text), text));
    if let Some((path, text)) = &ca_file
        && let Err(e) = std::fs::metadata(path)
    {
        let mistake = Mistake::new(format!("ca_file {}: {e}", path.display()));
        problems.error(Some(text.span), mistake.remedy("name a PEM file with the CA's certificate"));
    }
    let client = client(&mut table, base, problems);
    sources.extend(client.iter().flat_map(|(cert, key)| [cert.clone(), key.clone()]));
    let span = table.span;
    table.finish(problems);
    if !is_given || to.is_empty() && !problems.has_errors() {
        let mistake = Mistake::new("[relay] has no \"to\"");
        problems
            .error(span, mistake.remedy("add to = \"https://...\", the address of the listener that reaches Slack"));
    }
    let Some(token) = token else {
        let mistake = Mistake::new("[relay] has no token");
        problems.error(span, mistake.remedy("add token_file = \"relay-token\"; `ackbell relay-token` makes one"));
        return None;
    };
    Some(Relay { to, token, ca_file: ca_file.map(|(path, _)| path), client })
}

/// The certificate that the relay shows, with its key.
fn client(table: &mut Table<'_>, base: &Path, problems: &mut Problems<'_>) -> Option<(PathBuf, PathBuf)> {
    match (table.text("client_cert", problems), table.text("client_key", problems)) {
        (Some(cert), Some(key)) => Some((base.join(cert.text), base.join(key.text))),
        (None, None) => None,
        (Some(given), None) | (None, Some(given)) => {
            let mistake = Mistake::new("client_cert and client_key belong together, and one of them is missing");
            problems.error(Some(given.span), mistake.remedy("add the other, or remove this one"));
            None
        }
    }
}

/// The tokens of a core's relays.
pub(super) fn tokens(
    table: &mut Table<'_>,
    name: &str,
    context: &mut LoadContext<'_>,
    problems: &mut Problems<'_>,
) -> Vec<RelayToken> {
    let keys = ("relay_token", "relay_token_file");
    let tokens = secrets::with_files(table, keys, &[], token, context, problems);
    if name.is_empty() && !tokens.is_empty() {
        let mistake = Mistake::new("[core] can't have a relay: the relay's notifications need the core's name");
        problems.error(table.span, mistake.remedy("write [cores.NAME]"));
    }
    tokens
        .into_iter()
        .map(|(file, secret)| RelayToken { name: name_of(file.as_deref(), &secret), label: name.to_owned(), secret })
        .collect()
}

/// The name of a relay: of its token's file without the ending, else made of the token. It stays when another token is
/// added or removed, and a token that replaces one may have its name, from a file of that name elsewhere.
fn name_of(file: Option<&Path>, token: &Secret) -> String {
    let stem = file.and_then(Path::file_stem).map(|stem| clean_line(&stem.to_string_lossy()));
    let made = || {
        let hash = Sha256::digest(token.expose());
        format!("token-{}", HEXLOWER.encode(&hash[..4]))
    };
    stem.filter(|stem| !stem.is_empty()).unwrap_or_else(made)
}

/// Where a core has several relays, each is called by its own name, too.
pub(super) fn label(core: &mut Core) {
    if core.members().len() > 1 {
        for token in &mut core.relay_tokens {
            token.label = format!("{}/{}", core.name, token.name);
        }
    }
}

/// A core behind relays has its files there; of redundant ones one may be here.
pub(super) fn check_beside(core: &Core, table: &Table<'_>, problems: &mut Problems<'_>) {
    if !core.is_remote() || core.redundant == Some(true) {
        return;
    }
    for entry in table.entries().iter().filter(|entry| BESIDE_THE_CORE.contains(&entry.key.as_str())) {
        let key = &entry.key;
        let mistake =
            Mistake::new(format!("\"{key}\" has no effect beside relay_token: the relay finds it at the core"));
        let remedy = "move it to [core] in the relay's configuration; if a second core that checks the same is on this machine, \
                      add redundant = true";
        problems.error(Some(entry.node.span), mistake.remedy(remedy));
    }
}

/// Checks across the tables.
pub(super) fn check(config: &Config, problems: &mut Problems<'_>) {
    let remote: Vec<&Core> = config.cores.iter().filter(|core| core.is_remote()).collect();
    for (nth, core) in remote.iter().enumerate() {
        let has = |other: &Core, one: &RelayToken| other.relay_tokens.iter().any(|token| token.secret == one.secret);
        let shared = |other: &&&Core| core.relay_tokens.iter().any(|token| has(other, token));
        if let Some(other) = remote[..nth].iter().find(shared) {
            let text = format!("[cores.{}] and [cores.{}] have the same relay token", other.name, core.name);
            problems
                .error(None, Mistake::new(text).remedy("a token says which core its relay speaks for: make another"));
        }
    }
    if config.relay.is_some() && config.integrations.iter().any(|integration| integration.enabled) {
        let mistake = Mistake::new("[slack] has no effect beside [relay]: the centre posts");
        problems.warning(None, mistake.remedy("remove one of the two"));
    }
    let Some(core) = remote.first() else { return };
    if config.relay.is_some() {
        let text = format!("both [relay] and [cores.{}] relay_token are given", core.name);
        problems.error(None, Mistake::new(text).remedy("a relay has no relays of its own: remove one of the two"));
    }
    match config.listen.address(&config.integrations) {
        None => {
            let text = format!("[cores.{}] has a relay, but no HTTP listener that it could reach", core.name);
            problems.error(None, Mistake::new(text).remedy("set [listen] http, tls_cert and tls_key"));
        }
        Some(address) if !is_loopback(address.ip()) && config.listen.tls.is_none() => {
            let text = format!("relay tokens would be sent unencrypted to {address}");
            let remedy = "set [listen] tls_cert and tls_key, or http = \"127.0.0.1:9277\" behind a proxy with TLS";
            problems.error(None, Mistake::new(text).remedy(remedy));
        }
        Some(_) => {}
    }
}

fn is_loopback(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

/// The centre's address: TLS, or this machine.
pub(super) fn address(text: &str) -> Result<String, Mistake> {
    values::url(text).map(|url| url.trim_end_matches('/').to_owned())
}

pub(super) fn token(text: &str) -> Result<(), Mistake> {
    if text.len() >= TOKEN_CHARS_MIN && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    Err(Mistake::new("it must have 32 or more letters, digits and signs").remedy("make one with `ackbell relay-token`"))
}

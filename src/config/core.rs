//! `[core]` and `[cores.NAME]`: the monitoring cores, their files and their transports for commands.

use super::problem::{Mistake, Problems};
use super::reader::Table;
use super::secrets::{self, LoadContext};
use super::{ApiLoginKind, CoreKind, RelayToken, relay, values};
use crate::system::environment::Environment;
use crate::system::secret::Secret;
use std::path::{Path, PathBuf};

/// `[core]` or `[cores.NAME]`. What isn't said is looked for where this kind of core has it: see
/// [`crate::monitoring::paths`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Core {
    /// Empty for `[core]`.
    pub(crate) name: String,
    pub(crate) kind: CoreKind,
    /// The core's web interface, without a slash at its end.
    pub(crate) url: Option<String>,
    /// For Icinga 2: which of its web interface's modules shows objects.
    pub(crate) web: IcingaWeb,
    pub(crate) objects_file: Option<PathBuf>,
    /// `nagios.cfg`, `naemon.cfg`: says where the other files are.
    pub(crate) main_config: Option<PathBuf>,
    /// The FIFO that takes external commands.
    pub(crate) command_file: Option<PathBuf>,
    /// `status.dat`
    pub(crate) status_file: Option<PathBuf>,
    /// The query handler's socket; only Naemon's takes commands.
    pub(crate) query_socket: Option<PathBuf>,
    pub(crate) log_file: Option<PathBuf>,
    pub(crate) livestatus: Option<Livestatus>,
    pub(crate) api: Option<Api>,
    /// The tokens of its relays: then everything about it is asked of them. Several where it has several relays, or while
    /// one is replaced.
    pub(crate) relay_tokens: Vec<RelayToken>,
    /// Whether each of several hosts that notify for it checks by itself; `None` where nobody said it.
    pub(crate) redundant: Option<bool>,
}

impl Core {
    /// Whether a relay stands between us and this core, or some of the cores that it consists of.
    pub(crate) fn is_remote(&self) -> bool {
        !self.relay_tokens.is_empty()
    }

    /// The cores that it consists of, each behind its own relay; the one on this machine, where there is one, comes first.
    /// A core without relays, or with one, is itself.
    pub(crate) fn members(&self) -> Vec<Self> {
        let mut names: Vec<&str> = Vec::new();
        for token in &self.relay_tokens {
            if !names.contains(&token.name.as_str()) {
                names.push(&token.name);
            }
        }
        let files = [&self.main_config, &self.command_file, &self.status_file, &self.objects_file, &self.log_file];
        let has_own = files.into_iter().chain([&self.query_socket]).any(Option::is_some)
            || self.livestatus.is_some()
            || self.api.is_some();
        if names.len() <= 1 && !(has_own && self.is_remote()) {
            return vec![self.clone()];
        }
        let own = has_own.then(|| Self { relay_tokens: Vec::new(), ..self.clone() });
        let behind = names.iter().map(|name| {
            let tokens = self.relay_tokens.iter().filter(|token| token.name == *name).cloned();
            let Self { name, kind, url, web, redundant, .. } = self.clone();
            Self { name, kind, url, web, redundant, relay_tokens: tokens.collect(), ..Self::default() }
        });
        own.into_iter().chain(behind).collect()
    }
}

/// A module of Icinga Web 2.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum IcingaWeb {
    /// The old one.
    #[default]
    Monitoring,
    IcingaDb,
}

/// The addresses of one core's Livestatus, at least one: alternatives, the preferred one first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Livestatus(pub(crate) Vec<LivestatusAddress>);

impl Livestatus {
    /// Whether one of them is another machine's, as far as the address says.
    pub(crate) fn is_remote(&self) -> bool {
        self.0.iter().any(|address| matches!(address, LivestatusAddress::Tcp(_)))
    }
}

/// One address of Livestatus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LivestatusAddress {
    Unix(PathBuf),
    /// `host:port`
    Tcp(String),
    /// `host:port` over TLS. The CA's file, else the distribution's; the name in the certificate, else the host's.
    Tls {
        address: String,
        ca_file: Option<PathBuf>,
        name: Option<String>,
    },
}

/// The HTTP API of an Icinga 2 or openITCOCKPIT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Api {
    /// At least one, each without a slash at its end: alternatives, the preferred one first.
    pub(crate) urls: Vec<String>,
    pub(crate) login: ApiLogin,
    /// Icinga 2 has a CA of its own.
    pub(crate) ca_file: Option<PathBuf>,
}

/// How the API knows us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ApiLogin {
    /// Icinga 2's API user.
    Basic { user: String, password: Secret },
    /// openITCOCKPIT's API key.
    Key(Secret),
}

/// All cores, `[core]` first.
pub(super) fn read_all(
    top: &mut Table<'_>,
    base: &Path,
    sources: &mut Vec<PathBuf>,
    problems: &mut Problems<'_>,
) -> Vec<Core> {
    let mut tables: Vec<(&str, Table<'_>)> = top.table("core", problems).map(|table| ("", table)).into_iter().collect();
    tables.extend(top.named_tables("cores", problems));
    tables.into_iter().map(|(name, table)| read(name, table.passing_over_emptied(), base, sources, problems)).collect()
}

fn read(
    name: &str,
    mut table: Table<'_>,
    base: &Path,
    sources: &mut Vec<PathBuf>,
    problems: &mut Problems<'_>,
) -> Core {
    let mut context = LoadContext { base, state_dir: base, env: Environment::default(), sources: &mut *sources };
    let relay_tokens = relay::tokens(&mut table, name, &mut context, problems);
    let kind = table.parsed("kind", problems, values::core_kind).unwrap_or_default();
    let mut path = |key| table.text(key, problems).map(|text| base.join(text.text));
    let [objects_file, main_config, command_file] = ["objects_file", "main_config", "command_file"].map(&mut path);
    let [status_file, query_socket, log_file] = ["status_file", "query_socket", "log_file"].map(&mut path);
    let (url, by_url) = without_module(table.parsed("url", problems, values::link), kind);
    let web = table.parsed("web", problems, web).or(by_url).unwrap_or_else(|| installed(kind));
    let mut core = Core {
        name: name.to_owned(),
        kind,
        url,
        web,
        objects_file,
        main_config,
        command_file,
        status_file,
        query_socket,
        log_file,
        livestatus: livestatus(&mut table, base, problems),
        api: api(&mut table, kind, base, sources, problems),
        relay_tokens,
        redundant: table.flag("redundant", problems),
    };
    relay::label(&mut core);
    relay::check_beside(&core, &table, problems);
    table.finish(problems);
    core
}

/// The directory where Icinga Web 2 keeps its enabled modules.
const ICINGA_WEB_MODULES: &str = "/etc/icingaweb2/enabledModules";

fn web(text: &str) -> Result<IcingaWeb, Mistake> {
    match text.to_ascii_lowercase().as_str() {
        "icingadb" => Ok(IcingaWeb::IcingaDb),
        "monitoring" => Ok(IcingaWeb::Monitoring),
        _ => Err(Mistake::new(format!("\"{text}\" isn't a module of Icinga Web 2 that shows objects"))
            .remedy("write \"icingadb\" or \"monitoring\"")),
    }
}

/// An address that ends with a module's name says which it is.
fn without_module(url: Option<String>, kind: CoreKind) -> (Option<String>, Option<IcingaWeb>) {
    let modules = [("/icingadb", IcingaWeb::IcingaDb), ("/monitoring", IcingaWeb::Monitoring)];
    let Some(url) = url else { return (None, None) };
    if kind != CoreKind::Icinga2 {
        return (Some(url), None);
    }
    let found = modules.into_iter().find_map(|(end, web)| Some((url.strip_suffix(end)?.to_owned(), web)));
    found.map_or((Some(url), None), |(url, web)| (Some(url), Some(web)))
}

/// The module on this machine, if Icinga Web 2 is installed.
fn installed(kind: CoreKind) -> IcingaWeb {
    let is_there = kind == CoreKind::Icinga2 && Path::new(ICINGA_WEB_MODULES).join("icingadb").exists();
    if is_there { IcingaWeb::IcingaDb } else { IcingaWeb::Monitoring }
}

/// The API's address and login; both or neither.
fn api(
    table: &mut Table<'_>,
    kind: CoreKind,
    base: &Path,
    sources: &mut Vec<PathBuf>,
    problems: &mut Problems<'_>,
) -> Option<Api> {
    let url = |text: &str| values::url(text).map(|url| url.trim_end_matches('/').to_owned());
    let urls = alternatives(table, "api_url", problems, url);
    let user = table.text("api_user", problems);
    let mut context = LoadContext { base, state_dir: base, env: Environment::default(), sources };
    let mut secret = |keys, check| secrets::one_secret(table, keys, &[], check, &mut context, problems);
    let password = secret(("api_password", "api_password_file"), secrets::password);
    let key = secret(("api_key", "api_key_file"), secrets::any);
    let ca_file = table.text("api_ca_file", problems).map(|text| (base.join(text.text), text.span));
    if let Some((path, span)) = &ca_file
        && let Err(e) = std::fs::metadata(path)
    {
        let mistake = Mistake::new(format!("api_ca_file {}: {e}", path.display()));
        problems.error(Some(*span), mistake.remedy("name a PEM file with the CA's certificate"));
    }
    let (wanted, login) = match kind.facts().api_login {
        Some(ApiLoginKind::Basic) => (
            "api_user and api_password",
            user.zip(password).map(|(user, password)| ApiLogin::Basic { user: user.text.to_owned(), password }),
        ),
        Some(ApiLoginKind::Key) => ("api_key", key.map(ApiLogin::Key)),
        None => {
            if urls.is_some() {
                let remedy = "only kind = \"icinga2\" and \"openitcockpit\" have one; remove it or set the kind";
                problems.error(table.span, Mistake::new("api_url: this kind of core has no API").remedy(remedy));
            }
            return None;
        }
    };
    match (urls, login) {
        (Some(urls), Some(login)) => Some(Api { urls, login, ca_file: ca_file.map(|(path, _)| path) }),
        (Some(_), None) => {
            let mistake = Mistake::new(format!("{} has api_url, but no login", table.name));
            problems.error(table.span, mistake.remedy(format!("add {wanted} (or its _file)")));
            None
        }
        (None, Some(_)) => {
            let mistake = Mistake::new(format!("{} has a login for the API, but no api_url", table.name));
            problems.error(table.span, mistake.remedy("add api_url = \"https://...\""));
            None
        }
        (None, None) => None,
    }
}

/// The addresses under one key, a string or a list of them; each once.
fn alternatives<T: PartialEq>(
    table: &mut Table<'_>,
    key: &'static str,
    problems: &mut Problems<'_>,
    parse: impl Fn(&str) -> Result<T, Mistake>,
) -> Option<Vec<T>> {
    let texts = table.texts(key, problems)?;
    if texts.is_empty() && table.is_list(key) {
        let remedy = format!("name an address, or remove {key}");
        problems.error(table.span, Mistake::new(format!("{key}: the list is empty")).remedy(remedy));
    }
    let mut found = Vec::with_capacity(texts.len());
    for text in texts {
        match parse(text.text) {
            Ok(address) if found.contains(&address) => {
                let mistake = Mistake::new(format!("{key}: \"{}\" is in the list twice", text.text));
                problems.error(Some(text.span), mistake.remedy("remove one of them"));
            }
            Ok(address) => found.push(address),
            Err(mistake) => problems.error(Some(text.span), mistake.about(key)),
        }
    }
    Some(found).filter(|found| !found.is_empty())
}

/// The addresses of Livestatus, with how the certificates of those with TLS are checked.
fn livestatus(table: &mut Table<'_>, base: &Path, problems: &mut Problems<'_>) -> Option<Livestatus> {
    let ca_file = table.text("livestatus_ca_file", problems);
    let name = table.parsed("livestatus_tls_name", problems, tls_name);
    let path = ca_file.map(|text| base.join(text.text));
    if let (Some(text), Some(Err(e))) = (&ca_file, path.as_deref().map(std::fs::metadata)) {
        let mistake = Mistake::new(format!("livestatus_ca_file {}: {e}", base.join(text.text).display()));
        problems.error(Some(text.span), mistake.remedy("name a PEM file with the CA's certificate"));
    }
    let address = |text: &str| livestatus_address(text, base, (path.as_ref(), name.as_ref()));
    let found = alternatives(table, "livestatus", problems, address).map(Livestatus);
    let has_tls = found.iter().flat_map(|found| &found.0).any(|one| matches!(one, LivestatusAddress::Tls { .. }));
    if !has_tls && (path.is_some() || name.is_some()) && !problems.has_errors() {
        let mistake = Mistake::new("livestatus_ca_file and livestatus_tls_name have no effect without TLS");
        problems.error(table.span, mistake.remedy("write livestatus = \"tls:host:6557\", or remove them"));
    }
    found
}

/// A name that a certificate can have.
fn tls_name(text: &str) -> Result<String, Mistake> {
    match rustls::pki_types::ServerName::try_from(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err(Mistake::new(format!("\"{text}\" isn't a name that a certificate can have"))
            .remedy("write it as `openssl x509 -text` shows it under Subject Alternative Name")),
    }
}

/// A socket's path, `tcp:host:port`, `host:port` or `tls:host:port`.
fn livestatus_address(
    text: &str,
    base: &Path,
    (ca_file, name): (Option<&PathBuf>, Option<&String>),
) -> Result<LivestatusAddress, Mistake> {
    let encrypted = text.strip_prefix("tls:").map(|address| address.trim_start_matches("//"));
    if encrypted.is_none() && (text.contains('/') || !text.contains(':')) {
        let path = text.strip_prefix("unix:").unwrap_or(text);
        return Ok(LivestatusAddress::Unix(base.join(path)));
    }
    let address = encrypted.unwrap_or_else(|| text.strip_prefix("tcp:").unwrap_or(text));
    let is_address = address
        .rsplit_once(':')
        .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok_and(|p| p > 0));
    let host = address.rsplit_once(':').map_or("", |(host, _)| host.trim_matches(['[', ']']));
    match encrypted {
        _ if !is_address || address.contains(char::is_whitespace) => Err(Mistake::new(format!(
            "\"{text}\" isn't a Livestatus address"
        ))
        .remedy("write the socket's path, as \"/var/cache/naemon/live\", or \"host:6557\", or \"tls:host:6557\"")),
        None => Ok(LivestatusAddress::Tcp(address.to_owned())),
        Some(_) => {
            tls_name(name.map_or(host, String::as_str))?;
            let (ca_file, name) = (ca_file.cloned(), name.cloned());
            Ok(LivestatusAddress::Tls { address: address.to_owned(), ca_file, name })
        }
    }
}

impl From<LivestatusAddress> for Livestatus {
    fn from(address: LivestatusAddress) -> Self {
        Self(vec![address])
    }
}

impl std::fmt::Display for Livestatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let addresses: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&addresses.join(", "))
    }
}

impl LivestatusAddress {
    /// Whether it may answer: a socket that isn't on this machine can't.
    pub(crate) fn may_answer(&self) -> bool {
        match self {
            Self::Unix(path) => path.exists(),
            Self::Tcp(_) | Self::Tls { .. } => true,
        }
    }
}

impl std::fmt::Display for LivestatusAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "{}", path.display()),
            Self::Tcp(address) => write!(f, "tcp:{address}"),
            Self::Tls { address, .. } => write!(f, "tls:{address}"),
        }
    }
}

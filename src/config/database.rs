//! `[database]`: the outbox that several listeners share.

use super::problem::{Mistake, Problems};
use super::reader::Table;
use super::secrets::{self, LoadContext};
use crate::system::environment::Environment;
use crate::system::seal::SealKeys;
use percent_encoding::percent_decode_str;
use std::path::{Path, PathBuf};
use tokio_postgres::config::Host;

/// Where the outbox is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum OutboxAt<'a> {
    /// A file there, for this machine alone.
    StateDir(&'a Path),
    /// Shared by several listeners.
    Database(&'a Database),
}

impl<'a> OutboxAt<'a> {
    /// In the database, if there is one.
    pub(crate) fn of(state_dir: &'a Path, database: Option<&'a Database>) -> Self {
        database.map_or(Self::StateDir(state_dir), Self::Database)
    }
}

impl<'a> From<&'a Path> for OutboxAt<'a> {
    fn from(state_dir: &'a Path) -> Self {
        Self::StateDir(state_dir)
    }
}

impl<'a> From<&'a PathBuf> for OutboxAt<'a> {
    fn from(state_dir: &'a PathBuf) -> Self {
        Self::StateDir(state_dir)
    }
}

/// `[database]`
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Database {
    /// Host, user, database and password.
    pub(crate) postgres: tokio_postgres::Config,
    /// By TLS, with a certificate for the host's name.
    pub(crate) encrypts: bool,
    /// The CAs that count; else those of the distribution.
    pub(crate) root_cert: Option<PathBuf>,
    /// As people know it, without user and password.
    pub(crate) label: String,
    /// What installations are sealed with there; the same on all nodes.
    pub(crate) seal_keys: Option<SealKeys>,
}

impl Database {
    /// Whether both are the same one, reached in the same way: other keys are used without a restart.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let without_keys = |database: &Self| Self { seal_keys: None, ..database.clone() };
        without_keys(self) == without_keys(other)
    }
}

const EXAMPLE: &str = "write url = \"postgres://ackbell@db.example.com/ackbell\"";

/// A server's address, as it is written.
#[derive(Debug, PartialEq)]
pub(super) struct Address {
    postgres: tokio_postgres::Config,
    encrypts: Option<bool>,
    root_cert: Option<PathBuf>,
}

pub(super) fn read(
    top: &mut Table<'_>,
    base: &Path,
    env: &Environment,
    sources: &mut Vec<PathBuf>,
    problems: &mut Problems<'_>,
) -> Option<Database> {
    let mut table = top.table("database", problems)?;
    let span = table.node("url").map(|entry| entry.node.span);
    let is_given = span.is_some();
    let address = table.parsed("url", problems, address);
    let mut context = LoadContext { base, state_dir: base, env: Environment::default(), sources };
    let names = ("password", "password_file");
    let password = secrets::one_secret(&mut table, names, &[], secrets::password, &mut context, problems);
    let seal_keys = seal_keys(&mut table, &mut context, problems);
    let of_table = table.span;
    table.finish(problems);
    if !is_given {
        problems.error(of_table, Mistake::new("[database] has no \"url\"").remedy(EXAMPLE));
    }
    let mut database = from_address(address?, base, env);
    database.seal_keys = seal_keys;
    if let Some(secret) = password {
        database.postgres.password(secret.expose());
    }
    if let Some(path) = &database.root_cert {
        sources.push(path.clone());
        if let Err(e) = std::fs::metadata(path) {
            let mistake = Mistake::new(format!("sslrootcert {}: {e}", path.display()));
            problems.error(span, mistake.remedy("name a PEM file with the certificate of the server's CA"));
        }
    }
    if !database.encrypts && !is_here(&database.postgres) {
        let mistake = Mistake::new("[database] sends everything unencrypted, the password's proof too");
        problems.warning(span, mistake.remedy("remove sslmode=disable, unless nobody else reaches that network"));
    }
    Some(database)
}

/// The keys of `key_file`.
fn seal_keys(table: &mut Table<'_>, context: &mut LoadContext<'_>, problems: &mut Problems<'_>) -> Option<SealKeys> {
    let span = Some(table.node("key_file")?.node.span);
    // Of a file that can't be used it is told once; nobody is told that there is none, too.
    let Some((path, text)) = secrets::only_in_file(table, "key_file", context, problems) else {
        return Some(SealKeys::default());
    };
    let keys = SealKeys::parse(text.expose()).inspect_err(|e| {
        let mistake = Mistake::new(format!("key_file {}: {e}", path.display()));
        problems.error(span, mistake.remedy("each line must be one that this prints: openssl rand -base64 32"));
    });
    Some(keys.unwrap_or_default())
}

/// The database of `ackbell database init --url` and `copy --to`, with the password of `--password-file`.
pub(crate) fn from_url(url: &str, password: Option<&str>, base: &Path, env: &Environment) -> Result<Database, String> {
    let mut database = from_address(address(url).map_err(Mistake::sentence)?, base, env);
    if let Some(password) = password {
        database.postgres.password(password);
    }
    Ok(database)
}

fn from_address(address: Address, base: &Path, env: &Environment) -> Database {
    let Address { postgres, encrypts, root_cert } = address;
    let encrypts = encrypts.unwrap_or_else(|| !is_here(&postgres));
    let label = label(&postgres);
    let from_env = || env.get("SSL_CERT_FILE").map(PathBuf::from).filter(|path| path.exists());
    let root_cert = root_cert.map(|path| base.join(path)).or_else(from_env).filter(|_| encrypts);
    Database { postgres, encrypts, root_cert, label, seal_keys: None }
}

/// Reads the address. What decides about TLS is taken out of it: the driver knows other values.
fn address(text: &str) -> Result<Address, Mistake> {
    if !text.starts_with("postgres://") && !text.starts_with("postgresql://") {
        return Err(Mistake::new("it isn't a PostgreSQL URL").remedy(EXAMPLE));
    }
    let (server, query) = text.split_once('?').unwrap_or((text, ""));
    let (mut rest, mut encrypts, mut root_cert) = (Vec::new(), None, None);
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        match key {
            "sslmode" => encrypts = Some(ssl_mode(value)?),
            "sslrootcert" => {
                let path = percent_decode_str(value).decode_utf8_lossy().into_owned();
                root_cert = Some(path).filter(|path| path != "system").map(PathBuf::from);
            }
            _ => rest.push(pair),
        }
    }
    let url = if rest.is_empty() { server.to_owned() } else { format!("{server}?{}", rest.join("&")) };
    let postgres: tokio_postgres::Config = url.parse().map_err(|e: tokio_postgres::Error| {
        let cause = std::error::Error::source(&e).map_or_else(|| e.to_string(), ToString::to_string);
        Mistake::new(format!("it isn't a valid PostgreSQL URL: {cause}")).remedy(EXAMPLE)
    })?;
    if postgres.get_password().is_some() {
        let remedy = "put it into a file of its own, and name that: password_file = \"db-password\"";
        return Err(Mistake::new("it has a password in it").remedy(remedy));
    }
    if postgres.get_hosts().is_empty() {
        return Err(Mistake::new("it names no host").remedy(EXAMPLE));
    }
    if postgres.get_dbname().is_none_or(str::is_empty) {
        return Err(Mistake::new("it names no database").remedy(EXAMPLE));
    }
    Ok(Address { postgres, encrypts, root_cert })
}

/// Whether the connection is encrypted, and then by a certificate that is checked.
fn ssl_mode(mode: &str) -> Result<bool, Mistake> {
    match mode {
        "verify-full" => Ok(true),
        "disable" => Ok(false),
        "allow" | "prefer" | "require" | "verify-ca" => {
            let text = format!("sslmode={mode} would not check whether it is the right server");
            let remedy =
                "remove it: verify-full is the default; sslrootcert=FILE names the CA, if it is one of your own";
            Err(Mistake::new(text).remedy(remedy))
        }
        _ => {
            let text = format!("sslmode={mode} isn't a valid mode");
            Err(Mistake::new(text).remedy("remove it, or write sslmode=verify-full or sslmode=disable"))
        }
    }
}

/// Whether every host is this machine.
fn is_here(postgres: &tokio_postgres::Config) -> bool {
    postgres.get_hosts().iter().all(|host| match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
        }
    })
}

/// As people know it: without user and password.
fn label(postgres: &tokio_postgres::Config) -> String {
    let mut hosts = Vec::new();
    for (nth, host) in postgres.get_hosts().iter().enumerate() {
        let ports = postgres.get_ports();
        let port = ports.get(nth).or(ports.first()).copied().unwrap_or(5432);
        hosts.push(match host {
            Host::Unix(path) => path.display().to_string(),
            Host::Tcp(name) if port == 5432 => name.clone(),
            Host::Tcp(name) => format!("{name}:{port}"),
        });
    }
    format!("{} at {}", postgres.get_dbname().unwrap_or_default(), hosts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(url: &str) -> Result<Database, String> {
        from_url(url, None, Path::new("/etc/ackbell"), &Environment::default())
    }

    #[test]
    fn tls_is_checked_unless_it_is_this_machine() {
        for (url, encrypts, label) in [
            ("postgres://ackbell@db.example.com/outbox", true, "outbox at db.example.com"),
            ("postgresql://db.example.com:6432/outbox?sslmode=disable", false, "outbox at db.example.com:6432"),
            ("postgres://db.example.com/outbox?sslmode=verify-full", true, "outbox at db.example.com"),
            ("postgres://localhost/outbox", false, "outbox at localhost"),
            ("postgres://[::1]:5433/outbox", false, "outbox at ::1:5433"),
            ("postgres://127.0.0.1/outbox?sslmode=verify-full", true, "outbox at 127.0.0.1"),
            ("postgres:///outbox?host=/run/postgresql", false, "outbox at /run/postgresql"),
            ("postgres://a,b/outbox?target_session_attrs=read-write", true, "outbox at a, b"),
        ] {
            let database = of(url).unwrap();
            assert_eq!((database.encrypts, database.label.as_str()), (encrypts, label), "{url}");
        }
        let database = of("postgres://db/o?sslrootcert=ca%20of%20ours.pem&connect_timeout=3").unwrap();
        assert_eq!(database.root_cert.as_deref(), Some(Path::new("/etc/ackbell/ca of ours.pem")));
    }

    #[test]
    fn mistakes_in_the_address_are_named() {
        for (url, said) in [
            ("mysql://db/outbox", "it isn't a PostgreSQL URL"),
            ("postgres://db/outbox?sslmode=require", "sslmode=require would not check whether it is the right server"),
            ("postgres://db/outbox?sslmode=full", "sslmode=full isn't a valid mode"),
            ("postgres://ackbell:secret@db/outbox", "it has a password in it"),
            ("postgres://db", "it names no database"),
            ("postgres:///outbox", "it names no host"),
            ("postgres://db/outbox?colour=red", "it isn't a valid PostgreSQL URL"),
            ("postgres://db:port/outbox", "it isn't a valid PostgreSQL URL"),
        ] {
            let error = of(url).unwrap_err();
            assert!(error.starts_with(said), "{url}: {error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }
}

//! The server: how it is reached, and its errors as people read them.

use super::tls::MakeTls;
use crate::config::Database;
use crate::store::StoreError;
use crate::system::environment::Environment;
use crate::system::tls;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::AbortHandle;
use tokio_postgres::config::SslMode;
use tokio_postgres::error::{DbError, SqlState};
use tokio_postgres::{Client, NoTls};

/// A server and a database there.
pub(in crate::store) struct Server {
    config: tokio_postgres::Config,
    tls: Option<Arc<rustls::ClientConfig>>,
    /// As people know it, without a password.
    label: String,
}

impl Server {
    pub(in crate::store) fn new(database: &Database) -> Result<Self, StoreError> {
        let mut config = database.postgres.clone();
        config.ssl_mode(if database.encrypts { SslMode::Require } else { SslMode::Disable });
        config.application_name("ackbell");
        // Of several hosts the first may be one that swallows everything.
        if config.get_hosts().len() > 1 && config.get_connect_timeout().is_none() {
            config.connect_timeout(Duration::from_millis(1200));
        }
        // The kernel gives up no later than we do.
        config.tcp_user_timeout(Duration::from_secs(5));
        config.keepalives_idle(Duration::from_secs(5));
        config.keepalives_interval(Duration::from_secs(2));
        config.keepalives_retries(2);
        let label = database.label.clone();
        let roots = || tls::client(database.root_cert.as_deref(), &Environment::default());
        let tls = database.encrypts.then(roots).transpose();
        let tls = tls.map_err(|e| StoreError::Away(format!("the database {label} can't be used: {e}")))?;
        Ok(Self { config, tls, label })
    }

    /// Connects, and lets the connection's own half run on this thread whenever somebody waits here.
    pub(super) async fn connect(&self) -> Result<(Client, AbortHandle), tokio_postgres::Error> {
        if let Some(tls) = &self.tls {
            let (client, connection) = self.config.connect(MakeTls(tls.clone())).await?;
            Ok((client, tokio::spawn(connection).abort_handle()))
        } else {
            let (client, connection) = self.config.connect(NoTls).await?;
            Ok((client, tokio::spawn(connection).abort_handle()))
        }
    }

    /// It can't be used now.
    pub(super) fn away(&self, reason: &str) -> StoreError {
        StoreError::Away(format!("the database {self} can't be used: {reason}"))
    }

    /// An error of the driver's, with what is to be done about it.
    pub(super) fn error(&self, e: &tokio_postgres::Error) -> StoreError {
        let Some(reply) = e.as_db_error() else {
            let cause = std::error::Error::source(e).map_or_else(|| e.to_string(), ToString::to_string);
            return self.away(&format!("{cause}{}", unreached(&cause)));
        };
        match remedy(reply.code()) {
            Some(remedy) => self.away(&format!("{}{remedy}", reply.message())),
            None => StoreError::Postgres { message: reply.message().to_owned(), code: reply.code().code().to_owned() },
        }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.label)
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Server({})", self.label)
    }
}

/// Whether the connection is of no use any more after this.
pub(super) fn is_broken(e: &tokio_postgres::Error) -> bool {
    e.is_closed() || e.as_db_error().is_none_or(|reply| ends_the_session(reply.code()))
}

/// Whether a COMMIT that got this answer was surely undone.
pub(super) fn is_certain(reply: &DbError) -> bool {
    // 40003 is *completion unknown*; a server that goes down may have written it.
    !ends_the_session(reply.code()) && *reply.code() != SqlState::T_R_STATEMENT_COMPLETION_UNKNOWN
}

fn ends_the_session(code: &SqlState) -> bool {
    let is_of = |class: &str| code.code().starts_with(class);
    is_of("08") || is_of("57P") || *code == SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT
}

/// Whom to ask when it isn't reached at all.
fn unreached(cause: &str) -> &'static str {
    if cause.contains("certificate") {
        "; [database] url: the server's certificate must be good for that host name, and its CA known \
         (sslrootcert=FILE in the URL)"
    } else if cause.contains("support TLS") {
        "; switch on its `ssl`, or write sslmode=disable into the URL where the network is trusted"
    } else {
        "; is the server up, and does [database] url name it?"
    }
}

/// For the conditions in which nothing is wrong with our statement: the remedy. `None`: something is.
fn remedy(code: &SqlState) -> Option<&'static str> {
    Some(match code.code() {
        "28P01" | "28000" => "; [database] password_file must have the role's password, and pg_hba.conf must let it in",
        "3D000" => "; create it: CREATE DATABASE",
        "42501" => "; the role lacks a right: `ackbell database init`, run by the owner, prints the GRANTs",
        "42P01" => "; it holds no outbox yet: run `ackbell database init` as its owner",
        "25006" => "; it is a standby: [database] url must name the primary, or add target_session_attrs=read-write",
        "53100" => "; its disk is full",
        "26000" | "42P05" => {
            "; a pooler mixes its clients' statements: PgBouncer needs pool_mode = session, or 1.21 and \
             max_prepared_statements = 200"
        }
        "53300" => "; it has no connection left: raise max_connections",
        "55P03" => "; another listener has been writing all the while",
        "57014" => "; it took too long",
        code if code.starts_with("08") || code.starts_with("53") || code.starts_with("57P") || code == "25P03" => "",
        _ => return None,
    })
}

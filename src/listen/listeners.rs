//! Keeps HTTP, the socket for local programs and Socket Mode open as the configuration wants them: opened at the start,
//! changed with the configuration, and tried again while they can't be opened. Delivery never waits for them.

use super::endpoints::Endpoints;
use super::http::{Access, Bound, HttpError, HttpServer, Settings};
use crate::config::{Config, Flavor, Integration, RelayToken};
use crate::monitoring::relay::{self, Speaker};
use crate::rules::verify::Signer;
use crate::slack::socket::{SocketMode, Timing};
use crate::state_dir::listener_status::{RelayLink, StatusNote, StatusWriter};
use crate::state_dir::owner;
use crate::system::environment::Environment;
use crate::system::order;
use log::{error, info, warn};
use std::fs::Permissions;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

/// Between two tries to open HTTP.
const RETRY_INTERVAL: Duration = Duration::from_secs(30);

/// The socket's name in the runtime directory.
const INTAKE: &str = "intake";

/// The open listeners. Dropped, they finish the requests in progress.
#[derive(Debug)]
pub(super) struct Listeners {
    endpoints: Arc<Endpoints>,
    /// The socket systemd listens on for us; then nothing else is bound.
    passed: Option<TcpListener>,
    http: Option<(BindAddress, HttpServer)>,
    /// The socket for local programs.
    local: Option<HttpServer>,
    env: Environment,
    retry: Option<Instant>,
    status: StatusWriter,
}

/// Where HTTP is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BindAddress {
    Passed,
    At(SocketAddr),
}

impl Listeners {
    /// Opens the listeners of the configuration.
    pub(super) fn open(config: &Config, env: &Environment, endpoints: Arc<Endpoints>, status: StatusWriter) -> Self {
        let passed = listenfd::ListenFd::from_env().take_tcp_listener(0).unwrap_or_else(|e| {
            let remedy = "give ackbell.socket a TCP ListenStream";
            error!("can't use systemd's socket reason={:?} remedy={remedy:?}", e.to_string());
            None
        });
        let env = env.clone();
        let mut listeners = Self { endpoints, passed, http: None, local: None, env, retry: None, status };
        listeners.reconfigure(config);
        listeners
    }

    /// Puts a changed configuration in force.
    pub(super) fn reconfigure(&mut self, config: &Config) {
        self.connect(config);
        self.reopen(config);
        self.open_local(config);
    }

    /// The socket for local programs, in the runtime directory. The kernel names the user of each program; where the
    /// configuration allows other users, everybody may connect.
    fn open_local(&mut self, config: &Config) {
        let path = config.runtime_dir.join(INTAKE);
        let mode = if config.listen.intake_users.is_empty() { 0o770 } else { 0o777 };
        if let Some(server) = &self.local {
            let _ = server.update(local_settings(config));
            let _ = std::fs::set_permissions(&path, Permissions::from_mode(mode));
            return;
        }
        // Left by a listener that was killed; we have the delivery lock, so nobody listens there.
        let _ = std::fs::remove_file(&path);
        let opened = UnixListener::bind(&path).map_err(HttpError::Start).and_then(|listener| {
            std::fs::set_permissions(&path, Permissions::from_mode(mode)).map_err(HttpError::Start)?;
            HttpServer::start(Bound::Unix(listener), local_settings(config), Arc::clone(&self.endpoints))
        });
        match opened {
            Ok(server) => self.local = Some(server),
            Err(e) => {
                let (path, reason) = (path.display().to_string(), e.to_string());
                warn!("can't open the socket for local programs path={path:?} reason={reason:?}");
            }
        }
    }

    /// A Socket Mode connection for each integration with an app token, as it is configured now.
    fn connect(&mut self, config: &Config) {
        let wanted: Vec<&Integration> = config
            .integrations
            .iter()
            .filter(|i| config.listen.socket_mode && i.enabled && i.flavor == Flavor::Slack && i.app_token.is_some())
            .collect();
        let mut sockets = self.endpoints.sockets().lock().unwrap_or_else(PoisonError::into_inner);
        sockets.retain(|name, (started, socket)| {
            let stays = wanted.iter().any(|now| now.name == *name && *now == started);
            if stays {
                socket.retry_now();
            } else {
                socket.stop();
            }
            stays
        });
        for integration in wanted {
            if sockets.contains_key(&integration.name) {
                continue;
            }
            let (name, endpoints) = (integration.name.clone(), Arc::clone(&self.endpoints));
            let others = Arc::clone(endpoints.node().others());
            let handler = Arc::new(move |envelope| endpoints.envelope(&name, envelope));
            match SocketMode::start(integration.clone(), self.env.clone(), (Timing::default(), others), handler) {
                Ok(socket) => drop(sockets.insert(integration.name.clone(), (integration.clone(), socket))),
                Err(e) => error!("can't start Socket Mode integration={} reason={:?}", integration.name, e.to_string()),
            }
        }
    }

    /// Serves HTTP where the configuration wants it.
    fn reopen(&mut self, config: &Config) {
        let wanted = match &self.passed {
            Some(_) => Some(BindAddress::Passed),
            None => config.listen.address(&config.integrations).map(BindAddress::At),
        };
        self.retry = None;
        self.status.update(|status| status.http = None);
        match (wanted, &self.http) {
            (None, None) => {}
            (None, Some(_)) => {
                self.http = None;
                info!("http closed");
            }
            (Some(address), Some((now, server))) if address == *now => {
                if let Err(e) = server.update(settings(config)) {
                    error!("new certificate refused reason={:?} in_use=old", e.to_string());
                }
            }
            (Some(address), _) => self.move_to(address, config),
        }
    }

    /// To be called every few seconds.
    pub(super) fn check(&mut self, config: &Config) {
        if self.retry.is_some_and(|at| at <= Instant::now()) {
            self.reopen(config);
        }
        let sockets = self.endpoints.sockets().lock().unwrap_or_else(PoisonError::into_inner);
        let sockets = order::map(sockets.iter().map(|(name, (_, socket))| (name.clone(), socket.status().into())));
        let links = relay::statuses().into_iter().map(|link| {
            let relay::RelayStatus { speaker, about, seen, is_connected, ahead } = link;
            let link = RelayLink {
                seen: seen.unwrap_or(0),
                connected: is_connected,
                version: about.version,
                kind: about.kind,
                waiting: about.waiting,
                oldest: about.oldest,
                bad: about.bad,
                ahead,
                ..RelayLink::default()
            };
            (speaker, link)
        });
        let called = order::map(links);
        // One that never called is shown, too.
        let links = config.cores.iter().flat_map(|core| core.relay_tokens.iter().map(move |token| (core, token))).map(
            |(core, token)| {
                let speaker = Speaker { core: core.name.clone(), relay: token.name.clone() };
                let link = called.get(&speaker).cloned().unwrap_or_default();
                let is_redundant = core.redundant == Some(true);
                (token.label.clone(), RelayLink { core: core.name.clone(), is_redundant, ..link })
            },
        );
        let links = order::map(links);
        self.status.update(|status| (status.sockets, status.relays) = (sockets, links));
    }

    /// Serves HTTP at another address; if that fails it stays at the old one.
    fn move_to(&mut self, address: BindAddress, config: &Config) {
        let bound = match (address, &self.passed) {
            (BindAddress::At(address), _) => TcpListener::bind(address),
            (BindAddress::Passed, Some(passed)) => passed.try_clone(),
            (BindAddress::Passed, None) => return,
        };
        let opened = bound.map_err(HttpError::Start).and_then(|listener| {
            HttpServer::start(Bound::Tcp(listener), settings(config), Arc::clone(&self.endpoints))
        });
        match opened {
            Ok(server) => {
                let tls = config.listen.tls.is_some();
                let at = server.address().map_or_else(String::new, |at| at.to_string());
                info!("http open address={at} tls={tls}");
                self.http = Some((address, server));
            }
            Err(e) => {
                let (at, remedy) = match (address, &e) {
                    (_, HttpError::Tls(_)) => ("[listen]".to_owned(), "set tls_cert and tls_key to a matching pair"),
                    (BindAddress::Passed, _) => ("systemd's socket".to_owned(), "check ackbell.socket"),
                    (BindAddress::At(address), _) => {
                        (address.to_string(), "stop the program that listens there, or change [listen] http")
                    }
                };
                let seconds = RETRY_INTERVAL.as_secs();
                let reason = e.to_string();
                error!(
                    "can't open http at={at:?} reason={reason:?} remedy={remedy:?} action=retry every_seconds={seconds}"
                );
                self.status.update(|status| status.http = Some(StatusNote::now(format!("{at}: {e}; {remedy}"))));
                self.retry = Some(Instant::now() + RETRY_INTERVAL);
            }
        }
    }
}

/// All connections begin to close at once, then each is waited for.
impl Drop for Listeners {
    fn drop(&mut self) {
        let mut sockets = self.endpoints.sockets().lock().unwrap_or_else(PoisonError::into_inner);
        for (_, socket) in sockets.values() {
            socket.stop();
        }
        sockets.clear();
    }
}

fn settings(config: &Config) -> Settings {
    // Those of disabled integrations, too: a person who clicks there gets a reply.
    let signers =
        config.integrations.iter().map(|i| Signer { integration: i.name.clone(), secrets: i.signing_secrets.clone() });
    let listen = &config.listen;
    let relays = config.cores.iter().flat_map(|core| {
        let speaker = |token: &RelayToken| Speaker { core: core.name.clone(), relay: token.name.clone() };
        core.relay_tokens.iter().map(move |token| (speaker(token), token.secret.clone()))
    });
    let access = Access {
        intake_token: listen.intake_token.clone(),
        intake_without_token: listen.intake_without_token,
        intake_uids: Vec::new(),
        metrics_for_all: listen.metrics_for_all,
        relays: Arc::new(relays.collect()),
        relays_need_certificate: listen.tls.as_ref().is_some_and(|tls| tls.client_ca.is_some()),
    };
    Settings { signers: signers.collect(), tls: listen.tls.clone(), access }
}

/// Of the socket: no secret of Slack's and no certificate, but the users whose programs may connect.
fn local_settings(config: &Config) -> Settings {
    let intake_uids = config.listen.intake_users.iter().filter_map(|name| {
        let uid = owner::uid_of(name);
        if uid.is_none() {
            warn!("unknown user in [listen] intake_users user={name:?}");
        }
        uid
    });
    let access = Access { intake_uids: intake_uids.collect(), ..Access::default() };
    Settings { signers: Vec::new(), tls: None, access }
}

//! Keeps the doors as the configuration wants them: opened at the start, changed with it, tried again while they can't
//! be opened. Delivery never waits for a door.

use super::http::{Access, Bound, Handlers, HttpDoor, HttpError, Settings};
use crate::config::{Config, Flavor, Integration};
use crate::rules::verify::Signer;
use crate::slack::socket::{SocketMode, Timing};
use crate::state_dir::listener_status::{StatusNote, StatusWriter};
use crate::state_dir::owner;
use crate::system::environment::Environment;
use log::{error, info, warn};
use std::collections::BTreeMap;
use std::fs::Permissions;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Between two tries to open a door.
const RETRY_INTERVAL: Duration = Duration::from_secs(30);

/// The socket's name in the runtime directory.
const INTAKE: &str = "intake";

/// The doors of a listener. Dropped, they finish what is in hand.
#[derive(Debug)]
pub(super) struct Doors {
    handlers: Handlers,
    /// The socket systemd listens on for us; then nothing else is bound.
    passed: Option<TcpListener>,
    http: Option<(Place, HttpDoor)>,
    /// The socket through which local programs hand in.
    local: Option<HttpDoor>,
    sockets: Sockets,
    env: Environment,
    retry: Option<Instant>,
    reporter: StatusWriter,
}

/// The Socket Mode connections by integration, with what each was started with. Shared with whoever asks how they are.
pub(super) type Sockets = Arc<Mutex<BTreeMap<String, (Integration, SocketMode)>>>;

/// Where the HTTP door is asked to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Passed,
    At(SocketAddr),
}

impl Doors {
    /// Opens what the configuration wants.
    pub(super) fn open(
        config: &Config,
        env: &Environment,
        handlers: Handlers,
        sockets: Sockets,
        reporter: StatusWriter,
    ) -> Self {
        let passed = listenfd::ListenFd::from_env().take_tcp_listener(0).unwrap_or_else(|e| {
            error!("the socket from systemd can't be used reason={e} remedy=give ackbell.socket a ListenStream of TCP");
            None
        });
        let env = env.clone();
        let mut doors = Self { handlers, passed, http: None, local: None, sockets, env, retry: None, reporter };
        doors.reconfigure(config);
        doors
    }

    /// Takes a changed configuration.
    pub(super) fn reconfigure(&mut self, config: &Config) {
        self.connect(config);
        self.reopen(config);
        self.open_local(config);
    }

    /// The socket for local programs, in the runtime directory. Who may hand in is decided by the user that the kernel
    /// names; where the configuration names others, all may connect.
    fn open_local(&mut self, config: &Config) {
        let path = config.runtime_dir.join(INTAKE);
        let mode = if config.listen.intake_users.is_empty() { 0o770 } else { 0o777 };
        if let Some(door) = &self.local {
            let _ = door.update(local_settings(config));
            let _ = std::fs::set_permissions(&path, Permissions::from_mode(mode));
            return;
        }
        // Left by a listener that was killed; the delivery lock is ours, so nobody listens there.
        let _ = std::fs::remove_file(&path);
        let opened = UnixListener::bind(&path).map_err(HttpError::Start).and_then(|listener| {
            std::fs::set_permissions(&path, Permissions::from_mode(mode)).map_err(HttpError::Start)?;
            HttpDoor::open(Bound::Unix(listener), local_settings(config), self.handlers.clone())
        });
        match opened {
            Ok(door) => self.local = Some(door),
            Err(e) => warn!("no socket for local programs at={} reason={e}", path.display()),
        }
    }

    /// A Socket Mode connection for each integration with an app token, as it is configured now.
    fn connect(&mut self, config: &Config) {
        let wanted: Vec<&Integration> = config
            .integrations
            .iter()
            .filter(|i| config.listen.socket_mode && i.enabled && i.flavor == Flavor::Slack && i.app_token.is_some())
            .collect();
        let mut sockets = self.sockets.lock().unwrap_or_else(PoisonError::into_inner);
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
            let (name, handlers) = (integration.name.clone(), self.handlers.clone());
            let take = Arc::new(move |envelope| (handlers.take_envelope)(&name, envelope));
            match SocketMode::start(integration.clone(), self.env.clone(), Timing::default(), take) {
                Ok(socket) => drop(sockets.insert(integration.name.clone(), (integration.clone(), socket))),
                Err(e) => error!("no thread for Socket Mode integration={} reason={e}", integration.name),
            }
        }
    }

    /// The HTTP door where the configuration wants it.
    fn reopen(&mut self, config: &Config) {
        let wanted = match &self.passed {
            Some(_) => Some(Place::Passed),
            None => config.listen.address(&config.integrations).map(Place::At),
        };
        self.retry = None;
        self.reporter.note(|report| report.http = None);
        match (wanted, &self.http) {
            (None, None) => {}
            (None, Some(_)) => {
                self.http = None;
                info!("http closed");
            }
            (Some(place), Some((now, door))) if place == *now => {
                if let Err(e) = door.update(settings(config)) {
                    error!("the new certificate is refused, the old one stays in use reason={e}");
                }
            }
            (Some(place), _) => self.move_to(place, config),
        }
    }

    /// To be called every few seconds.
    pub(super) fn tend(&mut self, config: &Config) {
        if self.retry.is_some_and(|at| at <= Instant::now()) {
            self.reopen(config);
        }
        let sockets = self.sockets.lock().unwrap_or_else(PoisonError::into_inner);
        let sockets = sockets.iter().map(|(name, (_, socket))| (name.clone(), socket.status().into())).collect();
        self.reporter.note(|report| report.sockets = sockets);
    }

    /// Opens the HTTP door at another place; while that fails it stays where it is.
    fn move_to(&mut self, place: Place, config: &Config) {
        let bound = match (place, &self.passed) {
            (Place::At(address), _) => TcpListener::bind(address),
            (Place::Passed, Some(passed)) => passed.try_clone(),
            (Place::Passed, None) => return,
        };
        let opened = bound
            .map_err(HttpError::Start)
            .and_then(|listener| HttpDoor::open(Bound::Tcp(listener), settings(config), self.handlers.clone()));
        match opened {
            Ok(door) => {
                let tls = config.listen.tls.is_some();
                let address = door.address().map_or_else(String::new, |address| address.to_string());
                info!("http open address={address} tls={tls}");
                self.http = Some((place, door));
            }
            Err(e) => {
                let (place, remedy) = match (place, &e) {
                    (_, HttpError::Tls(_)) => ("[listen]".to_owned(), "give tls_cert and tls_key a pair that fits"),
                    (Place::Passed, _) => ("systemd's socket".to_owned(), "look at ackbell.socket"),
                    (Place::At(address), _) => (address.to_string(), "stop what listens there, or set [listen] http"),
                };
                let seconds = RETRY_INTERVAL.as_secs();
                error!("http can't be opened at={place} reason={e} remedy={remedy} what=tried again every {seconds} s");
                self.reporter.note(|report| report.http = Some(StatusNote::now(format!("{place}: {e}; {remedy}"))));
                self.retry = Some(Instant::now() + RETRY_INTERVAL);
            }
        }
    }
}

/// All connections begin to close at once, then each is waited for.
impl Drop for Doors {
    fn drop(&mut self) {
        let mut sockets = self.sockets.lock().unwrap_or_else(PoisonError::into_inner);
        for (_, socket) in sockets.values() {
            socket.stop();
        }
        sockets.clear();
    }
}

fn settings(config: &Config) -> Settings {
    // Of the disabled ones, too: whoever clicks there is told.
    let signers =
        config.integrations.iter().map(|i| Signer { integration: i.name.clone(), secrets: i.signing_secrets.clone() });
    let listen = &config.listen;
    let access = Access {
        intake_token: listen.intake_token.clone(),
        intake_without_token: listen.intake_without_token,
        intake_uids: Vec::new(),
        metrics_for_all: listen.metrics_for_all,
    };
    Settings { signers: signers.collect(), tls: listen.tls.clone(), access }
}

/// Of the socket: no secret of Slack's and no certificate, but whose programs may come.
fn local_settings(config: &Config) -> Settings {
    let intake_uids = config.listen.intake_users.iter().filter_map(|name| {
        let uid = owner::uid_of(name);
        if uid.is_none() {
            warn!("[listen] intake_users names somebody this machine doesn't know user={name}");
        }
        uid
    });
    let access = Access { intake_uids: intake_uids.collect(), ..Access::default() };
    Settings { signers: Vec::new(), tls: None, access }
}

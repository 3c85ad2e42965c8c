//! `GET /slack/install` and `GET /slack_oauth`: a browser installs the app
//! (<https://docs.slack.dev/authentication/installing-with-oauth>).
//!
//! Anybody who reaches these addresses may begin. A foreign workspace is kept out, as Slack installs an app that isn't
//! distributed in its own workspace only; an integration that is, or was, installed in one workspace accepts no other;
//! and `team_id` can name the workspace from the start. The token is on disk before the page says so, and the main loop finds it
//! there like any changed secret.
//!
//! Where nodes share an outbox a browser may begin at one of them and end at another: its state is signed with a key that all
//! have, and is used once in their database.

mod keep;
mod page;
mod state;

pub(super) use page::policy;

use crate::config::{Config, Integration};
use crate::flow::installs::Installs;
use crate::rules::manifest::{AppFeatures, REDIRECT_PATH};
use crate::slack::api::Client;
use crate::slack::interaction::query;
use crate::slack::oauth;
use crate::store::{StateUse, Store, StoreError};
use crate::system::clock;
use crate::system::environment::Environment;
use crate::system::secret::{Secret, unguessable};
use log::warn;
use page::page;
use state::{LIFE_SECONDS, Returned, StateError, UsedStates};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// For the exchange of a code; a person waits.
const BUDGET: Duration = Duration::from_secs(15);
const COOKIE: &str = "ackbell_install";
/// The same for each call of the database.
const DATABASE_PATIENCE: Duration = Duration::from_millis(1500);
/// What states are signed with, of a key file.
const STATE_LABEL: &str = "ackbell state v1";
/// So long after its end a used state is remembered in the database, for a node whose clock is behind. Slack's requests are
/// refused by one that is more than five minutes off.
const REMEMBERED_SECONDS: i64 = 600;

/// A step of an installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// To install an integration; the only one when it isn't named.
    Begin(Option<String>),
    /// It comes back from Slack with this query.
    Finish(String),
}

/// The reply to a browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Page {
    Redirect { to: String, cookie: String },
    Html { status: u16, html: String },
}

/// Installs. Shared by the main loop and the HTTP server.
#[derive(Debug)]
pub(super) struct Installer {
    config: Mutex<Arc<Config>>,
    env: Environment,
    /// Signs the states of this process. `None`: this machine has no randomness, so one browser couldn't be distinguished
    /// from another.
    own_key: Option<Secret>,
    used: Mutex<UsedStates>,
}

/// A page that says why not.
fn refusal(status: u16, title: &str, paragraphs: &[String]) -> Page {
    Page::Html { status, html: page(title, paragraphs) }
}

impl Installer {
    pub(super) fn new(config: &Config, env: &Environment) -> Self {
        let key = unguessable()
            .inspect_err(|e| warn!("installation by browser disabled reason={:?}", format!("no randomness: {e}")));
        let (config, env) = (Mutex::new(Arc::new(config.clone())), env.clone());
        Self { config, env, own_key: key.ok().map(Secret::new), used: Mutex::default() }
    }

    /// Puts a changed configuration in force.
    pub(super) fn reconfigure(&self, config: &Config) {
        *locked(&self.config) = Arc::new(config.clone());
    }

    /// Answers a browser. `cookies`: its `Cookie` header.
    pub(super) fn answer(&self, step: Step, cookies: &str) -> Page {
        let config = Arc::clone(&locked(&self.config));
        match step {
            Step::Begin(name) => self.begin(&config, name.as_deref(), browser(cookies)),
            Step::Finish(query) => self.finish(&config, &query, browser(cookies)),
        }
        .unwrap_or_else(|refused| refused)
    }

    fn begin(&self, config: &Config, name: Option<&str>, known: Option<&str>) -> Result<Page, Page> {
        let integration = wanted(config, name)?;
        let redirect_uri = redirect_uri(config)?;
        let keys = self.keys(config);
        let (Some(key), Ok(nonce), Ok(fresh)) = (keys.first(), unguessable(), unguessable()) else {
            return Err(refusal(
                503,
                "Not possible now",
                &["This machine has no randomness; see the listener's log.".to_owned()],
            ));
        };
        // One that has begun already may finish in either tab.
        let browser = known.unwrap_or(&fresh);
        let state = state::issue(key, &integration.name, browser, &nonce, clock::wall_ms() / 1000);
        let team = integration.team_id.as_deref().or(integration.installation().map(|i| i.team_id.as_str()));
        let scopes = AppFeatures::new(config, integration).scopes();
        Ok(Page::Redirect {
            to: oauth::authorize_url(integration, &scopes, &redirect_uri, &state, team),
            cookie: format!("{COOKIE}={browser}; Max-Age={LIFE_SECONDS}; Path=/; HttpOnly; Secure; SameSite=Lax"),
        })
    }

    fn finish(&self, config: &Config, text: &str, browser: Option<&str>) -> Result<Page, Page> {
        let mut fields = query(text).ok_or_else(|| {
            refusal(
                400,
                "Not installed",
                &["This isn't a valid return from Slack's install page.".to_owned(), again(None)],
            )
        })?;
        let state = fields.remove("state").unwrap_or_default();
        let now = clock::wall_ms() / 1000;
        let returned = state::read(&self.keys(config), &state, browser.unwrap_or_default(), now).map_err(unusable)?;
        let store = shared(config)?;
        self.use_once(store.as_ref(), &returned, now)?;
        let name = returned.integration;
        let integration = wanted(config, Some(&name))?;
        if let Some(error) = fields.remove("error") {
            let why = if error == "access_denied" { "it was declined in Slack".to_owned() } else { error };
            return Err(refusal(200, "Not installed", &[format!("Nothing was changed: {why}."), again(Some(&name))]));
        }
        let code = fields
            .remove("code")
            .ok_or_else(|| refusal(400, "Not installed", &["Slack sent no code.".to_owned(), again(Some(&name))]))?;
        let redirect_uri = redirect_uri(config)?;
        // Nothing is asked of Slack that couldn't be kept.
        Installs::of(config, store.as_ref()).check(&name).map_err(|e| no_database(&e))?;
        let exchanged = Client::new(integration, &self.env).map_err(|e| e.to_string()).and_then(|client| {
            oauth::exchange(&client, &code, &redirect_uri, now, BUDGET).map_err(|e| e.reason().text)
        });
        let fresh = exchanged.map_err(|why| {
            warn!("not installed integration={name} reason={why:?}");
            refusal(502, "Not installed", &[format!("Slack gave no token: {why}."), again(Some(&name))])
        })?;
        keep::keep(config, store.as_ref(), integration, &fresh)
    }

    /// What states are signed with: the first signs, each counts.
    fn keys(&self, config: &Config) -> Vec<Secret> {
        match config.database.as_ref().and_then(|database| database.seal_keys.as_ref()) {
            Some(keys) => keys.derived(STATE_LABEL),
            None => self.own_key.iter().cloned().collect(),
        }
    }

    /// From now on the state is used, at all nodes.
    fn use_once(&self, store: Option<&Store>, returned: &Returned, now: i64) -> Result<(), Page> {
        let Some(store) = store else { return locked(&self.used).take(returned, now).map_err(unusable) };
        let until = returned.end.saturating_add(REMEMBERED_SECONDS).saturating_mul(1000);
        match store.use_state(&returned.nonce, until).map_err(|e| no_database(&e))? {
            StateUse::First => Ok(()),
            StateUse::Again => Err(unusable(StateError::Used)),
        }
    }
}

/// The database that has the installations, where nodes share one.
fn shared(config: &Config) -> Result<Option<Store>, Page> {
    if config.database.is_none() {
        return Ok(None);
    }
    Store::open(config.outbox_at(), DATABASE_PATIENCE).map(|(store, _)| Some(store)).map_err(|e| no_database(&e))
}

fn no_database(e: &StoreError) -> Page {
    warn!("not installed reason={:?}", e.to_string());
    let why = "The listener can't keep an installation now; its log says why. Nothing was changed.".to_owned();
    refusal(503, "Not installed", &[why, again(None)])
}

fn unusable(e: StateError) -> Page {
    refusal(403, "Not installed", &[format!("This installation can't be finished: {e}."), again(None)])
}

/// The integration that can be installed under this name.
fn wanted<'a>(config: &'a Config, name: Option<&str>) -> Result<&'a Integration, Page> {
    let installable: Vec<&Integration> = config.integrations.iter().filter(|i| i.is_installable()).collect();
    let found = match name {
        Some(name) => config.integrations.iter().find(|integration| integration.name == name),
        None if installable.len() == 1 => installable.first().copied(),
        None => config.integrations.first().filter(|first| first.is_installable()),
    };
    match found {
        Some(integration) if !integration.enabled => {
            let why = format!("The integration \"{}\" is disabled.", integration.name);
            Err(refusal(409, "Nothing to install", &[why]))
        }
        Some(integration) if integration.is_installable() => Ok(integration),
        Some(integration) => {
            let why = format!(
                "The integration \"{}\" has a token of its own, or lacks `client_id` and \
                `client_secret` (the app's Basic Information page).",
                integration.name
            );
            Err(refusal(409, "Nothing to install", &[why]))
        }
        None => {
            let why = "No integration of that name has `client_id` and `client_secret`. With several, their names stand \
                in the address: `/slack/install/NAME`.";
            Err(refusal(404, "Nothing to install", &[why.to_owned()]))
        }
    }
}

/// Where Slack sends the browser back; the same at both steps.
fn redirect_uri(config: &Config) -> Result<String, Page> {
    let missing = || {
        let why = "Slack needs an address to return to: set `public_url` in `[listen]`, and its address below `/slack_oauth` in \
            the app (`ackbell manifest` has it).";
        refusal(409, "Not yet", &[why.to_owned()])
    };
    config.listen.public_url.as_ref().map(|url| format!("{url}{REDIRECT_PATH}")).ok_or_else(missing)
}

fn again(name: Option<&str>) -> String {
    let own = name.map_or_else(String::new, |name| format!("/{name}"));
    format!("To try again open `/slack/install{own}` here.")
}

/// For the fuzzer: the integration that a returning browser is accepted for, when `begun` is the browser that was sent
/// to Slack; `STATE` in the query stands for a valid state.
#[cfg(any(fuzzing, test))]
pub(crate) fn believed(text: &str, cookies: &str, begun: &str, now: i64) -> Option<String> {
    let keys = [Secret::new("a key".to_owned())];
    let state = state::issue(&keys[0], "ops.2", begun, "a nonce", now);
    let mut fields = query(&text.replace("STATE", &state))?;
    state::read(&keys, &fields.remove("state")?, browser(cookies)?, now).ok().map(|returned| returned.integration)
}

/// The secret that a browser was given.
fn browser(cookies: &str) -> Option<&str> {
    let mut pairs = cookies.split(';').filter_map(|pair| pair.trim().split_once('='));
    let value = pairs.find(|(name, _)| *name == COOKIE)?.1;
    (value.len() == 64 && value.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(value)
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

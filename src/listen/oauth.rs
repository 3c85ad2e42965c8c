//! `GET /slack/install` and `GET /slack_oauth`: a browser installs the app
//! (<https://docs.slack.dev/authentication/installing-with-oauth>).
//!
//! Anybody who reaches these addresses may begin. A foreign workspace is kept out, as Slack installs an app that isn't
//! distributed in its own workspace only; an integration that is, or was, installed in one workspace accepts no other;
//! and `team_id` can name the workspace from the start. The token is on disk before the page says so, and the main loop finds it
//! there like any changed secret.

mod page;
mod state;

pub(super) use page::policy;

use crate::config::{Config, Integration};
use crate::rules::manifest::{AppFeatures, REDIRECT_PATH};
use crate::slack::api::Client;
use crate::slack::interaction::query;
use crate::slack::oauth;
use crate::state_dir::installation::{self, Install};
use crate::state_dir::wake;
use crate::system::clock;
use crate::system::environment::Environment;
use crate::system::secret::unguessable;
use log::{info, warn};
use page::page;
use state::{LIFE_SECONDS, States};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// For the exchange of a code; a person waits.
const BUDGET: Duration = Duration::from_secs(15);
const COOKIE: &str = "ackbell_install";

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
    /// `None`: this machine has no randomness, so one browser couldn't be distinguished from another.
    states: Option<Mutex<States>>,
}

/// A page that says why not.
fn refusal(status: u16, title: &str, paragraphs: &[String]) -> Page {
    Page::Html { status, html: page(title, paragraphs) }
}

impl Installer {
    pub(super) fn new(config: &Config, env: &Environment) -> Self {
        let key = unguessable()
            .inspect_err(|e| warn!("installation by browser disabled reason={:?}", format!("no randomness: {e}")));
        let states = key.ok().map(|key| Mutex::new(States::new(key)));
        Self { config: Mutex::new(Arc::new(config.clone())), env: env.clone(), states }
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
        let (Some(states), Ok(nonce), Ok(fresh)) = (&self.states, unguessable(), unguessable()) else {
            return Err(refusal(
                503,
                "Not possible now",
                &["This machine has no randomness; see the listener's log.".to_owned()],
            ));
        };
        // One that has begun already may finish in either tab.
        let browser = known.unwrap_or(&fresh);
        let state = locked(states).issue(&integration.name, browser, &nonce, clock::wall_ms() / 1000);
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
        let redeemed = match &self.states {
            Some(states) => locked(states).redeem(&state, browser.unwrap_or_default(), now),
            None => Err(state::StateError::Foreign),
        };
        let name = redeemed.map_err(|e| {
            refusal(403, "Not installed", &[format!("This installation can't be finished: {e}."), again(None)])
        })?;
        let integration = wanted(config, Some(&name))?;
        if let Some(error) = fields.remove("error") {
            let why = if error == "access_denied" { "it was declined in Slack".to_owned() } else { error };
            return Err(refusal(200, "Not installed", &[format!("Nothing was changed: {why}."), again(Some(&name))]));
        }
        let code = fields
            .remove("code")
            .ok_or_else(|| refusal(400, "Not installed", &["Slack sent no code.".to_owned(), again(Some(&name))]))?;
        let redirect_uri = redirect_uri(config)?;
        let exchanged = Client::new(integration, &self.env).map_err(|e| e.to_string()).and_then(|client| {
            oauth::exchange(&client, &code, &redirect_uri, now, BUDGET).map_err(|e| e.reason().text)
        });
        let fresh = exchanged.map_err(|why| {
            warn!("not installed integration={name} reason={why:?}");
            refusal(502, "Not installed", &[format!("Slack gave no token: {why}."), again(Some(&name))])
        })?;
        keep(config, integration, &fresh)
    }
}

/// Makes the installation durable, unless the integration belongs to another workspace.
fn keep(config: &Config, integration: &Integration, fresh: &Install) -> Result<Page, Page> {
    let name = &integration.name;
    let mut other = integration.team_id.clone().filter(|team| *team != fresh.team_id);
    let written = installation::update(&config.state_dir, name, |known| {
        let (team, events) = known.map(|known| (known.team_id, known.events)).unzip();
        other = other.take().or(team.filter(|team| *team != fresh.team_id));
        other.is_none().then(|| Install { events: events.unwrap_or_default(), ..fresh.clone() })
    });
    if let Err(e) = written {
        warn!("not installed integration={name} reason={:?}", format!("can't write the file: {e}"));
        let text = format!("Slack agreed, but the token can't be saved: {e}. Correct this, then install again.");
        return Err(refusal(500, "Not installed", &[text]));
    }
    if let Some(team) = other {
        warn!("not installed integration={name} reason=\"another workspace\" team={team} tried={}", fresh.team_id);
        let path = installation::path(&config.state_dir, name);
        return Err(refusal(
            409,
            "Not installed",
            &[
                format!(
                    "\"{name}\" belongs to the workspace `{team}`, and this was `{}`. Nothing was changed here; \
                    remove the app from that workspace in Slack.",
                    fresh.team_id
                ),
                format!(
                    "For one more workspace give it an `[integrations.NAME]` of its own. To move this one, change \
                    `team_id` if it is set and remove `{}`.",
                    path.display()
                ),
            ],
        ));
    }
    info!("installed integration={name} team={} scopes={}", fresh.team_id, fresh.scopes);
    // Only for speed: the file's stamp is looked at every few seconds anyway.
    wake::hint(&config.runtime_dir);
    Ok(Page::Html {
        status: 200,
        html: page(&format!("Installed in {}", fresh.team_name), &next_steps(config, integration, fresh)),
    })
}

fn next_steps(config: &Config, integration: &Integration, fresh: &Install) -> Vec<String> {
    let mut steps = vec![format!("The integration \"{}\" uses the new token within seconds.", integration.name)];
    let granted: Vec<&str> = fresh.scopes.split(',').collect();
    let missing: Vec<&str> =
        AppFeatures::new(config, integration).scopes().into_iter().filter(|scope| !granted.contains(scope)).collect();
    if !missing.is_empty() {
        steps.push(format!("Slack didn't grant `{}`: features that need it won't work.", missing.join(", ")));
    }
    steps.push("Next: in each private channel that gets notifications, type `/invite` and the app's name.".to_owned());
    steps.push("Then try it: `ackbell notify --hostname test --hoststate DOWN --output hello`".to_owned());
    steps
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
    let mut states = States::new("a key".to_owned());
    let state = states.issue("ops.2", begun, "a nonce", now);
    let mut fields = query(&text.replace("STATE", &state))?;
    states.redeem(&fields.remove("state")?, browser(cookies)?, now).ok()
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

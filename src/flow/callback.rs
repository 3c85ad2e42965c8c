//! Flow three: `Slack ─▶ verified ─▶ interaction ─▶ authorised ─▶ external command ─▶ core ─▶ confirmed ─▶ messages`.
//!
//! A click is kept and answered within moments ([`Callback::take`]); what it wants is done after that, by a thread of
//! its own (`work`), which tells the person privately when it can't be done. The messages change only once the core
//! holds it: that last arrow is a notification of our own, through the outbox like any other.

mod action;
mod card;
mod clients;
mod forms;
mod gate;
mod home_tab;
pub(crate) mod http_reply;
mod queue;
pub(crate) mod request;
pub(crate) mod requester;
pub(crate) mod response_url;
mod slash_command;
mod uninstalled;
mod whisper;

use crate::config::{Config, Integration};
use crate::model::notification::clean_line;
use crate::rules::authorise::Person;
use crate::rules::render::AvailableAction;
use crate::rules::slash::{self, Filter, Order, SlashOrder};
use crate::rules::verify::{Proof, Verified, verify};
use crate::slack::interaction::{
    self, BlockActions, DecodeError, Event, EventKind, Interaction, Origin, Place, SlashCommand, TeamId, UserId,
    ViewAction,
};
use crate::slack::slash_reply::{self, Turn};
use crate::slack::socket::{Envelope, Reply};
use crate::slack::{forms as modals, mrkdwn};
use crate::state_dir::listener_status::StatusWriter;
use crate::store::{NewAct, Store, StoreError};
use crate::system::clock;
use crate::system::environment::Environment;
use action::{Note, Worker};
use forms::{Form, Opener, Opening};
use gate::Gate;
use home_tab::{Homes, Word};
use http_reply::{Answer, Body};
use log::{debug, error, info, warn};
use queue::Queue;
use request::{Asker, Click, Request, Subject, Wish};
use serde_json::json;
use slash_command::{Clerk, Errand};
use std::collections::HashMap;
use std::io;
use std::sync::mpsc::{Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};
use whisper::Teller;

/// How long the database is waited for before a click is refused: Slack waits 3 s.
const PATIENCE: Duration = Duration::from_millis(1500);
/// The worker may wait longer.
const WORKER_PATIENCE: Duration = Duration::from_secs(30);
/// How many forms may wait to be opened.
const FORMS_MAX: usize = 16;
/// How long a stop waits for what people are being told.
const LAST_WORDS: Duration = Duration::from_secs(3);
/// How many questions are answered at once, each of another person.
const CLERKS: usize = 2;
/// So many acts of one person are taken in [`RATE_SPAN`]; a person doesn't click faster.
const RATE_MAX: u32 = 60;
const RATE_SPAN: Duration = Duration::from_secs(60);
const SLOWER: &str = "That was a lot within a minute, so it was not done; wait a moment.";
/// How many people's clicks are counted.
const RATES_MAX: usize = 10_000;

/// The callbacks of a running listener.
pub(crate) struct Callback {
    config: Mutex<Arc<Config>>,
    store: Mutex<Store>,
    notes: Mutex<Sender<Note>>,
    forms: SyncSender<Form>,
    opening: Opening,
    errands: Arc<Queue>,
    teller: Teller,
    homes: Mutex<Sender<Word>>,
    rates: Mutex<HashMap<(String, String), (Instant, u32)>>,
    ended: Mutex<uninstalled::Taken>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// How fast somebody acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pace {
    Human,
    /// With the words for them, the first time; whoever goes on isn't told again and again.
    TooFast(Option<&'static str>),
}

/// The callbacks can't be served.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallbackError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("no thread: {0}")]
    Thread(#[from] io::Error),
}

impl Callback {
    /// Starts the threads that act.
    pub(crate) fn start(
        config: &Config,
        env: &Environment,
        reporter: &StatusWriter,
    ) -> Result<Arc<Self>, CallbackError> {
        let config = Arc::new(config.clone());
        let open = |patience| Store::open(&config.state_dir, patience).map(|(store, _)| store);
        let gate = || Gate::new(Arc::clone(&config), env.clone());
        let worker = Worker::new(gate(), open(WORKER_PATIENCE)?, reporter.clone());
        let store = Mutex::new(open(PATIENCE)?);
        let (notes, inbox) = channel();
        let acting = Builder::new().name("acting".into()).spawn(move || worker.run(&inbox))?;
        let errands = Arc::new(Queue::default());
        for _ in 0..CLERKS {
            let clerk = Clerk::new(gate(), open(WORKER_PATIENCE)?, notes.clone());
            let errands = Arc::clone(&errands);
            let _answering = Builder::new().name("answering".into()).spawn(move || clerk.run(&errands))?;
        }
        let (homes, opened) = channel();
        let publisher = Homes::new(gate(), open(WORKER_PATIENCE)?);
        let _publishing = Builder::new().name("homes".into()).spawn(move || publisher.run(&opened))?;
        let (forms, to_open) = sync_channel(FORMS_MAX);
        let (teller, under_way) = (Teller::start(gate())?, Opening::default());
        let mut forms_thread = Opener::new(gate(), open(PATIENCE)?, teller.clone(), under_way.clone());
        let _opening = Builder::new().name("forms".into()).spawn(move || forms_thread.run(&to_open))?;
        let threads = Mutex::new(vec![acting]);
        let (config, notes, rates) = (Mutex::new(config), Mutex::new(notes), Mutex::default());
        let (homes, ended) = (Mutex::new(homes), Mutex::default());
        Ok(Arc::new(Self {
            config,
            store,
            notes,
            forms,
            opening: under_way,
            errands,
            teller,
            homes,
            rates,
            ended,
            threads,
        }))
    }

    /// Takes a changed configuration.
    pub(crate) fn reconfigure(&self, config: &Config) {
        let config = Arc::new(config.clone());
        *locked(&self.config) = Arc::clone(&config);
        // Both threads end only with the process.
        let _ = locked(&self.homes).send(Word::Configuration(Arc::clone(&config)));
        self.note(Note::Configuration(config));
    }

    /// Stops acting; what was taken is kept and done after the next start.
    pub(crate) fn stop(&self) {
        for errand in self.errands.close() {
            self.whisper(&errand.config, &errand.asker, "ackbell is being restarted; ask again in a moment.");
        }
        self.note(Note::Stop);
        let acting = locked(&self.threads).drain(..1).next();
        if let Some(thread) = acting {
            let _ = thread.join();
        }
        // Whoever is being answered, or told that nobody will, hears of it before the end, if Slack takes it soon.
        let started = Instant::now();
        while (self.errands.is_busy() || self.teller.is_busy()) && started.elapsed() < LAST_WORDS {
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Takes what Slack sent over HTTP.
    pub(crate) fn take(&self, verified: &Verified) -> Answer {
        let body = verified.body();
        let is_form = !body.starts_with(b"{");
        self.answer(verified, interaction::decode(is_form, body))
    }

    /// Takes what came over the Socket Mode connection of an integration.
    pub(crate) fn take_envelope(&self, integration: &str, envelope: Envelope) -> Reply {
        let Envelope { kind, payload, .. } = envelope;
        let Ok(verified) = verify(payload.to_string().into_bytes(), Proof::Socket { integration }) else {
            return Reply::Refused;
        };
        let answer = self.answer(&verified, interaction::decode_envelope(&kind, payload));
        match (answer.status, answer.body) {
            (200, Body::Json(payload)) => Reply::Payload(payload),
            (200 | 400, _) => Reply::Nothing,
            _ => Reply::Refused,
        }
    }

    fn answer(&self, verified: &Verified, decoded: Result<Interaction, DecodeError>) -> Answer {
        let integration = verified.integration();
        debug!("from slack integration={integration} source={:?} bytes={}", verified.source(), verified.body().len());
        let interaction = match decoded {
            Ok(interaction) => interaction,
            Err(e) => {
                warn!("Slack sent what can't be read integration={integration} reason={e}");
                return Answer::text(400, "that can't be read");
            }
        };
        let config = Arc::clone(&locked(&self.config));
        let Some(whose) = whose(&config, integration, interaction.team().map(AsRef::as_ref)) else {
            return Answer::text(404, "there is no such integration any more");
        };
        if !whose.enabled {
            return disabled(&interaction, &whose.name);
        }
        let integration = whose.name.as_str();
        match interaction {
            Interaction::Event(Event { team, kind: EventKind::AppHomeOpened { user, tab }, .. }) if tab == "home" => {
                self.home_opened(integration, team.as_ref(), &user)
            }
            Interaction::Event(event) => {
                match uninstalled::take(&event, whose, &config, &locked(&self.store), &mut locked(&self.ended)) {
                    Ok(()) => Answer::ok(),
                    Err(e) => {
                        error!("the end of an installation can't be noted integration={integration} reason={e}");
                        Answer::text(500, "it can't be kept")
                    }
                }
            }
            Interaction::BlockActions(click) => self.click(integration, &config, &click),
            Interaction::ViewSubmission(form) => self.submitted(integration, &config, &form),
            Interaction::SlashCommand(command) => self.ordered(integration, &config, &command),
            Interaction::UrlVerification { challenge } => Answer::json(json!({ "challenge": challenge })),
            Interaction::SslCheck | Interaction::ViewClosed(_) | Interaction::BlockSuggestion => Answer::ok(),
            Interaction::LegacyMessage(click) => {
                self.not_ours(integration, &config, &click.origin, &click.place);
                Answer::ok()
            }
            Interaction::Shortcut(shortcut) => {
                self.not_ours(integration, &config, &shortcut.origin, &shortcut.place);
                Answer::ok()
            }
            other @ Interaction::Unknown { .. } => {
                info!("nothing to do for what Slack sent integration={integration} kind={}", other.kind());
                Answer::ok()
            }
        }
    }

    fn click(&self, integration: &str, config: &Arc<Config>, click: &BlockActions) -> Answer {
        if let Some(turn) = click.actions.first().and_then(|action| Turn::of(action.id.as_ref(), action.chosen())) {
            return self.turned(integration, config, click, turn);
        }
        let now = clock::wall_ms() / 1000;
        match request::click(click, integration, &config.acknowledge, now) {
            Click::Nothing => {}
            Click::Lost(asker) => {
                if self.pace(&asker) == Pace::Human {
                    let words = "That card is from another ackbell, or older than what this one remembers.";
                    self.whisper(config, &asker, words);
                }
            }
            Click::Ask { key, request } => return self.keep(config, key, &request),
            Click::Form { offer, asker, subject } => self.form(config, click, (offer, asker, subject)),
        }
        Answer::ok()
    }

    /// Has a form opened. While one is under way, another tap of the same person asks for the same.
    fn form(
        &self,
        config: &Arc<Config>,
        click: &BlockActions,
        (offer, asker, subject): (AvailableAction, Asker, Subject),
    ) {
        if let Pace::TooFast(words) = self.pace(&asker) {
            return self.whisper_some(config, &asker, words);
        }
        let Some(trigger) = &click.origin.trigger else {
            return self.whisper(config, &asker, "Slack opens no form from there.");
        };
        if !self.opening.begin(&asker) {
            return;
        }
        let trigger = trigger.as_ref().to_owned();
        let form = Form { config: Arc::clone(config), asker: asker.clone(), subject, offer, trigger };
        if self.forms.try_send(form).is_err() {
            self.opening.end(&asker);
            self.whisper(config, &asker, "Too many forms are being opened; tap again in a moment.");
        }
    }

    /// A button or a shortcut that no message or manifest of ours has.
    fn not_ours(&self, integration: &str, config: &Arc<Config>, origin: &Origin, place: &Place) {
        info!("nothing of ours was used integration={integration} user={}", origin.user.as_ref());
        let asker = Asker::of(integration, origin, place);
        if asker.response_url.is_some() && self.pace(&asker) == Pace::Human {
            self.whisper(config, &asker, "ackbell doesn't know that button: it is another program's, or an old one.");
        }
    }

    /// Somebody looks at what is wrong; it is published by a thread of its own.
    fn home_opened(&self, integration: &str, team: Option<&TeamId>, user: &UserId) -> Answer {
        let asker = Asker {
            integration: integration.to_owned(),
            team: team.map(|id| id.as_ref().to_owned()),
            user: user.as_ref().to_owned(),
            ..Asker::default()
        };
        if self.pace(&asker) == Pace::Human {
            let _ = locked(&self.homes).send(Word::Opened(asker));
        }
        Answer::ok()
    }

    /// What was written behind the slash command. What is wrong with it, and the help, is told at once.
    fn ordered(&self, integration: &str, config: &Arc<Config>, command: &SlashCommand) -> Answer {
        let privately = |text: &str| Answer::json(json!({ "response_type": "ephemeral", "text": text }));
        let order = match slash::parse(&command.command, &command.text) {
            Ok(Order { what: SlashOrder::Help, .. }) => return privately(&slash_reply::help(&command.command)),
            Ok(order) => order,
            Err(words) => return privately(&mrkdwn::sentence(&words)),
        };
        let asker = Asker::of(integration, &command.origin, &Place::default());
        let is_public = order.is_public;
        // Slack gives each its own trigger, and an address to answer it.
        let trigger = command.origin.trigger.as_ref().map(|trigger| trigger.as_ref().to_owned());
        let own = trigger.or_else(|| asker.response_url.clone()).unwrap_or_else(|| clock::wall_ns().to_string());
        let key = format!("{integration} {} command {own}", asker.user);
        match self.run_errand(Errand { config: Arc::clone(config), asker, order, from: 0, replaces: false, key }) {
            // Shows everybody what was asked; the answer follows.
            Ok(()) if is_public => Answer::json(json!({ "response_type": "in_channel" })),
            Ok(()) => Answer::ok(),
            Err(words) => privately(words.unwrap_or(SLOWER)),
        }
    }

    /// Another page of a list.
    fn turned(&self, integration: &str, config: &Arc<Config>, click: &BlockActions, turn: Turn) -> Answer {
        let asker = Asker::of(integration, &click.origin, &click.place);
        let filter = match Filter::written(&turn.filter) {
            Ok(filter) => filter,
            Err(words) => {
                self.whisper(config, &asker, &words);
                return Answer::ok();
            }
        };
        // What everybody sees stays whose it is: what others may see is not what it says, nor for everybody.
        let (is_public, replaces) = (turn.by.as_ref() == Some(&asker.user), turn.by.is_none_or(|by| by == asker.user));
        let order = Order { what: SlashOrder::Problems(filter), is_public, command: String::new(), core: turn.core };
        let (of_errand, key) = (Arc::clone(config), String::new());
        let errand = Errand { config: of_errand, asker: asker.clone(), order, from: turn.from, replaces, key };
        if let Err(Some(words)) = self.run_errand(errand) {
            self.whisper(config, &asker, words);
        }
        Answer::ok()
    }

    /// An error is a sentence for the person, once; then there is none.
    fn run_errand(&self, errand: Errand) -> Result<(), Option<&'static str>> {
        match self.pace(&errand.asker) {
            Pace::TooFast(words) => Err(words),
            Pace::Human => self.errands.push(errand).map_err(Some),
        }
    }

    fn submitted(&self, integration: &str, config: &Arc<Config>, form: &ViewAction) -> Answer {
        let now = clock::wall_ms() / 1000;
        let (about, action) = match modals::read(&form.view, &config.acknowledge, now) {
            Some(Ok(read)) => read,
            Some(Err(errors)) => return Answer::json(json!({ "response_action": "errors", "errors": errors })),
            None => {
                debug!("a form that isn't ours integration={integration}");
                return Answer::ok();
            }
        };
        let mut asker = Asker::of(integration, &form.origin, &Place::default());
        (asker.channel, asker.message, asker.response_url) = (about.channel, about.message, about.response_url);
        let name = action.name().to_owned();
        let wish = Wish::One { post: about.post, object: about.object, action };
        let key = format!("{integration} form {}", form.view.id.as_ref());
        // The form stays open, with all that was written.
        if self.pace(&asker) != Pace::Human {
            let errors = json!({ "comment": SLOWER });
            return Answer::json(json!({ "response_action": "errors", "errors": errors }));
        }
        self.keep_it(key, &Request { name, asker, wish })
    }

    fn keep(&self, config: &Arc<Config>, key: String, request: &Request) -> Answer {
        match self.pace(&request.asker) {
            Pace::TooFast(words) => {
                self.whisper_some(config, &request.asker, words);
                Answer::ok()
            }
            Pace::Human => self.keep_it(key, request),
        }
    }

    /// Makes it durable; then Slack is answered.
    fn keep_it(&self, key: String, request: &Request) -> Answer {
        let kept = serde_json::to_string(request).map_err(|e| StoreError::Content(e.to_string())).and_then(|text| {
            let object = request.wish.object_key();
            let act = NewAct { key, parent: None, object, request: text, due: 0 };
            locked(&self.store).keep_acts(&[act], clock::wall_ms())
        });
        match kept {
            Ok(_) => {
                self.note(Note::Act);
                Answer::ok()
            }
            Err(e) => {
                // Slack shows the person that it failed.
                error!("a click can't be kept reason={e}");
                Answer::text(500, "it can't be kept")
            }
        }
    }

    /// Counts one more, and says whether that is more than a person can do.
    fn pace(&self, asker: &Asker) -> Pace {
        let mut rates = locked(&self.rates);
        if rates.len() > RATES_MAX {
            rates.clear();
        }
        let key = (asker.integration.clone(), asker.user.clone());
        let (since, count) = rates.entry(key).or_insert((Instant::now(), 0));
        if since.elapsed() > RATE_SPAN {
            (*since, *count) = (Instant::now(), 0);
        }
        *count = count.saturating_add(1);
        if *count <= RATE_MAX {
            return Pace::Human;
        }
        let is_first = *count == RATE_MAX + 1;
        if is_first {
            let user = clean_line(&asker.user);
            warn!("too many clicks user={user} integration={} what=not done", asker.integration);
        }
        Pace::TooFast(is_first.then_some(SLOWER))
    }

    /// Tells a person something that nobody else sees; after the answer to Slack, which waits for nothing.
    fn whisper(&self, config: &Arc<Config>, asker: &Asker, words: &str) {
        self.teller.tell(config, asker, words);
    }

    fn whisper_some(&self, config: &Arc<Config>, asker: &Asker, words: Option<&str>) {
        if let Some(words) = words {
            self.whisper(config, asker, words);
        }
    }

    fn note(&self, note: Note) {
        // The worker ends only with the process.
        let _ = locked(&self.notes).send(note);
    }
}

/// The integration that a request is for: of those that one app serves, that of the workspace it came from. Several
/// workspaces have one app, and so one signing secret.
fn whose<'a>(config: &'a Config, proven: &str, team: Option<&str>) -> Option<&'a Integration> {
    let first = config.integrations.iter().find(|integration| integration.name == proven)?;
    let same_app = |other: &&Integration| {
        other.name == first.name
            || other.signing_secrets.iter().any(|secret| first.signing_secrets.contains(secret))
            || other.app_token.is_some() && other.app_token == first.app_token
    };
    let is_there = |other: &&Integration| {
        let place = other.installation().map(|install| install.team_id.as_str()).or(other.team_id.as_deref());
        team.is_some() && place == team
    };
    let found = config.integrations.iter().filter(same_app).filter(is_there).max_by_key(|other| other.name == proven);
    Some(found.unwrap_or(first))
}

/// What is answered where Slack was switched off: nothing happens, and nothing is sent.
fn disabled(interaction: &Interaction, name: &str) -> Answer {
    info!("not done, as the integration is disabled integration={name} kind={}", interaction.kind());
    let words = format!("disabled: the integration \"{name}\" is switched off in ackbell's configuration");
    match interaction {
        Interaction::SlashCommand(_) => Answer::json(json!({ "response_type": "ephemeral", "text": words })),
        Interaction::UrlVerification { challenge } => Answer::json(json!({ "challenge": challenge })),
        // Shown in the form, which stays open.
        Interaction::ViewSubmission(_) => {
            Answer::json(json!({ "response_action": "errors", "errors": { "comment": words } }))
        }
        Interaction::ViewClosed(_) => Answer::ok(),
        _ => Answer::text(200, words),
    }
}

/// What a panic of another thread left is still good: each use is one statement.
fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The row of the audit for what nobody allowed, and that never came near a core.
fn refusal(asker: &Asker, person: &Person, action: &str, words: &str) -> String {
    json!({
        "at": clock::wall_ms() / 1000, "integration": asker.integration, "team": person.team_id, "user": asker.user,
        "name": person.name, "email": person.email, "channel": asker.channel, "action": action, "commands": [],
        "step": "refused", "detail": words,
    })
    .to_string()
}

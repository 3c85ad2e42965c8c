//! Answers what people ask by the slash command, and reads what they order there.
//!
//! A thread of its own, as a core may take seconds to say how it is while Slack waits three. Nothing here is kept over
//! a restart but what changes something: an order becomes a [`Request`] like a click's, and goes the same way.

mod find;
mod words;

use super::clients::Clients;
use super::people::People;
use super::request::{Asker, Request, Wish};
use super::response_url::is_slacks;
use super::work::Note;
use crate::authorise::{Asked, Contact, Person, Refusal, Right, permit};
use crate::clock;
use crate::command::{Action, Object};
use crate::config::{Config, Core, Environment};
use crate::confirm::snapshot::State;
use crate::core::contacts::Contacts;
use crate::core::objects::DisplayNames;
use crate::core::{state, survey};
use crate::render::words::utc;
use crate::route::matcher::takes;
use crate::slack::listing::{self, Entry, Page};
use crate::slack::mrkdwn;
use crate::slack::outcome::Outcome;
use crate::slash::{Deed, Filter, Order, What, downtime};
use crate::store::{NewAct, PER_CHANNEL_MAX, Store, StoreError, Subscription};
use log::{info, warn};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};
use std::time::Duration;

/// For one call.
const BUDGET: Duration = Duration::from_secs(5);
/// Lines of problems on one page: with their buttons far below Slack's 50 blocks, and little to scroll on a phone.
const PAGE: usize = 10;

/// Something to be answered.
pub(super) struct Errand {
    pub(super) config: Arc<Config>,
    pub(super) asker: Asker,
    pub(super) order: Order,
    /// Where the list goes on; 0 is its start.
    pub(super) from: usize,
    /// The answer takes the place of the message that was clicked on.
    pub(super) replaces: bool,
    /// Its own identity: one that Slack sends twice is done once.
    pub(super) key: String,
}

/// The state of the thread.
pub(super) struct Clerk {
    config: Arc<Config>,
    store: Store,
    notes: Sender<Note>,
    clients: Clients,
    people: People,
    contacts: Contacts,
    names: DisplayNames,
}

/// What the person is told: words, or a list.
enum Told {
    Words(String),
    List(Page),
}

impl Clerk {
    pub(super) fn new(config: Arc<Config>, env: Environment, store: Store, notes: Sender<Note>) -> Self {
        let clients = Clients::new(Arc::clone(&config), env);
        let (people, contacts, names) = (People::default(), Contacts::default(), DisplayNames::default());
        Self { config, store, notes, clients, people, contacts, names }
    }

    /// Works until nobody can ask any more.
    pub(super) fn run(mut self, inbox: &Receiver<Errand>) {
        while let Ok(errand) = inbox.recv() {
            if !Arc::ptr_eq(&self.config, &errand.config) {
                self.config = Arc::clone(&errand.config);
                self.clients.reconfigure(&self.config);
                self.people.forget();
            }
            match self.answer(&errand) {
                Ok(told) => self.tell(&errand, &told, errand.order.is_public && !errand.replaces),
                Err(words) => self.tell(&errand, &Told::Words(mrkdwn::escape(&words)), false),
            }
        }
    }

    /// An error is a sentence for the person.
    fn answer(&mut self, errand: &Errand) -> Result<Told, String> {
        let (person, team) = self.who(&errand.asker)?;
        let whose = Whose { person: &person, team: &team, asker: &errand.asker };
        let cores = find::cores(&self.config, errand.order.core.as_deref())?;
        match &errand.order.what {
            What::Help => Ok(Told::Words(listing::help(&errand.order.command))),
            What::Problems(filter) => self.problems(errand, &whose, &cores, filter).map(Told::List),
            What::Status(words) => self.status(&whose, &cores, words).map(Told::Words),
            What::Act(deed, words) => self.order(errand, &cores, *deed, words).map(Told::Words),
            What::Subscribe(filter) => self.subscribe(errand, &whose, filter).map(Told::Words),
            What::Unsubscribe(filter) => self.unsubscribe(errand, &whose, filter.as_ref()).map(Told::Words),
            What::Subscriptions => self.subscriptions(&whose).map(Told::Words),
            What::Whoami => Ok(Told::Words(self.whoami(&whose, &cores))),
        }
    }

    fn who(&mut self, asker: &Asker) -> Result<(Person, String), String> {
        let gone = || format!("There is no integration \"{}\" any more.", asker.integration);
        let config = Arc::clone(&self.config);
        let integration = config.integrations.iter().find(|i| i.name == asker.integration).ok_or_else(gone)?;
        let Some(client) = self.clients.get(&asker.integration) else {
            return Err("ackbell can't talk to Slack with its present configuration.".to_owned());
        };
        let person = self.people.who(asker, &config, client).map_err(|e| format!("{e}."))?;
        let team = self.people.team(integration, client, asker).map_err(|e| format!("{e}."))?;
        Ok((person, team))
    }

    fn problems(
        &mut self,
        errand: &Errand,
        whose: &Whose<'_>,
        cores: &[Core],
        filter: &Filter,
    ) -> Result<Page, String> {
        let matches = &filter.matches;
        if let Some(key) = words::beyond_the_state(matches) {
            return Err(format!("`problems` can't be filtered by {key}; by host, service, state and core it can."));
        }
        let mut entries: Vec<Entry> = Vec::new();
        for core in cores.iter().filter(|core| takes(&matches.core, &[Some(core.name.as_str())])) {
            let found = survey::problems(core).map_err(|e| format!("The monitoring can't be asked: {e}."))?;
            let labels = self.names.of_core(core);
            for (object, state) in found {
                let label =
                    labels.map_or_else(|| find::Label::bare(&object), |labels| find::Label::of(&object, labels));
                let is_meant = takes(&matches.host, &[Some(object.host.as_str()), Some(label.host.as_str())])
                    && takes(&matches.service, &[object.service.as_deref(), label.service.as_deref()])
                    && (matches.state.is_empty() || matches.state.iter().any(|name| name == state.name(&object)));
                if is_meant && whose.may(Right::View, &object, Some(&label), &self.config, None).is_ok() {
                    entries.push(Entry::new(object, label.text(), &state));
                }
            }
        }
        entries.sort_by_key(Entry::urgency);
        let (from, text) = (errand.from.min(entries.len().saturating_sub(1)) / PAGE * PAGE, filter.text.clone());
        let total = entries.len();
        let acknowledged = entries.iter().filter(|entry| entry.is_quiet()).count();
        let entries = entries.into_iter().skip(from).take(PAGE).collect();
        let core = errand.order.core.clone();
        Ok(Page { total, acknowledged, from, size: PAGE, entries, filter: text, core })
    }

    fn status(&mut self, whose: &Whose<'_>, cores: &[Core], words: &[String]) -> Result<String, String> {
        let found = find::object(words, cores, &mut self.names)?;
        let core = core_of(cores, &found.object)?;
        let label = self.names.of_core(core).map(|labels| find::Label::of(&found.object, labels));
        whose
            .may(Right::View, &found.object, label.as_ref(), &self.config, None)
            .map_err(|refusal| refusal.to_string())?;
        let state = read(core, &found.object)?;
        let label = label.map_or_else(|| found.object.to_string(), |label| label.text());
        Ok(words::status(&found.object, &label, &state, clock::wall_ms() / 1000))
    }

    /// An order goes the way of a click: kept, then authorised, sent, confirmed and told.
    fn order(&mut self, errand: &Errand, cores: &[Core], deed: Deed, words: &[String]) -> Result<String, String> {
        let found = find::object(words, cores, &mut self.names)?;
        let rules = &self.config.acknowledge;
        let now = clock::wall_ms() / 1000;
        let comment = found.rest.join(" ");
        let command = &errand.order.command;
        let action = match deed {
            Deed::Acknowledge if comment.is_empty() && rules.comment == crate::config::CommentRule::Required => {
                let object = crate::slash::quoted(&find::written(&found.object));
                return Err(format!("Say why: `{command} ack {object} COMMENT`."));
            }
            Deed::Acknowledge => Action::Acknowledge {
                sticky: rules.sticky,
                notify: rules.notify,
                persistent: rules.persistent,
                comment,
                expiry: None,
            },
            Deed::RemoveAcknowledgement => Action::RemoveAcknowledgement,
            Deed::Downtime => {
                let (length, comment) = downtime(command, &found.rest)?;
                let end = now.saturating_add(i64::try_from(length.as_secs()).unwrap_or(i64::MAX));
                Action::Downtime { start: now, end, flexible: None, comment, host_services: false }
            }
            Deed::Recheck => Action::Recheck { at: now },
        };
        if let Action::Acknowledge { .. } = action {
            let state = read(core_of(cores, &found.object)?, &found.object)?;
            words::acknowledgeable(&found.object, &state)?;
        }
        let wish = Wish::One { post: None, object: found.object, action };
        let request = Request { name: wish.name().to_owned(), asker: errand.asker.clone(), wish };
        let text = serde_json::to_string(&request).map_err(|e| e.to_string())?;
        let object = request.wish.object_key();
        let act = NewAct { key: errand.key.clone(), parent: None, object, request: text, due: 0 };
        self.store.keep_acts(&[act], clock::wall_ms()).map_err(|e| not_kept(&e))?;
        // The worker ends only with the process.
        let _ = self.notes.send(Note::Act);
        Ok(String::new())
    }

    fn subscribe(&mut self, errand: &Errand, whose: &Whose<'_>, filter: &Filter) -> Result<String, String> {
        let command = &errand.order.command;
        let channel = self.channel_of(whose.asker)?;
        let matches = &filter.matches;
        for object in words::reach(matches) {
            whose.may(Right::Subscribe, &object, None, &self.config, None).map_err(|refusal| refusal.to_string())?;
        }
        let of_channel = self.store.subscriptions().map_err(|e| not_kept(&e))?;
        let integration = &whose.asker.integration;
        let count = of_channel.iter().filter(|s| s.integration == *integration && s.channel == channel).count();
        if count >= PER_CHANNEL_MAX {
            return Err(format!(
                "This channel has {count} subscriptions; end some with `{command} unsubscribe` first."
            ));
        }
        let new = Subscription {
            integration: integration.clone(),
            channel,
            filter: filter.text.clone(),
            user: whose.asker.user.clone(),
            name: whose.person.name.clone(),
            at: clock::wall_ms(),
        };
        let entry = whose.entry("subscribe", &filter.text);
        let is_new = self.store.subscribe(&new, &entry).map_err(|e| not_kept(&e))?;
        let what = words::filter(&filter.text);
        Ok(if is_new {
            format!("This channel is now sent {what}. `{command} unsubscribe` ends it.")
        } else {
            format!("This channel is sent {what} already.")
        })
    }

    /// The channel to be subscribed; Slack must know it as one that ackbell is in.
    fn channel_of(&mut self, asker: &Asker) -> Result<String, String> {
        const NOT_IN: &str = "ackbell isn't in this channel: type `/invite` and the app's name, then try again.";
        let Some(channel) = asker.channel.clone() else {
            return Err("Ask in the channel that is to be subscribed.".to_owned());
        };
        let Some(client) = self.clients.get(&asker.integration) else {
            return Err("ackbell can't talk to Slack with its present configuration.".to_owned());
        };
        if !client.has_token() {
            return Err("A webhook posts to one channel only; subscriptions need a bot token.".to_owned());
        }
        match client.look_up("conversations.info", &[("channel", &channel)], BUDGET) {
            Ok(answer) => {
                let is = |name: &str| answer["channel"][name].as_bool().unwrap_or(false);
                if is("is_member") || is("is_im") || is("is_mpim") { Ok(channel) } else { Err(NOT_IN.to_owned()) }
            }
            Err(Outcome::PlaceNever { .. }) => Err(NOT_IN.to_owned()),
            // Without the scope to look: delivery will tell.
            Err(Outcome::TokenNever { reason }) if reason.contains("missing_scope") => Ok(channel),
            Err(other) => {
                warn!("a channel can't be looked at channel={channel} reason={other:?}");
                Err("Slack doesn't answer just now; try again in a moment.".to_owned())
            }
        }
    }

    fn unsubscribe(&mut self, errand: &Errand, whose: &Whose<'_>, filter: Option<&Filter>) -> Result<String, String> {
        let nothing = Object::default();
        whose.may(Right::View, &nothing, None, &self.config, None).map_err(|refusal| refusal.to_string())?;
        let asker = whose.asker;
        let channel = asker.channel.clone().unwrap_or_default();
        let text = filter.map(|filter| filter.text.as_str());
        let entry = whose.entry("unsubscribe", text.unwrap_or("everything"));
        let gone = self.store.unsubscribe(&asker.integration, &channel, text, &entry).map_err(|e| not_kept(&e))?;
        match (gone, filter) {
            (0, Some(_)) => {
                let command = &errand.order.command;
                Err(format!("This channel isn't subscribed to that; `{command} subscriptions` tells what there is."))
            }
            (0, None) => Err("This channel has no subscriptions.".to_owned()),
            (1, _) => Ok("Ended: one subscription of this channel.".to_owned()),
            (count, _) => Ok(format!("Ended: {count} subscriptions of this channel.")),
        }
    }

    fn subscriptions(&mut self, whose: &Whose<'_>) -> Result<String, String> {
        let nothing = Object::default();
        whose.may(Right::View, &nothing, None, &self.config, None).map_err(|refusal| refusal.to_string())?;
        let all = self.store.subscriptions().map_err(|e| not_kept(&e))?;
        let asker = whose.asker;
        let here =
            all.iter().filter(|s| s.integration == asker.integration && Some(&s.channel) == asker.channel.as_ref());
        let lines: Vec<String> = here
            .map(|s| {
                format!("• {}, by {} since {}", words::filter(&s.filter), mrkdwn::plain(&s.name), utc(s.at / 1000))
            })
            .collect();
        if lines.is_empty() {
            return Ok(
                "This channel has no subscriptions; the configuration's routes may lead here all the same.".into()
            );
        }
        Ok(format!("This channel is sent:\n{}", lines.join("\n")))
    }

    fn whoami(&mut self, whose: &Whose<'_>, cores: &[Core]) -> String {
        let anything = Object::default();
        let contacts: Option<Vec<Contact>> = cores.iter().find_map(|core| self.contacts.of(core, &anything));
        words::whoami(whose, &self.config, contacts.as_deref())
    }

    /// Says it privately, or to everybody where that was asked for.
    fn tell(&mut self, errand: &Errand, told: &Told, is_public: bool) {
        let asker = &errand.asker;
        let mut message = match told {
            Told::Words(words) if words.is_empty() => return,
            Told::Words(words) => json!({ "text": words }),
            Told::List(page) => listing::problems(page, clock::wall_ms() / 1000),
        };
        message["response_type"] = Value::from(if is_public { "in_channel" } else { "ephemeral" });
        if errand.replaces {
            message["replace_original"] = Value::from(true);
        }
        let integration = self.config.integrations.iter().find(|found| found.name == asker.integration);
        let url = integration.and_then(|i| asker.response_url.as_ref().filter(|url| is_slacks(url, &i.api_url)));
        let (Some(url), Some(client)) = (url, self.clients.get(&asker.integration)) else {
            return;
        };
        match client.respond(url, &message, BUDGET) {
            Outcome::Delivered(_) => info!("answered integration={} user={}", asker.integration, asker.user),
            outcome => warn!("an answer wasn't taken integration={} reason={outcome:?}", asker.integration),
        }
    }
}

/// Who asks, and where.
pub(super) struct Whose<'a> {
    person: &'a Person,
    team: &'a str,
    asker: &'a Asker,
}

impl Whose<'_> {
    fn may(
        &self,
        right: Right<'_>,
        object: &Object,
        label: Option<&find::Label>,
        config: &Config,
        contacts: Option<&[Contact]>,
    ) -> Result<(), Refusal> {
        let asked = Asked {
            person: self.person,
            team_id: self.team,
            channel: self.asker.channel.as_deref(),
            object,
            host_label: label.map(|label| label.host.as_str()),
            service_label: label.and_then(|label| label.service.as_deref()),
        };
        permit(&asked, right, &config.access, contacts)
    }

    /// The row of the audit.
    fn entry(&self, action: &str, detail: &str) -> String {
        let asker = self.asker;
        json!({
            "at": clock::wall_ms() / 1000, "integration": asker.integration, "team": self.person.team_id,
            "user": asker.user, "name": self.person.name, "email": self.person.email, "channel": asker.channel,
            "action": action, "commands": [], "step": "done", "detail": detail,
        })
        .to_string()
    }
}

fn core_of<'a>(cores: &'a [Core], object: &Object) -> Result<&'a Core, String> {
    cores.iter().find(|core| core.name == object.core).ok_or_else(|| format!("There is no core \"{}\".", object.core))
}

fn read(core: &Core, object: &Object) -> Result<State, String> {
    let snapshot = state::read(core, std::slice::from_ref(object));
    let mut snapshot = snapshot.map_err(|e| format!("The monitoring can't be asked: {e}."))?;
    snapshot.states.remove(object).ok_or_else(|| format!("The monitoring doesn't know {object} any more."))
}

fn not_kept(e: &StoreError) -> String {
    log::error!("what was asked can't be kept reason={e}");
    "ackbell can't keep that: its disk or database refuses; its log says why.".to_owned()
}

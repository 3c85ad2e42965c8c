//! Answers what people ask by the slash command, and reads what they order there.
//!
//! A thread of its own, as a core may take seconds to say how it is while Slack waits three. Nothing here is kept over
//! a restart but what changes something: an order becomes a [`Request`] like a click's, and goes the same way.

mod find;
mod phrases;

use super::action::Note;
use super::gate::Gate;
use super::queue::Queue;
use super::request::{Asker, Request, Wish};
use super::response_url::is_slacks;
use crate::config::{Acknowledge, CommentRule, Config, Core, Matcher};
use crate::model::action::Action;
use crate::model::core_snapshot::State;
use crate::model::object::Object;
use crate::model::outcome::Outcome;
use crate::model::pattern::Globs;
use crate::model::time_text::utc;
use crate::monitoring::object_list;
use crate::rules::authorise::{Admitted, Caller, Contact, KnownNames, Permission, Refusal, Right};
use crate::rules::slash::{Filter, Order, SlashAction, SlashOrder, WrittenName, downtime};
use crate::slack::mrkdwn;
use crate::slack::slash_reply::{self, Entry, Page};
use crate::store::{NewAct, PER_CHANNEL_MAX, Store, StoreError, Subscription};
use crate::system::clock;
use log::{info, warn};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::mpsc::Sender;
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

/// The state of one of the threads.
pub(super) struct Clerk {
    store: Store,
    notes: Sender<Note>,
    gate: Gate,
}

/// What the person is told: words, or a list.
enum Told {
    Words(String),
    List(Page),
    /// Somebody else tells it later, or has.
    Nothing,
}

/// Why there is no answer, for the person.
enum NoAnswer {
    Words(String),
    Refused(Refusal),
}

impl From<String> for NoAnswer {
    fn from(words: String) -> Self {
        Self::Words(words)
    }
}

impl From<Refusal> for NoAnswer {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl Clerk {
    pub(super) fn new(gate: Gate, store: Store, notes: Sender<Note>) -> Self {
        Self { store, notes, gate }
    }

    /// Works until nobody can ask any more.
    pub(super) fn run(mut self, queue: &Queue) {
        while let Some(errand) = queue.take() {
            self.gate.reconfigure(&errand.config);
            match self.answer(&errand) {
                Ok(told) => self.tell(&errand, &told, errand.order.is_public && !errand.replaces, errand.replaces),
                // Never in the place of what is there: others may be reading it.
                Err(words) => self.tell(&errand, &Told::Words(mrkdwn::sentence(&words)), false, false),
            }
        }
    }

    /// First who it is, then whether they may at all; only then is anything looked up. An error is a sentence for the
    /// person.
    fn answer(&mut self, errand: &Errand) -> Result<Told, String> {
        let config = Arc::clone(&errand.config);
        let caller = self.gate.caller(&errand.asker).map_err(|e| format!("{e}."))?;
        let admitted = caller.admit(&config.access);
        if errand.order.what == SlashOrder::Whoami {
            return Ok(Told::Words(self.whoami(&caller, admitted)));
        }
        let answered = admitted.map_err(NoAnswer::from).and_then(|admitted| self.answer_one(errand, admitted));
        answered.map_err(|no| match no {
            NoAnswer::Words(words) => words,
            NoAnswer::Refused(refusal) => {
                self.note_refusal(errand, &caller, &refusal);
                refusal.to_string()
            }
        })
    }

    fn answer_one(&mut self, errand: &Errand, admitted: Admitted<'_>) -> Result<Told, NoAnswer> {
        let config = Arc::clone(&errand.config);
        let named = errand.order.core.as_deref();
        match &errand.order.what {
            SlashOrder::Help | SlashOrder::Whoami => Ok(Told::Words(slash_reply::help(&errand.order.command))),
            SlashOrder::Problems(filter) => {
                let leave = admitted.ask(Right::View)?;
                let cores = find::cores(&config, named)?;
                self.problems(errand, &leave, &cores, filter)
            }
            SlashOrder::Status(words) => {
                let leave = admitted.ask(Right::View)?;
                let cores = find::cores(&config, named)?;
                self.status(&leave, &cores, words).map(Told::Words)
            }
            SlashOrder::Act(deed, said) => {
                let action = deed.stand_in();
                let leave = admitted.ask(Right::Act(&action))?;
                let cores = find::cores(&config, named)?;
                self.order(errand, &leave, &cores, *deed, said)
            }
            SlashOrder::Subscribe(filter) => {
                let leave = admitted.ask(Right::Subscribe)?;
                let channel = self.channel_of(&errand.asker)?;
                self.subscribe(errand, &leave, filter, ("This channel", channel))
            }
            SlashOrder::Me(filter) => {
                let leave = admitted.ask(Right::Subscribe)?;
                self.subscribe(errand, &leave, filter, ("You", errand.asker.user.clone()))
            }
            SlashOrder::Unsubscribe(filter) => {
                let leave = admitted.ask(Right::Subscribe)?;
                self.unsubscribe(errand, &leave, filter.as_ref())
            }
            SlashOrder::Subscriptions => {
                admitted.ask(Right::View)?;
                Ok(Told::Words(self.subscriptions(&errand.asker)?))
            }
        }
    }

    /// What would have changed something is in the audit, refused or not.
    fn note_refusal(&mut self, errand: &Errand, caller: &Caller, refusal: &Refusal) {
        let name = match &errand.order.what {
            SlashOrder::Act(deed, _) => deed.stand_in().name(),
            SlashOrder::Subscribe(_) | SlashOrder::Me(_) => "subscribe",
            SlashOrder::Unsubscribe(_) => "unsubscribe",
            SlashOrder::Help
            | SlashOrder::Problems(_)
            | SlashOrder::Status(_)
            | SlashOrder::Subscriptions
            | SlashOrder::Whoami => return,
        };
        let row = super::refusal(&errand.asker, &caller.person, name, &refusal.to_string());
        if let Err(e) = self.store.refuse(&[(errand.asker.key(), row)], &[], clock::wall_ms()) {
            log::error!("a refusal can't be kept reason={e}");
        }
    }

    fn problems(
        &mut self,
        errand: &Errand,
        leave: &Permission<'_>,
        cores: &[Core],
        filter: &Filter,
    ) -> Result<Told, NoAnswer> {
        let matches = &filter.matches;
        if let Some(key) = phrases::beyond_the_state(matches) {
            let words = format!("`problems` can't be filtered by {key}; by host, service, state and core it can.");
            return Err(words.into());
        }
        let meant = Meant::of(matches);
        let cores: Vec<&Core> = cores.iter().filter(|core| meant.takes_core(&core.name)).collect();
        let mut entries: Vec<Entry> = Vec::new();
        for core in &cores {
            let found =
                object_list::problems(core, leave).map_err(|e| format!("The monitoring can't be asked: {e}."))?;
            let naming = self.gate.naming(core);
            for (object, state) in found {
                let label = find::Label::known(&object, naming.labels);
                let is_in_state =
                    matches.state.is_empty() || matches.state.iter().any(|name| name == state.name(&object));
                if is_in_state && meant.takes(&object, &label) {
                    let names = naming.names(&object, None);
                    if leave.may(&names.of(&object), None).is_ok() {
                        entries.push(Entry::new(object, label.text(), &state));
                    }
                }
            }
        }
        if entries.is_empty()
            && let Some(words) = find::nothing_of_that(matches, &cores, &mut self.gate, leave)?
        {
            return Ok(Told::Words(words));
        }
        entries.sort_by_key(Entry::urgency);
        let (from, text) = (errand.from.min(entries.len().saturating_sub(1)) / PAGE * PAGE, filter.text.clone());
        let total = entries.len();
        let acknowledged = entries.iter().filter(|entry| entry.is_quiet()).count();
        let entries = entries.into_iter().skip(from).take(PAGE).collect();
        let (core, is_partial) = (errand.order.core.clone(), leave.differs_by_object());
        let by = errand.order.is_public.then(|| errand.asker.user.clone());
        Ok(Told::List(Page { total, acknowledged, from, size: PAGE, entries, filter: text, core, is_partial, by }))
    }

    fn status(&mut self, leave: &Permission<'_>, cores: &[Core], words: &[String]) -> Result<String, NoAnswer> {
        let found = find::object(words, cores, &mut self.gate, leave)?;
        let core = core_of(cores, &found.object)?;
        let names = self.gate.names(core, &found.object, None);
        leave.may(&names.of(&found.object), None)?;
        let label = self.gate.labels.of_core(core).map(|labels| find::Label::of(&found.object, labels));
        let state = read(core, &found.object, leave)?;
        let label = label.map_or_else(|| found.object.to_string(), |label| label.text());
        Ok(phrases::status(&found.object, &label, &state, clock::wall_ms() / 1000))
    }

    /// An order goes the way of a click: kept, then authorised, sent, confirmed and told.
    fn order(
        &mut self,
        errand: &Errand,
        leave: &Permission<'_>,
        cores: &[Core],
        deed: SlashAction,
        said: &WrittenName,
    ) -> Result<Told, NoAnswer> {
        let found = find::object(&said.words, cores, &mut self.gate, leave)?;
        let core = core_of(cores, &found.object)?;
        let names = self.gate.names(core, &found.object, None);
        let contacts = self.gate.contacts_of(core, &found.object);
        leave.may(&names.of(&found.object), contacts.as_deref())?;
        let behind = said.behind(found.words);
        let action = action(deed, (&found.object, behind), &errand.config.acknowledge, &errand.order.command)?;
        if let Action::Acknowledge { .. } = action {
            let state = read(core, &found.object, leave)?;
            phrases::acknowledgeable(&found.object, &state)?;
        }
        let wish = Wish::One { post: None, object: found.object, action };
        let request = Request { name: wish.name().to_owned(), asker: errand.asker.clone(), wish };
        let text = serde_json::to_string(&request).map_err(|e| e.to_string())?;
        let object = request.wish.object_key();
        let act = NewAct { key: errand.key.clone(), parent: None, object, request: text, due: 0 };
        self.store.keep_acts(&[act], clock::wall_ms()).map_err(|e| not_kept(&e))?;
        // The worker ends only with the process.
        let _ = self.notes.send(Note::Act);
        Ok(Told::Nothing)
    }

    /// Lets a channel, or the person, be sent what the filter takes.
    fn subscribe(
        &mut self,
        errand: &Errand,
        leave: &Permission<'_>,
        filter: &Filter,
        (who, channel): (&str, String),
    ) -> Result<Told, NoAnswer> {
        let (command, asker) = (&errand.order.command, &errand.asker);
        self.covers(&errand.config, leave, std::slice::from_ref(&filter.matches))?;
        let (are, have, end) = match who {
            "You" => ("are", "have", format!("`{command} unsubscribe` in the app's own tab ends it.")),
            _ => ("is", "has", format!("`{command} unsubscribe` ends it.")),
        };
        let of_channel = self.store.subscriptions().map_err(|e| not_kept(&e))?;
        let count = of_channel.iter().filter(|s| s.integration == asker.integration && s.channel == channel).count();
        if count >= PER_CHANNEL_MAX {
            let words = format!("{who} {have} {count} subscriptions; end some with `{command} unsubscribe` first.");
            return Err(words.into());
        }
        let new = Subscription {
            integration: asker.integration.clone(),
            channel,
            filter: filter.text.clone(),
            user: asker.user.clone(),
            name: leave.admitted().person().name.clone(),
            at: clock::wall_ms(),
        };
        let entry = entry(asker, leave, "subscribe", &filter.text);
        let what = phrases::filter(&filter.text);
        Ok(match self.store.subscribe(&new, &errand.key, &entry).map_err(|e| not_kept(&e))? {
            None => Told::Nothing,
            Some(0) => Told::Words(format!("{who} {are} sent {what} already.")),
            Some(_) => Told::Words(format!("{who} {are} now sent {what}. {end}")),
        })
    }

    /// Whether the person may subscribe a channel to all that these filters may ever take.
    fn covers(&mut self, config: &Config, leave: &Permission<'_>, filters: &[Matcher]) -> Result<(), NoAnswer> {
        let mut known = KnownNames::default();
        if leave.differs_by_object() {
            for core in find::cores(config, None)? {
                find::learn(&core, &mut self.gate, leave, &mut known)?;
            }
        }
        filters.iter().try_for_each(|filter| leave.covers(filter, &known)).map_err(NoAnswer::from)
    }

    /// The channel to be subscribed; Slack must know it as one that ackbell is in.
    fn channel_of(&mut self, asker: &Asker) -> Result<String, String> {
        const NOT_IN: &str = "ackbell isn't in this channel: type `/invite` and the app's name, then try again.";
        let Some(channel) = asker.channel.clone() else {
            return Err("Ask in the channel that is to be subscribed.".to_owned());
        };
        let Some(client) = self.gate.client(&asker.integration) else {
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
            Err(outcome) if outcome.is_missing_scope() => Ok(channel),
            Err(other) => {
                warn!("a channel can't be looked at channel={channel} reason={other:?}");
                Err("Slack doesn't answer just now; try again in a moment.".to_owned())
            }
        }
    }

    /// Takes the right that it takes to subscribe the channel to the same.
    fn unsubscribe(
        &mut self,
        errand: &Errand,
        leave: &Permission<'_>,
        filter: Option<&Filter>,
    ) -> Result<Told, NoAnswer> {
        let asker = &errand.asker;
        let channel = asker.channel.clone().unwrap_or_default();
        let text = filter.map(|filter| filter.text.as_str());
        let all = self.store.subscriptions().map_err(|e| not_kept(&e))?;
        let here = all.iter().filter(|s| s.integration == asker.integration && is_here(s, asker));
        let ended = here.filter(|s| text.is_none_or(|text| s.filter == text));
        // One that can't be read any more takes nothing; anybody may end it.
        let filters: Vec<Matcher> = ended.filter_map(|s| Filter::of(&s.filter).ok()).map(|f| f.matches).collect();
        self.covers(&errand.config, leave, &filters)?;
        let entry = entry(asker, leave, "unsubscribe", text.unwrap_or("everything"));
        // In the app's own tab the person's are those of the place, too.
        let own = Some(asker.user.as_str()).filter(|_| channel.starts_with('D')).unwrap_or(&channel);
        let places = (asker.integration.as_str(), [channel.as_str(), own]);
        let order = (errand.key.as_str(), clock::wall_ms());
        let gone = self.store.unsubscribe(places, text, order, &entry).map_err(|e| not_kept(&e))?;
        match (gone, filter) {
            (None, _) => Ok(Told::Nothing),
            (Some(0), Some(_)) => {
                let command = &errand.order.command;
                let words =
                    format!("This channel isn't subscribed to that; `{command} subscriptions` tells what there is.");
                Err(words.into())
            }
            (Some(0), None) => Err("This channel has no subscriptions.".to_owned().into()),
            (Some(1), _) => Ok(Told::Words("Ended: one subscription of this channel.".to_owned())),
            (Some(count), _) => Ok(Told::Words(format!("Ended: {count} subscriptions of this channel."))),
        }
    }

    fn subscriptions(&mut self, asker: &Asker) -> Result<String, String> {
        let all = self.store.subscriptions().map_err(|e| not_kept(&e))?;
        let here = all.iter().filter(|s| s.integration == asker.integration && is_here(s, asker));
        let lines: Vec<String> = here
            .map(|s| {
                format!("• {}, by {} since {}", phrases::filter(&s.filter), mrkdwn::plain(&s.name), utc(s.at / 1000))
            })
            .collect();
        if lines.is_empty() {
            return Ok(
                "This channel has no subscriptions; the configuration's routes may lead here all the same.".into()
            );
        }
        Ok(format!("This channel is sent:\n{}", lines.join("\n")))
    }

    /// Who they are, for everybody; what they are to the monitoring, for those of ours.
    fn whoami(&mut self, caller: &Caller, admitted: Result<Admitted<'_>, Refusal>) -> String {
        let config = self.gate.config();
        let admitted = match admitted {
            Ok(admitted) => admitted,
            Err(refusal) => return phrases::nobody_of_ours(caller, &refusal),
        };
        let anything = Object::default();
        let cores = find::cores(&config, None).unwrap_or_default();
        let contacts: Option<Vec<Contact>> = cores.iter().find_map(|core| self.gate.contacts_of(core, &anything));
        phrases::whoami(admitted, &config, contacts.as_deref())
    }

    /// Says it privately, or to everybody where that was asked for.
    fn tell(&mut self, errand: &Errand, told: &Told, is_public: bool, replaces: bool) {
        let asker = &errand.asker;
        let mut message = match told {
            Told::Nothing => return,
            Told::Words(words) => json!({ "text": words }),
            Told::List(page) => slash_reply::problems(page, clock::wall_ms() / 1000),
        };
        message["response_type"] = Value::from(if is_public { "in_channel" } else { "ephemeral" });
        if replaces {
            message["replace_original"] = Value::from(true);
        }
        let config = self.gate.config();
        let integration = config.integrations.iter().find(|found| found.name == asker.integration);
        let url = integration.and_then(|i| asker.response_url.as_ref().filter(|url| is_slacks(url, &i.api_url)));
        let (Some(url), Some(client)) = (url, self.gate.client(&asker.integration)) else {
            warn!("an answer has no way to its person integration={} user={}", asker.integration, asker.user);
            return;
        };
        match client.respond(url, &message, BUDGET) {
            Outcome::Delivered(_) => info!("answered integration={} user={}", asker.integration, asker.user),
            outcome => warn!("an answer wasn't taken integration={} reason={outcome:?}", asker.integration),
        }
    }
}

/// Whether a subscription is the channel's; in a direct message the person's own as well.
fn is_here(subscription: &Subscription, asker: &Asker) -> bool {
    let channel = asker.channel.as_deref().unwrap_or_default();
    subscription.channel == channel || (channel.starts_with('D') && subscription.channel == asker.user)
}

/// What a filter means, ready to be compared with many objects: hosts, services and cores of each of its parts.
struct Meant(Vec<[Globs; 3]>);

impl Meant {
    fn of(matches: &Matcher) -> Self {
        let globs = |part: &Matcher| [&part.host, &part.service, &part.core].map(|patterns| Globs::of(patterns));
        Self(matches.parts().map(globs).collect())
    }

    fn takes_core(&self, name: &str) -> bool {
        self.0.iter().all(|[_, _, cores]| cores.take(&[Some(name)]))
    }

    fn takes(&self, object: &Object, label: &find::Label) -> bool {
        self.0.iter().all(|[hosts, services, _]| {
            hosts.take(&[Some(&object.host), Some(&label.host)])
                && services.take(&[object.service.as_deref(), label.service.as_deref()])
        })
    }
}

/// What is to be done, by the words behind the object's name.
fn action(
    deed: SlashAction,
    (object, behind): (&Object, &str),
    rules: &Acknowledge,
    command: &str,
) -> Result<Action, String> {
    let now = clock::wall_ms() / 1000;
    let comment = behind.to_owned();
    Ok(match deed {
        SlashAction::Acknowledge if comment.is_empty() && rules.comment == CommentRule::Required => {
            let object = crate::rules::slash::quoted(&find::written(object));
            return Err(format!("Say why: `{command} ack {object} COMMENT`."));
        }
        SlashAction::Acknowledge => Action::Acknowledge {
            sticky: rules.sticky,
            notify: rules.notify,
            persistent: rules.persistent,
            comment,
            expiry: None,
        },
        SlashAction::RemoveAcknowledgement => Action::RemoveAcknowledgement,
        SlashAction::Downtime => {
            let (length, comment) = downtime(command, behind)?;
            let end = now.saturating_add(i64::try_from(length.as_secs()).unwrap_or(i64::MAX));
            Action::Downtime { start: now, end, flexible: None, comment, host_services: false }
        }
        SlashAction::Recheck => Action::Recheck { at: now },
    })
}

/// The row of the audit.
fn entry(asker: &Asker, leave: &Permission<'_>, action: &str, detail: &str) -> String {
    let person = leave.admitted().person();
    json!({
        "at": clock::wall_ms() / 1000, "integration": asker.integration, "team": person.team_id, "user": asker.user,
        "name": person.name, "email": person.email, "channel": asker.channel, "action": action, "commands": [],
        "step": "done", "detail": detail,
    })
    .to_string()
}

fn core_of<'a>(cores: &'a [Core], object: &Object) -> Result<&'a Core, String> {
    cores.iter().find(|core| core.name == object.core).ok_or_else(|| format!("There is no core \"{}\".", object.core))
}

fn read(core: &Core, object: &Object, leave: &Permission<'_>) -> Result<State, String> {
    let snapshot = object_list::states(core, std::slice::from_ref(object), leave);
    let mut snapshot = snapshot.map_err(|e| format!("The monitoring can't be asked: {e}."))?;
    snapshot.states.remove(object).ok_or_else(|| format!("The monitoring doesn't know {object} any more."))
}

fn not_kept(e: &StoreError) -> String {
    log::error!("what was asked can't be kept reason={e}");
    "ackbell can't keep that: its disk or database refuses; its log says why.".to_owned()
}

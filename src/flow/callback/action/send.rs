//! From what was asked to the command that the core has, or to the sentence why not.

use super::expiry::{self, Ending};
use super::{Worker, entry, request_of};
use crate::config::Core;
use crate::flow::callback::card;
use crate::flow::callback::gate::GateError;
use crate::flow::callback::request::{Request, Wish};
use crate::model::action::Action;
use crate::model::object::Object;
use crate::model::problem::Problem;
use crate::monitoring::error::SendError;
use crate::monitoring::{dialect, knows_expiry, object_list, paths, send, state, wording};
use crate::rules::authorise::{Authorised, Permission, Person, Refusal, Right, authorise};
use crate::rules::command::ExternalCommand;
use crate::rules::confirm::Expectation;
use crate::state_dir::listener_status::StatusNote;
use crate::store::{Act, Lane, Move, NewAct, Stage, StoreError};
use crate::system::clock;
use std::collections::BTreeMap;
use std::time::Duration;

/// How many acts are begun together.
const BATCH: u32 = 200;
/// How long the core is looked at for the effect of a command.
const CONFIRM_MS: i64 = 15_000;
/// A command file that is full empties soon, or its reader hangs.
const FULL_RETRIES: u32 = 20;
const FULL_PAUSE: Duration = Duration::from_millis(100);

/// An act whose command may be sent.
struct Ready {
    act: Act,
    request: Request,
    person: Person,
    core: Core,
    command: ExternalCommand,
}

/// An act that ends here, with the words for the person.
struct Ended {
    /// For the audit: `refused`, `failed` or `nothing to do`.
    step: &'static str,
    words: String,
    person: Option<Box<Person>>,
}

/// What an act has come to before its command.
enum Prepared {
    Ready(Box<Ready>),
    /// It asks for these.
    Spread(Vec<NewAct>),
    Ended(Ended),
}

impl From<Ended> for Prepared {
    fn from(ended: Ended) -> Self {
        Self::Ended(ended)
    }
}

/// The step of an act that nobody allowed.
const REFUSED: &str = "refused";
const NEEDLESS: &str = "nothing to do";

impl Ended {
    fn refused(words: String, person: Option<&Person>) -> Self {
        Self { step: REFUSED, words, person: person.cloned().map(Box::new) }
    }

    fn failed(words: impl Into<String>) -> Self {
        Self { step: "failed", words: words.into(), person: None }
    }

    fn needless(words: impl Into<String>) -> Self {
        Self { step: NEEDLESS, words: words.into(), person: None }
    }
}

impl Worker {
    /// Begins what is new and due.
    pub(super) fn begin(&mut self) -> Result<(), StoreError> {
        loop {
            let acts = self.store.acts(Stage::New, clock::wall_ms(), BATCH)?;
            if acts.is_empty() {
                return Ok(());
            }
            self.begin_batch(acts)?;
        }
    }

    fn begin_batch(&mut self, acts: Vec<Act>) -> Result<(), StoreError> {
        let (mut moves, mut entries, mut ready) = (Vec::new(), Vec::new(), Vec::new());
        let (mut refusals, mut refused) = (Vec::new(), Vec::new());
        let mut written: BTreeMap<String, Option<i64>> = BTreeMap::new();
        let requests = acts.iter().map(request_of).collect::<Result<Vec<_>, _>>()?;
        self.learn_contacts(&requests);
        for (act, request) in acts.into_iter().zip(requests) {
            match self.prepare(&act, &request)? {
                Prepared::Ready(one) => {
                    let Ready { request, person, core, command, .. } = *one;
                    let before = *written.entry(core.name.clone()).or_insert_with(|| state::written(&core));
                    let expectation = Expectation::from_command(&command, before);
                    let text = serde_json::to_string(&expectation).map_err(|e| StoreError::Content(e.to_string()))?;
                    let until = self.clock.now_ms().saturating_add(patience_ms(&core));
                    moves.push((act.id, Move::Sending { expectation: text, until }));
                    entries.push(entry(&act, &request, Some(&person), &expectation.lines, "sending", ""));
                    ready.push(Ready { act, request, person, core, command });
                }
                Prepared::Spread(acts) => {
                    self.store.keep_acts(&acts, clock::wall_ms())?;
                    moves.push((act.id, Move::Parent));
                }
                Prepared::Ended(Ended { step, words, person }) => {
                    let entry = entry(&act, &request, person.as_deref(), &[], step, &words);
                    if step == REFUSED {
                        refusals.push((request.asker.key(), entry));
                        refused.push((act.id, refused_as(&act, &words)));
                    } else {
                        entries.push(entry);
                        // Nobody waits for a word when a time is over: the message says it.
                        let is_over = matches!(request.wish, Wish::Expire { .. }) && step == NEEDLESS;
                        let end = Move::Done { outcome: words.clone(), reply: None };
                        moves.push((act.id, if is_over { end } else { done(&act, &words) }));
                    }
                }
            }
        }
        self.store.refuse(&refusals, &refused, clock::wall_ms())?;
        self.store.move_acts(&moves, &entries)?;
        self.send(ready)
    }

    /// Who belongs to the objects, in one pass over each core's file.
    fn learn_contacts(&mut self, requests: &[Request]) {
        let mut objects: BTreeMap<String, Vec<Object>> = BTreeMap::new();
        for object in requests.iter().filter_map(|request| request.wish.object()) {
            objects.entry(object.core.clone()).or_default().push(object);
        }
        for (name, objects) in objects.iter().filter(|(_, objects)| objects.len() > 1) {
            if let Some(core) = self.gate.core(name) {
                self.gate.contacts.prepare(&core, objects);
            }
        }
    }

    /// Hands the commands over, and keeps what became of them.
    fn send(&mut self, ready: Vec<Ready>) -> Result<(), StoreError> {
        let (mut moves, mut entries) = (Vec::new(), Vec::new());
        for Ready { act, request, person, core, command } in ready {
            let sent = send_patiently(&core, &command);
            self.reporter.note(|report| match &sent {
                Err(e) if !e.is_verdict() => {
                    drop(report.commands.insert(core.name.clone(), StatusNote::now(e.to_string())));
                }
                _ => drop(report.commands.remove(&core.name)),
            });
            match sent {
                Ok(()) => moves.push((act.id, Move::Sent)),
                Err(e) => {
                    let lines = command.lines();
                    entries.push(entry(&act, &request, Some(&person), &lines, "failed", &e.to_string()));
                    moves.push((act.id, done(&act, &e.to_string())));
                }
            }
        }
        self.store.move_acts(&moves, &entries)
    }

    /// Decides everything that comes before the command: who it is, whether they may at all, what it is about, whether
    /// they may do it to that; and only then whether there is anything to do.
    fn prepare(&mut self, act: &Act, request: &Request) -> Result<Prepared, StoreError> {
        // That a time is over is nobody's request: what the core holds then is told, whatever its setter may do by now.
        if let Wish::Expire { object, author, comment } = &request.wish
            && let Some(core) = self.gate.core(&object.core)
            && let Some(words) = self.ended(act, &core, object, (author, comment))?
        {
            return Ok(Ended::needless(words).into());
        }
        let config = self.gate.config();
        let caller = match self.gate.caller(&request.asker) {
            Ok(caller) => caller,
            Err(GateError::Who(e)) => return Ok(Ended::refused(format!("{e}."), None).into()),
            Err(e) => return Ok(Ended::failed(format!("{e}.")).into()),
        };
        let refused = |words: String| Prepared::from(Ended::refused(words, Some(&caller.person)));
        let action = request.wish.action();
        let leave = match caller.admit(&config.access).and_then(|admitted| admitted.ask(Right::Act(&action))) {
            Ok(leave) => leave,
            Err(refusal) => return Ok(refused(refusal.to_string())),
        };
        if let Wish::AcknowledgeAll { digest, .. } = &request.wish {
            return self.spread(act, request, *digest, &leave);
        }
        let (object, shown) = match card::of(&self.store, &request.wish, &request.asker, &leave)? {
            Ok(found) => found,
            Err(words) => return Ok(Ended::failed(words).into()),
        };
        let request = self.resolved(act, request, &object)?;
        let Some(core) = self.gate.core(&object.core) else {
            let words = format!("There is no [cores.{}] in ackbell's configuration any more.", object.core);
            return Ok(Ended::failed(words).into());
        };
        let problem = shown.as_ref().and_then(|shown| shown.problem.as_ref());
        let authorised = match self.authorised(&leave, &object, problem, &core, &action) {
            Ok(authorised) => authorised,
            Err(refusal) => return Ok(refused(refusal.to_string())),
        };
        if let Some(words) = self.needless(act, &request, &object, problem)? {
            return Ok(Ended::needless(words).into());
        }
        if let Action::Downtime { host_services: true, .. } = &action
            && object.service.is_none()
            && leave.differs_by_object()
        {
            return Ok(match of_each(act, &request, &object, &core, &leave)? {
                Ok(acts) => Prepared::Spread(acts),
                Err(words) => Ended::failed(words).into(),
            });
        }
        Ok(match ExternalCommand::new(&authorised, wording(&core), clock::wall_ms() / 1000) {
            Ok(command) => {
                let dialect = dialect(&core, command.action());
                let command = command.towards(dialect);
                let person = caller.person.clone();
                Prepared::Ready(Box::new(Ready { act: act.clone(), request, person, core, command }))
            }
            Err(e) => refused(format!("{e}.")),
        })
    }

    /// Why nothing is to be sent when a timed acknowledgement should be over; the messages are told where it is.
    fn ended(
        &mut self,
        act: &Act,
        core: &Core,
        object: &Object,
        (author, comment): (&str, &str),
    ) -> Result<Option<&'static str>, StoreError> {
        match expiry::look(core, object, author, comment) {
            Ending::Due => Ok(None),
            Ending::Another => Ok(Some("The acknowledgement that was to end is gone already.")),
            Ending::Over => {
                // It may have ended long ago, with its problem; then no message shows it any more.
                if self.store.acknowledged_by(&object.key())?.as_deref() == Some(author) {
                    let now = clock::wall_ms();
                    let config = self.gate.config();
                    let voice = |lane: &Lane| crate::flow::deliver::voice(&config, lane);
                    let deed = (format!("act-{}", act.id), object.key(), expiry::over(author, now / 1000));
                    self.store.tell(&[deed], &voice, config.storm.window, now)?;
                    self.wake_deliverer();
                }
                Ok(Some("The acknowledgement has ended."))
            }
        }
    }

    /// Whether they may do it to this object.
    fn authorised(
        &mut self,
        leave: &Permission<'_>,
        object: &Object,
        problem: Option<&Problem>,
        core: &Core,
        action: &Action,
    ) -> Result<Authorised, Refusal> {
        let names = self.gate.names(core, object, problem.map(|problem| &problem.latest));
        let contacts = self.gate.contacts_of(core, object);
        let known = names.of(object);
        // Who may not remove an acknowledgement can't let one end by itself either.
        if matches!(action, Action::Acknowledge { expiry: Some(_), .. }) && !knows_expiry(core) {
            leave.admitted().ask(Right::Act(&Action::RemoveAcknowledgement))?.may(&known, contacts.as_deref())?;
        }
        authorise(leave, &known, contacts.as_deref())
    }

    /// The request, with the object that its message named.
    fn resolved(&mut self, act: &Act, request: &Request, object: &Object) -> Result<Request, StoreError> {
        let Wish::Card { post, action, .. } = &request.wish else {
            return Ok(request.clone());
        };
        let wish = Wish::One { post: Some(*post), object: object.clone(), action: action.clone() };
        let request = Request { wish, ..request.clone() };
        let text = serde_json::to_string(&request).map_err(|e| StoreError::Content(e.to_string()))?;
        self.store.resolve_act(act.id, &object.key(), &text)?;
        Ok(request)
    }

    /// Why there is nothing to do, by all that is known.
    fn needless(
        &self,
        act: &Act,
        request: &Request,
        object: &Object,
        problem: Option<&Problem>,
    ) -> Result<Option<String>, StoreError> {
        let action = request.wish.action();
        if let Some(words) = needless(&action, problem) {
            return Ok(Some(words));
        }
        let is_under_way = self.store.is_under_way(act.id, &object.key(), action.name())?;
        Ok(is_under_way.then(|| "Somebody did the same just now; the message will show it.".to_owned()))
    }

    /// One click for many: an act for each problem of the digest that goes on. Each is decided about on its own.
    fn spread(
        &mut self,
        act: &Act,
        request: &Request,
        digest: i64,
        leave: &Permission<'_>,
    ) -> Result<Prepared, StoreError> {
        if let Err(words) = card::is_digest(&self.store, digest, &request.asker, leave)? {
            return Ok(Ended::failed(words).into());
        }
        let problems = self.store.unacknowledged(digest, leave)?;
        if problems.is_empty() {
            let words = "Nothing is left to acknowledge: everything recovered or is acknowledged.";
            return Ok(Ended::needless(words).into());
        }
        let objects = problems.iter().map(|(post, problem)| (Some(*post), Object::of(&problem.latest)));
        Ok(Prepared::Spread(children(act, request, &request.wish.action(), objects)?))
    }
}

/// An act for the host and one for each of its services, where rules tell them apart.
fn of_each(
    act: &Act,
    request: &Request,
    host: &Object,
    core: &Core,
    leave: &Permission<'_>,
) -> Result<Result<Vec<NewAct>, String>, StoreError> {
    let Action::Downtime { start, end, flexible, comment, .. } = request.wish.action() else {
        return Ok(Err("There is nothing to do for its services.".to_owned()));
    };
    let all = match object_list::names(core, leave) {
        Ok(all) => all,
        Err(e) => {
            let words =
                format!("What services it has can't be seen, and you may not have the same rights on all: {e}.");
            return Ok(Err(words));
        }
    };
    let services = all.into_iter().filter(|object| object.host == host.host && object.service.is_some());
    let objects = std::iter::once(host.clone()).chain(services).map(|object| (None, object));
    let action = Action::Downtime { start, end, flexible, comment, host_services: false };
    children(act, request, &action, objects).map(Ok)
}

/// The acts that one asks for.
fn children(
    act: &Act,
    request: &Request,
    action: &Action,
    objects: impl Iterator<Item = (Option<i64>, Object)>,
) -> Result<Vec<NewAct>, StoreError> {
    let child = |(nth, (post, object)): (usize, (Option<i64>, Object))| {
        let key = object.key();
        // The digest was clicked on, not the card: what is known of each is its newest.
        let wish = Wish::One { post: None, object, action: action.clone() };
        let one = Request { name: request.name.clone(), asker: request.asker.clone(), wish };
        let request = serde_json::to_string(&one).map_err(|e| StoreError::Content(e.to_string()))?;
        let name = format!("{}/{}", act.id, post.unwrap_or_else(|| i64::try_from(nth).unwrap_or(0)));
        Ok(NewAct { key: name, parent: Some(act.id), object: key, request, due: 0 })
    };
    objects.enumerate().map(child).collect()
}

/// How an act ends; a person hears of it unless it is one of many.
pub(super) fn done(act: &Act, words: &str) -> Move {
    Move::Done { outcome: words.to_owned(), reply: act.parent.is_none().then(|| words.to_owned()) }
}

/// How an act ends that nobody allowed.
fn refused_as(act: &Act, words: &str) -> Move {
    // Whoever asked for many hears of each reason at the end.
    if act.parent.is_some() { done(act, words) } else { Move::Refused { reply: words.to_owned() } }
}

/// Why there is nothing to do any more, by what is known of the problem.
fn needless(action: &Action, problem: Option<&Problem>) -> Option<String> {
    let problem = problem?;
    match action {
        Action::Acknowledge { .. } if !problem.is_bad => {
            let object = problem.latest.object_label();
            Some(format!("Too late: {object} has recovered, there is nothing to acknowledge."))
        }
        Action::Acknowledge { .. } => problem.acknowledged.as_ref().map(|word| match &word.author {
            Some(author) => format!("It is acknowledged already, by {author}."),
            None => "It is acknowledged already.".to_owned(),
        }),
        _ => None,
    }
}

fn send_patiently(core: &Core, command: &ExternalCommand) -> Result<(), SendError> {
    for _ in 0..FULL_RETRIES {
        match send::send(core, command) {
            Err(SendError::Full(_)) => std::thread::sleep(FULL_PAUSE),
            other => return other.map(drop),
        }
    }
    send::send(core, command).map(drop)
}

/// How long to look for the effect: a core that writes its state seldom needs two of its intervals.
pub(super) fn patience_ms(core: &Core) -> i64 {
    let interval = paths::Paths::find(core).status_update_interval.unwrap_or(0);
    CONFIRM_MS.max(i64::try_from(interval).unwrap_or(0).saturating_mul(2000).saturating_add(2000))
}

//! From what was asked to the command that the core has, or to the sentence why not.

use super::expiry::{self, Ending};
use super::{Worker, entry, request_of};
use crate::authorise::{Asked, Authorised, Person, Verdict, authorise};
use crate::callback::request::{Request, Wish};
use crate::clock;
use crate::command::{Action, ExternalCommand, Object};
use crate::config::Core;
use crate::confirm::Expectation;
use crate::core::door::{self, DoorError};
use crate::core::{dialect, knows_expiry, places, state};
use crate::problem::Problem;
use crate::report::Noted;
use crate::store::{Act, Lane, Move, NewAct, Stage, StoreError};
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

impl Ended {
    fn failed(words: impl Into<String>) -> Self {
        Self { step: "failed", words: words.into(), person: None }
    }

    fn needless(words: impl Into<String>) -> Self {
        Self { step: "nothing to do", words: words.into(), person: None }
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
        let mut written: BTreeMap<String, Option<i64>> = BTreeMap::new();
        let requests = acts.iter().map(request_of).collect::<Result<Vec<_>, _>>()?;
        self.learn_contacts(&requests);
        for (act, request) in acts.into_iter().zip(requests) {
            if let Wish::AcknowledgeAll { digest, action } = &request.wish {
                let (step, entry) = self.spread(&act, &request, *digest, action)?;
                moves.push((act.id, step));
                entries.extend(entry);
                continue;
            }
            match self.prepare(&act, &request)? {
                Ok((person, core, command)) => {
                    let before = *written.entry(core.name.clone()).or_insert_with(|| state::written(&core));
                    let expectation = Expectation::of(&command, before);
                    let text = serde_json::to_string(&expectation).map_err(|e| StoreError::Content(e.to_string()))?;
                    let until = self.clock.now_ms().saturating_add(patience_ms(&core));
                    moves.push((act.id, Move::Sending { expectation: text, until }));
                    entries.push(entry(&act, &request, Some(&person), &expectation.lines, "sending", ""));
                    ready.push(Ready { act, request, person, core, command });
                }
                Err(ended) => {
                    entries.push(entry(&act, &request, ended.person.as_deref(), &[], ended.step, &ended.words));
                    // Nobody waits for a word when a time is over: the message says it.
                    let is_timer = matches!(request.wish, Wish::Expire { .. }) && ended.step == "nothing to do";
                    let end = Move::Done { outcome: ended.words.clone(), reply: None };
                    moves.push((act.id, if is_timer { end } else { done(&act, &ended.words) }));
                }
            }
        }
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
            if let Some(core) = self.core(name) {
                self.contacts.prepare(&core, objects);
            }
        }
    }

    /// Hands the commands over, and keeps what became of them.
    fn send(&mut self, ready: Vec<Ready>) -> Result<(), StoreError> {
        let (mut moves, mut entries) = (Vec::new(), Vec::new());
        for Ready { act, request, person, core, command } in ready {
            let sent = send_patiently(&core, &command);
            self.reporter.note(|report| match &sent {
                Err(e) if !e.is_verdict() => drop(report.commands.insert(core.name.clone(), Noted::now(e.to_string()))),
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

    /// One click for many: an act for each problem of the digest that goes on.
    fn spread(
        &mut self,
        act: &Act,
        request: &Request,
        digest: i64,
        action: &Action,
    ) -> Result<(Move, Option<String>), StoreError> {
        let problems = self.store.unacknowledged(digest)?;
        if problems.is_empty() {
            let words = "Nothing is left to acknowledge: everything recovered or is acknowledged.";
            let entry = entry(act, request, None, &[], "nothing to do", words);
            return Ok((done(act, words), Some(entry)));
        }
        let acts = problems
            .iter()
            .map(|(post, problem)| {
                let object = Object::of(&problem.latest);
                let (post, key) = (Some(*post), object.key());
                let wish = Wish::One { post, object, action: action.clone() };
                let one = Request { wish, ..request.clone() };
                let request = serde_json::to_string(&one).map_err(|e| StoreError::Content(e.to_string()))?;
                let name = format!("{}/{}", act.id, post.unwrap_or(0));
                Ok(NewAct { key: name, parent: Some(act.id), object: key, request, due: 0 })
            })
            .collect::<Result<Vec<_>, StoreError>>()?;
        self.store.keep_acts(&acts, clock::wall_ms())?;
        Ok((Move::Parent, None))
    }

    /// Decides everything that comes before the command.
    /// The outer failure is the database's, the inner the person's.
    fn prepare(
        &mut self,
        act: &Act,
        request: &Request,
    ) -> Result<Result<(Person, Core, ExternalCommand), Ended>, StoreError> {
        let (object, action, post) = match &request.wish {
            Wish::One { post, object, action } => (object, action.clone(), *post),
            Wish::Expire { object, .. } => (object, Action::RemoveAcknowledgement, None),
            Wish::AcknowledgeAll { .. } => return Ok(Err(Ended::failed("this is one act for many"))),
        };
        let shown = match post {
            Some(post) => self.store.shown(post)?,
            None => self.store.shown_of(&object.key())?,
        };
        let problem = shown.as_ref().and_then(|shown| shown.problem.as_ref());
        if let Some(words) = needless(&action, problem) {
            return Ok(Err(Ended::needless(words)));
        }
        if self.store.is_under_way(act.id, &object.key(), action.name())? {
            return Ok(Err(Ended::needless("Somebody did the same just now; the message will show it.")));
        }
        let Some(core) = self.core(&object.core) else {
            let words = format!("There is no [cores.{}] in ackbell's configuration any more.", object.core);
            return Ok(Err(Ended::failed(words)));
        };
        if let Wish::Expire { author, comment, .. } = &request.wish
            && let Some(words) = self.ended(act, &core, object, (author, comment))?
        {
            return Ok(Err(Ended::needless(words)));
        }
        Ok(self.allow(request, object, &action, problem, &core).and_then(|(person, authorised)| {
            match ExternalCommand::new(&authorised, clock::wall_ms() / 1000) {
                Ok(command) => {
                    let dialect = dialect(&core, command.action());
                    Ok((person, core, command.towards(dialect)))
                }
                Err(e) => Err(Ended { step: "refused", words: format!("{e}."), person: Some(Box::new(person)) }),
            }
        }))
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
                let now = clock::wall_ms();
                let config = std::sync::Arc::clone(&self.config);
                let voice = |lane: &Lane| crate::deliver::voice(&config, lane);
                let deed = (format!("act-{}", act.id), object.key(), expiry::over(author, now / 1000));
                self.store.tell(&[deed], &voice, config.storm.window, now)?;
                self.wake_deliverer();
                Ok(Some("The acknowledgement has ended."))
            }
        }
    }

    /// Who it is, and whether they may.
    fn allow(
        &mut self,
        request: &Request,
        object: &Object,
        action: &Action,
        problem: Option<&Problem>,
        core: &Core,
    ) -> Result<(Person, Authorised), Ended> {
        let config = std::sync::Arc::clone(&self.config);
        let asker = &request.asker;
        let Some(integration) = config.integrations.iter().find(|found| found.name == asker.integration) else {
            return Err(Ended::failed(format!("There is no integration \"{}\" any more.", asker.integration)));
        };
        let Some(client) = self.clients.get(&asker.integration) else {
            return Err(Ended::failed("ackbell can't talk to Slack with its present configuration."));
        };
        let who = self.people.who(asker, &config, client);
        let person = who.map_err(|e| Ended { step: "refused", words: format!("{e}."), person: None })?;
        let team_id = self.people.team(integration, client, asker);
        let team_id = team_id.map_err(|e| Ended { step: "refused", words: format!("{e}."), person: None })?;
        let latest = problem.map(|problem| &problem.latest);
        let contacts = self.contacts.of(core, object);
        let wanted = Asked {
            person: &person,
            team_id: &team_id,
            channel: asker.channel.as_deref(),
            object,
            host_label: latest.and_then(|latest| latest.host.display_name.as_deref()),
            service_label: latest.and_then(|latest| latest.service.as_ref()?.display_name.as_deref()),
        };
        // Who may not remove an acknowledgement can't let one end by itself either.
        let ends = matches!(action, Action::Acknowledge { expiry: Some(_), .. }) && !knows_expiry(core);
        let remove = Action::RemoveAcknowledgement;
        let also = ends.then(|| authorise(&wanted, &remove, &config.access, contacts.as_deref()));
        let verdict = authorise(&wanted, action, &config.access, contacts.as_deref());
        match (verdict, also) {
            (Verdict::Refused(refusal), _) | (_, Some(Verdict::Refused(refusal))) => {
                Err(Ended { step: "refused", words: refusal.to_string(), person: Some(Box::new(person)) })
            }
            (Verdict::Allowed(authorised), _) => Ok((person, authorised)),
        }
    }
}

/// How an act ends; a person hears of it unless it is one of many.
pub(super) fn done(act: &Act, words: &str) -> Move {
    Move::Done { outcome: words.to_owned(), reply: act.parent.is_none().then(|| words.to_owned()) }
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

fn send_patiently(core: &Core, command: &ExternalCommand) -> Result<(), DoorError> {
    for _ in 0..FULL_RETRIES {
        match door::send(core, command) {
            Err(DoorError::Full(_)) => std::thread::sleep(FULL_PAUSE),
            other => return other.map(drop),
        }
    }
    door::send(core, command).map(drop)
}

/// How long to look for the effect: a core that writes its state seldom needs two of its intervals.
pub(super) fn patience_ms(core: &Core) -> i64 {
    let interval = places::places(core).status_update_interval.unwrap_or(0);
    CONFIRM_MS.max(i64::try_from(interval).unwrap_or(0).saturating_mul(2000).saturating_add(2000))
}

//! The steps from a kept request to its command, or to the sentence that says why there is none.

use super::expiry::{self, Ending};
use super::{ActionWorker, request_of};
use crate::config::{Config, Core};
use crate::flow::callback::access_lookup::LookupError;
use crate::flow::callback::clicked_message;
use crate::flow::callback::request::{Request, RequestedAction, Requester};
use crate::model::action::Action;
use crate::model::object::Object;
use crate::model::problem::Problem;
use crate::monitoring::{dialect, knows_expiry, send, wording};
use crate::rules::authorise::{Authorised, Caller, Permission, Person, Refusal, Right, authorise};
use crate::rules::command::ExternalCommand;
use crate::slack::forms::HANDED_OVER;
use crate::store::{
    ActionRequest, ActionState, DeliveryQueue, KnownNode, NewActionRequest, NewActionTaken, ShownMessage, StoreError,
};
use crate::system::clock;
use std::collections::BTreeMap;

/// How many requests are begun together.
const BATCH: u32 = 200;

/// A request whose command may be sent.
pub(in crate::flow::callback) struct Ready {
    pub(in crate::flow::callback) kept: ActionRequest,
    pub(in crate::flow::callback) request: Request,
    pub(in crate::flow::callback) person: Person,
    pub(in crate::flow::callback) core: Core,
    pub(in crate::flow::callback) command: ExternalCommand,
}

/// Why a request goes no further.
pub(in crate::flow::callback) enum Stop {
    Ended(Ended),
    /// It becomes these requests, each of one object.
    Split(Vec<NewActionRequest>),
    /// Another node carries it out, which has a way to its core.
    OtherNode,
    Store(StoreError),
}

/// A request that ends without a command.
pub(in crate::flow::callback) struct Ended {
    /// For the audit.
    pub(super) step: &'static str,
    /// For the person.
    pub(super) sentence: String,
    pub(super) person: Option<Box<Person>>,
}

pub(super) const REFUSED: &str = "refused";
pub(super) const FAILED: &str = "failed";
pub(super) const NOTHING_TO_DO: &str = "nothing to do";

/// A request, and how far its preparation came.
pub(in crate::flow::callback) type Prepared = (ActionRequest, Request, Result<Ready, Stop>);

/// The object of a request, with the message that shows it, and the core to be commanded.
pub(in crate::flow::callback) struct Found {
    /// With the object that the clicked message is about.
    pub(in crate::flow::callback) request: Request,
    pub(in crate::flow::callback) core: Core,
    pub(super) object: Object,
    shown: Option<ShownMessage>,
}

impl Found {
    fn problem(&self) -> Option<&Problem> {
        self.shown.as_ref().and_then(|shown| shown.problem.as_ref())
    }
}

impl Stop {
    fn refused(sentence: impl Into<String>, person: Option<&Person>) -> Self {
        let person = person.cloned().map(Box::new);
        Self::Ended(Ended { step: REFUSED, sentence: sentence.into(), person })
    }

    pub(super) fn failed(sentence: impl Into<String>) -> Self {
        Self::Ended(Ended { step: FAILED, sentence: sentence.into(), person: None })
    }

    pub(super) fn nothing_to_do(sentence: impl Into<String>) -> Self {
        Self::Ended(Ended { step: NOTHING_TO_DO, sentence: sentence.into(), person: None })
    }
}

impl From<StoreError> for Stop {
    fn from(e: StoreError) -> Self {
        Self::Store(e)
    }
}

impl ActionWorker {
    /// The kept requests that are due.
    pub(in crate::flow::callback) fn due_requests(&self) -> Result<Vec<ActionRequest>, StoreError> {
        if self.node.has_others() {
            let cores = self.node.reaches(&self.lookup.config());
            self.store.take_requests(&cores, self.node.leads(), clock::wall_ms())?;
        }
        self.store.requests(ActionState::New, clock::wall_ms(), BATCH)
    }

    /// Prepares each of them.
    pub(in crate::flow::callback) fn prepare_all(
        &mut self,
        due: Vec<ActionRequest>,
    ) -> Result<Vec<Prepared>, StoreError> {
        let requests = due.iter().map(request_of).collect::<Result<Vec<_>, _>>()?;
        self.learn_contacts(&requests);
        let mut all = Vec::with_capacity(due.len());
        for (kept, request) in due.into_iter().zip(requests) {
            let prepared = self.prepare(&kept, &request);
            if let Err(Stop::Store(e)) = prepared {
                return Err(e);
            }
            all.push((kept, request, prepared));
        }
        Ok(all)
    }

    /// Reads the contacts of the objects, in one pass over each core's file.
    fn learn_contacts(&mut self, requests: &[Request]) {
        let mut objects: BTreeMap<String, Vec<Object>> = BTreeMap::new();
        for object in requests.iter().filter_map(|request| request.requested_action.object()) {
            objects.entry(object.core.clone()).or_default().push(object);
        }
        for (name, objects) in objects.iter().filter(|(_, objects)| objects.len() > 1) {
            if let Some(core) = self.lookup.core(name) {
                self.lookup.contacts.prepare(&core, objects);
            }
        }
    }

    /// A timed acknowledgement that has ended in the core needs no command. Nobody asked for that end now, so it is
    /// looked at whatever its author may do by now; the messages about the object are updated.
    pub(in crate::flow::callback) fn check_expiry(
        &mut self,
        kept: &ActionRequest,
        request: &Request,
    ) -> Result<(), Stop> {
        let RequestedAction::Expire { object, author, comment } = &request.requested_action else {
            return Ok(());
        };
        let Some(core) = self.lookup.core(&object.core) else {
            return Ok(());
        };
        self.check_way(kept, &core)?;
        match expiry::look(&core, object, author, comment) {
            Ending::Due => Ok(()),
            Ending::Another => Err(Stop::nothing_to_do("The acknowledgement that was to end is gone already.")),
            Ending::Over => {
                // It may have ended long ago, with its problem; then no message shows it any more.
                if self.store.acknowledged_by(&object.key())?.as_deref() == Some(author) {
                    let now = clock::wall_ms();
                    let config = self.lookup.config();
                    let mode = |queue: &DeliveryQueue| crate::flow::deliver::message_mode(&config, queue);
                    let (id, action) = (format!("act-{}", kept.id), expiry::over(author, now / 1000));
                    let ended = NewActionTaken { id, object: object.key(), action };
                    self.store.show_actions_taken(&[ended], &mode, config.storm.window, now)?;
                    self.wake_deliverer();
                }
                Err(Stop::nothing_to_do("The acknowledgement has ended."))
            }
        }
    }

    /// The requester, as Slack knows them.
    pub(in crate::flow::callback) fn identify(&mut self, requester: &Requester) -> Result<Caller, Stop> {
        self.lookup.caller(requester).map_err(|e| match e {
            LookupError::Identity(e) => Stop::refused(format!("{e}."), None),
            e @ (LookupError::NoIntegration(_) | LookupError::NoClient) => Stop::failed(format!("{e}.")),
        })
    }

    /// Puts the name of the person whom a problem is handed over to beside their id. It must be somebody who may act here.
    pub(in crate::flow::callback) fn name_new_owner(&mut self, request: &Request) -> Result<Request, Stop> {
        let mut named = request.clone();
        let (RequestedAction::One { action, .. } | RequestedAction::Card { action, .. }) = &mut named.requested_action
        else {
            return Ok(named);
        };
        let Action::Comment { comment, .. } = action else { return Ok(named) };
        let Some(id) = comment.strip_prefix(HANDED_OVER).filter(|id| !id.contains(' ')).map(str::to_owned) else {
            return Ok(named);
        };
        let requester = Requester { user: id.clone(), user_name: None, user_team: None, ..request.requester.clone() };
        let owner = self.identify(&requester)?;
        let config = self.lookup.config();
        if owner.person.is_bot || owner.admit(&config.access).is_err() {
            return Err(Stop::refused(
                format!("It can't be handed over to {}: they may not act here.", owner.person.name),
                None,
            ));
        }
        *comment = format!("{HANDED_OVER}{} ({id})", owner.person.name);
        Ok(named)
    }

    /// The object that the request is about, and its core.
    pub(in crate::flow::callback) fn find(
        &mut self,
        kept: &ActionRequest,
        request: &Request,
        permission: &Permission<'_>,
    ) -> Result<Found, Stop> {
        let found = clicked_message::find(&self.store, &request.requested_action, &request.requester, permission)?;
        let (object, shown) = found.map_err(Stop::failed)?;
        let request = self.with_object(kept, request, &object)?;
        let core = self
            .lookup
            .core(&object.core)
            .ok_or_else(|| Stop::failed(format!("ackbell's configuration no longer has a [cores.{}].", object.core)))?;
        self.check_way(kept, &core)?;
        Ok(Found { request, core, object, shown })
    }

    /// Leaves a request to another node that has a way to its core, if this one hasn't: what its message is about is known
    /// only now.
    fn check_way(&self, kept: &ActionRequest, core: &Core) -> Result<(), Stop> {
        if !self.node.has_others() || send::reaches(core) {
            return Ok(());
        }
        let reaches = |node: &KnownNode| !node.is_gone() && node.beat.reaches.contains(&core.name);
        if self.store.nodes()?.iter().any(|node| node.beat.name != self.node.name() && reaches(node)) {
            self.store.release_request(kept.id)?;
            return Err(Stop::OtherNode);
        }
        Ok(())
    }

    /// The request, naming the object that its message is about.
    fn with_object(&mut self, kept: &ActionRequest, request: &Request, object: &Object) -> Result<Request, StoreError> {
        let (post, action) = match &request.requested_action {
            RequestedAction::Card { post, action, .. } => (Some(*post), action),
            RequestedAction::Reaction { action } => (None, action),
            _ => return Ok(request.clone()),
        };
        let requested_action = RequestedAction::One { post, object: object.clone(), action: action.clone() };
        let request = Request { requested_action, ..request.clone() };
        let text = serde_json::to_string(&request).map_err(|e| StoreError::Content(e.to_string()))?;
        self.store.resolve_request(kept.id, &object.key(), &text)?;
        Ok(request)
    }

    /// Whether the person may do it to this object.
    pub(in crate::flow::callback) fn authorise(
        &mut self,
        found: &Found,
        permission: &Permission<'_>,
        caller: &Caller,
    ) -> Result<Authorised, Stop> {
        let Found { object, core, .. } = found;
        let refused = |refusal: Refusal| Stop::refused(refusal.to_string(), Some(&caller.person));
        let names = self.lookup.names(core, object, found.problem().map(|problem| &problem.latest));
        let contacts = self.lookup.contacts_of(core, object);
        let known = names.of(object);
        // A person who may not remove an acknowledgement can't let one end by itself either.
        if matches!(found.request.requested_action.action(), Action::Acknowledge { expiry: Some(_), .. })
            && !knows_expiry(core)
        {
            let removal = permission.admitted().ask(Right::Act(&Action::RemoveAcknowledgement)).map_err(refused)?;
            removal.may(&known, contacts.as_deref()).map_err(refused)?;
        }
        authorise(permission, &known, contacts.as_deref()).map_err(refused)
    }

    /// Whoever takes an emoji back ends their own acknowledgement, and nobody else's.
    pub(in crate::flow::callback) fn check_own(
        request: &Request,
        found: &Found,
        authorised: &Authorised,
    ) -> Result<(), Stop> {
        let is_taken_back =
            matches!(request.requested_action, RequestedAction::Reaction { action: Action::RemoveAcknowledgement });
        let remark = found.problem().and_then(|problem| problem.acknowledged.as_ref());
        match remark.map(|remark| remark.author.as_deref()) {
            _ if !is_taken_back => Ok(()),
            Some(Some(author)) if author == authorised.author() => Ok(()),
            Some(Some(author)) => Err(Stop::nothing_to_do(format!("It stays acknowledged, by {author}."))),
            _ => Err(Stop::nothing_to_do("Nothing of yours is acknowledged there.")),
        }
    }

    /// Whether there is still something to do, as far as ackbell knows.
    pub(in crate::flow::callback) fn check_needed(&self, kept: &ActionRequest, found: &Found) -> Result<(), Stop> {
        let action = found.request.requested_action.action();
        if let Some(sentence) = nothing_to_do(&action, found.problem()) {
            return Err(Stop::nothing_to_do(sentence));
        }
        if self.store.is_under_way(kept.id, &found.object.key(), action.name())? {
            return Err(Stop::nothing_to_do("Somebody did the same just now; the message will show it."));
        }
        Ok(())
    }
}

/// Whether the person may do such a thing at all.
pub(in crate::flow::callback) fn permit<'a>(
    caller: &'a Caller,
    config: &'a Config,
    action: &'a Action,
) -> Result<Permission<'a>, Stop> {
    let permission = caller.admit(&config.access).and_then(|admitted| admitted.ask(Right::Act(action)));
    permission.map_err(|refusal| Stop::refused(refusal.to_string(), Some(&caller.person)))
}

/// The command, in the words of this core.
pub(in crate::flow::callback) fn external_command(
    authorised: &Authorised,
    core: &Core,
    caller: &Caller,
) -> Result<ExternalCommand, Stop> {
    let command = ExternalCommand::new(authorised, wording(core), clock::wall_ms() / 1000);
    let command = command.map_err(|e| Stop::refused(format!("{e}."), Some(&caller.person)))?;
    let dialect = dialect(core, command.action());
    Ok(command.towards(dialect))
}

/// Why there is nothing to do any more, by the problem's last known state.
fn nothing_to_do(action: &Action, problem: Option<&Problem>) -> Option<String> {
    let problem = problem?;
    match action {
        Action::Acknowledge { .. } if !problem.is_bad => {
            let object = problem.latest.object_label();
            Some(format!("Too late: {object} has recovered, there is nothing to acknowledge."))
        }
        Action::Acknowledge { .. } => problem.acknowledged.as_ref().map(|remark| match &remark.author {
            Some(author) => format!("It is acknowledged already, by {author}."),
            None => "It is acknowledged already.".to_owned(),
        }),
        _ => None,
    }
}

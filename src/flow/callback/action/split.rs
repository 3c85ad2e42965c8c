//! One click for many objects becomes a request for each, and each of them is decided about on its own.

use super::ActionWorker;
use super::prepare::{Found, Stop};
use crate::flow::callback::clicked_message;
use crate::flow::callback::request::{Request, RequestedAction};
use crate::model::action::Action;
use crate::model::object::Object;
use crate::monitoring::object_list;
use crate::rules::authorise::Permission;
use crate::store::{ActionRequest, NewActionRequest, StoreError};

impl ActionWorker {
    /// *Acknowledge all*: a request for each problem of the digest that is still open.
    pub(in crate::flow::callback) fn split_digest(
        &mut self,
        kept: &ActionRequest,
        request: &Request,
        permission: &Permission<'_>,
    ) -> Result<(), Stop> {
        let RequestedAction::AcknowledgeAll { digest, action } = &request.requested_action else {
            return Ok(());
        };
        clicked_message::is_digest(&self.store, *digest, &request.requester, permission)?.map_err(Stop::failed)?;
        let problems = self.store.unacknowledged(*digest, permission)?;
        if problems.is_empty() {
            let sentence = "Nothing is left to acknowledge: everything recovered or is acknowledged.";
            return Err(Stop::nothing_to_do(sentence));
        }
        let objects = problems.iter().map(|(post, problem)| (Some(*post), Object::of(&problem.latest)));
        Err(Stop::Split(children(kept, request, action, objects)?))
    }
}

/// A host's downtime with its services, where rules distinguish the objects: a request for the host and one for each
/// service.
pub(in crate::flow::callback) fn split_host_downtime(
    kept: &ActionRequest,
    found: &Found,
    permission: &Permission<'_>,
) -> Result<(), Stop> {
    let (host, action) = (&found.object, found.request.requested_action.action());
    let Action::Downtime { start, end, flexible, comment, host_services: true } = action else {
        return Ok(());
    };
    if host.service.is_some() || !permission.differs_by_object() {
        return Ok(());
    }
    let all = object_list::names(&found.core, permission).map_err(|e| {
        Stop::failed(format!(
            "The host's services can't be listed, and you may not have the same rights on all of them: {e}."
        ))
    })?;
    let services = all.into_iter().filter(|object| object.host == host.host && object.service.is_some());
    let objects = std::iter::once(host.clone()).chain(services).map(|object| (None, object));
    let action = Action::Downtime { start, end, flexible, comment, host_services: false };
    Err(Stop::Split(children(kept, &found.request, &action, objects)?))
}

/// The requests that one request becomes.
fn children(
    kept: &ActionRequest,
    request: &Request,
    action: &Action,
    objects: impl Iterator<Item = (Option<i64>, Object)>,
) -> Result<Vec<NewActionRequest>, StoreError> {
    let child = |(nth, (post, object)): (usize, (Option<i64>, Object))| {
        let key = object.key();
        // The digest was clicked on, not the problem's own message: the newest message about the object is updated.
        let requested_action = RequestedAction::One { post: None, object, action: action.clone() };
        let one = Request { name: request.name.clone(), requester: request.requester.clone(), requested_action };
        let request = serde_json::to_string(&one).map_err(|e| StoreError::Content(e.to_string()))?;
        let part_key = format!("{}/{}", kept.id, post.unwrap_or_else(|| i64::try_from(nth).unwrap_or(0)));
        Ok(NewActionRequest { key: part_key, parent: Some(kept.id), name: one.name, object: key, request, due: 0 })
    };
    objects.enumerate().map(child).collect()
}

//! `ack`, `unack`, `downtime` and `recheck`: from the command's text to a request for the action worker.

use super::{NoAnswer, SlashAnswer, SlashWorker, core_of, find, not_kept, phrases, state_of};
use crate::config::{Acknowledge, CommentRule, Core};
use crate::flow::callback::action::WorkerMessage;
use crate::flow::callback::request::{Request, RequestedAction};
use crate::flow::callback::slash_request::SlashRequest;
use crate::model::action::Action;
use crate::model::object::Object;
use crate::rules::authorise::Permission;
use crate::rules::slash::{SlashAction, WrittenName, downtime};
use crate::store::NewActionRequest;
use crate::system::clock;

impl SlashWorker {
    /// An order is handled like a click: kept here, and then done by the action worker.
    pub(super) fn order(
        &mut self,
        request: &SlashRequest,
        permission: &Permission<'_>,
        cores: &[Core],
        (verb, name): (SlashAction, &WrittenName),
    ) -> Result<SlashAnswer, NoAnswer> {
        let found = find::object(&name.tokens, cores, &mut self.lookup, permission)?;
        let core = core_of(cores, &found.object)?;
        let names = self.lookup.names(core, &found.object, None);
        let contacts = self.lookup.contacts_of(core, &found.object);
        permission.may(&names.of(&found.object), contacts.as_deref())?;
        let behind = name.behind(found.tokens);
        let action = action(verb, (&found.object, behind), &request.config.acknowledge, &request.order.command)?;
        if let Action::Acknowledge { .. } = action {
            let state = state_of(core, &found.object, permission)?;
            phrases::acknowledgeable(&found.object, &state)?;
        }
        let requested_action = RequestedAction::One { post: None, object: found.object, action };
        let new = Request {
            name: requested_action.name().to_owned(),
            requester: request.requester.clone(),
            requested_action,
        };
        let text = serde_json::to_string(&new).map_err(|e| e.to_string())?;
        let object = new.requested_action.object_key();
        let row =
            NewActionRequest { key: request.key.clone(), parent: None, name: new.name, object, request: text, due: 0 };
        self.store.keep_requests(&[row], clock::wall_ms()).map_err(|e| not_kept(&e))?;
        // The worker ends only with the process.
        let _ = self.actions.send(WorkerMessage::NewRequest);
        Ok(SlashAnswer::Nothing)
    }
}

/// The action, by the text behind the object's name.
fn action(
    verb: SlashAction,
    (object, behind): (&Object, &str),
    rules: &Acknowledge,
    command: &str,
) -> Result<Action, String> {
    let now = clock::wall_ms() / 1000;
    let comment = behind.to_owned();
    Ok(match verb {
        SlashAction::Acknowledge if comment.is_empty() && rules.comment == CommentRule::Required => {
            let object = crate::rules::slash::tokens::quoted(&find::written(object));
            return Err(format!("A comment is required: `{command} ack {object} COMMENT`."));
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

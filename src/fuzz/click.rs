//! From Slack's bytes to the core's lines: whatever was clicked or filled in, a command is one line a command.

use super::NOW;
use crate::config::{Access, Acknowledge, CommentRule};
use crate::flow::callback::request::{self, Click, Request, RequestedAction, Requester};
use crate::model::action::Action;
use crate::model::object::Object;
use crate::rules::authorise::{Caller, ObjectNames, Person, Right, authorise};
use crate::rules::command::{CommandError, ExternalCommand, Wording};
use crate::rules::confirm::Expectation;
use crate::slack::forms;
use crate::slack::interaction::{Interaction, decode, decode_envelope};
use std::time::Duration;

/// What one write to a FIFO passes whole (`pipe(7)`).
const PIPE_BUF: usize = 4096;
/// The longest `private_metadata` (<https://docs.slack.dev/reference/views/modal-views>).
const METADATA_MAX: usize = 3000;

/// A body that is signed, as a form, as JSON and as what an envelope of Socket Mode carries.
pub fn click(bytes: &[u8]) {
    for is_form in [true, false] {
        if let Ok(interaction) = decode(is_form, bytes) {
            run_flow(&interaction);
        }
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(payload) = crate::system::json::parse(text) else { return };
    for kind in ["interactive", "slash_commands", "events_api", text] {
        if let Ok(interaction) = decode_envelope(kind, payload.clone()) {
            run_flow(&interaction);
        }
    }
}

/// As the callback flow does, without its outbox.
fn run_flow(interaction: &Interaction) {
    let rules = Acknowledge {
        sticky: true,
        notify: true,
        persistent: false,
        comment: CommentRule::Optional,
        expire: vec![Duration::from_secs(3600)],
        still: None,
        still_wait: Duration::from_secs(1800),
    };
    match interaction {
        Interaction::BlockActions(click) => match request::click(click, "default", &rules, NOW) {
            Click::Ask { request, .. } => keep(&request),
            Click::Form { available_action, requester, subject } => {
                let about = requester.about(subject.post, subject.object.unwrap_or_else(web01));
                if let Some(view) = forms::form(available_action, &about, &about.object.to_string(), &rules, NOW) {
                    let metadata = view["private_metadata"].as_str().expect("a form names its object");
                    assert!(metadata.chars().count() <= METADATA_MAX, "a form that Slack refuses");
                }
            }
            Click::Nothing | Click::Lost(_) | Click::Question { .. } => {}
        },
        Interaction::ViewSubmission(form) => {
            if let Some(Ok((about, action))) = forms::parse(&form.view, &rules, NOW) {
                let requester = Requester::new("default", &form.origin, None);
                let requested_action = RequestedAction::One { post: about.post, object: about.object, action };
                keep(&Request { name: requested_action.name().to_owned(), requester, requested_action });
            }
        }
        other => drop(other.kind().to_owned()),
    }
}

/// A request is decoded as it was kept, and its command is checked.
fn keep(request: &Request) {
    let text = serde_json::to_string(request).expect("a request can be kept");
    let kept: Request = serde_json::from_str(&text).expect("a request that was kept is read");
    assert_eq!(&kept, request, "the outbox changes a request");
    let (object, action) = match &request.requested_action {
        RequestedAction::One { object, action, .. } => (object.clone(), action),
        RequestedAction::AcknowledgeAll { action, .. }
        | RequestedAction::Card { action, .. }
        | RequestedAction::Reaction { action } => (web01(), action),
        RequestedAction::Expire { object, .. } => (object.clone(), &Action::RemoveAcknowledgement),
    };
    if let Ok(command) = command(&request.requester, &object, action)
        && command.unsayable().is_none()
    {
        check(&Expectation::from_command(&command, None).lines, &object);
    }
}

/// The least that can be asked of an object.
pub(super) fn recheck(object: &Object) -> Result<ExternalCommand, CommandError> {
    command(&Requester::default(), object, &Action::Recheck { at: NOW })
}

/// Of somebody who may do everything.
fn command(requester: &Requester, object: &Object, action: &Action) -> Result<ExternalCommand, CommandError> {
    let person = Person {
        team_id: "T1".into(),
        is_guest: Some(false),
        user_id: requester.user.clone(),
        name: requester.user_name.clone().unwrap_or_default(),
        ..Person::default()
    };
    let caller = Caller { person, team_id: "T1".into(), channel: requester.channel.clone(), acts: true };
    let access = Access::default();
    let admitted = caller.admit(&access).expect("somebody of ours");
    let permission = admitted.ask(Right::Act(action)).expect("nobody is refused without rules");
    let authorised = authorise(&permission, &ObjectNames::bare(object), None).expect("nobody is refused without rules");
    ExternalCommand::new(&authorised, Wording::LookAlikes, NOW)
}

fn web01() -> Object {
    Object { host: "web01".into(), ..Object::default() }
}

/// No text of anybody adds a command or leads to another object.
fn check(lines: &[String], object: &Object) {
    assert!((1..=2).contains(&lines.len()), "{lines:?}");
    assert!(lines.concat().len() <= PIPE_BUF, "too long for one write: {lines:?}");
    for line in lines {
        let controls = line.chars().filter(|c| c.is_control()).count();
        assert!(line.ends_with('\n') && controls == 1, "not one line: {line:?}");
        let command = line.strip_prefix(&format!("[{NOW}] ")).expect("a time stamp");
        let mut parts = command.trim_end_matches('\n').split(';');
        let name = parts.next().unwrap_or_default();
        assert!(name.chars().all(|c| c.is_ascii_uppercase() || c == '_'), "no command: {line:?}");
        assert_eq!(parts.next(), Some(object.host.as_str()), "another host: {line:?}");
        if let Some(service) = &object.service {
            assert_eq!(parts.next(), Some(service.as_str()), "another service: {line:?}");
        }
    }
}

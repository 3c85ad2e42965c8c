//! Action requests: from a click or a submitted form to a [`Request`] that is kept until it is done.
//!
//! Pure. Nothing here decides whether the person may; [`crate::rules::authorise`] does.

use crate::config::{Acknowledge, CommentRule, Config};
use crate::model::action::Action;
use crate::model::object::Object;
use crate::rules::render::AvailableAction;
use crate::slack::buttons;
use crate::slack::forms::About;
use crate::slack::interaction::{BlockActions, MessageTs, Origin};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// An action request as the outbox keeps it: who asked for which action. The JSON keeps the field names of the first
/// release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Request {
    /// The action's name in rules and in the audit.
    pub(crate) name: String,
    #[serde(rename = "asker")]
    pub(crate) requester: Requester,
    #[serde(rename = "wish")]
    pub(crate) requested_action: RequestedAction,
}

/// The person who asked, and where.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Requester {
    pub(crate) integration: String,
    /// The workspace of the installation, as Slack says it.
    pub(crate) team: Option<String>,
    pub(crate) user: String,
    /// The person's own workspace.
    pub(crate) user_team: Option<String>,
    pub(crate) user_name: Option<String>,
    pub(crate) channel: Option<String>,
    /// The message that was clicked.
    pub(crate) message: Option<String>,
    /// Anybody who knows it can reply for half an hour.
    pub(crate) response_url: Option<String>,
}

/// The action that is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum RequestedAction {
    One {
        /// Our message that was clicked on.
        post: Option<i64>,
        object: Object,
        action: Action,
    },
    /// Chosen in a card's menu, whose options have no room for an object: it is looked up once the requester is known.
    Card {
        post: i64,
        mark: Option<String>,
        action: Action,
    },
    AcknowledgeAll {
        digest: i64,
        action: Action,
    },
    /// The end of an acknowledgement that the core doesn't end by itself.
    Expire {
        object: Object,
        /// Only while it is still this one.
        author: String,
        comment: String,
    },
}

/// The object of a click, as far as the click names it. Nothing of it is looked up before the requester is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Subject {
    /// Our message that was clicked on, by its number.
    pub(crate) post: Option<i64>,
    /// The mark of the object that the message is about.
    pub(crate) mark: Option<String>,
    /// The object that a button names.
    pub(crate) object: Option<Object>,
}

/// An action request that isn't kept yet.
pub(crate) struct NewRequest {
    pub(crate) config: Arc<Config>,
    /// The click's or form's own identity.
    pub(crate) key: String,
    pub(crate) request: Request,
    pub(crate) source: ActionSource,
}

/// Where the person asked: it decides how to reply when something is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ActionSource {
    Message,
    Form,
}

/// What a click asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Click {
    /// `key`: the click's own identity.
    Ask {
        key: String,
        request: Box<Request>,
    },
    Form {
        available_action: AvailableAction,
        requester: Requester,
        subject: Subject,
    },
    /// One of our buttons, but it names neither message nor object.
    Lost(Requester),
    /// A link, or nothing of ours.
    Nothing,
}

/// The comment in the core by which an owner answers. The messages show it once the core has it.
pub(crate) const STILL_ON_IT: &str = "still on it";

/// Decodes a click.
pub(crate) fn click(click: &BlockActions, integration: &str, rules: &Acknowledge, now: i64) -> Click {
    let Some(action) = click.actions.first().filter(|action| !action.is_url) else {
        return Click::Nothing;
    };
    let Some(available_action) = buttons::clicked_action(action.id.as_ref(), action.chosen()) else {
        return Click::Nothing;
    };
    let block = action.block.as_ref().and_then(|block| buttons::post(block.as_ref()));
    let (post, mark) = block.map_or((None, None), |(post, mark)| (Some(post), mark.map(str::to_owned)));
    let object = action.value.as_deref().and_then(buttons::subject);
    let requester = Requester::new(integration, &click.origin, click.message.as_ref());
    if post.is_none() && (object.is_none() || available_action == AvailableAction::AcknowledgeAll) {
        return Click::Lost(requester);
    }
    let subject = Subject { post, mark, object };
    let needs_comment = available_action == AvailableAction::Acknowledge && rules.comment == CommentRule::Required;
    if needs_comment
        || matches!(
            available_action,
            AvailableAction::AcknowledgeWith | AvailableAction::Downtime | AvailableAction::HandOver
        )
    {
        let available_action = if needs_comment { AvailableAction::AcknowledgeWith } else { available_action };
        return Click::Form { available_action, requester, subject };
    }
    let Some(requested_action) = requested_action(available_action, subject, rules, now) else {
        return Click::Nothing;
    };
    let ts = action.ts.as_ref().map_or("", |ts| ts.as_ref());
    let message = requester.message.as_deref().unwrap_or_default();
    let key = format!("{integration} {} {message} {} {ts}", requester.user, action.id.as_ref());
    Click::Ask {
        key,
        request: Box::new(Request { name: requested_action.name().to_owned(), requester, requested_action }),
    }
}

fn requested_action(
    available_action: AvailableAction,
    subject: Subject,
    rules: &Acknowledge,
    now: i64,
) -> Option<RequestedAction> {
    let Subject { post, mark, object } = subject;
    let acknowledge = || Action::Acknowledge {
        sticky: rules.sticky,
        notify: rules.notify,
        persistent: rules.persistent,
        comment: String::new(),
        expiry: None,
    };
    let action = match available_action {
        AvailableAction::Acknowledge => acknowledge(),
        AvailableAction::RemoveAcknowledgement => Action::RemoveAcknowledgement,
        AvailableAction::Recheck => Action::Recheck { at: now },
        AvailableAction::StopNotifications => Action::StopNotifications,
        AvailableAction::ResumeNotifications => Action::ResumeNotifications,
        AvailableAction::AcknowledgeAll => {
            return Some(RequestedAction::AcknowledgeAll { digest: post?, action: acknowledge() });
        }
        AvailableAction::StillOnIt => Action::Comment { persistent: false, comment: STILL_ON_IT.to_owned() },
        AvailableAction::AcknowledgeWith | AvailableAction::Downtime | AvailableAction::HandOver => return None,
    };
    match (object, post) {
        (Some(object), _) => Some(RequestedAction::One { post, object, action }),
        (None, Some(post)) => Some(RequestedAction::Card { post, mark, action }),
        (None, None) => None,
    }
}

impl RequestedAction {
    /// The action's name in rules and in the audit.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::One { action, .. } | Self::Card { action, .. } | Self::AcknowledgeAll { action, .. } => action.name(),
            Self::Expire { .. } => Action::RemoveAcknowledgement.name(),
        }
    }

    /// The action itself.
    pub(crate) fn action(&self) -> Action {
        match self {
            Self::One { action, .. } | Self::Card { action, .. } | Self::AcknowledgeAll { action, .. } => {
                action.clone()
            }
            Self::Expire { .. } => Action::RemoveAcknowledgement,
        }
    }

    /// Its one object.
    pub(crate) fn object(&self) -> Option<Object> {
        match self {
            Self::One { object, .. } | Self::Expire { object, .. } => Some(object.clone()),
            Self::Card { .. } | Self::AcknowledgeAll { .. } => None,
        }
    }

    /// The key of its one object.
    pub(crate) fn object_key(&self) -> String {
        match self {
            Self::One { object, .. } | Self::Expire { object, .. } => object.key(),
            Self::Card { .. } | Self::AcknowledgeAll { .. } => String::new(),
        }
    }
}

impl Requester {
    /// The context that travels with a form opened for this person.
    pub(crate) fn about(&self, post: Option<i64>, object: Object) -> About {
        let Self { channel, message, response_url, .. } = self.clone();
        About { post, object, channel, message, response_url }
    }

    /// Integration and user, as one text.
    pub(crate) fn key(&self) -> String {
        format!("{} {}", self.integration, self.user)
    }

    /// The person behind an interaction. `message`: the message that was clicked on.
    pub(crate) fn new(integration: &str, origin: &Origin, message: Option<&MessageTs>) -> Self {
        Self {
            integration: integration.to_owned(),
            team: origin.team.as_ref().map(|id| id.as_ref().to_owned()),
            user: origin.user.as_ref().to_owned(),
            user_team: origin.user_team.as_ref().map(|id| id.as_ref().to_owned()),
            user_name: origin.user_name.clone(),
            channel: origin.channel.as_ref().map(|id| id.as_ref().to_owned()),
            message: message.map(|ts| ts.as_ref().to_owned()),
            response_url: origin.response_url.as_ref().map(|url| url.expose().to_owned()),
        }
    }
}

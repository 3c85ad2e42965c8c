//! What a person asks for: from a click or a submitted form to a [`Request`] that is kept until it is done.
//!
//! Pure. Nothing here decides whether the person may; that is [`crate::rules::authorise`]'s.

use crate::config::{Acknowledge, CommentRule};
use crate::model::action::Action;
use crate::model::object::Object;
use crate::rules::render::AvailableAction;
use crate::slack::buttons;
use crate::slack::forms::About;
use crate::slack::interaction::{BlockActions, Origin, Place};
use serde::{Deserialize, Serialize};

/// What somebody asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Request {
    /// The action's name in rules and in the audit.
    pub(crate) name: String,
    pub(crate) asker: Asker,
    pub(crate) wish: Wish,
}

/// Who asked, and where.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Asker {
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
    /// Whoever knows it may answer for half an hour.
    pub(crate) response_url: Option<String>,
}

/// What it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Wish {
    One {
        /// Our message that was clicked on.
        post: Option<i64>,
        object: Object,
        action: Action,
    },
    /// Chosen in a card's menu, whose options have no room for an object: it is looked up once it is known who asks.
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

/// What a click is about, as far as it says by itself. Nothing of that is looked up before it is known who asks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Subject {
    /// Our message that was clicked on, by its number.
    pub(crate) post: Option<i64>,
    /// The mark of the object that the message is about.
    pub(crate) mark: Option<String>,
    /// What a button names.
    pub(crate) object: Option<Object>,
}

/// What a click wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Click {
    /// `key`: the click's own identity.
    Ask {
        key: String,
        request: Box<Request>,
    },
    Form {
        offer: AvailableAction,
        asker: Asker,
        subject: Subject,
    },
    /// One of our buttons, and nothing in it says what it is about.
    Lost(Asker),
    /// A link, or nothing of ours.
    Nothing,
}

/// Reads a click.
pub(crate) fn click(click: &BlockActions, integration: &str, rules: &Acknowledge, now: i64) -> Click {
    let Some(action) = click.actions.first().filter(|action| !action.is_url) else {
        return Click::Nothing;
    };
    let Some(offer) = buttons::offer(action.id.as_ref(), action.chosen()) else {
        return Click::Nothing;
    };
    let block = action.block.as_ref().and_then(|block| buttons::post(block.as_ref()));
    let (post, mark) = block.map_or((None, None), |(post, mark)| (Some(post), mark.map(str::to_owned)));
    let object = action.value.as_deref().and_then(buttons::subject);
    let asker = Asker::of(integration, &click.origin, &click.place);
    if post.is_none() && (object.is_none() || offer == AvailableAction::AcknowledgeAll) {
        return Click::Lost(asker);
    }
    let subject = Subject { post, mark, object };
    let wants_words = offer == AvailableAction::Acknowledge && rules.comment == CommentRule::Required;
    if wants_words || matches!(offer, AvailableAction::AcknowledgeWith | AvailableAction::Downtime) {
        let offer = if wants_words { AvailableAction::AcknowledgeWith } else { offer };
        return Click::Form { offer, asker, subject };
    }
    let Some(wish) = wish(offer, subject, rules, now) else {
        return Click::Nothing;
    };
    let ts = action.ts.as_ref().map_or("", |ts| ts.as_ref());
    let message = asker.message.as_deref().unwrap_or_default();
    let key = format!("{integration} {} {message} {} {ts}", asker.user, action.id.as_ref());
    Click::Ask { key, request: Box::new(Request { name: wish.name().to_owned(), asker, wish }) }
}

fn wish(offer: AvailableAction, subject: Subject, rules: &Acknowledge, now: i64) -> Option<Wish> {
    let Subject { post, mark, object } = subject;
    let acknowledge = || Action::Acknowledge {
        sticky: rules.sticky,
        notify: rules.notify,
        persistent: rules.persistent,
        comment: String::new(),
        expiry: None,
    };
    let action = match offer {
        AvailableAction::Acknowledge => acknowledge(),
        AvailableAction::RemoveAcknowledgement => Action::RemoveAcknowledgement,
        AvailableAction::Recheck => Action::Recheck { at: now },
        AvailableAction::StopNotifications => Action::StopNotifications,
        AvailableAction::ResumeNotifications => Action::ResumeNotifications,
        AvailableAction::AcknowledgeAll => return Some(Wish::AcknowledgeAll { digest: post?, action: acknowledge() }),
        AvailableAction::AcknowledgeWith | AvailableAction::Downtime => return None,
    };
    match (object, post) {
        (Some(object), _) => Some(Wish::One { post, object, action }),
        (None, Some(post)) => Some(Wish::Card { post, mark, action }),
        (None, None) => None,
    }
}

impl Wish {
    /// The action's name in rules and in the audit.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::One { action, .. } | Self::Card { action, .. } | Self::AcknowledgeAll { action, .. } => action.name(),
            Self::Expire { .. } => Action::RemoveAcknowledgement.name(),
        }
    }

    /// What is to be done.
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

impl Asker {
    /// What a form that is opened for them is about.
    pub(crate) fn about(&self, post: Option<i64>, object: Object) -> About {
        let Self { channel, message, response_url, .. } = self.clone();
        About { post, object, channel, message, response_url }
    }

    /// Who it is, as one text.
    pub(crate) fn key(&self) -> String {
        format!("{} {}", self.integration, self.user)
    }

    pub(crate) fn of(integration: &str, origin: &Origin, place: &Place) -> Self {
        Self {
            integration: integration.to_owned(),
            team: origin.team.as_ref().map(|id| id.as_ref().to_owned()),
            user: origin.user.as_ref().to_owned(),
            user_team: origin.user_team.as_ref().map(|id| id.as_ref().to_owned()),
            user_name: origin.user_name.clone(),
            channel: origin.channel.as_ref().map(|id| id.as_ref().to_owned()),
            message: place.message.as_ref().map(|ts| ts.as_ref().to_owned()),
            response_url: origin.response_url.as_ref().map(|url| url.expose().to_owned()),
        }
    }
}

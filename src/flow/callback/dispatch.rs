//! Routes a verified request: each kind of interaction has its function.
//!
//! Clicks and forms that ask for an action go back to [`Callback::handle`]. The rest is replied to here, or handed to a
//! thread that replies later.

use super::form_opener::FormRequest;
use super::http_reply::HttpReply;
use super::pace::{Pace, TOO_MANY};
use super::request::{self, ActionSource, Click, NewRequest, Request, RequestedAction, Requester, Subject};
use super::slash_request::SlashRequest;
use super::{Callback, locked, uninstalled};
use crate::config::{Config, Integration};
use crate::rules::render::AvailableAction;
use crate::rules::slash::{self, ClickedQuestion, Filter, Order, SlashOrder};
use crate::rules::verify::Verified;
use crate::slack::interaction::{
    BlockActions, DecodeError, Event, EventId, EventKind, Interaction, Reaction, Shortcut, ShortcutName, SlashCommand,
    TeamId, TriggerId, Unsupported, UserId, ViewAction,
};
use crate::slack::slash_reply::{self, PageButton};
use crate::slack::{forms, mrkdwn};
use crate::system::clock;
use log::{debug, error, info, warn};
use serde_json::json;
use std::sync::Arc;

/// The result of an interaction.
pub(super) enum Dispatched {
    ActionRequested(Box<NewRequest>),
    Replied(HttpReply),
}

/// The integration that a request is for, by the configuration in force.
struct RequestContext {
    config: Arc<Config>,
    integration: String,
}

impl From<HttpReply> for Dispatched {
    fn from(reply: HttpReply) -> Self {
        Self::Replied(reply)
    }
}

impl Callback {
    pub(super) fn dispatch(&self, verified: &Verified, decoded: Result<Interaction, DecodeError>) -> Dispatched {
        let integration = verified.integration();
        debug!("from slack integration={integration} source={:?} bytes={}", verified.source(), verified.body().len());
        let interaction = match decoded {
            Ok(interaction) => interaction,
            Err(e) => {
                warn!("can't decode a request of Slack integration={integration} reason={:?}", e.to_string());
                return HttpReply::text(400, "the request can't be decoded").into();
            }
        };
        let config = Arc::clone(&locked(&self.config));
        let Some(integration) = integration_for(&config, integration, interaction.team().map(AsRef::as_ref)) else {
            return HttpReply::text(404, "this integration no longer exists").into();
        };
        if !integration.enabled {
            return disabled(&interaction, &integration.name).into();
        }
        let context = RequestContext { integration: integration.name.clone(), config: Arc::clone(&config) };
        match interaction {
            Interaction::BlockActions(click) => self.clicked(&context, &click),
            Interaction::ViewSubmission(form) => form_submitted(&context, &form),
            Interaction::SlashCommand(command) => self.slash_command(&context, &command).into(),
            Interaction::Event(Event { team, kind: EventKind::AppHomeOpened { user, tab }, .. }) if tab == "home" => {
                self.home_opened(&context, team.as_ref(), &user).into()
            }
            Interaction::Event(Event { id, team, kind: EventKind::Reaction(reaction), .. }) => {
                self.reacted(&context, (id.as_ref(), team.as_ref()), &reaction)
            }
            Interaction::Shortcut(shortcut) => self.shortcut(&context, &shortcut).into(),
            Interaction::Event(event) => self.installation_event(&event, integration, &config).into(),
            Interaction::Unsupported(used) => self.unsupported(&context, &used).into(),
            Interaction::Unknown { kind } => {
                info!("interaction ignored integration={} kind={kind:?}", context.integration);
                HttpReply::ok().into()
            }
        }
    }

    fn clicked(&self, context: &RequestContext, click: &BlockActions) -> Dispatched {
        let button = click.actions.first();
        if let Some(page) = button.and_then(|action| PageButton::from_click(action.id.as_ref(), action.chosen())) {
            return self.page_turned(context, click, page).into();
        }
        let now = clock::wall_ms() / 1000;
        match request::click(click, &context.integration, &context.config.acknowledge, now) {
            Click::Nothing => {}
            Click::Lost(requester) => {
                if self.paces.count(&requester) == Pace::Human {
                    let sentence = "That card is from another ackbell, or older than what this one remembers.";
                    self.reply_privately(context, &requester, sentence);
                }
            }
            Click::Ask { key, request } => {
                let config = Arc::clone(&context.config);
                let new = NewRequest { config, key, request: *request, source: ActionSource::Message };
                return Dispatched::ActionRequested(Box::new(new));
            }
            Click::Question { question, requester, subject } => self.asked(context, question, &requester, subject),
            Click::Form { available_action, requester, subject } => {
                self.open_form(context, click.origin.trigger.as_ref(), (available_action, requester, subject));
            }
        }
        HttpReply::ok().into()
    }

    /// A button that is answered to the person alone: by the same threads as the slash command.
    fn asked(&self, context: &RequestContext, question: ClickedQuestion, requester: &Requester, subject: Subject) {
        let what = SlashOrder::Clicked(question, subject);
        let order = Order { what, is_public: false, command: String::new(), core: None };
        let (config, key) = (Arc::clone(&context.config), String::new());
        let request = SlashRequest { config, requester: requester.clone(), order, from: 0, replaces: false, key };
        if let Err(Some(sentence)) = self.queue_slash_request(request) {
            self.reply_privately(context, requester, sentence);
        }
    }

    /// Has a form opened. While one is being opened, another tap of the same person asks for the same form.
    fn open_form(
        &self,
        context: &RequestContext,
        trigger: Option<&TriggerId>,
        (available_action, requester, subject): (AvailableAction, Requester, Subject),
    ) {
        if let Pace::TooFast(sentence) = self.paces.count(&requester) {
            if let Some(sentence) = sentence {
                self.reply_privately(context, &requester, sentence);
            }
            return;
        }
        let Some(trigger) = trigger else {
            return self.reply_privately(context, &requester, "Slack can't open a form from there.");
        };
        if !self.threads.open_forms.begin(&requester) {
            return;
        }
        let (config, trigger) = (Arc::clone(&context.config), trigger.as_ref().to_owned());
        let form = FormRequest { config, requester: requester.clone(), subject, available_action, trigger };
        if self.threads.forms.try_send(form).is_err() {
            self.threads.open_forms.end(&requester);
            self.reply_privately(context, &requester, "Too many forms are being opened; tap again in a moment.");
        }
    }

    /// An emoji on any message of any channel that the app is in: most are none of ours. The event's id is its own, so
    /// one that Slack sends again is the same request.
    fn reacted(
        &self,
        context: &RequestContext,
        (id, team): (Option<&EventId>, Option<&TeamId>),
        reaction: &Reaction,
    ) -> Dispatched {
        let now = clock::wall_ms() / 1000;
        let Some(requested_action) = request::reaction(reaction, &context.config, now) else {
            return HttpReply::ok().into();
        };
        let requester = Requester {
            integration: context.integration.clone(),
            team: team.map(|id| id.as_ref().to_owned()),
            user: reaction.user.as_ref().to_owned(),
            channel: Some(reaction.channel.as_ref().to_owned()),
            message: Some(reaction.message.as_ref().to_owned()),
            ..Requester::default()
        };
        match locked(&self.store).is_ours(requester.message_ref()) {
            Ok(true) => {}
            Ok(false) => return HttpReply::ok().into(),
            // Slack sends the event again.
            Err(e) => {
                error!("can't look for the message of an emoji reason={:?}", e.to_string());
                return HttpReply::text(500, "the event can't be kept").into();
            }
        }
        let own = id.map_or_else(|| clock::wall_ns().to_string(), |id| id.as_ref().to_owned());
        let key = format!("{} {} reaction {own}", context.integration, requester.user);
        let (config, name) = (Arc::clone(&context.config), requested_action.name().to_owned());
        let request = Request { name, requester, requested_action };
        Dispatched::ActionRequested(Box::new(NewRequest { config, key, request, source: ActionSource::Message }))
    }

    /// An entry of ours in a menu of Slack: a form about the message, or the list of problems.
    fn shortcut(&self, context: &RequestContext, shortcut: &Shortcut) -> HttpReply {
        let requester = Requester::new(&context.integration, &shortcut.origin, shortcut.message.as_ref());
        let available_action = match shortcut.name {
            ShortcutName::Acknowledge => AvailableAction::AcknowledgeWith,
            ShortcutName::Downtime => AvailableAction::Downtime,
            ShortcutName::Problems => {
                if let (Some(trigger), Pace::Human) = (&shortcut.origin.trigger, self.paces.count(&requester)) {
                    self.threads.problems_asked(requester, trigger.as_ref().to_owned());
                }
                return HttpReply::ok();
            }
        };
        let trigger = shortcut.origin.trigger.as_ref();
        self.open_form(context, trigger, (available_action, requester, Subject::default()));
        HttpReply::ok()
    }

    /// A button or a shortcut that no message or manifest of ackbell has.
    fn unsupported(&self, context: &RequestContext, used: &Unsupported) -> HttpReply {
        let integration = &context.integration;
        info!(
            "unknown button or shortcut integration={integration} kind={} user={:?}",
            used.kind,
            used.origin.user.as_ref()
        );
        let requester = Requester::new(integration, &used.origin, used.message.as_ref());
        if requester.response_url.is_some() && self.paces.count(&requester) == Pace::Human {
            let sentence = "ackbell doesn't know that button: it is another program's, or an old one.";
            self.reply_privately(context, &requester, sentence);
        }
        HttpReply::ok()
    }

    fn home_opened(&self, context: &RequestContext, team: Option<&TeamId>, user: &UserId) -> HttpReply {
        let requester = Requester {
            integration: context.integration.clone(),
            team: team.map(|id| id.as_ref().to_owned()),
            user: user.as_ref().to_owned(),
            ..Requester::default()
        };
        if self.paces.count(&requester) == Pace::Human {
            self.threads.home_opened(requester);
        }
        HttpReply::ok()
    }

    fn installation_event(&self, event: &Event, integration: &Integration, config: &Config) -> HttpReply {
        let (store, mut seen) = (locked(&self.store), locked(&self.revocations));
        match uninstalled::handle(event, integration, config, &store, &mut seen) {
            Ok(()) => HttpReply::ok(),
            // Slack sends the event again.
            Err(e) => {
                error!("can't record the end of an installation integration={} reason={e:?}", integration.name);
                HttpReply::text(500, "the event can't be kept")
            }
        }
    }

    /// A slash command. A mistake in it, and the help, is replied at once; the rest is answered by a thread.
    fn slash_command(&self, context: &RequestContext, command: &SlashCommand) -> HttpReply {
        let privately = |text: &str| HttpReply::json(json!({ "response_type": "ephemeral", "text": text }));
        let order = match slash::parse(&command.command, &command.text) {
            Ok(Order { what: SlashOrder::Help, .. }) => return privately(&slash_reply::help(&command.command)),
            Ok(order) => order,
            Err(sentence) => return privately(&mrkdwn::sentence(&sentence)),
        };
        let requester = Requester::new(&context.integration, &command.origin, None);
        let is_public = order.is_public;
        // Slack gives each command a trigger and a response URL of its own.
        let trigger = command.origin.trigger.as_ref().map(|trigger| trigger.as_ref().to_owned());
        let own = trigger.or_else(|| requester.response_url.clone()).unwrap_or_else(|| clock::wall_ns().to_string());
        let key = format!("{} {} command {own}", context.integration, requester.user);
        let config = Arc::clone(&context.config);
        match self.queue_slash_request(SlashRequest { config, requester, order, from: 0, replaces: false, key }) {
            // Shows everybody the command; the answer follows.
            Ok(()) if is_public => HttpReply::json(json!({ "response_type": "in_channel" })),
            Ok(()) => HttpReply::ok(),
            Err(sentence) => privately(sentence.unwrap_or(TOO_MANY)),
        }
    }

    /// Another page of a list.
    fn page_turned(&self, context: &RequestContext, click: &BlockActions, page: PageButton) -> HttpReply {
        let requester = Requester::new(&context.integration, &click.origin, click.message.as_ref());
        let filter = match Filter::written(&page.filter) {
            Ok(filter) => filter,
            Err(sentence) => {
                self.reply_privately(context, &requester, &sentence);
                return HttpReply::ok();
            }
        };
        // A list that everybody sees is turned by the person who asked for it; others get a page of their own, as they
        // may see other problems.
        let is_public = page.by.as_ref() == Some(&requester.user);
        let replaces = page.by.is_none_or(|by| by == requester.user);
        let order = Order { what: SlashOrder::Problems(filter), is_public, command: String::new(), core: page.core };
        let (config, key) = (Arc::clone(&context.config), String::new());
        let request = SlashRequest { config, requester: requester.clone(), order, from: page.from, replaces, key };
        if let Err(Some(sentence)) = self.queue_slash_request(request) {
            self.reply_privately(context, &requester, sentence);
        }
        HttpReply::ok()
    }

    /// An error is a sentence for the person, once; then there is none.
    fn queue_slash_request(&self, request: SlashRequest) -> Result<(), Option<&'static str>> {
        match self.paces.count(&request.requester) {
            Pace::TooFast(sentence) => Err(sentence),
            Pace::Human => self.threads.slash_queue.push(request).map_err(Some),
        }
    }

    /// Sends a person a message that nobody else sees, after the reply to Slack, which waits for nothing.
    fn reply_privately(&self, context: &RequestContext, requester: &Requester, sentence: &str) {
        self.threads.ephemeral.send(&context.config, requester, sentence);
    }
}

fn form_submitted(context: &RequestContext, form: &ViewAction) -> Dispatched {
    let now = clock::wall_ms() / 1000;
    let (about, action) = match forms::parse(&form.view, &context.config.acknowledge, now) {
        Some(Ok(parsed)) => parsed,
        Some(Err(errors)) => {
            return HttpReply::json(json!({ "response_action": "errors", "errors": errors })).into();
        }
        None => {
            debug!("unknown form integration={}", context.integration);
            return HttpReply::ok().into();
        }
    };
    let mut requester = Requester::new(&context.integration, &form.origin, None);
    (requester.channel, requester.message, requester.response_url) = (about.channel, about.message, about.response_url);
    let name = action.name().to_owned();
    let requested_action = RequestedAction::One { post: about.post, object: about.object, action };
    let key = format!("{} form {}", context.integration, form.view.id.as_ref());
    let (config, request) = (Arc::clone(&context.config), Request { name, requester, requested_action });
    Dispatched::ActionRequested(Box::new(NewRequest { config, key, request, source: ActionSource::Form }))
}

/// The integration that a request is for: of those that one app serves, that of the workspace the request came from.
/// Several workspaces can have one app, and so one signing secret.
fn integration_for<'a>(config: &'a Config, verified: &str, team: Option<&str>) -> Option<&'a Integration> {
    let first = config.integrations.iter().find(|integration| integration.name == verified)?;
    let same_app = |other: &&Integration| {
        other.name == first.name
            || other.signing_secrets.iter().any(|secret| first.signing_secrets.contains(secret))
            || other.app_token.is_some() && other.app_token == first.app_token
    };
    let is_of_team = |other: &&Integration| {
        let own = other.installation().map(|install| install.team_id.as_str()).or(other.team_id.as_deref());
        team.is_some() && own == team
    };
    let candidates = config.integrations.iter().filter(same_app).filter(is_of_team);
    Some(candidates.max_by_key(|other| other.name == verified).unwrap_or(first))
}

/// The reply where Slack was switched off: nothing is done, and no message is sent.
fn disabled(interaction: &Interaction, name: &str) -> HttpReply {
    info!("interaction ignored, the integration is disabled integration={name} kind={:?}", interaction.kind());
    let text = format!("disabled: the integration \"{name}\" is switched off in ackbell's configuration");
    match interaction {
        Interaction::SlashCommand(_) => HttpReply::json(json!({ "response_type": "ephemeral", "text": text })),
        // Shown in the form, which stays open.
        Interaction::ViewSubmission(_) => {
            HttpReply::json(json!({ "response_action": "errors", "errors": { "comment": text } }))
        }
        _ => HttpReply::text(200, text),
    }
}

//! Servers that take Slack's webhook format but aren't Slack: Mattermost, Rocket.Chat, Discord.

use serde_json::{Value, json};

use super::journal::Message;
use super::respond::Exchange;
use super::state::State;
use super::webhook::json_or_form;
use super::wire::{Answer, Request};

/// Which server a path plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Receiver {
    /// <https://developers.mattermost.com/integrate/webhooks/incoming/>
    Mattermost,
    /// <https://docs.rocket.chat/docs/integrations>
    RocketChat,
    /// <https://discord.com/developers/docs/resources/webhook#execute-slackcompatible-webhook>
    Discord,
}

impl Receiver {
    /// The receiver a path belongs to, if any.
    pub(super) fn of(path: &str) -> Option<Self> {
        if path.starts_with("/hooks/") {
            Some(Self::Mattermost)
        } else if path.starts_with("/rocketchat/hooks/") {
            Some(Self::RocketChat)
        } else if path.starts_with("/api/webhooks/") && path.ends_with("/slack") {
            Some(Self::Discord)
        } else {
            None
        }
    }

    /// Its name in logs and faults.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Mattermost => "mattermost",
            Self::RocketChat => "rocketchat",
            Self::Discord => "discord",
        }
    }

    /// Takes a message as that server would: none of them shows blocks.
    pub(super) fn answer(self, state: &mut State, request: &Request, exchange: &Exchange) -> Answer {
        let Some(given) = json_or_form(request).filter(|_| request.method == "POST") else {
            return self.refused("invalid payload");
        };
        let text = given["text"].as_str().unwrap_or_default().to_owned();
        let attached = given["attachments"].as_array().is_some_and(|list| list.iter().any(visible));
        if given.get("blocks").is_some() {
            state.journal.violate(exchange.seq, "blocks_ignored", self.label());
        }
        if text.trim().is_empty() && !attached {
            state.journal.violate(exchange.seq, "empty_post", self.label());
            return self.refused("no text specified");
        }
        let message = Message {
            received_ms: exchange.now_ms,
            channel: request.path.clone(),
            channel_name: given["channel"].as_str().unwrap_or(self.label()).to_owned(),
            ts: state.journal.next_ts(exchange.now_ms),
            via: self.label(),
            text,
            attachments: given["attachments"].clone(),
            raw: given,
            ..Message::default()
        };
        let id = message.ts.replace('.', "");
        state.journal.store(message);
        match self {
            Self::Mattermost => Answer::text(200, "ok"),
            Self::RocketChat => Answer::json(200, &json!({"success": true})),
            Self::Discord if request.query.split('&').any(|pair| pair == "wait=true") => {
                Answer::json(200, &json!({"id": id, "type": 0}))
            }
            Self::Discord => Answer { status: 204, headers: Vec::new(), body: Vec::new() },
        }
    }

    fn refused(self, why: &str) -> Answer {
        let body = match self {
            Self::Mattermost => {
                json!({"id": "web.incoming_webhook.error", "message": why, "status_code": 400, "request_id": "x"})
            }
            Self::RocketChat => json!({"success": false, "error": why}),
            Self::Discord => json!({"message": why, "code": 50006}),
        };
        Answer::json(400, &body)
    }
}

/// Whether a legacy attachment shows anything without its blocks.
fn visible(attachment: &Value) -> bool {
    let texts = ["text", "pretext", "title", "fallback"];
    let has_text = texts.iter().any(|name| attachment[*name].as_str().is_some_and(|text| !text.trim().is_empty()));
    has_text || attachment["fields"].as_array().is_some_and(|list| !list.is_empty())
}

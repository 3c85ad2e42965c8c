//! Checks the tokens and the channel at once, while the person who has them is still there. Each failure is a sentence with a remedy.

use crate::config::Destination;
use crate::model::outcome::Outcome;
use crate::model::slack_error::SlackError;
use crate::rules::remedy::{Context, remedy};
use crate::slack::api::Client;
use serde_json::{Value, json};
use std::time::Duration;

/// For one call.
const BUDGET: Duration = Duration::from_secs(10);
/// So many pages of channels are looked through; a workspace with more is asked for an id.
const PAGES_MAX: usize = 20;

/// The bot and workspace of a token (<https://docs.slack.dev/reference/methods/auth.test>).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bot {
    pub(crate) name: String,
    pub(crate) team: String,
}

/// A channel, as far as it can be looked up before the first message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Channel {
    /// It is there, and open to the app.
    Fine { id: String },
    /// Public, but the app isn't in it: it may post all the same, with `chat:write.public`.
    NotIn { id: String },
    /// The app may not look; the test message will tell.
    Unseen,
}

/// Asks Slack whose bot token this is.
pub(crate) fn bot(client: &Client) -> Result<Bot, String> {
    let answer = client.call("auth.test", &json!({}), BUDGET).map_err(|outcome| sentence(&outcome))?;
    let text = |key: &str| answer[key].as_str().unwrap_or_default().to_owned();
    Ok(Bot { name: text("user"), team: text("team") })
}

/// Whether an app-level token opens Socket Mode.
pub(crate) fn socket_mode(client: &Client) -> Result<(), String> {
    client.open_connection().map(drop).map_err(|outcome| sentence_about(&outcome, Context::SetupSocket))
}

/// Looks for the channel.
pub(crate) fn channel(client: &Client, wanted: &Destination) -> Result<Channel, String> {
    let found = match wanted {
        Destination::ChannelName(name) => by_name(client, name),
        Destination::ChannelId(id) => client
            .look_up("conversations.info", &[("channel", id)], BUDGET)
            .map(|answer| Some(answer["channel"].clone())),
        Destination::User(_) | Destination::Email(_) | Destination::Contact | Destination::OnCall(_) => {
            return Ok(Channel::Unseen);
        }
    };
    match found {
        Err(outcome) if outcome.is_missing_scope() => Ok(Channel::Unseen),
        Err(outcome) => Err(sentence(&outcome)),
        Ok(None) => Err(format!(
            "there is no public channel {wanted} in this workspace; for a private one, `/invite` the app in it and give its id \
             (at the end of the channel's details)"
        )),
        Ok(Some(channel)) if channel["is_archived"] == true => {
            Err(format!("{wanted} is archived; name another channel"))
        }
        Ok(Some(channel)) => {
            let id = channel["id"].as_str().unwrap_or_default().to_owned();
            let is_direct = channel["is_im"] == true;
            Ok(if is_direct || channel["is_member"] == true { Channel::Fine { id } } else { Channel::NotIn { id } })
        }
    }
}

fn by_name(client: &Client, name: &str) -> Result<Option<Value>, Outcome> {
    let mut cursor = String::new();
    for _ in 0..PAGES_MAX {
        let query =
            [("types", "public_channel"), ("exclude_archived", "false"), ("limit", "1000"), ("cursor", &cursor)];
        let most = if cursor.is_empty() { 3 } else { 4 };
        let answer = client.look_up("conversations.list", &query[..most], BUDGET)?;
        let channels = answer["channels"].as_array().map(Vec::as_slice).unwrap_or_default();
        if let Some(found) = channels.iter().find(|channel| channel["name"] == name) {
            return Ok(Some(found.clone()));
        }
        answer["response_metadata"]["next_cursor"].as_str().unwrap_or_default().clone_into(&mut cursor);
        if cursor.is_empty() {
            return Ok(None);
        }
    }
    // Too many to look at them all: that it wasn't seen means nothing.
    Err(Outcome::TokenNever { reason: SlackError::MissingScope { needed: String::new() }.into() })
}

/// Posts the test message.
pub(crate) fn post(client: &Client, channel: Option<&str>, text: &str) -> Result<(), String> {
    match client.post(channel, json!({ "text": text }), BUDGET) {
        Outcome::Delivered(_) => Ok(()),
        other => Err(sentence(&other)),
    }
}

/// An outcome as a sentence for the person who sets ackbell up, with a remedy where one is known.
pub(super) fn sentence(outcome: &Outcome) -> String {
    sentence_about(outcome, Context::Setup)
}

fn sentence_about(outcome: &Outcome, context: Context) -> String {
    match outcome {
        Outcome::Delivered(_) => String::new(),
        Outcome::Wait { after } => format!("Slack is busy; try again in {} s", after.as_secs().max(1)),
        Outcome::Unsure { .. } => outcome.reason().text,
        Outcome::Temporary { reason, .. } => {
            format!("can't reach Slack: {reason}; behind a proxy, set HTTPS_PROXY and start again")
        }
        Outcome::Plain { reason }
        | Outcome::MessageNever { reason }
        | Outcome::PostAnew { reason }
        | Outcome::DestinationNever { reason }
        | Outcome::TokenNever { reason } => match remedy(reason.error.as_ref(), context) {
            Some(remedy) => format!("Slack says {reason}; {remedy}"),
            None => format!("Slack says {reason}"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::slack_error::Reason;

    #[test]
    fn a_refusal_names_the_remedy() {
        let never = |code: &str| Outcome::TokenNever { reason: SlackError::from(code).into() };
        assert_eq!(
            sentence(&never("token_revoked")),
            "Slack says token_revoked; install the app to the workspace again, and copy the new token"
        );
        assert_eq!(sentence(&never("odd")), "Slack says odd");
        assert_eq!(sentence(&Outcome::Wait { after: Duration::from_secs(7) }), "Slack is busy; try again in 7 s");
        let hook = Outcome::TokenNever { reason: Reason::new(SlackError::NoService, "404 no_service".into()) };
        assert!(sentence(&hook).ends_with("the webhook was removed or never existed: copy its address again"));
    }
}

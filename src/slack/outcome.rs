//! What an answer of Slack means for a message: classified here, once, for every status, body and error code.
//!
//! Sources: <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks#handling_errors>,
//! <https://docs.slack.dev/reference/methods/chat.postMessage#errors>,
//! <https://docs.slack.dev/apis/web-api/rate-limits>. A code nobody documented is tried again slowly: that loses
//! nothing.

use crate::config::Flavor;
use crate::model::outcome::{Outcome, Posted};
use crate::model::slack_error::{Reason, SlackError};
use crate::system::secret::redact;
use serde::Deserialize;
use std::time::Duration;

/// The longest wait; a larger Retry-After counts as this.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// When a 429 doesn't say how long.
const RETRY_AFTER_DEFAULT: Duration = Duration::from_secs(30);
/// How much of a foreign answer is kept as a reason, in characters.
const REASON_CHARS_MAX: usize = 200;

/// An HTTP answer as it was read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<String>,
    /// As much of it as is read.
    pub(crate) body: String,
}

/// The part of a Web API answer that every method has.
#[derive(Debug, Default, Deserialize)]
struct WebApiAnswer {
    ok: bool,
    error: Option<String>,
    needed: Option<String>,
    provided: Option<String>,
    channel: Option<serde_json::Value>,
    ts: Option<String>,
    #[serde(default)]
    response_metadata: Metadata,
}

#[derive(Debug, Default, Deserialize)]
struct Metadata {
    #[serde(default)]
    messages: Vec<String>,
}

/// The outcome of a post to an incoming webhook. Slack keys on the body's text, compatible receivers on the status.
pub(crate) fn of_webhook(flavor: Flavor, answer: &Answer) -> Outcome {
    let code = answer.body.trim();
    if let Some(outcome) = of_status(answer) {
        return outcome;
    }
    if (200..300).contains(&answer.status) {
        return of_accepted_webhook(flavor, answer);
    }
    let error = SlackError::from(code);
    let is_about_webhook = error.is_about_webhook();
    let reason = Reason::new(error, format!("{} {}", answer.status, brief(code)));
    match code {
        "invalid_blocks" | "invalid_attachments" | "too_many_attachments" => Outcome::Plain { reason },
        "invalid_payload" | "no_text" => Outcome::MessageNever { reason },
        "user_not_found"
        | "channel_not_found"
        | "channel_is_archived"
        | "action_prohibited"
        | "posting_to_general_channel_denied" => Outcome::DestinationNever { reason },
        _ if is_about_webhook => Outcome::TokenNever { reason },
        "rollup_error" => Outcome::Temporary { reason, slow: false },
        _ => Outcome::Temporary { reason, slow: true },
    }
}

/// A 2xx with an odd body still is a success for Slack's webhook (a retry would duplicate), but a page is a captive
/// portal or a proxy speaking.
fn of_accepted_webhook(flavor: Flavor, answer: &Answer) -> Outcome {
    let body = answer.body.trim_start();
    let refused = flavor == Flavor::RocketChat && body.replace(' ', "").contains("\"success\":false");
    if refused {
        return Outcome::Temporary { reason: format!("refused: {}", brief(body)).into(), slow: true };
    }
    if is_page(body) {
        return Outcome::Temporary {
            reason: "a web page answered in Slack's place (a portal or proxy?)".into(),
            slow: false,
        };
    }
    Outcome::Delivered(None)
}

/// The outcome of a Web API method that posts.
pub(crate) fn of_web_api(answer: &Answer) -> Outcome {
    match read_web_api(answer) {
        Ok(answer) => Outcome::Delivered(match (answer.channel, answer.ts) {
            (Some(serde_json::Value::String(channel)), Some(ts)) => Some(Posted { channel, ts }),
            _ => None,
        }),
        Err(outcome) => outcome,
    }
}

/// The answer of any Web API method: its JSON when Slack said `ok`, else what that means.
pub(crate) fn of_lookup(answer: &Answer) -> Result<serde_json::Value, Outcome> {
    read_web_api(answer)?;
    serde_json::from_str(&answer.body).map_err(|e| Outcome::Temporary { reason: e.to_string().into(), slow: false })
}

fn read_web_api(answer: &Answer) -> Result<WebApiAnswer, Outcome> {
    if let Some(outcome) = of_status(answer) {
        return Err(outcome);
    }
    let Ok(read) = serde_json::from_str::<WebApiAnswer>(&answer.body) else {
        let reason = format!("{} without Slack's JSON: {}", answer.status, brief(&answer.body));
        return Err(Outcome::Temporary { reason: reason.into(), slow: answer.status >= 400 });
    };
    if read.ok && (200..300).contains(&answer.status) {
        return Ok(read);
    }
    Err(of_error_code(&read, answer.retry_after.as_deref()))
}

/// What every answer means by its status alone.
fn of_status(answer: &Answer) -> Option<Outcome> {
    match answer.status {
        429 => Some(Outcome::Wait { after: retry_after(answer.retry_after.as_deref()) }),
        408 | 500..=599 => Some(Outcome::Temporary { reason: format!("HTTP {}", answer.status).into(), slow: false }),
        300..=399 => Some(Outcome::TokenNever {
            reason: format!("HTTP {}: a redirect, so the address is wrong or a proxy answered", answer.status).into(),
        }),
        _ => None,
    }
}

/// One row for every code of the Web API; tested as a table.
fn of_error_code(answer: &WebApiAnswer, after: Option<&str>) -> Outcome {
    let code = answer.error.as_deref().unwrap_or("no error code");
    let error = match (SlackError::from(code), &answer.needed) {
        (SlackError::MissingScope { .. }, Some(needed)) => SlackError::MissingScope { needed: needed.clone() },
        (error, _) => error,
    };
    let is_about_credentials = error.is_about_credentials();
    let reason = Reason::new(error, reason_text(answer, code));
    match code {
        "ratelimited" | "rate_limited" => Outcome::Wait { after: retry_after(after) },
        "service_unavailable"
        | "internal_error"
        | "fatal_error"
        | "request_timeout"
        | "update_failed"
        | "external_channel_migrating" => Outcome::Temporary { reason, slow: false },
        "invalid_blocks"
        | "invalid_blocks_format"
        | "msg_blocks_too_long"
        | "invalid_attachments"
        | "too_many_attachments"
        | "attachment_payload_limit_exceeded"
        | "invalid_metadata_format"
        | "invalid_metadata_schema"
        | "metadata_too_large"
        | "msg_too_long" => Outcome::Plain { reason },
        "no_text" | "markdown_text_conflict" | "invalid_arguments" | "invalid_charset" | "block_mismatch" => {
            Outcome::MessageNever { reason }
        }
        "message_not_found"
        | "cant_update_message"
        | "edit_window_closed"
        | "cannot_reply_to_message"
        | "thread_not_found"
        | "restricted_action_non_threadable_channel"
        | "restricted_action_thread_locked" => Outcome::PostAnew { reason },
        "channel_not_found"
        | "not_in_channel"
        | "is_archived"
        | "is_inactive"
        | "messages_tab_disabled"
        | "user_not_found"
        | "users_not_found"
        | "user_disabled"
        | "not_enabled"
        | "user_not_in_channel"
        | "team_not_found" => Outcome::DestinationNever { reason },
        _ if code.starts_with("restricted_action") => Outcome::DestinationNever { reason },
        "invalid_code"
        | "code_already_used"
        | "bad_redirect_uri"
        | "bad_client_secret"
        | "invalid_client_id"
        | "invalid_refresh_token"
        | "invalid_grant_type"
        | "oauth_authorization_url_mismatch" => Outcome::TokenNever { reason },
        _ if is_about_credentials => Outcome::TokenNever { reason },
        _ => Outcome::Temporary { reason, slow: true },
    }
}

/// The code, with what Slack adds to it.
fn reason_text(answer: &WebApiAnswer, code: &str) -> String {
    let mut reason = brief(code);
    if let Some(needed) = &answer.needed {
        let provided = answer.provided.as_deref().unwrap_or("none");
        reason.push(' ');
        reason.push_str(&brief(&format!("(needs {needed}, has {provided})")));
    }
    if let Some(detail) = answer.response_metadata.messages.first() {
        reason.push_str(": ");
        reason.push_str(&brief(detail));
    }
    reason
}

/// Whole seconds from Slack, fractions from compatible servers; anything else counts as not said.
pub(crate) fn retry_after(value: Option<&str>) -> Duration {
    value
        .and_then(|text| text.trim().parse::<f64>().ok())
        .filter(|seconds| seconds.is_finite() && *seconds >= 0.0)
        .map_or(RETRY_AFTER_DEFAULT, |seconds| Duration::from_secs_f64(seconds.min(RETRY_AFTER_MAX.as_secs_f64())))
}

fn is_page(body: &str) -> bool {
    let start: String = body.chars().take(15).collect::<String>().to_ascii_lowercase();
    start.starts_with("<!doctype") || start.starts_with("<html")
}

/// One short clean line of a foreign text, secrets cut out.
pub(crate) fn brief(text: &str) -> String {
    // Redacted first: of a secret that is cut in two, the first half isn't known as one any more.
    let line = crate::model::notification::clean_line(text).chars().take(10 * REASON_CHARS_MAX).collect::<String>();
    let line = redact(&line);
    let mut short: String = line.chars().take(REASON_CHARS_MAX).collect();
    if short.len() < line.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests;

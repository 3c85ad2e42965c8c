//! Slack's side of an installation: where a browser is sent, and what the code it comes back with is exchanged for
//! (<https://docs.slack.dev/authentication/installing-with-oauth>).

use super::api::Client;
use crate::config::Integration;
use crate::model::outcome::Outcome;
use crate::rules::render::links::encode;
use crate::state_dir::installation::Install;
use crate::system::secret::Secret;
use serde_json::Value;
use std::time::Duration;

/// The page where a person agrees: at Slack's own host, or `GovSlack`'s (<https://docs.slack.dev/govslack>).
pub(crate) fn authorize_url(
    integration: &Integration,
    scopes: &[&str],
    redirect_uri: &str,
    state: &str,
    team: Option<&str>,
) -> String {
    let host = integration.api_url.trim_end_matches('/').trim_end_matches("/api");
    let client = encode(integration.client_id.as_deref().unwrap_or_default());
    let team = team.map_or_else(String::new, |team| format!("&team={}", encode(team)));
    let (scopes, redirect_uri, state) = (encode(&scopes.join(",")), encode(redirect_uri), encode(state));
    format!(
        "{host}/oauth/v2/authorize?client_id={client}&scope={scopes}&redirect_uri={redirect_uri}&state={state}{team}"
    )
}

/// Exchanges a code; it lives for 10 minutes and works once.
pub(crate) fn exchange(
    client: &Client,
    code: &str,
    redirect_uri: &str,
    now: i64,
    budget: Duration,
) -> Result<Install, Outcome> {
    let answer = client.grant(&[("code", code), ("redirect_uri", redirect_uri)], budget)?;
    read(&answer, now).map_err(|reason| Outcome::MessageNever { reason: reason.into() })
}

/// Exchanges a refresh token for a new pair; it works once
/// (<https://docs.slack.dev/authentication/using-token-rotation>). What Slack doesn't say again stays as it was.
pub(crate) fn refresh(client: &Client, old: &Install, now: i64, budget: Duration) -> Result<Install, Outcome> {
    let Some(token) = &old.refresh_token else {
        return Err(Outcome::TokenNever { reason: "there is no refresh token".into() });
    };
    let answer = client.grant(&[("grant_type", "refresh_token"), ("refresh_token", token.expose())], budget)?;
    let new = read(&answer, now).map_err(|reason| Outcome::Temporary { reason: reason.into(), slow: true })?;
    Ok(Install {
        refresh_token: new.refresh_token.or_else(|| old.refresh_token.clone()),
        installed_at: old.installed_at,
        events: old.events.clone(),
        revoked: old.revoked.clone(),
        version: old.version,
        ..new
    })
}

/// Its token would be for many workspaces, while an integration is the people and channels of one.
const ORGANISATION: &str = "that was an installation for a whole organisation, and an integration is one workspace: set \
    `team_id = \"T...\"` beside its `client_id`, so that Slack offers that workspace; each further one gets an \
    `[integrations.NAME]`";

/// A bot's installation in one workspace; anything else is of no use, and the text says why.
pub(crate) fn read(answer: &Value, now: i64) -> Result<Install, String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let token = text(&answer["access_token"]);
    if answer["token_type"] != "bot" || !(token.starts_with("xoxb-") || token.starts_with("xoxe.xoxb-")) {
        return Err("Slack gave no bot token: the app needs a bot user and bot scopes".to_owned());
    }
    let team = &answer["team"];
    if answer["is_enterprise_install"] == true || !team["id"].is_string() {
        return Err(ORGANISATION.to_owned());
    }
    Ok(Install {
        bot_token: Secret::new(token),
        refresh_token: answer["refresh_token"].as_str().map(|token| Secret::new(token.to_owned())),
        expires_at: answer["expires_in"].as_i64().map(|seconds| now.saturating_add(seconds)),
        team_id: text(&team["id"]),
        team_name: crate::model::notification::clean_line(&text(&team["name"])),
        bot_user: text(&answer["bot_user_id"]),
        scopes: text(&answer["scope"]),
        installed_at: now,
        revoked: None,
        events: Vec::new(),
        version: 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// The answer that Slack's page shows.
    fn published() -> Value {
        json!({
            "ok": true, "access_token": "xoxb-17653672481-19874698323", "token_type": "bot",
            "scope": "commands,incoming-webhook", "bot_user_id": "U0KRQLJ9H", "app_id": "A0KRD7HC3",
            "team": { "name": "Slack Pickleball Team", "id": "T9TK3CUKW" },
            "enterprise": { "name": "slack-pickleball", "id": "E12345678" }, "authed_user": { "id": "U1234" },
        })
    }

    #[test]
    fn slacks_own_example_is_read() {
        let install = read(&published(), 100).unwrap();
        assert_eq!((install.team_id.as_str(), install.team_name.as_str()), ("T9TK3CUKW", "Slack Pickleball Team"));
        assert_eq!((install.expires_at, install.refresh_token), (None, None));
        let rotating = json!({ "access_token": "xoxe.xoxb-1-a", "refresh_token": "xoxe-1-b", "expires_in": 43200 });
        let mut answer = published();
        answer.as_object_mut().unwrap().extend(rotating.as_object().unwrap().clone());
        assert_eq!(read(&answer, 100).unwrap().expires_at, Some(43300));
    }

    #[test]
    fn what_is_no_bot_in_one_workspace_is_refused() {
        for (key, value) in [
            ("token_type", json!("user")),
            ("access_token", json!("xoxp-1")),
            ("team", Value::Null),
            ("is_enterprise_install", json!(true)),
        ] {
            let mut answer = published();
            answer[key] = value;
            assert!(read(&answer, 100).is_err(), "{key}");
        }
    }
}

//! Installing an app and renewing its tokens. <https://docs.slack.dev/authentication/installing-with-oauth>,
//! <https://docs.slack.dev/authentication/using-token-rotation>

use std::collections::HashMap;

use serde_json::{Value, json};

use super::app::APP_ID;
use super::respond::Exchange;
use super::state::State;
use super::web_api::{Call, Refusal, Reply};
use super::wire::{Answer, Request, form_encode, form_fields};
use super::workspace::{BOT_USER, TEAM, Workspace};

/// Where a person agrees to the installation.
pub(super) const AUTHORIZE_PATH: &str = "/oauth/v2/authorize";
/// The method that gives tokens.
pub(super) const ACCESS: &str = "oauth.v2.access";
/// How long a code can be exchanged.
const CODE_MS: u64 = 10 * 60 * 1000;
/// How many access tokens of one installation live at once, where they rotate.
const LIVE_MAX: usize = 2;

/// The app's credentials, what is under way, and what was given.
#[derive(Debug)]
pub(super) struct Oauth {
    client_id: String,
    client_secret: String,
    /// The address browsers come back to, or one above it; empty: none is configured.
    redirect_url: String,
    /// Tokens live for so long and come with a refresh token.
    expires_in: Option<u64>,
    /// How long a refresh token that was used still gives the same pair.
    grace_ms: u64,
    /// The person says no.
    declines: bool,
    /// The person installs it for a whole Enterprise organisation.
    is_organisation: bool,
    /// The workspace the person chooses, and its name.
    team: (String, String),
    codes: HashMap<String, Code>,
    refreshes: HashMap<String, Refresh>,
    /// Every token given, the oldest first, with the time of its end.
    given: Vec<(String, Option<u64>)>,
    scopes: Vec<String>,
    made: u64,
}

#[derive(Debug)]
struct Code {
    redirect_uri: String,
    born_ms: u64,
    used: bool,
}

#[derive(Debug, Default)]
struct Refresh {
    /// When it was used, and what it gave.
    used: Option<(u64, Value)>,
}

impl Default for Oauth {
    fn default() -> Self {
        Self {
            client_id: "1111.2222".to_owned(),
            client_secret: "sandbox-client-secret".to_owned(),
            redirect_url: String::new(),
            expires_in: None,
            grace_ms: 10_000,
            declines: false,
            is_organisation: false,
            team: (TEAM.to_owned(), "Sandbox".to_owned()),
            codes: HashMap::new(),
            refreshes: HashMap::new(),
            given: Vec::new(),
            scopes: Vec::new(),
            made: 0,
        }
    }
}

impl Oauth {
    /// Takes over what the control API was given.
    pub(super) fn set(&mut self, given: &Value, workspace: &mut Workspace) -> Result<(), String> {
        for (name, value) in given.as_object().into_iter().flatten() {
            let text = || value.as_str().map(str::to_owned).ok_or_else(|| format!("oauth.{name} must be a text"));
            match name.as_str() {
                "client_id" => self.client_id = text()?,
                "client_secret" => self.client_secret = text()?,
                "redirect_url" => self.redirect_url = text()?,
                "expires_in" => self.expires_in = value.as_u64(),
                "grace_ms" => self.grace_ms = value.as_u64().unwrap_or(0),
                "declines" => self.declines = value == true,
                "organisation" => self.is_organisation = value == true,
                "team" => self.team = (text()?, "Another".to_owned()),
                "uninstalled" if value == true => self.revoke_all(workspace),
                other => return Err(format!("unknown key oauth.{other}")),
            }
        }
        Ok(())
    }

    /// What was given, for the control API.
    pub(super) fn json(&self) -> Value {
        let tokens: Vec<&str> = self.given.iter().map(|(token, _)| token.as_str()).collect();
        json!({"tokens": tokens, "scopes": self.scopes, "refresh_tokens": self.refreshes.len()})
    }

    fn revoke_all(&mut self, workspace: &mut Workspace) {
        for (token, _) in self.given.drain(..) {
            workspace.kill(&token, "token_revoked");
        }
        self.refreshes.clear();
        self.scopes.clear();
    }

    /// Ends the tokens whose time is over.
    pub(super) fn expire(&mut self, workspace: &mut Workspace, now_ms: u64) {
        self.given.retain(|(token, end)| {
            let is_over = end.is_some_and(|end| end <= now_ms);
            if is_over {
                workspace.kill(token, "token_expired");
            }
            !is_over
        });
    }

    fn next(&mut self) -> u64 {
        self.made += 1;
        self.made
    }

    /// A new token with all scopes, and a refresh token where they rotate; only so many live at once.
    fn give(&mut self, workspace: &mut Workspace, now_ms: u64) -> Value {
        let number = self.next();
        let prefix = if self.expires_in.is_some() { "xoxe.xoxb-1" } else { "xoxb" };
        let token = format!("{prefix}-oauth-{number}");
        workspace.grant(&token, &self.scopes);
        self.given.push((token.clone(), self.expires_in.map(|seconds| now_ms + seconds * 1000)));
        let ((team, name), is_organisation) = (&self.team, self.is_organisation);
        let value_if = |is_here: bool, value: Value| if is_here { value } else { Value::Null };
        let mut answer = json!({
            "access_token": token, "token_type": "bot", "scope": self.scopes.join(","), "bot_user_id": BOT_USER,
            "app_id": APP_ID, "team": value_if(!is_organisation, json!({"id": team, "name": name})),
            "enterprise": value_if(is_organisation, json!({"id": "E0SANDBOX", "name": "Sandboxes"})),
            "is_enterprise_install": is_organisation, "authed_user": {"id": "U0ALICE001"},
        });
        if let Some(seconds) = self.expires_in {
            while self.given.len() > LIVE_MAX {
                let (oldest, _) = self.given.remove(0);
                workspace.kill(&oldest, "token_revoked");
            }
            let refresh = format!("xoxe-1-refresh-{number}");
            answer["refresh_token"] = refresh.clone().into();
            answer["expires_in"] = seconds.into();
            self.refreshes.insert(refresh, Refresh::default());
        }
        answer
    }

    fn check_client(&self, call: &Call) -> Result<(), Refusal> {
        let in_form = || Some((call.text("client_id")?.to_owned(), call.text("client_secret")?.to_owned()));
        let (id, secret) = call.basic().or_else(in_form).ok_or_else(|| Refusal::new("invalid_client_id"))?;
        match (id == self.client_id, secret == self.client_secret) {
            (false, _) => Err(Refusal::new("invalid_client_id")),
            (true, false) => Err(Refusal::new("bad_client_secret")),
            (true, true) => Ok(()),
        }
    }

    fn take_code(&mut self, call: &Call, now_ms: u64) -> Result<(), Refusal> {
        let code = call.text("code").and_then(|code| self.codes.get_mut(code));
        let code = code.ok_or_else(|| Refusal::new("invalid_code"))?;
        if code.used || now_ms > code.born_ms + CODE_MS {
            return Err(Refusal::new("invalid_code"));
        }
        if call.text("redirect_uri") != Some(code.redirect_uri.as_str()) {
            return Err(Refusal::new("bad_redirect_uri"));
        }
        code.used = true;
        Ok(())
    }
}

/// A browser asks for the installation; whoever sits there agrees at once, or declines.
pub(super) fn authorize(state: &mut State, request: &Request, exchange: &Exchange) -> Answer {
    let fields: HashMap<String, String> = form_fields(&request.query).into_iter().collect();
    let field = |name: &str| fields.get(name).map(String::as_str).filter(|text| !text.is_empty());
    let oauth = &mut state.oauth;
    let redirect_uri = field("redirect_uri").unwrap_or_default().to_owned();
    let is_below = redirect_uri.starts_with("https://") && redirect_uri.starts_with(&oauth.redirect_url);
    let problem = match () {
        () if field("client_id") != Some(oauth.client_id.as_str()) => Some("invalid_client_id"),
        () if field("scope").is_none() => Some("no scopes"),
        () if !is_below || redirect_uri.contains('#') => Some("bad_redirect_uri"),
        () => None,
    };
    if let Some(problem) = problem {
        state.journal.violate(exchange.seq, "authorize", problem);
        return Answer::html(200, &format!("<html><body>Something went wrong: {problem}</body></html>"));
    }
    if field("state").is_none() {
        state.journal.violate(exchange.seq, "authorize", "no state");
    }
    let came_with = form_encode(field("state").unwrap_or_default());
    let query = if oauth.declines {
        format!("error=access_denied&state={came_with}")
    } else {
        let code = format!("1111.{}.code", oauth.next());
        for scope in field("scope").unwrap_or_default().split(',') {
            // Scopes add up over installations.
            if !oauth.scopes.iter().any(|have| have == scope) {
                oauth.scopes.push(scope.to_owned());
            }
        }
        let kept = Code { redirect_uri: redirect_uri.clone(), born_ms: exchange.now_ms, used: false };
        oauth.codes.insert(code.clone(), kept);
        format!("code={code}&state={came_with}")
    };
    Answer::html(302, "").with_header("location", &format!("{redirect_uri}?{query}"))
}

/// <https://docs.slack.dev/reference/methods/oauth.v2.access>
pub(super) fn access(state: &mut State, call: &Call, now_ms: u64) -> Reply {
    let oauth = &mut state.oauth;
    oauth.check_client(call)?;
    match call.text("grant_type") {
        None | Some("authorization_code") => {
            oauth.take_code(call, now_ms)?;
            Ok(oauth.give(&mut state.workspace, now_ms))
        }
        Some("refresh_token") => {
            let token = call.text("refresh_token").unwrap_or_default().to_owned();
            let invalid = || Refusal::new("invalid_refresh_token");
            let known = oauth.refreshes.get(&token).ok_or_else(invalid)?;
            match &known.used {
                // A short grace for an answer that was lost.
                Some((at, pair)) if now_ms <= at + oauth.grace_ms => return Ok(pair.clone()),
                Some(_) => return Err(invalid()),
                None => {}
            }
            let pair = oauth.give(&mut state.workspace, now_ms);
            oauth.refreshes.insert(token, Refresh { used: Some((now_ms, pair.clone())) });
            Ok(pair)
        }
        Some(_) => Err(Refusal::new("invalid_grant_type")),
    }
}

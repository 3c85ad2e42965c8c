//! The Web API's frame: arguments, token, scopes, envelope. <https://docs.slack.dev/apis/web-api/>

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value, json};

use super::app::APP_ID;
use super::respond::Exchange;
use super::state::State;
use super::wire::{Answer, Request, form_fields};
use super::workspace::Token;
use super::{chat, conversations, directory, files, oauth, reactions, schedule, views};

/// A method: its name, whether it takes JSON, how often a minute it may be called (0: as often as one likes), and the
/// scopes of which one is enough.
struct Method {
    name: &'static str,
    json: bool,
    tier: u32,
    scopes: &'static [&'static str],
}

const fn method(name: &'static str, json: bool, tier: u32, scopes: &'static [&'static str]) -> Method {
    Method { name, json, tier, scopes }
}

/// Calls a minute that Slack promises to take. <https://docs.slack.dev/apis/web-api/rate-limits>
const T2: u32 = 20;
const T3: u32 = 50;
const T4: u32 = 100;
/// Messages have a pace per channel instead, and a few methods a limit that nobody reaches.
const SPECIAL: u32 = 0;

const READ: &[&str] = &["channels:read", "groups:read", "im:read", "mpim:read"];
const HISTORY: &[&str] = &["channels:history", "groups:history", "im:history", "mpim:history"];

/// The one method of the app-level token.
const CONNECT: &str = "apps.connections.open";

/// What is played, with the scopes of <https://docs.slack.dev/reference/methods>.
const METHODS: [Method; 34] = [
    method("auth.test", true, SPECIAL, &[]),
    method(CONNECT, true, T3, &["connections:write"]),
    method(oauth::ACCESS, false, SPECIAL, &[]),
    method("reactions.add", true, T3, &["reactions:write"]),
    method("reactions.remove", true, T2, &["reactions:write"]),
    method("chat.postMessage", true, SPECIAL, &["chat:write"]),
    method("chat.update", true, T3, &["chat:write"]),
    method("chat.delete", true, T3, &["chat:write"]),
    method("chat.scheduleMessage", true, T3, &["chat:write"]),
    method("chat.deleteScheduledMessage", true, T3, &["chat:write"]),
    method("chat.scheduledMessages.list", true, T3, &[]),
    method("chat.postEphemeral", true, T4, &["chat:write"]),
    method("chat.getPermalink", false, SPECIAL, &[]),
    method("conversations.info", false, T3, READ),
    method("conversations.list", false, T2, READ),
    method("conversations.join", true, T3, &["channels:join"]),
    method("conversations.open", true, T3, &["im:write", "mpim:write"]),
    method("conversations.history", false, T3, HISTORY),
    method("conversations.replies", false, T3, HISTORY),
    method("conversations.members", false, T4, READ),
    method("users.info", false, T4, &["users:read"]),
    method("users.lookupByEmail", false, T3, &["users:read.email"]),
    method("usergroups.list", false, T2, &["usergroups:read"]),
    method("usergroups.users.list", false, T2, &["usergroups:read"]),
    method("usergroups.users.update", true, T2, &["usergroups:write"]),
    method("users.getPresence", false, T3, &["users:read"]),
    method("dnd.info", false, T3, &["dnd:read"]),
    // It takes no JSON.
    method(files::GET_URL, false, T4, &["files:write"]),
    method(files::COMPLETE, true, T4, &["files:write"]),
    method("views.open", true, T4, &[]),
    method("views.push", true, T4, &[]),
    method("views.update", true, T4, &[]),
    method("views.publish", true, T4, &[]),
    method("api.test", true, T4, &[]),
];

/// How often a minute a method may be called; 0 if that isn't limited.
pub(super) fn calls_a_minute(name: &str) -> u32 {
    METHODS.iter().find(|method| method.name == name).map_or(SPECIAL, |method| method.tier)
}

/// The scopes of which a method takes one.
pub fn scopes_taken(name: &str) -> Option<&'static [&'static str]> {
    METHODS.iter().find(|method| method.name == name).map(|method| method.scopes)
}

/// One call with its arguments read.
#[derive(Debug, Default)]
pub(super) struct Call {
    pub(super) method: String,
    /// The arguments; JSON texts in a form are left as they are.
    pub(super) args: Value,
    token: Option<String>,
    /// Whether the token came in the header.
    authorized: bool,
    /// The app's own credentials from the header.
    basic: Option<(String, String)>,
    refused: Option<&'static str>,
    warnings: Vec<&'static str>,
    violations: Vec<(&'static str, String)>,
}

impl Call {
    /// Reads query, form or JSON as Slack would.
    pub(super) fn read(request: &Request, name: &str) -> Self {
        let mut call = Self { method: name.to_owned(), args: json!({}), ..Self::default() };
        let json_input = METHODS.iter().any(|method| method.name == name && method.json);
        let query = form_fields(&request.query);
        match request.media_type().as_str() {
            "application/x-www-form-urlencoded" => {
                call.take_fields(form_fields(&String::from_utf8_lossy(&request.body)));
            }
            "application/json" if json_input => call.take_json(request),
            "application/json" => call.violations.push(("json_not_accepted", name.to_owned())),
            "" if request.body.is_empty() => {}
            "" => call.refused = Some("missing_post_type"),
            "multipart/form-data" => call.violations.push(("multipart", name.to_owned())),
            other => {
                call.violations.push(("wrong_content_type", other.to_owned()));
                call.refused = Some("invalid_post_type");
            }
        }
        if !query.is_empty() && call.args.as_object().is_some_and(|args| !args.is_empty()) {
            call.violations.push(("mixed_arguments", name.to_owned()));
        } else {
            // A token in the query is not taken: it ends up in logs. `watch` has written it down.
            call.take_fields(query.into_iter().filter(|(name, _)| name != "token").collect());
        }
        call.take_authorization(request);
        call
    }

    fn take_fields(&mut self, fields: Vec<(String, String)>) {
        for (name, value) in fields {
            if name == "token" {
                self.token = Some(value);
            } else {
                self.args[name] = Value::String(value);
            }
        }
    }

    fn take_json(&mut self, request: &Request) {
        match request.charset().as_deref() {
            None => self.warnings.push("missing_charset"),
            Some("utf-8" | "utf8") => {}
            Some(_) => self.refused = Some("invalid_charset"),
        }
        if request.body.is_empty() {
            return;
        }
        match serde_json::from_slice::<Value>(&request.body) {
            Ok(Value::Object(args)) => {
                // An explicit null means the default.
                let given: Map<String, Value> = args.into_iter().filter(|(_, value)| !value.is_null()).collect();
                self.args = Value::Object(given);
            }
            Ok(_) => self.refused = Some("json_not_object"),
            Err(_) => self.refused = Some("invalid_json"),
        }
    }

    /// `Bearer` is taken in exactly this case.
    fn take_authorization(&mut self, request: &Request) {
        let Some(value) = request.header("authorization") else { return };
        if let Some(login) = value.strip_prefix("Basic ").filter(|_| self.method == oauth::ACCESS) {
            let text = BASE64_STANDARD.decode(login).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            self.basic = text.and_then(|text| text.split_once(':').map(|(id, key)| (id.to_owned(), key.to_owned())));
            return;
        }
        match value.strip_prefix("Bearer ") {
            Some(token) => {
                self.token = Some(token.to_owned());
                self.authorized = true;
            }
            None => self.violations.push(("bad_authorization", value.chars().take(6).collect())),
        }
    }

    /// The app's id and secret from the header.
    pub(super) fn basic(&self) -> Option<(String, String)> {
        self.basic.clone()
    }

    /// A text argument that isn't empty.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.args[name].as_str().filter(|text| !text.is_empty())
    }

    /// A boolean, which a form gives as text.
    pub(super) fn flag(&self, name: &str) -> bool {
        match &self.args[name] {
            Value::Bool(value) => *value,
            Value::String(text) => text == "true" || text == "1",
            _ => false,
        }
    }

    /// A number, which a form gives as text.
    pub(super) fn number(&self, name: &str) -> Option<usize> {
        match &self.args[name] {
            Value::Number(number) => number.as_u64().and_then(|number| usize::try_from(number).ok()),
            Value::String(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// A structure, which a form gives as JSON text; `None` if it isn't given, an error if it can't be read.
    pub(super) fn structure(&self, name: &str) -> Result<Option<Value>, ()> {
        match &self.args[name] {
            Value::Null => Ok(None),
            Value::String(text) if text.is_empty() => Ok(None),
            Value::String(text) => serde_json::from_str(text).map(Some).map_err(|_| ()),
            other => Ok(Some(other.clone())),
        }
    }
}

/// A refusal: Slack's word and whatever stands beside it.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) error: String,
    pub(super) more: Map<String, Value>,
}

impl Refusal {
    /// The bare error word.
    pub(super) fn new(error: &str) -> Self {
        Self { error: error.to_owned(), more: Map::new() }
    }

    /// With the lines of `response_metadata.messages`.
    pub(super) fn with_messages(error: &str, messages: &[String]) -> Self {
        let mut refusal = Self::new(error);
        refusal.more.insert("response_metadata".to_owned(), json!({"messages": messages}));
        refusal
    }

    /// A required argument isn't there.
    pub(super) fn missing(name: &str) -> Self {
        Self::with_messages("invalid_arguments", &[format!("[ERROR] missing required field: {name}")])
    }

    fn missing_scope(needed: &[&str], provided: &[String]) -> Self {
        let mut refusal = Self::new("missing_scope");
        refusal.more.insert("needed".to_owned(), needed.join(",").into());
        refusal.more.insert("provided".to_owned(), provided.join(",").into());
        refusal
    }
}

/// What a method answers: the fields beside `ok`, or a refusal.
pub(super) type Reply = Result<Value, Refusal>;

/// Fails with `missing_scope` unless one of the scopes is there.
pub(super) fn require(provided: &[String], needed: &[&str]) -> Result<(), Refusal> {
    let granted = needed.is_empty() || needed.iter().any(|scope| provided.iter().any(|have| have == scope));
    if granted { Ok(()) } else { Err(Refusal::missing_scope(needed, provided)) }
}

/// Answers a call, in the envelope and with the headers that every answer has.
pub(super) fn answer(state: &mut State, call: &Call, exchange: &Exchange) -> Answer {
    for (kind, detail) in &call.violations {
        state.journal.violate(exchange.seq, kind, detail);
    }
    let Some(method) = METHODS.iter().find(|method| method.name == call.method) else {
        let message = json!({"ok": false, "error": "unknown_method", "req_method": call.method});
        return Answer::json(200, &message);
    };
    state.oauth.expire(&mut state.workspace, exchange.now_ms);
    if call.method == oauth::ACCESS {
        let reply = call.refused.map_or_else(|| oauth::access(state, call, exchange.now_ms), |e| Err(Refusal::new(e)));
        return Answer::json(200, &envelope(reply, call));
    }
    let scopes = granted(state, call);
    let provided = scopes.as_ref().map(|scopes| scopes.join(",")).unwrap_or_default();
    let reply = scopes.and_then(|scopes| {
        if let Some(error) = call.refused {
            return Err(Refusal::new(error));
        }
        require(&scopes, method.scopes)?;
        dispatch(state, call, exchange, &scopes)
    });
    let answer = Answer::json(200, &envelope(reply, call));
    let answer = answer.with_header("x-accepted-oauth-scopes", &method.scopes.join(","));
    if provided.is_empty() { answer } else { answer.with_header("x-oauth-scopes", &provided) }
}

/// The scopes of the token that came with a call, or why it opens nothing.
fn granted(state: &State, call: &Call) -> Result<Vec<String>, Refusal> {
    let token = call.token.as_deref().ok_or_else(|| Refusal::new("not_authed"))?;
    let connects = call.method == CONNECT;
    match state.workspace.token(token) {
        None => Err(Refusal::new("invalid_auth")),
        Some(Token::Dead(error)) => Err(Refusal::new(error)),
        Some(Token::AppLevel) if connects && !call.authorized => Err(Refusal::new("invalid_auth")),
        Some(Token::AppLevel) if connects => Ok(vec!["connections:write".to_owned()]),
        Some(Token::Scopes(scopes)) if !connects => Ok(scopes.clone()),
        Some(_) => Err(Refusal::new("not_allowed_token_type")),
    }
}

/// <https://docs.slack.dev/reference/methods/apps.connections.open>
fn connect(state: &mut State, exchange: &Exchange) -> Value {
    let address = exchange.origin.replacen("http", "ws", 1);
    let ticket = state.sockets.ticket(exchange.now_ms);
    json!({"url": format!("{address}/link/?ticket={ticket}&app_id={APP_ID}")})
}

fn envelope(reply: Reply, call: &Call) -> Value {
    let mut body = match reply {
        Ok(mut fields) => {
            fields["ok"] = true.into();
            fields
        }
        Err(refusal) => {
            let mut fields = refusal.more;
            fields.insert("ok".to_owned(), false.into());
            fields.insert("error".to_owned(), refusal.error.into());
            Value::Object(fields)
        }
    };
    let mut warnings: Vec<&str> = call.warnings.clone();
    let own = body["warning"].as_str().map(str::to_owned);
    warnings.extend(own.as_deref());
    if !warnings.is_empty() {
        body["response_metadata"]["warnings"] = json!(warnings);
        body["warning"] = warnings.join(",").into();
    }
    body
}

fn dispatch(state: &mut State, call: &Call, exchange: &Exchange, scopes: &[String]) -> Reply {
    match call.method.as_str() {
        "api.test" => Ok(json!({"args": call.args})),
        "auth.test" => Ok(json!({
            "url": "https://sandbox.slack.com/", "team": "Sandbox", "user": "ackbell", "team_id": "T0SANDBOX",
            "user_id": super::workspace::BOT_USER, "bot_id": "B0SANDBOX", "is_enterprise_install": false,
        })),
        CONNECT => Ok(connect(state, exchange)),
        "reactions.add" | "reactions.remove" => reactions::answer(state, call),
        "chat.postMessage" => chat::post_message(state, call, exchange, scopes),
        "chat.update" => chat::update(state, call, exchange),
        "chat.delete" => chat::delete(state, call),
        "chat.postEphemeral" => chat::post_ephemeral(state, call, exchange),
        "chat.scheduleMessage" => chat::schedule(state, call, exchange, scopes),
        "chat.deleteScheduledMessage" => schedule::delete(state, call, exchange),
        "chat.scheduledMessages.list" => schedule::list(state, call),
        "chat.getPermalink" => chat::get_permalink(state, call),
        "users.info" => directory::info(state, call),
        "users.lookupByEmail" => directory::lookup_by_email(state, call),
        "usergroups.list" => Ok(directory::groups(state, call)),
        "usergroups.users.list" => directory::group_users(state, call),
        "usergroups.users.update" => directory::set_group_users(state, call),
        "users.getPresence" => directory::presence(state, call),
        "dnd.info" => directory::do_not_disturb(state, call),
        files::GET_URL => files::get_url(state, call, exchange),
        files::COMPLETE => files::complete(state, call, exchange),
        name if name.starts_with("views.") => views::answer(state, call, exchange.now_ms),
        _ => conversations::answer(state, call, scopes),
    }
}

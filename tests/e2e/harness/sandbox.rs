//! The stand-in for Slack, and what a test asks of it in human words.

use super::process::{ACKBELL, Running};
use super::wait;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

pub(crate) const TOKEN: &str = "xoxb-sandbox-0000000000";

/// A running stand-in for Slack. It ends with the last handle to it.
#[derive(Clone)]
pub(crate) struct Sandbox {
    #[expect(dead_code, reason = "it ends with us")]
    child: Option<Arc<Running>>,
    pub(crate) url: String,
    agent: ureq::Agent,
}

impl Sandbox {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(ACKBELL)
            .args(["sandbox", "--listen", "127.0.0.1:0"])
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut first = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut first).unwrap();
        let url = first.trim().rsplit(' ').next().unwrap().to_owned();
        assert!(url.starts_with("http"), "{first}");
        let sandbox = Self { child: Some(Arc::new(Running(child))), url, agent: agent() };
        // What the app of `ackbell manifest` may do, and nothing else: a call beyond that fails its test.
        let manifest: Value = serde_json::from_str(include_str!("../../../contrib/slack/socket-mode.json")).unwrap();
        let scopes: Vec<&str> =
            manifest["oauth_config"]["scopes"]["bot"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        sandbox.tell("state", &json!({"tokens": {TOKEN: {"scopes": scopes.join(",")}}}));
        sandbox
    }

    /// One that somebody else started.
    pub(crate) fn at(url: &str) -> Self {
        Self { child: None, url: url.to_owned(), agent: agent() }
    }

    /// An address of its incoming webhooks; each name is a channel.
    pub(crate) fn webhook(&self, name: &str) -> String {
        format!("{}/services/T0SANDBOX/{name}/x", self.url)
    }

    /// Of a control; or of a path, if it starts with a slash.
    fn address(&self, what: &str) -> String {
        let below = if what.starts_with('/') { "" } else { "/_sandbox/" };
        format!("{}{below}{what}", self.url)
    }

    pub(crate) fn get(&self, what: &str) -> Value {
        let mut answer = self.agent.get(self.address(what)).call().unwrap();
        let body = answer.body_mut().with_config().limit(500_000_000).read_to_string().unwrap();
        serde_json::from_str(&body).unwrap()
    }

    pub(crate) fn tell(&self, what: &str, order: &Value) {
        let answer = self.agent.post(self.address(what)).send(order.to_string());
        answer.unwrap_or_else(|e| panic!("{what}: {e}"));
    }

    /// Calls a method of the Web API as somebody else would.
    #[track_caller]
    pub(crate) fn api(&self, method: &str, arguments: &Value) -> Value {
        let request = self.agent.post(format!("{}/api/{method}", self.url));
        let request = request.header("Authorization", format!("Bearer {TOKEN}"));
        let request = request.header("Content-Type", "application/json; charset=utf-8");
        let answer = request.send(arguments.to_string()).unwrap().body_mut().read_to_string().unwrap();
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(answer["ok"], true, "{method}: {answer}");
        answer
    }

    /// Tells the stand-in to do something, and gives what came of it.
    #[track_caller]
    pub(crate) fn order(&self, what: &str, order: &Value) -> Value {
        let answer = self.agent.post(self.address(what)).config().http_status_as_error(false).build();
        let answer = answer.send(order.to_string()).unwrap().body_mut().read_to_string().unwrap();
        serde_json::from_str(&answer).unwrap()
    }

    /// Somebody clicks on a message, and Slack has its answer in time.
    #[track_caller]
    pub(crate) fn click(&self, message: &Value, action: &str, more: &Value) -> Value {
        let mut click = serde_json::json!({"channel": message["channel"], "ts": message["ts"], "action_id": action});
        for (key, value) in more.as_object().into_iter().flatten() {
            click[key] = value.clone();
        }
        let answer = self.order("click", &click);
        let expected = (&Value::from(true), &Value::from(200));
        assert_eq!((&answer["ok"], &answer["status"]), expected, "{answer}: {}", message["attachments"]);
        answer
    }

    /// What one person alone was told.
    pub(crate) fn whispers(&self) -> Vec<String> {
        let to_one = self.messages().into_iter().filter(|message| !message["ephemeral_for"].is_null());
        to_one.map(|message| message["text"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Waits for words to one person alone.
    #[track_caller]
    pub(crate) fn expect_whisper(&self, words: &str) -> String {
        wait::until(&format!("\"{words}\" to one person"), || {
            let whispers = self.whispers();
            whispers.iter().find(|whisper| whisper.contains(words)).cloned().ok_or(format!("{whispers:?}"))
        })
    }

    /// How many times the app is connected over Socket Mode.
    pub(crate) fn connections(&self) -> usize {
        self.get("sockets")["connections"].as_array().map_or(0, Vec::len)
    }

    /// The forms and Homes that somebody sees.
    pub(crate) fn views(&self) -> Vec<Value> {
        self.get("views").as_array().cloned().unwrap_or_default()
    }

    /// How many calls it has had.
    pub(crate) fn requests(&self) -> usize {
        self.get("requests").as_array().map_or(0, Vec::len)
    }

    /// The messages people would see, in order.
    pub(crate) fn messages(&self) -> Vec<Value> {
        list(self.get("messages"), "messages")
    }

    /// The first lines of the messages.
    pub(crate) fn texts(&self) -> Vec<String> {
        self.messages().iter().map(|message| message["text"].as_str().unwrap_or_default().to_owned()).collect()
    }

    pub(crate) fn violations(&self) -> Vec<Value> {
        list(self.get("violations"), "violations")
    }

    /// Slack got nothing it would refuse, silently or not.
    #[track_caller]
    pub(crate) fn assert_respected(&self) {
        let violations = self.violations();
        assert!(violations.is_empty(), "{}", json!(violations));
    }

    /// Waits until so many messages are there.
    #[track_caller]
    pub(crate) fn wait_for_messages(&self, count: usize) -> Vec<Value> {
        wait::until(&format!("{count} messages"), || {
            let messages = self.messages();
            if messages.len() >= count { Ok(messages) } else { Err(format!("{:?}", self.texts())) }
        })
    }
}

/// The configuration of an app whose Web API is there: it posts to `#ops`.
pub(crate) fn by_token(url: &str) -> String {
    format!("[slack]\nbot_token = \"{TOKEN}\"\napi_url = \"{url}/api/\"\nchannel = \"#ops\"\n")
}

fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder()
        .timeout_global(Some(Duration::from_secs(20)))
        .tls_config(
            ureq::tls::TlsConfig::builder()
                .disable_verification(true)
                .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .build(),
        )
        .build();
    config.into()
}

fn list(answer: Value, key: &str) -> Vec<Value> {
    match answer {
        Value::Array(items) => items,
        mut object => object[key].take().as_array().cloned().unwrap_or_default(),
    }
}

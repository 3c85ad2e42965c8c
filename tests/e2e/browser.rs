//! A headless Chromium, driven over `WebDriver` (<https://www.w3.org/TR/webdriver2/>).

use crate::harness::process::{Running, free_port};
use crate::harness::wait;
use base64::Engine as _;
use serde_json::{Value, json};
use std::process::{Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// How an element is named in answers. <https://www.w3.org/TR/webdriver2/#elements>
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// One browser with one window.
pub(crate) struct Browser {
    agent: ureq::Agent,
    session: String,
    _driver: Running,
    _profile: TempDir,
}

impl Browser {
    /// A window of this size, on a system that is `light` or `dark`.
    pub(crate) fn of(width: u32, height: u32, scheme: &str) -> Self {
        let browser = Self::start();
        browser.resize(width, height);
        browser.prefer(scheme);
        browser
    }

    pub(crate) fn start() -> Self {
        let port = free_port();
        let profile = tempfile::tempdir().unwrap();
        let driver = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|e| panic!("chromedriver: {e}; apt-get install chromium chromium-driver"));
        let driver = Running(driver);
        let config =
            ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(120))).http_status_as_error(false);
        let agent: ureq::Agent = config.build().into();
        let base = format!("http://127.0.0.1:{port}");
        wait::until("chromedriver", || agent.get(format!("{base}/status")).call().is_ok());
        let arguments = json!([
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--no-first-run",
            "--lang=en",
            format!("--user-data-dir={}", profile.path().display()),
        ]);
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": {"args": arguments},
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }}});
        let mut browser = Self { agent, session: format!("{base}/session"), _driver: driver, _profile: profile };
        let made = browser.post("", &wanted);
        browser.session = format!("{}/{}", browser.session, made["sessionId"].as_str().unwrap());
        browser
    }

    #[track_caller]
    fn post(&self, path: &str, body: &Value) -> Value {
        let (status, value) = self.try_post(path, body);
        assert_eq!(status, 200, "{path} {body}: {value}");
        value
    }

    fn try_post(&self, path: &str, body: &Value) -> (u16, Value) {
        let request = self.agent.post(format!("{}{path}", self.session)).header("Content-Type", "application/json");
        let mut answer = request.send(body.to_string()).unwrap();
        let text = answer.body_mut().with_config().limit(50_000_000).read_to_string().unwrap();
        let mut body: Value = serde_json::from_str(&text).unwrap();
        (answer.status().as_u16(), body["value"].take())
    }

    pub(crate) fn open(&self, url: &str) {
        self.post("/url", &json!({"url": url}));
    }

    /// What a function's body returns in the page.
    #[track_caller]
    pub(crate) fn run(&self, script: &str) -> Value {
        self.post("/execute/sync", &json!({"script": script, "args": []}))
    }

    /// A command of Chromium's own protocol.
    fn chromium(&self, command: &str, parameters: &Value) {
        self.post("/goog/cdp/execute", &json!({"cmd": command, "params": parameters}));
    }

    /// The window's inside, in CSS pixels, also narrower than a window can be.
    pub(crate) fn resize(&self, width: u32, height: u32) {
        let metrics = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500});
        self.chromium("Emulation.setDeviceMetricsOverride", &metrics);
    }

    /// `light` or `dark`, as the system would say.
    pub(crate) fn prefer(&self, scheme: &str) {
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.chromium("Emulation.setEmulatedMedia", &features);
    }

    fn find(&self, css: &str) -> Option<String> {
        let (status, value) = self.try_post("/element", &json!({"using": "css selector", "value": css}));
        (status == 200).then(|| value[ELEMENT].as_str().unwrap().to_owned())
    }

    /// Presses what is there, once it is there and nothing covers it.
    #[track_caller]
    pub(crate) fn press(&self, css: &str) {
        let mut said = Value::Null;
        wait::until(&format!("{css} to press: {}", self.text("body")), || {
            let Some(element) = self.find(css) else { return false };
            let (status, value) = self.try_post(&format!("/element/{element}/click"), &json!({}));
            said = value;
            status == 200
        });
    }

    /// Types into a field.
    #[track_caller]
    pub(crate) fn type_into(&self, css: &str, text: &str) {
        wait::until(css, || {
            let Some(element) = self.find(css) else { return false };
            self.try_post(&format!("/element/{element}/value"), &json!({"text": text})).0 == 200
        });
    }

    /// Types wherever the focus is.
    pub(crate) fn keys(&self, keys: &str) {
        let each = keys
            .chars()
            .flat_map(|key| [json!({"type": "keyDown", "value": key}), json!({"type": "keyUp", "value": key})]);
        let actions = json!({"actions": [{"type": "key", "id": "keyboard", "actions": each.collect::<Vec<_>>()}]});
        self.post("/actions", &actions);
    }

    /// What one reads there; nothing, if it isn't there.
    pub(crate) fn text(&self, css: &str) -> String {
        let script = format!("return document.querySelector({})?.innerText ?? ''", json!(css));
        self.run(&script).as_str().unwrap_or_default().to_owned()
    }

    #[track_caller]
    pub(crate) fn wait_for(&self, css: &str, words: &str) {
        self.wait(&format!("\"{words}\" in {css}"), || self.text(css).contains(words));
    }

    #[track_caller]
    pub(crate) fn wait_gone(&self, css: &str) {
        self.wait(&format!("the end of {css}"), || self.find(css).is_none());
    }

    #[track_caller]
    pub(crate) fn wait(&self, what: &str, condition: impl Fn() -> bool) {
        wait::until(what, || if condition() { Ok(()) } else { Err(self.text("body")) });
    }

    /// Lines that a browser's console has, and every address that was asked, since the last time.
    pub(crate) fn noticed(&self) -> (Vec<String>, Vec<String>) {
        let entries = |kind: &str| self.post("/se/log", &json!({"type": kind})).as_array().cloned().unwrap_or_default();
        let console = entries("browser").iter().map(|entry| entry["message"].as_str().unwrap().to_owned()).collect();
        let asked = entries("performance").into_iter().filter_map(|entry| {
            let message: Value = serde_json::from_str(entry["message"].as_str()?).ok()?;
            let sent = message["message"]["method"] == "Network.requestWillBeSent";
            sent.then(|| message["message"]["params"]["request"]["url"].as_str().map(str::to_owned)).flatten()
        });
        (console, asked.collect())
    }

    /// A picture of the window, for people, where `PAGE_PICTURES` names a directory.
    pub(crate) fn picture(&self, name: &str) {
        let Some(directory) = std::env::var_os("PAGE_PICTURES") else { return };
        let mut answer = self.agent.get(format!("{}/screenshot", self.session)).call().unwrap();
        let text = answer.body_mut().with_config().limit(50_000_000).read_to_string().unwrap();
        let body: Value = serde_json::from_str(&text).unwrap();
        let png = base64::engine::general_purpose::STANDARD.decode(body["value"].as_str().unwrap()).unwrap();
        std::fs::write(std::path::Path::new(&directory).join(format!("{name}.png")), png).unwrap();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // chromedriver ends the browser with the session.
        let _ = self.agent.delete(&self.session).call();
    }
}

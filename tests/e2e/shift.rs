//! A person on call: a stand-in, a site whose listener is on Socket Mode, and what is seen and clicked there.

use crate::world::{Running, Sandbox, Site, wait_until};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::time::Duration;

pub(crate) struct Shift {
    pub(crate) sandbox: Sandbox,
    pub(crate) site: Site,
    listener: Option<Running>,
}

impl Shift {
    /// Nothing listens yet, so that the core can be laid out first.
    pub(crate) fn prepare() -> Self {
        let sandbox = Sandbox::start(&["--burst", "500"]);
        sandbox.tell("state", &json!({"app": {"socket_mode": true}}));
        let site = Site::with_token(&sandbox, "");
        Self { sandbox, site, listener: None }
    }

    /// Another configuration, and a listener with it.
    pub(crate) fn begin(&mut self, more: &str) {
        let slack = format!(
            "[slack]\nbot_token = \"{}\"\napp_token = \"xapp-sandbox-0000000000\"\napi_url = \"{}/api/\"\nchannel = \"#ops\"\n",
            crate::world::TOKEN,
            self.sandbox.url
        );
        self.listener = None;
        self.site.configure(&format!("{slack}{more}"));
        // The core's user, who runs `notify`, reads it.
        let owner = fs::metadata(self.site.dir.path()).unwrap();
        chown(self.site.config(), Some(owner.uid()), Some(owner.gid())).unwrap();
        let connections = || self.sandbox.get("sockets")["connections"].as_array().unwrap().len();
        wait_until("the old connection's end", Duration::from_secs(10), || connections() == 0);
        self.listener = Some(self.site.listen());
        wait_until("the connection", Duration::from_secs(10), || connections() == 1);
    }

    /// Waits for a message whose text starts so, and returns it.
    #[track_caller]
    pub(crate) fn wait(&self, start: &str) -> Value {
        let mut found = None;
        let started = std::time::Instant::now();
        while found.is_none() {
            let texts = self.sandbox.texts();
            assert!(started.elapsed() < Duration::from_secs(90), "no \"{start}\" in {texts:?}\n{}", self.site.log());
            found = self.sandbox.messages().into_iter().find(|m| m["text"].as_str().unwrap().starts_with(start));
            std::thread::sleep(Duration::from_millis(50));
        }
        found.unwrap()
    }

    /// Waits until this message's text starts so, and returns it as it is then.
    #[track_caller]
    pub(crate) fn becomes(&self, card: &Value, start: &str) -> Value {
        let started = std::time::Instant::now();
        loop {
            let messages = self.sandbox.messages();
            let now = messages.iter().find(|message| message["ts"] == card["ts"]).unwrap();
            if now["text"].as_str().unwrap().starts_with(start) {
                return now.clone();
            }
            let log = || (self.sandbox.texts(), self.site.log());
            assert!(started.elapsed() < Duration::from_secs(90), "no \"{start}\" in {}\n{:?}", now["text"], log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits for words to one person.
    #[track_caller]
    pub(crate) fn told(&self, words: &str) {
        let said = || self.sandbox.whispers();
        let started = std::time::Instant::now();
        while !said().iter().any(|told| told.contains(words)) {
            assert!(started.elapsed() < Duration::from_secs(90), "no \"{words}\" in {:?}", said());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Opens a form by a click, and submits it.
    #[track_caller]
    pub(crate) fn fill_in(&self, card: &Value, action: &str, click: &Value, values: &Value) {
        let views = || self.sandbox.get("views").as_array().unwrap().len();
        let before = views();
        self.sandbox.click(card, action, click);
        wait_until("the form", Duration::from_secs(5), || views() > before);
        let answer = self.sandbox.order("submit", &json!({ "values": values }));
        assert_eq!((&answer["ok"], &answer["status"]), (&json!(true), &json!(200)), "{answer}");
    }
}

//! Somebody on call: a stand-in for Slack, a core, a listener between the two, and what that person sees and clicks.

use super::nagios::Nagios;
use super::process::{Running, free_port, text};
use super::sandbox::{Sandbox, by_token};
use super::site::Site;
use super::wait;
use serde_json::{Value, json};
use std::fmt;
use std::fs;
use std::ops::Deref;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::PathBuf;

/// How clicks come in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Http,
    SocketMode,
}

/// Processes end before the directory goes, the stand-in last.
pub(crate) struct OnCall<C = ()> {
    pub(crate) listener: Option<Running>,
    pub(crate) core: C,
    pub(crate) site: Site,
    pub(crate) sandbox: Sandbox,
    /// What the configuration says of Slack.
    slack: String,
}

impl OnCall {
    /// Without a core, and nobody listens yet. Slack takes a burst of so many messages before it wants our pace.
    pub(crate) fn prepare(way: Way, burst: &str) -> Self {
        let port = free_port();
        let url = format!("http://127.0.0.1:{port}/slack/request");
        let sandbox = match way {
            Way::Http => Sandbox::start(&["--burst", burst, "--request-url", &url]),
            Way::SocketMode => Sandbox::start(&["--burst", burst]),
        };
        sandbox.tell("state", &json!({"app": {"socket_mode": way == Way::SocketMode}}));
        let door = match way {
            Way::Http => {
                format!("signing_secret = \"sandbox-signing-secret\"\n[listen]\nhttp = \"127.0.0.1:{port}\"\n")
            }
            Way::SocketMode => "app_token = \"xapp-sandbox-0000000000\"\n".to_owned(),
        };
        let slack = by_token(&sandbox.url) + &door;
        Self::of(sandbox, slack)
    }

    /// With this stand-in, as this configuration has it.
    pub(crate) fn of(sandbox: Sandbox, slack: String) -> Self {
        let site = Site::new(&slack);
        Self { listener: None, core: (), site, sandbox, slack }
    }

    /// A core is laid out in the site's directory, and may start.
    pub(crate) fn beside<C>(self, core: impl FnOnce(&Site) -> C) -> OnCall<C> {
        let core = core(&self.site);
        let on_call = OnCall { listener: None, core, site: self.site, sandbox: self.sandbox, slack: self.slack };
        on_call.configure("");
        on_call
    }
}

impl OnCall<Nagios> {
    /// A real nagios4, a listener, and more of the configuration.
    pub(crate) fn with_nagios(way: Way, more: &str) -> Self {
        let mut night = OnCall::prepare(way, "500").beside(|site| Nagios::start(site, "ackbell", false));
        night.begin(&format!("[core]\nmain_config = \"nagios.cfg\"\n{more}"));
        night
    }

    #[track_caller]
    pub(crate) fn wait_for_log(&self, line: &str) {
        wait::until(&format!("\"{line}\" in the core's log"), || {
            let log = self.core.log();
            if log.contains(line) { Ok(()) } else { Err(format!("{log}\n{}", self.site.log())) }
        });
    }

    /// A service falls ill, and the core's state file, which lags behind its notifications, says so too.
    #[track_caller]
    pub(crate) fn falls_ill(&self, service: &str, output: &str) -> Card {
        self.core.set(service, 2, output);
        let card = self.expect(&format!("CRITICAL: {service} on Web 01"));
        wait::until("the core's state", || {
            let blocks = self.core.status("servicestatus", &format!("service_description={service}\n"));
            blocks.iter().any(|block| block.contains("current_state=2"))
        });
        card
    }
}

impl<C> OnCall<C> {
    /// Writes the configuration, for the core's user, who runs `notify`.
    pub(crate) fn configure(&self, more: &str) {
        self.site.configure(&format!("{}{more}", self.slack));
        let owner = fs::metadata(self.site.dir.path()).unwrap();
        chown(self.site.config(), Some(owner.uid()), Some(owner.gid())).unwrap();
    }

    /// Another configuration, and a listener with it.
    pub(crate) fn begin(&mut self, more: &str) {
        self.configure(more);
        self.listen();
    }

    /// Another listener, which Slack reaches.
    pub(crate) fn listen(&mut self) {
        self.listener = None;
        let over_socket = self.slack.contains("app_token");
        if over_socket {
            wait::until("the old connection's end", || self.sandbox.connections() == 0);
        }
        self.listener = Some(self.site.listen());
        if over_socket {
            wait::until("the connection", || self.sandbox.connections() == 1);
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.listener.as_ref().unwrap().0.id()
    }

    /// Waits for a message whose text starts so.
    #[track_caller]
    pub(crate) fn expect(&self, start: &str) -> Card {
        let message = wait::until(&format!("\"{start}\""), || {
            let is_it = |message: &Value| message["text"].as_str().unwrap().starts_with(start);
            let found = self.sandbox.messages().into_iter().find(is_it);
            found.ok_or_else(|| format!("{:?}\n{}", self.sandbox.texts(), self.site.log()))
        });
        self.card(message)
    }

    pub(crate) fn card(&self, message: Value) -> Card {
        Card { sandbox: self.sandbox.clone(), log: self.site.dir.path().join("log"), message }
    }

    /// Waits for words to one person alone.
    #[track_caller]
    pub(crate) fn told(&self, words: &str) {
        wait::until(&format!("\"{words}\" to one person"), || {
            let whispers = self.sandbox.whispers();
            let is_there = whispers.iter().any(|whisper| whisper.contains(words));
            is_there.then_some(()).ok_or_else(|| format!("{whispers:?}\n{}", self.site.log()))
        });
    }

    /// Writes behind the command in #ops, and waits for the answer that is new and holds the words.
    #[track_caller]
    pub(crate) fn ask(&self, text: &str, words: &str) -> Card {
        self.ask_as(&json!({}), text, words)
    }

    #[track_caller]
    pub(crate) fn ask_as(&self, more: &Value, text: &str, words: &str) -> Card {
        let before: Vec<Value> = self.sandbox.messages();
        let mut order = json!({"command": "/ackbell", "text": text, "channel": "#ops"});
        order.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let asked = self.sandbox.order("slash", &order);
        assert_eq!(asked["ok"], true, "{asked}");
        assert!(asked["ms"].as_u64().unwrap() < 1500, "{asked}");
        let message = wait::until(&format!("\"{words}\" for \"{text}\""), || {
            let mut new = self.sandbox.messages();
            new.retain(|message| !before.contains(message));
            let found = new.iter().find(|message| message.to_string().contains(words)).cloned();
            found.ok_or_else(|| format!("{new:?}"))
        });
        self.card(message)
    }

    /// What a verb prints; it must succeed.
    #[track_caller]
    pub(crate) fn run(&self, verb: &[&str]) -> String {
        let done = self.site.run(verb);
        assert!(done.status.success(), "{}", text(&done.stderr));
        text(&done.stdout)
    }

    #[track_caller]
    pub(crate) fn audit(&self) -> Vec<Value> {
        self.run(&["audit", "--json"]).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Nothing is on its way any more: the spool is empty and nothing waits.
    #[track_caller]
    pub(crate) fn rests(&self) {
        wait::until("the listener to rest", || {
            let queue = self.site.queue();
            let is_done = queue["spooled"] == 0 && queue["waiting"] == 0;
            if is_done { Ok(()) } else { Err(format!("{queue}\n{}", self.site.log())) }
        });
    }
}

/// A message as it was seen, and what a person does with it.
#[derive(Clone)]
pub(crate) struct Card {
    sandbox: Sandbox,
    log: PathBuf,
    message: Value,
}

impl Deref for Card {
    type Target = Value;
    fn deref(&self) -> &Value {
        &self.message
    }
}

impl fmt::Display for Card {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.message.fmt(f)
    }
}

impl fmt::Debug for Card {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Card {
    /// Somebody taps a button, and Slack has its answer in time.
    #[track_caller]
    pub(crate) fn click(&self, button: &str) -> Value {
        self.sandbox.click(self, button, &json!({}))
    }

    #[track_caller]
    pub(crate) fn click_as(&self, user: &str, button: &str) -> Value {
        self.sandbox.click(self, button, &json!({"user": user}))
    }

    /// Chooses from the menu of what else can be done.
    #[track_caller]
    pub(crate) fn choose(&self, option: &str) -> Value {
        self.sandbox.click(self, "more", &json!({"option": option}))
    }

    /// The form that a button opens is filled in and sent; `option` is what is chosen from a menu.
    #[track_caller]
    pub(crate) fn fill_in(&self, button: &str, option: Option<&str>, values: &Value) {
        self.opens_form(button, option);
        let answer = self.sandbox.order("submit", &json!({ "values": values }));
        assert_eq!((&answer["ok"], &answer["status"]), (&json!(true), &json!(200)), "{answer}");
    }

    #[track_caller]
    pub(crate) fn opens_form(&self, button: &str, option: Option<&str>) {
        let before = self.sandbox.views().len();
        let click = option.map_or(json!({}), |option| json!({ "option": option }));
        self.sandbox.click(self, button, &click);
        wait::until("the form", || self.sandbox.views().len() > before);
    }

    /// As it is now.
    #[track_caller]
    pub(crate) fn now(&self) -> Self {
        let message = self.sandbox.messages().into_iter().find(|message| message["ts"] == self["ts"]).unwrap();
        Self { message, ..self.clone() }
    }

    /// Waits until its text starts so.
    #[track_caller]
    pub(crate) fn becomes(&self, start: &str) -> Self {
        wait::until(&format!("a card to become \"{start}\""), || {
            let now = self.now();
            if now["text"].as_str().unwrap().starts_with(start) {
                return Ok(now);
            }
            let log = fs::read_to_string(&self.log).unwrap_or_default();
            Err(format!("{}\n{:?}\n{log}", now["text"], self.sandbox.texts()))
        })
    }

    /// The texts of its thread.
    pub(crate) fn replies(&self) -> Vec<String> {
        let replies = self.sandbox.messages().into_iter().filter(|message| message["thread_ts"] == self["ts"]);
        replies.map(|reply| reply["text"].as_str().unwrap_or_default().to_owned()).collect()
    }
}

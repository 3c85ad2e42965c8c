//! A browser installs the app; the installation ends and begins again; its tokens and secrets change. No message is lost.

use crate::harness::process::{Running, free_port, text};
use crate::harness::sandbox::Sandbox;
use crate::harness::site::Site;
use crate::harness::wait;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;

mod rotation;

/// A stand-in, a site that is to be installed in it, and a listener.
struct Office {
    sandbox: Sandbox,
    site: Site,
    port: u16,
    listener: Running,
}

/// A browser's answer: its status, where it is sent, the cookie it was given, its text.
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) to: String,
    pub(crate) cookie: String,
    policy: String,
    pub(crate) html: String,
}

/// Asks as a browser that follows nothing by itself.
pub(crate) fn get(url: &str, cookie: &str) -> Page {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .build()
        .into();
    let mut answer = agent.get(url).header("Cookie", cookie).call().unwrap();
    let header = |name: &str| answer.headers().get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
    let (to, cookie, policy) = (header("location"), header("set-cookie"), header("content-security-policy"));
    let cookie = cookie.split(';').next().unwrap().to_owned();
    Page { status: answer.status().as_u16(), to, cookie, policy, html: answer.body_mut().read_to_string().unwrap() }
}

fn slack(sandbox: &Sandbox, more: &str) -> String {
    format!(
        "client_id = \"1111.2222\"\nclient_secret = \"sandbox-client-secret\"\nsigning_secret = \"sandbox-signing-secret\"\n\
         api_url = \"{}/api/\"\nchannel = \"#ops\"\n{more}",
        sandbox.url
    )
}

impl Office {
    fn open(more: &str) -> Self {
        let port = free_port();
        let url = format!("http://127.0.0.1:{port}/slack/request");
        let sandbox = Sandbox::start(&["--burst", "500", "--request-url", &url]);
        let redirect = "https://alerts.example.com/slack_oauth";
        sandbox.tell("state", &json!({"oauth": {"redirect_url": redirect}}));
        let config = format!("[slack]\n{}{more}\n{}", slack(&sandbox, ""), Self::listen(port));
        let site = Site::new(&config);
        let listener = site.listen();
        Self { sandbox, site, port, listener }
    }

    fn listen(port: u16) -> String {
        format!("[listen]\nhttp = \"127.0.0.1:{port}\"\npublic_url = \"https://alerts.example.com\"\n")
    }

    fn here(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// To Slack and back, up to the address that ends it, and the cookie of the browser.
    fn agree(&self, path: &str) -> (String, String) {
        let begun = get(&self.here(path), "");
        assert_eq!(begun.status, 302, "{}", begun.html);
        let agreed = get(&begun.to, "");
        assert_eq!(agreed.status, 302, "{}", agreed.html);
        let back = agreed.to.strip_prefix("https://alerts.example.com").unwrap_or_else(|| panic!("{}", agreed.to));
        (self.here(back), begun.cookie)
    }

    fn install(&self) -> Page {
        let reloads = || self.site.log().matches("configuration reloaded").count();
        let before = reloads();
        let (back, cookie) = self.agree("/slack/install");
        let page = get(&back, &cookie);
        if page.html.contains("Installed in") {
            wait::until("the new token", || reloads() > before);
        }
        page
    }

    fn down(&self, host: &str) {
        let done = self.site.run(&["notify", "--hostname", host, "--hoststate", "DOWN", "--output", "no ping"]);
        assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
    }

    #[track_caller]
    fn wait_for(&self, start: &str) {
        wait::until(&format!("\"{start}\""), || {
            let texts = self.sandbox.texts();
            let is_there = texts.iter().any(|text| text.starts_with(start));
            if is_there { Ok(()) } else { Err(format!("{texts:?}\n{}", self.site.log())) }
        });
    }

    #[track_caller]
    fn wait_for_log(&self, words: &str) {
        wait::until(words, || self.site.log().contains(words));
    }

    /// `check`, `doctor` and the log: which, why, since when, and the remedy.
    #[track_caller]
    fn says_that_it_ended(&self) {
        let remedy = "to install it again open https://alerts.example.com/slack/install in a browser";
        let since = |said: &str| said.contains("(tokens_revoked, since 20") && said.contains(" UTC)");
        let check = self.site.run(&["check"]);
        let said = text(&check.stdout);
        assert_eq!(check.status.code(), Some(2), "{said}");
        let head = "ACKBELL CRITICAL - \"default\" isn't installed any more ";
        assert!(said.starts_with(head) && since(&said) && said.contains(&format!("\n  {remedy}")), "{said}");
        assert_eq!(said.matches("\nCRITICAL: ").count(), 1, "told once: {said}");
        let said = text(&self.site.run(&["doctor"]).stdout);
        let found = "[default] token        \"default\" isn't installed any more ";
        assert!(said.contains(found) && since(&said) && said.contains(remedy), "{said}");
        let log = self.site.log();
        let line = log.lines().find(|line| line.contains("the installation ended")).unwrap();
        assert!(line.contains("integration=default event=tokens_revoked since=\"20"), "{line}");
        assert!(line.ends_with(&format!("messages=waiting remedy={remedy:?}")), "{line}");
    }

    fn event(&self, event: &Value, id: &str) {
        let told = self.sandbox.order("event", &json!({"event": event, "event_id": id}));
        assert_eq!(told["status"], 200, "{told}");
    }
}

#[test]
fn a_browser_installs_and_what_waited_is_delivered() {
    let office = Office::open("");
    office.down("web01");
    office.wait_for_log("isn't installed yet");
    let page = office.install();
    assert_eq!(page.status, 200, "{}", page.html);
    assert!(page.html.contains("Installed in Sandbox") && page.html.contains("<code>/invite</code>"), "{}", page.html);
    assert!(page.policy.starts_with("default-src 'none'; style-src 'sha256-"), "{}", page.policy);
    office.wait_for("DOWN: web01");
    office.site.assert_all_delivered();
    office.sandbox.assert_respected();
    let file = office.site.state("installs/default.json");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let shown = text(&office.site.run(&["config", "show", "--json"]).stdout);
    let token = office.sandbox.get("state")["oauth"]["tokens"][0].as_str().unwrap().to_owned();
    assert!(shown.contains("T0SANDBOX") && !shown.contains(&token), "{shown}");
    assert!(!office.site.log().contains(&token) && !page.html.contains(&token));
    // A click comes back to it, and its scopes are those of the manifest.
    let manifest: Value = serde_json::from_slice(&office.site.run(&["manifest"]).stdout).unwrap();
    assert_eq!(office.sandbox.get("state")["oauth"]["scopes"], manifest["oauth_config"]["scopes"]["bot"]);
    // A deliverer without a listener has the token, too.
    let card = office.sandbox.messages()[0].clone();
    office.sandbox.click(&card, "acknowledge", &json!({}));
}

#[test]
fn a_state_works_once_in_the_browser_that_began() {
    let office = Office::open("");
    let (back, cookie) = office.agree("/slack/install");
    for (url, cookie, status) in [
        (back.clone(), String::new(), 403),
        (back.clone(), format!("ackbell_install={}", "0".repeat(64)), 403),
        (back.replace("state=", "state=9"), cookie.clone(), 403),
        (office.here("/slack_oauth?code=1111.1.code"), cookie.clone(), 403),
        (office.here("/slack_oauth?code=a&code=b"), cookie.clone(), 400),
    ] {
        let page = get(&url, &cookie);
        assert_eq!(page.status, status, "{}", page.html);
        assert!(page.html.contains("Not installed"), "{}", page.html);
    }
    assert!(!office.site.state("installs/default.json").exists());
    assert_eq!(get(&back, &cookie).status, 200);
    let again = get(&back, &cookie);
    assert_eq!(again.status, 403);
    assert!(again.html.contains("it was used already"), "{}", again.html);
    // Of a code that Slack doesn't know, or a person who declines, the page tells; nothing changes.
    let before = fs::read(office.site.state("installs/default.json")).unwrap();
    let (back, cookie) = office.agree("/slack/install");
    let wrong = get(&back.replace("code=1111", "code=2222"), &cookie);
    assert!(wrong.status == 502 && wrong.html.contains("invalid_code"), "{}", wrong.html);
    office.sandbox.tell("state", &json!({"oauth": {"declines": true}}));
    let (back, cookie) = office.agree("/slack/install");
    let declined = get(&back, &cookie);
    assert!(declined.status == 200 && declined.html.contains("it was declined in Slack"), "{}", declined.html);
    assert_eq!(fs::read(office.site.state("installs/default.json")).unwrap(), before);
    assert_eq!(get(&office.here("/slack/install/nobody"), "").status, 404);
}

#[test]
fn another_workspace_does_not_take_its_place() {
    let office = Office::open("");
    assert_eq!(office.install().status, 200);
    office.sandbox.tell("state", &json!({"oauth": {"team": "T0OTHER001"}}));
    let (back, cookie) = office.agree("/slack/install");
    let page = get(&back, &cookie);
    assert!(page.status == 409 && page.html.contains("T0SANDBOX"), "{}", page.html);
    office.down("web01");
    office.wait_for("DOWN: web01");
    let strict = Office::open("team_id = \"T0MINE0001\"");
    let (back, cookie) = strict.agree("/slack/install");
    assert_eq!(get(&back, &cookie).status, 409);
    assert!(!strict.site.state("installs/default.json").exists());
}

#[test]
fn a_whole_organisation_is_told_to_choose_a_workspace() {
    let office = Office::open("");
    office.sandbox.tell("state", &json!({"oauth": {"organisation": true}}));
    let page = office.install();
    assert_eq!(page.status, 502, "{}", page.html);
    assert!(page.html.contains("for a whole organisation") && page.html.contains("team_id ="), "{}", page.html);
    assert!(!office.site.state("installs/default.json").exists());
}

#[test]
fn each_workspace_has_its_own_installation_of_one_app() {
    let office = Office::open("");
    let second = Sandbox::start(&["--burst", "500"]);
    second.tell("state", &json!({"oauth": {"team": "T0OTHER001"}}));
    office.site.configure(&format!(
        "[slack]\n{}[integrations.second]\n{}labels = [\"prod\"]\n[[route]]\nlabel = \"prod\"\nmatch = {{ host = \"db*\" }}\n\
         to = [\"#db-alerts\"]\n{}",
        slack(&office.sandbox, ""),
        slack(&second, ""),
        Office::listen(office.port)
    ));
    office.wait_for_log("configuration reloaded");
    assert_eq!(office.install().status, 200);
    let begun = get(&office.here("/slack/install/second"), "");
    assert!(begun.to.starts_with(&second.url), "{}", begun.to);
    let back = get(&begun.to, "").to.replace("https://alerts.example.com", &office.here(""));
    assert_eq!(get(&back, &begun.cookie).status, 200);
    office.down("db01");
    office.down("web01");
    second.wait_for_messages(1);
    office.wait_for("DOWN: web01");
    assert_eq!(second.texts(), ["DOWN: db01 · no ping"]);
    // One app, one signing secret: an event is for the workspace that it names.
    let gone = json!({"type": "app_uninstalled"});
    let told = office.sandbox.order("event", &json!({"event": gone, "team": "T0OTHER001", "event_id": "Ev1"}));
    assert_eq!(told["status"], 200, "{told}");
    office.wait_for_log("the installation ended integration=second");
    office.down("web02");
    office.wait_for("DOWN: web02");
}

#[test]
#[ignore = "slow: tests/run"]
fn uninstalled_and_installed_again_in_the_middle_loses_nothing() {
    let office = Office::open("");
    office.install();
    for n in 0..6 {
        office.down(&format!("web0{n}"));
        if n == 2 {
            office.sandbox.tell("state", &json!({"oauth": {"uninstalled": true}}));
            office.event(&json!({"type": "tokens_revoked", "tokens": {"bot": ["U0BOT00001"]}}), "Ev1");
            office.event(&json!({"type": "app_uninstalled"}), "Ev2");
            office.wait_for_log("the installation ended integration=default event=tokens_revoked");
        }
    }
    office.wait_for_log("isn't installed any more (tokens_revoked, since ");
    let before = office.sandbox.requests();
    let waiting = || office.site.queue()["waiting"].as_i64().unwrap();
    let waited = waiting();
    office.down("web06");
    wait::until("the next one to wait, too", || waiting() > waited && office.site.spooled("new") == 0);
    assert_eq!(office.sandbox.requests(), before, "nothing is sent with a token that ended");
    assert!(office.site.queue()["waiting"].as_i64().unwrap() >= 3, "{}", office.site.queue());
    office.says_that_it_ended();
    assert_eq!(office.site.log().matches("the installation ended").count(), 1, "{}", office.site.log());
    let page = office.install();
    assert_eq!(page.status, 200, "{}", page.html);
    // Told once more, late, as Slack does: that was the old one.
    office.event(&json!({"type": "tokens_revoked", "tokens": {"bot": ["U0BOT00001"]}}), "Ev1");
    wait::until("all delivered", || office.site.queue()["waiting"] == 0 && office.site.queue()["spooled"] == 0);
    office.site.assert_all_delivered();
    let all = office.sandbox.get("messages").to_string();
    for n in 0..6 {
        assert!(all.contains(&format!("web0{n}")), "web0{n} in {all}");
    }
}

#[test]
fn a_token_of_the_configuration_that_ended_is_told_until_it_is_mended() {
    let port = free_port();
    let url = format!("http://127.0.0.1:{port}/slack/request");
    let sandbox = Sandbox::start(&["--request-url", &url]);
    let more = format!("signing_secret = \"sandbox-signing-secret\"\n[listen]\nhttp = \"127.0.0.1:{port}\"\n");
    let site = Site::with_token(&sandbox, &more);
    let _listener = site.listen();
    let told = sandbox.order("event", &json!({"event": {"type": "app_uninstalled"}, "event_id": "Ev1"}));
    assert_eq!(told["status"], 200, "{told}");
    wait::until("the end in the log", || site.log().contains("the installation ended"));
    let log = site.log();
    assert!(
        log.contains("remedy=\"install the app again (api.slack.com/apps, Install App) and put the new token"),
        "{log}"
    );
    // Nothing waits, and it is said all the same.
    let said = text(&site.run(&["check"]).stdout);
    assert!(
        said.contains("CRITICAL: [default] can't deliver: the app was removed in Slack (app_uninstalled, since 20"),
        "{said}"
    );
    assert!(said.contains(" UTC): install the app again (api.slack.com/apps, Install App)"), "{said}");
}

#[test]
fn another_integration_takes_over_where_it_is_configured() {
    let office = Office::open("");
    let spare = format!("[integrations.spare]\nwebhook_url = \"{}\"\n", office.sandbox.webhook("B0SPARE"));
    let listen = Office::listen(office.port);
    office.site.configure(&format!("[slack]\n{}fallback = \"spare\"\n{spare}{listen}", slack(&office.sandbox, "")));
    office.wait_for_log("configuration reloaded");
    office.install();
    office.down("web01");
    office.wait_for("DOWN: web01");
    office.event(&json!({"type": "app_uninstalled"}), "Ev1");
    office.wait_for_log("the installation ended");
    office.down("web02");
    wait::until("the spare one", || {
        office.sandbox.messages().iter().any(|m| m["channel"] == "C0SPARE" && m.to_string().contains("web02"))
    });
    office.site.assert_all_delivered();
}

#[test]
fn a_disabled_integration_sends_nothing_and_says_so() {
    let office = Office::open("");
    office.install();
    office.down("web01");
    office.wait_for("DOWN: web01");
    office.sandbox.tell("faults", &json!({"faults": [{"kind": "500", "times": 1000, "method": "chat.postMessage"}]}));
    office.down("web03");
    wait::until("one that waits", || office.site.queue()["waiting"] == 1);
    let off = format!("[slack]\n{}enabled = false\n{}", slack(&office.sandbox, ""), Office::listen(office.port));
    office.site.configure(&off);
    wait::until("the reload", || office.site.log().matches("configuration reloaded").count() > 1);
    office.down("web02");
    wait::until("two dead ones", || office.site.queue()["dead"] == 2);
    office.sandbox.tell("faults", &json!({"faults": []}));
    let calls = office.sandbox.requests();
    assert!(office.site.queue().to_string().contains("is disabled"), "{}", office.site.queue());
    let told = office.sandbox.order("slash", &json!({"command": "/ackbell", "text": "problems", "channel": "#ops"}));
    assert!(told["body"]["text"].as_str().unwrap_or_default().starts_with("disabled: "), "{told}");
    let card = office.sandbox.messages()[0].clone();
    let clicked = office.sandbox.click(&card, "acknowledge", &json!({}));
    assert!(clicked["body"].to_string().contains("disabled"), "{clicked}");
    // What comes now is dead, too, and nothing else came of all that.
    office.down("web04");
    wait::until("three dead ones", || office.site.queue()["dead"] == 3);
    assert_eq!(office.sandbox.requests(), calls, "nothing was sent");
}

//! What other programs hand in at `POST /v1/webhook`, and people found by their e-mail addresses.

use crate::door::{address, say};
use crate::harness::process::{Running, text};
use crate::harness::sandbox::Sandbox;
use crate::harness::site::Site;
use crate::harness::wait;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

const CODER: &str = include_str!("../samples/coder-notification.json");
const TOKEN: &str = "0123456789abcdef0123";

/// Whoever is on this machine.
const OPEN: &str = "intake_without_token = true\n";

/// A listener with an intake, and Slack.
struct Post {
    sandbox: Sandbox,
    site: Site,
    listener: Running,
    address: SocketAddr,
}

impl Post {
    fn office(listen: &str) -> Self {
        let sandbox = Sandbox::start(&["--burst", "9999"]);
        let bobby = json!({"users": [{"id": "U0BOBBY0001", "name": "bobby", "email": "bobby@coder.com"}]});
        sandbox.tell("state", &bobby);
        let site = Site::with_token(&sandbox, &format!("[listen]\nhttp = \"127.0.0.1:0\"\n{listen}"));
        let listener = site.listen();
        let address = address(&site);
        Self { sandbox, site, listener, address }
    }

    /// The status and the text of the answer.
    fn hand_in(&self, headers: &[(&str, &str)], body: &str) -> (u16, String) {
        let agent = ureq::Agent::config_builder().http_status_as_error(false).proxy(None).build().new_agent();
        let mut request = agent.post(format!("http://{}/v1/webhook", self.address));
        for (name, value) in [("Content-Type", "application/json")].iter().chain(headers) {
            request = request.header(*name, *value);
        }
        let mut answer = request.send(body).unwrap();
        (answer.status().as_u16(), answer.body_mut().read_to_string().unwrap())
    }

    fn taken(&self, body: &Value) {
        assert_eq!(self.hand_in(&[], &body.to_string()), (204, String::new()), "{body}");
    }

    /// Nothing waits, nothing is dead; the last word of the deliverer may come after the message.
    fn assert_delivered(&self) {
        wait::until("the queue's end", || self.site.queue()["waiting"] == 0);
        self.site.assert_all_delivered();
    }

    fn blocks(&self, kind: &str, message: &Value) -> Vec<Value> {
        self.sandbox.assert_respected();
        let blocks = message["blocks"].as_array().unwrap().iter();
        blocks.filter(|block| block["type"] == kind).cloned().collect()
    }
}

fn letter(body: &str) -> Value {
    json!({"title": "T", "body": body, "payload": {"user_email": "alice@example.com"}})
}

#[test]
fn what_coder_sends_is_a_message_to_that_person() {
    let post = Post::office(OPEN);
    // As Coder's client sends it: its own header, no key.
    assert_eq!(post.hand_in(&[("X-Message-Id", "7c1a4f0e")], CODER).0, 204);
    let message = post.sandbox.wait_for_messages(1).remove(0);
    assert_eq!([&message["channel"], &message["channel_name"]], ["D0BOBBY0001", "directmessage"]);
    let title = "Workspace \"bobby-workspace\" marked as dormant";
    assert_eq!(post.blocks("header", &message)[0]["text"]["text"], title);
    let text = post.blocks("section", &message)[0]["text"]["text"].clone();
    assert_eq!(
        text,
        "Your workspace *bobby-workspace* was marked as <https://coder.com/docs/schedule#dormancy|*dormant*> for lack of \
         use.\n\nIt will be deleted in 24 hours."
    );
    // Nobody would hear the click that Slack tells of: it is a link.
    let link = post.blocks("section", &message)[1]["text"]["text"].clone();
    assert_eq!(link, "<http://test.com/@bobby/bobby-workspace|View workspace>");
    let fallback = message["text"].as_str().unwrap();
    assert!(fallback.starts_with(title) && fallback.contains("It will be deleted"), "{fallback}");
    let context = post.blocks("context", &message)[0].to_string();
    assert!(context.contains("initiator: autobuild") && !context.contains("24 hours"), "{context}");
    post.assert_delivered();
}

#[test]
fn the_readmes_example_is_taken() {
    let post = Post::office(OPEN);
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/message-api.md")).unwrap();
    let body = readme.split("/v1/webhook -H 'Content-Type: application/json' -d '").nth(1).unwrap();
    assert_eq!(post.hand_in(&[], body.split('\'').next().unwrap()).0, 204);
    let message = post.sandbox.wait_for_messages(1).remove(0);
    assert_eq!(post.blocks("section", &message)[0]["text"]["text"], "*412 GB* in 3 h");
}

#[test]
#[ignore = "slow: tests/run"]
fn the_204_outlives_kill_9_and_the_key_a_restart() {
    let post = Post::office(OPEN);
    // Slack takes nothing for now: what is handed in waits.
    post.sandbox.tell("faults", &json!({"faults": [{"kind": "status", "status": 503, "times": 1000}]}));
    for number in 0..20 {
        let body = json!({"title": format!("letter {number}"), "body": "b", "msg_id": format!("m{number}"),
            "payload": {"user_email": "alice@example.com"}});
        post.taken(&body);
    }
    assert_eq!(post.hand_in(&[("Idempotency-Key", "m3")], &letter("again").to_string()).0, 204);
    let Post { sandbox, site, listener, .. } = post;
    drop(listener); // SIGKILL
    sandbox.tell("faults", &json!({"faults": []}));
    let listener = site.listen();
    let post = Post { address: address(&site), sandbox, site, listener };
    post.sandbox.wait_for_messages(20);
    assert_eq!(post.hand_in(&[("Idempotency-Key", "m7")], &letter("again").to_string()).0, 204);
    post.taken(&letter("the last"));
    let messages = post.sandbox.wait_for_messages(21);
    let again = messages.iter().filter(|message| message["text"].as_str().unwrap().contains("again")).count();
    assert_eq!((messages.len(), again), (21, 0));
    let headers: Vec<Value> = messages.iter().map(|m| m["blocks"][0]["text"]["text"].clone()).collect();
    for number in 0..20 {
        let title = Value::from(format!("letter {number}"));
        assert_eq!(headers.iter().filter(|header| **header == title).count(), 1, "{headers:?}");
    }
    post.assert_delivered();
    assert!(post.listener.stop() == Some(0));
}

#[test]
fn only_who_may_hands_in_and_what_is_wrong_is_named() {
    let post = Post::office(&format!("intake_token = \"{TOKEN}\"\n"));
    let (bearer, good) = (format!("Bearer {TOKEN}"), letter("b").to_string());
    let with = [("Authorization", bearer.as_str())];
    for headers in [&[][..], &[("Authorization", "Bearer 0123456789abcdef0124")], &[("Authorization", "Basic x")]] {
        assert_eq!(post.hand_in(headers, &good), (401, String::new()), "{headers:?}");
    }
    assert_eq!(post.hand_in(&with, &good).0, 204);
    assert_eq!(post.hand_in(&with, "{\"title\": \"t\"}"), (400, "missing field: body\n".to_owned()));
    assert_eq!(post.hand_in(&with, "[1]").0, 400);
    // A change of the token is taken without a restart.
    let open = Site::with_token(&post.sandbox, "[listen]\nhttp = \"127.0.0.1:0\"\nintake_token_file = \"token\"\n");
    std::fs::write(open.dir.path().join("token"), "a-token-of-some-length").unwrap();
    let listener = open.listen();
    let other = Post { address: address(&open), site: open, listener, sandbox: Sandbox::at(&post.sandbox.url) };
    assert_eq!(other.hand_in(&[("Authorization", "Bearer a-token-of-some-length")], &good).0, 204);
    std::fs::write(other.site.dir.path().join("token"), "another-token-of-some-length").unwrap();
    wait::until("the new token", || {
        other.hand_in(&[("Authorization", "Bearer another-token-of-some-length")], &good).0 == 204
    });
    assert_eq!(other.hand_in(&[("Authorization", "Bearer a-token-of-some-length")], &good).0, 401);
    for log in [post.site.log(), other.site.log()] {
        assert!(!log.contains(TOKEN) && !log.contains("of-some-length"), "{log}");
    }
}

#[test]
fn without_a_token_a_proxy_or_a_browser_brings_nobody_in() {
    let post = Post::office(OPEN);
    let body = letter("b").to_string();
    for header in
        [("X-Forwarded-For", "198.51.100.7"), ("Origin", "https://evil.example"), ("Host", "bell.example.com")]
    {
        assert_eq!(post.hand_in(&[header], &body), (403, String::new()), "{header:?}");
    }
    let log = post.site.log();
    assert!(log.contains("kind=not_local") && log.contains("set [listen] intake_token"), "{log}");
    assert_eq!(post.hand_in(&[], &body).0, 204);
}

/// As a local program does: `curl --unix-socket`.
fn by_the_socket(site: &Site, user: u32, body: &str) -> String {
    let address = site.state("intake");
    let line = format!(
        "POST /v1/webhook HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\nContent-Length: {}\\r\\n\\r\\n",
        body.len()
    );
    let script = format!(
        "import socket,sys\ns=socket.socket(socket.AF_UNIX)\ns.connect({:?})\ns.sendall(b'{line}'+sys.argv[1].encode())\nprint(s.recv(9999).decode())",
        address.to_str().unwrap()
    );
    let mut command = Command::new("python3");
    let done = command.args(["-c", &script, body]).uid(user).gid(user).output().unwrap();
    text(&done.stdout)
}

#[test]
#[ignore = "needs root: tests/run"]
fn without_a_token_nothing_is_taken_over_tcp_and_the_socket_takes_whom_the_kernel_names() {
    let post = Post::office("intake_users = [\"daemon\"]\n");
    let body = letter("b").to_string();
    // A reverse proxy on this machine that hands everything on looks just like this.
    assert_eq!(post.hand_in(&[], &body), (403, String::new()));
    let log = post.site.log();
    assert!(log.contains("kind=closed") && log.contains("set [listen] intake_token"), "{log}");
    assert!(!post.sandbox.texts().iter().any(|said| said.contains('b')));
    for directory in [post.site.dir.path().to_owned(), post.site.state("")] {
        std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    assert!(by_the_socket(&post.site, 0, &body).starts_with("HTTP/1.1 204 "));
    assert!(by_the_socket(&post.site, 1, &body).starts_with("HTTP/1.1 204 "), "daemon is named");
    assert!(by_the_socket(&post.site, 65534, &body).starts_with("HTTP/1.1 403 "));
    assert!(post.site.log().contains("from=uid:65534"), "{}", post.site.log());
    // Slack doesn't come this way, so nobody can say they are Slack.
    let address = post.site.state("intake");
    let mut stream = std::os::unix::net::UnixStream::connect(address).unwrap();
    stream
        .write_all(b"POST /slack/request HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
    post.sandbox.wait_for_messages(2);
    post.assert_delivered();
}

#[test]
fn a_hostile_body_calls_nobody_and_leads_nowhere() {
    let post = Post::office(OPEN);
    let evil =
        "<!channel> <@U0BOB00001> @here \u{1b}[31m\u{202e}\u{0} [x](javascript:alert(1)) <!subteam^S1|x> `<!here>`";
    let actions = json!([{"label": "<!channel>", "url": "javascript:alert(1)"},
        {"label": "go <!here>", "url": "https://a.example/?q=<!channel>|x"}]);
    post.taken(&json!({"title": evil, "title_markdown": evil, "body": evil, "body_markdown": format!("# {evil}\n> {evil}\n- {evil}"),
        "labels": {"<!here>": evil}, "payload": {"user_email": "alice@example.com", "actions": actions, "labels": {"n": 3, "x": null}}}));
    post.taken(&json!({"title": "plain", "body": evil, "channel": "#ops"}));
    for message in post.sandbox.wait_for_messages(2) {
        let mut shown = message["blocks"].clone();
        // What is plain text needs no escape.
        shown.as_array_mut().unwrap().retain(|block| block["type"] != "header" && block["type"] != "actions");
        let shown = format!("{shown}{}", message["text"]);
        for bad in ["<!", "<@", "<javascript", "\\u001b", "\u{202e}", "\\u0000"] {
            assert!(!shown.contains(bad), "{bad}: {shown}");
        }
        assert!(!message["blocks"].to_string().contains("\"javascript"), "{message}");
    }
    for (body, status) in [
        (json!({"title": 1, "body": "b", "channel": "#ops"}), 400),
        (json!({"title": "t", "body": {"a": 1}, "channel": "#ops"}), 400),
        (json!({"title": "t", "body": "b", "payload": "x"}), 400),
        (json!({"title": "t", "body": "b", "payload": {"user_email": "alice@example.com", "actions": "x"}}), 400),
    ] {
        assert_eq!(post.hand_in(&[], &body.to_string()).0, status);
    }
    // The door closes before it has read everything.
    let body = json!({"title": "t", "body": "x".repeat(2_000_000), "channel": "#ops"}).to_string();
    let head = format!("POST /v1/webhook HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n", body.len());
    assert!(say(post.address, (head + &body).as_bytes()).starts_with("HTTP/1.1 413 "));
    assert_eq!(post.hand_in(&[], &("[".repeat(100_000) + &"]".repeat(100_000))).0, 400);
    let long = json!({"title": "t".repeat(5000), "body": "x & <y> ".repeat(20_000), "channel": "#ops"});
    post.taken(&long);
    let message = post.sandbox.wait_for_messages(3).remove(2);
    assert!(message["blocks"].to_string().contains("more characters_"), "{message}");
    post.sandbox.assert_respected();
    post.assert_delivered();
}

#[test]
#[ignore = "slow: tests/run"]
fn many_letters_are_no_storm() {
    let post = Post::office(OPEN);
    for number in 0..12 {
        post.taken(&json!({"title": format!("letter {number}"), "body": "same", "channel": "#ops"}));
    }
    let messages = post.sandbox.wait_for_messages(12);
    assert!(messages.iter().all(|message| message["blocks"][0]["type"] == "header"), "{messages:?}");
}

#[test]
fn a_person_nobody_knows_is_told_of_in_the_channel() {
    let post = Post::office(OPEN);
    post.taken(&json!({"title": "for carol", "body": "b", "payload": {"user_email": "carol@nowhere.example"}}));
    let message = post.sandbox.wait_for_messages(1).remove(0);
    assert_eq!(message["channel_name"], "ops");
    let words = "meant for carol@nowhere.example; nobody in this workspace has that address";
    assert!(message["blocks"].to_string().contains(words), "{message}");
    // That there is nobody is remembered for a while.
    post.taken(&json!({"title": "for carol again", "body": "b", "payload": {"user_email": "carol@nowhere.example"}}));
    post.sandbox.wait_for_messages(2);
    let requests = post.sandbox.get("requests").to_string();
    assert_eq!(requests.matches("\"call\":\"users.lookupByEmail\"").count(), 1, "{requests}");
}

#[test]
fn a_contact_is_written_to_directly() {
    let sandbox = Sandbox::start(&["--burst", "9999"]);
    let site = Site::with_token(&sandbox, "[[route]]\nto = [\"contact\"]\n");
    let notify = |host: &str, email: &str| {
        let arguments = ["notify", "--hostname", host, "--hoststate", "1", "--output", "x", "--contact-email", email];
        assert_eq!(site.run(&arguments).status.code(), Some(0));
    };
    notify("web01", "alice@example.com");
    notify("web02", "dora@nowhere.example");
    notify("web03", "");
    let messages = sandbox.messages();
    let of = |host: &str| messages.iter().find(|message| message["text"].as_str().unwrap().contains(host)).unwrap();
    assert_ne!(of("web01")["channel_name"], "ops", "{}", of("web01"));
    assert!(of("web01")["channel"].as_str().unwrap().starts_with('D'), "{}", of("web01"));
    let words = "meant for dora@nowhere.example; nobody in this workspace has that address";
    assert!(of("web02").to_string().contains(words) && of("web02")["channel_name"] == "ops", "{}", of("web02"));
    assert!(of("web03").to_string().contains("the core passed no $CONTACTEMAIL$"), "{}", of("web03"));
    sandbox.assert_respected();
    site.assert_all_delivered();
}

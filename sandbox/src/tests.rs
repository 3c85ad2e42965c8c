//! A running sandbox, talked to over the wire, with a small app behind it.

use super::page::Extra;
use super::*;
use serde_json::{Value, json};
use std::io::{BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, channel};

fn options() -> Options {
    Options {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        tls: None,
        bot_token: "xoxb-a".to_owned(),
        app_token: "xapp-a".to_owned(),
        signing_secret: "s".to_owned(),
        request_url: None,
        strict_pace: true,
        burst: 1,
    }
}

fn start() -> Sandbox {
    Sandbox::start(options()).unwrap()
}

fn exchange(sandbox: &Sandbox, head: &str, body: &str) -> String {
    let mut socket = TcpStream::connect(sandbox.address).unwrap();
    let length = body.len();
    let host = sandbox.address;
    let request =
        format!("{head}\r\nhost: {host}\r\nuser-agent: test\r\ncontent-length: {length}\r\nconnection: close\r\n");
    write!(socket, "{request}content-type: application/json; charset=utf-8\r\n\r\n{body}").unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    answer
}

fn json_of(answer: &str) -> Value {
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap_or_else(|_| panic!("{answer}"))
}

fn post_control(sandbox: &Sandbox, what: &str, body: &Value) -> Value {
    json_of(&exchange(sandbox, &format!("POST /_sandbox/{what} HTTP/1.1"), &body.to_string()))
}

fn get_control(sandbox: &Sandbox, what: &str) -> Value {
    json_of(&exchange(sandbox, &format!("GET /_sandbox/{what} HTTP/1.1"), ""))
}

fn call(sandbox: &Sandbox, method: &str, token: &str, body: &Value) -> Value {
    let head = format!("POST /api/{method} HTTP/1.1\r\nauthorization: Bearer {token}");
    json_of(&exchange(sandbox, &head, &body.to_string()))
}

/// An app that gives every request the next of these answers, and tells what came.
fn app(sandbox: &Sandbox, answers: &[&str]) -> Receiver<wire::Request> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/slack/request", listener.local_addr().unwrap());
    let (sender, receiver) = channel();
    let answers: Vec<String> = answers.iter().map(|&answer| answer.to_owned()).collect();
    std::thread::spawn(move || {
        for answer in answers {
            let (socket, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(socket);
            let request = wire::read_request(&mut reader).unwrap().unwrap();
            sender.send(request).unwrap();
            let bytes = wire::Answer::text(200, &answer).bytes(false);
            reader.get_mut().write_all(&bytes).unwrap();
        }
    });
    assert_eq!(
        post_control(sandbox, "state", &json!({"app": {"request_url": url}, "pace": {"enabled": false}}))["ok"],
        true
    );
    receiver
}

fn button(action: &str) -> Value {
    json!([{"type": "actions", "elements": [{"type": "button", "action_id": action, "value": "7",
        "text": {"type": "plain_text", "text": "Ack"}}]}])
}

fn card(sandbox: &Sandbox) -> String {
    let card = json!({"channel": "#ops", "text": "a", "attachments": [{"color": "#ff0000", "blocks": button("ack")}]});
    call(sandbox, "chat.postMessage", "xoxb-a", &card)["ts"].as_str().unwrap().to_owned()
}

fn modal() -> Value {
    let plain = |text: &str| json!({"type": "plain_text", "text": text});
    json!({"type": "modal", "title": plain("t"), "submit": plain("s"), "notify_on_close": true, "blocks": [
        {"type": "input", "block_id": "why", "label": plain("l"), "element": {"type": "plain_text_input", "action_id": "text"}}]})
}

#[test]
fn a_message_goes_in_over_the_wire_and_comes_out_at_the_control() {
    let sandbox = start();
    assert!(sandbox.base_url().starts_with("http://127.0.0.1:"));
    let webhook = exchange(&sandbox, "POST /services/T0/B0OPS00001/x HTTP/1.1", r#"{"text":"by webhook"}"#);
    assert!(webhook.ends_with("\r\n\r\nok"), "{webhook}");
    let second = exchange(&sandbox, "POST /services/T0/B0OPS00001/x HTTP/1.1", r#"{"text":"too soon"}"#);
    assert!(second.starts_with("HTTP/1.1 429 ") && second.contains("retry-after: 1"), "{second}");
    let answer = call(&sandbox, "chat.postMessage", "xoxb-a", &json!({"channel": "#db-alerts", "text": "by token"}));
    assert_eq!((&answer["channel"], &answer["ok"]), (&json!("C0DB000001"), &json!(true)));
    let messages = get_control(&sandbox, "messages").to_string();
    assert!(messages.contains("by webhook") && messages.contains("by token"), "{messages}");
    let violations = get_control(&sandbox, "violations").to_string();
    assert!(violations.contains("too_fast") && !violations.contains("unknown_field"), "{violations}");
}

#[test]
fn a_click_reaches_the_app_and_its_response_url_works() {
    let sandbox = start();
    let requests = app(&sandbox, &["", ""]);
    let ts = card(&sandbox);
    let clicked = post_control(&sandbox, "click", &json!({"channel": "#ops", "ts": ts, "action_id": "ack"}));
    assert_eq!((&clicked["ok"], &clicked["status"]), (&json!(true), &json!(200)));
    let request = requests.recv().unwrap();
    assert_eq!(request.header("x-slack-signature").unwrap().len(), "v0=".len() + 64);
    let fields = wire::form_fields(std::str::from_utf8(&request.body).unwrap());
    let payload: Value = serde_json::from_str(&fields[0].1).unwrap();
    assert_eq!(payload, clicked["payload"]);
    assert_eq!(payload["container"]["type"], "message_attachment");
    assert_eq!(payload["message"]["attachments"][0]["color"], "ff0000");
    assert_eq!((&payload["actions"][0]["value"], &payload["user"]["id"]), (&json!("7"), &json!("U0ALICE001")));
    let block_id = &payload["message"]["attachments"][0]["blocks"][0]["block_id"];
    assert_eq!(payload["actions"][0]["block_id"], *block_id);
    let again = post_control(&sandbox, "click", &json!({"again": true}));
    let repeated = requests.recv().unwrap();
    assert_eq!(again["payload"], payload);
    assert_eq!((repeated.body, repeated.headers), (request.body, request.headers), "the same bytes");
    let url = payload["response_url"].as_str().unwrap().strip_prefix(&sandbox.base_url()).unwrap().to_owned();
    let answer = exchange(&sandbox, &format!("POST {url} HTTP/1.1"), r#"{"replace_original":true,"text":"done"}"#);
    assert!(answer.ends_with("\r\n\r\nok"), "{answer}");
    assert_eq!(get_control(&sandbox, "messages")[0]["text"], "done");
    let gone = post_control(&sandbox, "click", &json!({"channel": "#ops", "ts": ts, "action_id": "ack"}));
    assert_eq!(gone["error"], "the message has no element \"ack\"");
    assert_eq!(get_control(&sandbox, "violations"), json!([]));
}

#[test]
fn a_button_that_was_there_can_be_clicked_by_a_stale_client() {
    let sandbox = start();
    let _requests = app(&sandbox, &[""]);
    let ts = card(&sandbox);
    let change = json!({"channel": "C0OPS00001", "ts": ts, "text": "done", "attachments": []});
    assert_eq!(call(&sandbox, "chat.update", "xoxb-a", &change)["ok"], true);
    let mut click = json!({"channel": "#ops", "ts": ts, "action_id": "ack"});
    assert_eq!(post_control(&sandbox, "click", &click)["ok"], false);
    click["stale"] = true.into();
    assert_eq!(post_control(&sandbox, "click", &click)["ok"], true);
}

#[test]
fn a_modal_is_opened_sent_off_refused_and_closed() {
    let sandbox = start();
    let refused = r#"{"response_action":"errors","errors":{"why":"too short"}}"#;
    let _requests = app(&sandbox, &["", refused, r#"{"response_action":"errors","errors":{"other":"x"}}"#, "", "", ""]);
    let click = json!({"channel": "#ops", "ts": card(&sandbox), "action_id": "ack", "user": "U0BOB00001"});
    let trigger = post_control(&sandbox, "click", &click)["payload"]["trigger_id"].clone();
    let open =
        |trigger: &Value| call(&sandbox, "views.open", "xoxb-a", &json!({"trigger_id": trigger, "view": modal()}));
    assert_eq!(open(&json!("1.made.up"))["error"], "invalid_trigger_id");
    let opened = open(&trigger);
    assert_eq!(opened["ok"], true, "{opened}");
    assert_eq!(open(&trigger)["error"], "exchanged_trigger_id");
    let empty = post_control(&sandbox, "submit", &json!({}));
    assert!(empty["complaints"]["why"].is_string(), "{empty}");
    let sent = json!({"values": {"text": "x"}});
    let submitted = post_control(&sandbox, "submit", &sent);
    assert_eq!(submitted["body"]["errors"]["why"], "too short");
    assert_eq!(submitted["payload"]["user"]["id"], "U0BOB00001", "whose trigger it was");
    assert_eq!(submitted["payload"]["view"]["state"]["values"]["why"]["text"]["value"], "x");
    assert_eq!(post_control(&sandbox, "submit", &sent)["ok"], false, "an error for a block that isn't there");
    assert_eq!(get_control(&sandbox, "violations")[0]["kind"], "bad_view_response");
    assert_eq!(post_control(&sandbox, "submit", &json!({"user": "U0ALICE001"}))["ok"], false, "not her view");
    assert_eq!(get_control(&sandbox, "views").as_array().unwrap().len(), 1);
    assert_eq!(post_control(&sandbox, "submit", &sent)["ok"], true);
    assert_eq!(get_control(&sandbox, "views"), json!([]));
    let trigger = post_control(&sandbox, "click", &click)["payload"]["trigger_id"].clone();
    assert_eq!(open(&trigger)["ok"], true);
    let closed = post_control(&sandbox, "close", &json!({}));
    assert_eq!((&closed["ok"], &closed["payload"]["type"]), (&json!(true), &json!("view_closed")));
}

#[test]
fn an_old_button_is_answered_with_the_new_message() {
    let sandbox = start();
    let requests = app(&sandbox, &[r#"{"text":"acknowledged"}"#]);
    let old = json!({"channel": "#ops", "text": "a", "attachments": [{"fallback": "f", "callback_id": "c",
        "actions": [{"name": "ack", "text": "Ack", "type": "button", "value": "yes"}]}]});
    let ts = call(&sandbox, "chat.postMessage", "xoxb-a", &old)["ts"].clone();
    let clicked = post_control(&sandbox, "click", &json!({"channel": "#ops", "ts": ts, "name": "ack"}));
    assert_eq!(clicked["ok"], true, "{clicked}");
    assert_eq!(clicked["payload"]["actions"], json!([{"name": "ack", "type": "button", "value": "yes"}]));
    drop(requests);
    assert_eq!(get_control(&sandbox, "messages")[0]["text"], "acknowledged");
}

#[test]
fn an_app_that_is_silent_or_away_is_an_error_for_the_person() {
    let sandbox = start();
    let click = json!({"channel": "#ops", "ts": card(&sandbox), "action_id": "ack"});
    assert_eq!(get_control(&sandbox, "state")["app"]["socket_mode"], true, "without an address it is on");
    post_control(&sandbox, "state", &json!({"app": {"socket_mode": false}}));
    let unconfigured = post_control(&sandbox, "click", &click)["error"].to_string();
    assert!(unconfigured.contains("not configured"), "{unconfigured}");
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    post_control(&sandbox, "state", &json!({"app": {"request_url": url}}));
    let clicked = post_control(&sandbox, "click", &click);
    assert_eq!(clicked["error"], "operation_timeout");
    assert!((2900..4000).contains(&clicked["ms"].as_u64().unwrap()), "{clicked}");
    drop(silent);
    assert!(post_control(&sandbox, "click", &click)["error"].as_str().unwrap().starts_with("connection_failed"));
}

#[test]
fn a_slash_command_is_a_signed_form_and_its_answer_is_seen_by_one() {
    let sandbox = start();
    let requests = app(&sandbox, &["you are on call", "ok", "wrong", ""]);
    let asked = post_control(&sandbox, "slash", &json!({"command": "/nagios", "text": "ack web01 & db1"}));
    assert_eq!(asked["ok"], true, "{asked}");
    let request = requests.recv().unwrap();
    let fields = wire::form_fields(std::str::from_utf8(&request.body).unwrap());
    assert!(fields.contains(&("text".to_owned(), "ack web01 &amp; db1".to_owned())), "{fields:?}");
    let message = get_control(&sandbox, "messages")[0].clone();
    assert_eq!((&message["text"], &message["ephemeral_for"]), (&json!("you are on call"), &json!("U0ALICE001")));
    let event = json!({"event": {"type": "app_uninstalled"}, "retry": 1});
    assert_eq!(post_control(&sandbox, "event", &event)["payload"]["type"], "event_callback");
    assert_eq!(requests.recv().unwrap().header("x-slack-retry-num"), Some("1"));
    assert_eq!(post_control(&sandbox, "send", &json!({"kind": "url_verification"}))["error"], "challenge_mismatch");
    assert_eq!(post_control(&sandbox, "send", &json!({"kind": "ssl_check"}))["ok"], true);
    assert_eq!(
        (requests.recv().unwrap().method, requests.recv().unwrap().header("x-slack-signature")),
        ("POST".to_owned(), None)
    );
}

type Socket = tungstenite::WebSocket<TcpStream>;

fn connect(sandbox: &Sandbox) -> Socket {
    let opened = call(sandbox, "apps.connections.open", "xapp-a", &json!({}));
    let url = opened["url"].as_str().unwrap_or_else(|| panic!("{opened}")).to_owned();
    let stream = TcpStream::connect(sandbox.address).unwrap();
    tungstenite::client(url, stream).unwrap().0
}

fn next(socket: &mut Socket) -> Value {
    loop {
        match socket.read().unwrap() {
            tungstenite::Message::Text(text) => return serde_json::from_str(text.as_str()).unwrap(),
            tungstenite::Message::Close(_) => return json!("close"),
            _ => {}
        }
    }
}

fn send(socket: &mut Socket, given: &Value) {
    socket.send(tungstenite::Message::text(given.to_string())).unwrap();
}

/// Clicks and lets these connections answer whatever they get.
fn click_and(sandbox: &Sandbox, ts: &str, change: impl FnOnce() + Send) -> Value {
    let click = json!({"channel": "#ops", "ts": ts, "action_id": "ack"});
    std::thread::scope(|scope| {
        let clicked = scope.spawn(|| post_control(sandbox, "click", &click));
        change();
        clicked.join().unwrap()
    })
}

#[test]
fn socket_mode_delivers_to_one_connection_and_takes_its_word_only() {
    let sandbox = start();
    post_control(&sandbox, "state", &json!({"app": {"socket_mode": true}}));
    assert_eq!(call(&sandbox, "apps.connections.open", "xoxb-a", &json!({}))["error"], "not_allowed_token_type");
    assert_eq!(call(&sandbox, "auth.test", "xapp-a", &json!({}))["error"], "not_allowed_token_type");
    let ts = card(&sandbox);
    let mut first = connect(&sandbox);
    assert_eq!(next(&mut first)["num_connections"], 1);
    let mut second = connect(&sandbox);
    assert_eq!(next(&mut second)["num_connections"], 2);
    let taken = click_and(&sandbox, &ts, || {
        let envelope = next(&mut first);
        assert_eq!((&envelope["type"], &envelope["accepts_response_payload"]), (&json!("interactive"), &json!(false)));
        assert_eq!(envelope["payload"]["type"], "block_actions");
        send(&mut second, &json!({"envelope_id": envelope["envelope_id"]}));
        std::thread::sleep(std::time::Duration::from_millis(200));
        send(&mut first, &json!({"envelope_id": envelope["envelope_id"]}));
    });
    assert_eq!(taken["ok"], true, "{taken}");
    let late = click_and(&sandbox, &ts, || {
        let envelope = next(&mut second);
        let large = json!({"envelope_id": envelope["envelope_id"], "payload": {"text": "x".repeat(20_480)}});
        send(&mut second, &large);
    });
    assert_eq!(late["error"], "operation_timeout");
    let kinds: Vec<Value> =
        get_control(&sandbox, "violations").as_array().unwrap().iter().map(|one| one["kind"].clone()).collect();
    assert_eq!(kinds, ["ack_on_other_connection", "ack_too_large"]);
    second.close(None).unwrap();
    while second.read().is_ok() {}
    post_control(&sandbox, "socket", &json!({"ghosts": 1}));
    let lost = click_and(&sandbox, &ts, || {
        let envelope = next(&mut first);
        send(&mut first, &json!({"envelope_id": envelope["envelope_id"]}));
    });
    assert_eq!(lost["ok"], true);
    assert_eq!(click_and(&sandbox, &ts, || {})["error"], "operation_timeout", "the ghost got it");
    let sockets = get_control(&sandbox, "sockets");
    assert_eq!((&sockets["left"][0]["how"], &sockets["connections"][0]["acks"]), (&json!("closed"), &json!(2)));
}

#[test]
fn a_connection_can_be_renewed_cut_fragmented_or_dead() {
    let sandbox = start();
    post_control(&sandbox, "state", &json!({"app": {"socket_mode": false}}));
    let mut early = connect(&sandbox);
    assert_eq!(next(&mut early)["reason"], "link_disabled", "Socket Mode is off");
    post_control(&sandbox, "state", &json!({"app": {"socket_mode": true}}));
    post_control(&sandbox, "socket", &json!({"fragment": true, "ping_ms": 50}));
    let mut all: Vec<Socket> = (0..10).map(|_| connect(&sandbox)).collect();
    assert!(all.iter_mut().all(|socket| next(socket)["type"] == "hello"));
    let mut eleventh = connect(&sandbox);
    assert_eq!(next(&mut eleventh)["reason"], "too_many_websockets");
    assert_eq!(next(&mut eleventh), json!("close"));
    let id = get_control(&sandbox, "sockets")["connections"][0]["id"].clone();
    let order = json!({"disconnect": "refresh_requested", "connection": id, "grace_ms": 100});
    assert_eq!(post_control(&sandbox, "socket", &order)["ok"], true);
    assert_eq!(next(&mut all[0])["reason"], "refresh_requested");
    assert_eq!(next(&mut all[0]), json!("close"));
    post_control(&sandbox, "socket", &json!({"cut": true}));
    let end = loop {
        if let Err(error) = all[1].read() {
            break error;
        }
    };
    assert!(!matches!(end, tungstenite::Error::ConnectionClosed), "{end}");
    let mut mute = connect(&sandbox);
    next(&mut mute);
    assert!(mute.read().unwrap().is_ping());
    post_control(&sandbox, "socket", &json!({"mute": true}));
    mute.get_mut().set_read_timeout(Some(std::time::Duration::from_millis(300))).unwrap();
    let silent = (0..10).find_map(|_| mute.read().err());
    assert!(matches!(silent, Some(tungstenite::Error::Io(_))), "{silent:?}");
    assert_eq!(post_control(&sandbox, "socket", &json!({"disconect": "warning"}))["ok"], false);
    let url = call(&sandbox, "apps.connections.open", "xapp-a", &json!({}))["url"].as_str().unwrap().to_owned();
    let again = |url: &str| {
        let stream = TcpStream::connect(sandbox.address).unwrap();
        tungstenite::client(url, stream).is_ok()
    };
    assert!(again(&url) && !again(&url), "a ticket works once");
}

#[test]
fn the_page_is_served_whole_and_only_to_itself() {
    let sandbox = start();
    let page = exchange(&sandbox, "GET / HTTP/1.1", "");
    assert!(page.starts_with("HTTP/1.1 200") && page.contains("default-src 'none'; script-src 'self'"), "{page}");
    for link in page.split(['"', '\'']).filter(|text| text.starts_with("/page/")) {
        assert!(exchange(&sandbox, &format!("GET {link} HTTP/1.1"), "").starts_with("HTTP/1.1 200"), "{link}");
    }
    let strange = exchange(&sandbox, "POST /_sandbox/reset HTTP/1.1\r\norigin: https://evil.example", "{}");
    assert!(strange.starts_with("HTTP/1.1 403"), "{strange}");
    let before = get_control(&sandbox, "page")["revision"].as_u64().unwrap();
    post_control(&sandbox, "reset", &json!({}));
    assert!(get_control(&sandbox, "page")["revision"].as_u64().unwrap() > before);
    assert!(exchange(&sandbox, "GET /demo/state HTTP/1.1", "").starts_with("HTTP/1.1 404"));
    assert_eq!(get_control(&sandbox, "violations"), json!([]));
}

#[test]
fn what_the_demo_adds_is_asked_of_it() {
    let hook = |method: &str, path: &str| (path == "/demo/state").then(|| (200, format!("[\"{method}\"]")));
    let sandbox = Sandbox::start_with(options(), Some(Extra(Arc::new(hook)))).unwrap();
    assert_eq!(json_of(&exchange(&sandbox, "GET /demo/state HTTP/1.1", "")), json!(["GET"]));
    assert!(exchange(&sandbox, "POST /demo/action/x HTTP/1.1", "").starts_with("HTTP/1.1 404"));
    assert_eq!(get_control(&sandbox, "page")["demo"], true);
}

//! What bodies say, and what is wrong with them.

use super::*;
use serde_json::json;

const CODER: &str = include_str!("../../../../tests/samples/coder-notification.json");

fn taken(body: &Value) -> Result<DirectMessage, Refusal> {
    parse(body.to_string().as_bytes(), None, "fresh", 7)
}

fn whole() -> Value {
    json!({ "title": "T", "body": "B", "payload": { "user_email": "Bob@Example.com" } })
}

#[test]
fn coders_body_is_taken_as_coder_sends_it() {
    let message = parse(CODER.as_bytes(), None, "fresh", 7).unwrap();
    assert_eq!(message.to, "@bobby@coder.com");
    assert_eq!(message.key, "7c1a4f0e-5d7b-4f0c-9d55-3a1b6b0f6a11");
    assert_eq!(message.title, "Workspace \"bobby-workspace\" marked as dormant");
    assert_eq!(message.links, [("View workspace".to_owned(), "http://test.com/@bobby/bobby-workspace".to_owned())]);
    assert_eq!(message.labels["initiator"], "autobuild");
    assert!(message.markdown.unwrap().contains("**bobby-workspace**"));
}

#[test]
fn what_is_missing_or_wrong_is_named() {
    type Change = fn(&mut Value);
    let cases: [(Change, &str); 14] = [
        (|b| b["title"] = Value::Null, "missing field: title"),
        (|b| b["title"] = json!(" \u{200b}\n"), "missing field: title"),
        (|b| b["body"] = json!(""), "missing field: body"),
        (|b| b["payload"] = Value::Null, "missing field: payload.user_email"),
        (|b| b["payload"]["user_email"] = json!(""), "missing field: payload.user_email"),
        (|b| b["payload"]["user_email"] = json!(3), "wrong type: payload.user_email must be a string"),
        (|b| b["payload"]["user_email"] = json!("bob"), "payload.user_email isn't an e-mail address"),
        (|b| b["payload"] = json!([]), "wrong type: payload must be an object"),
        (|b| b["title"] = json!(["T"]), "wrong type: title must be a string"),
        (|b| b["msg_id"] = json!(1), "wrong type: msg_id must be a string"),
        (|b| b["channel"] = json!("@x"), "channel isn't a #name or id of a channel"),
        (
            |b| b["payload"]["actions"] = json!({}),
            "wrong type: payload.actions must be a list of objects with label and url",
        ),
        (
            |b| b["payload"]["actions"] = json!([{"label": "x"}]),
            "wrong type: payload.actions must be a list of objects with label and url",
        ),
        (|b| b["labels"] = json!("x"), "wrong type: labels must be an object of strings"),
    ];
    for (change, expected) in cases {
        let mut body = whole();
        change(&mut body);
        assert_eq!(taken(&body).unwrap_err().to_string(), expected, "{body}");
    }
    for (bytes, expected) in [
        (&b"[]"[..], "the body must be a JSON object"),
        (b"{", "the body isn't JSON (line 1, column 1)"),
        (b"\xff", "the body isn't JSON (line 1, column 1)"),
        (b"{\"title\":1,\"title\":2}", "the body isn't JSON (line 1, column 21)"),
    ] {
        assert_eq!(parse(bytes, None, "fresh", 7).unwrap_err().to_string(), expected);
    }
}

#[test]
fn a_channel_may_stand_for_the_person() {
    let message = taken(&json!({"title": "T", "body_markdown": "**B**", "channel": "#ops"})).unwrap();
    assert_eq!((message.to.as_str(), message.body.as_str()), ("#ops", "B"));
}

#[test]
fn only_links_to_the_web_become_buttons() {
    let mut body = whole();
    let good = json!({"label": "", "url": "https://a.example/"});
    let mut actions = vec![good; 27];
    actions.push(json!({"label": "x", "url": "javascript:alert(1)"}));
    actions.push(json!({"label": "x", "url": format!("https://a.example/{}", "x".repeat(3000))}));
    body["payload"]["actions"] = json!(actions);
    let message = taken(&body).unwrap();
    assert_eq!((message.links.len(), message.links_left_out), (25, 4));
    assert_eq!(message.links[0].0, "Open");
}

#[test]
fn the_key_is_the_headers_the_bodys_or_a_fresh_one() {
    let mut body = whole();
    let key = |body: &Value, header: Option<&str>| parse(body.to_string().as_bytes(), header, "fresh", 7).unwrap().key;
    assert_eq!(key(&body, None), "fresh");
    body["msg_id"] = json!("m");
    assert_eq!((key(&body, None), key(&body, Some("h"))), ("m".to_owned(), "h".to_owned()));
    assert!(parse(body.to_string().as_bytes(), Some(&"x".repeat(256)), "fresh", 7).is_err());
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>) {
        let _ = parse(&bytes, None, "fresh", 7);
    }
}

use super::*;
use serde_json::json;

fn text(count: usize) -> Value {
    json!({"type": "mrkdwn", "text": "x".repeat(count)})
}

fn plain(count: usize) -> Value {
    json!({"type": "plain_text", "text": "x".repeat(count)})
}

fn problems(blocks: &Value) -> Vec<String> {
    let mut findings = Findings::default();
    message_blocks(blocks.as_array().unwrap(), "/blocks", &mut findings);
    findings.problems
}

fn button(fields: &Value) -> Value {
    let mut button = json!({"type": "button", "text": plain(1), "action_id": "a"});
    for (name, value) in fields.as_object().unwrap() {
        button[name] = value.clone();
    }
    json!([{"type": "actions", "elements": [button]}])
}

fn confirm(name: &str, count: usize) -> Value {
    let mut confirm = json!({"title": plain(1), "text": plain(1), "confirm": plain(1), "deny": plain(1)});
    confirm[name] = plain(count);
    button(&json!({"confirm": confirm}))
}

fn options(count: usize, text: usize, value: usize) -> Value {
    let one = |index: usize| json!({"text": plain(text), "value": format!("{index:0value$}")});
    (0..count).map(one).collect()
}

/// Makes blocks of a size.
type Made = Box<dyn Fn(usize) -> Value>;

fn made(make: impl Fn(usize) -> Value + 'static) -> Made {
    Box::new(make)
}

fn element(element: impl Fn(usize) -> Value + 'static) -> Made {
    made(move |n| json!([{"type": "actions", "elements": [element(n)]}]))
}

fn block_rows() -> Vec<(&'static str, usize, Made)> {
    vec![
        ("blocks", 50, made(|n| vec![json!({"type": "divider"}); n].into())),
        ("block_id", 255, made(|n| json!([{"type": "divider", "block_id": "x".repeat(n)}]))),
        ("header", 150, made(|n| json!([{"type": "header", "text": plain(n)}]))),
        ("section", 3000, made(|n| json!([{"type": "section", "text": text(n)}]))),
        ("section fields", 10, made(|n| json!([{"type": "section", "fields": vec![text(1); n]}]))),
        ("section field", 2000, made(|n| json!([{"type": "section", "fields": [text(n)]}]))),
        ("context", 10, made(|n| json!([{"type": "context", "elements": vec![text(1); n]}]))),
        ("context text", 3000, made(|n| json!([{"type": "context", "elements": [text(n)]}]))),
        (
            "actions",
            25,
            made(|n| {
                let one = |index: usize| json!({"type": "button", "text": plain(1), "action_id": format!("a{index}")});
                json!([{"type": "actions", "elements": (0..n).map(one).collect::<Vec<_>>()}])
            }),
        ),
        (
            "image title",
            2000,
            made(|n| json!([{"type": "image", "image_url": "https://a.example", "alt_text": "a", "title": plain(n)}])),
        ),
        (
            "alt_text",
            2000,
            made(|n| json!([{"type": "image", "image_url": "https://a.example", "alt_text": "x".repeat(n)}])),
        ),
        ("markdown", 12_000, made(|n| json!([{"type": "markdown", "text": "x".repeat(n)}]))),
        (
            "table rows",
            100,
            made(|n| json!([{"type": "table", "rows": vec![json!([{"type": "raw_text", "text": "a"}]); n]}])),
        ),
        (
            "table cells",
            20,
            made(|n| json!([{"type": "table", "rows": [vec![json!({"type": "raw_text", "text": "a"}); n]]}])),
        ),
    ]
}

fn element_rows() -> Vec<(&'static str, usize, Made)> {
    let link = |n: usize| format!("https://{}", "x".repeat(n - 8));
    vec![
        ("action_id", 255, made(|n| button(&json!({"action_id": "x".repeat(n)})))),
        ("button text", 75, made(|n| button(&json!({"text": plain(n)})))),
        ("button value", 2000, made(|n| button(&json!({"value": "x".repeat(n)})))),
        ("button url", 3000, made(move |n| button(&json!({"url": link(n)})))),
        ("accessibility_label", 75, made(|n| button(&json!({"accessibility_label": "x".repeat(n)})))),
        ("confirm title", 100, made(|n| confirm("title", n))),
        ("confirm text", 300, made(|n| confirm("text", n))),
        ("confirm confirm", 30, made(|n| confirm("confirm", n))),
        ("confirm deny", 30, made(|n| confirm("deny", n))),
        ("overflow", 5, element(|n| json!({"type": "overflow", "action_id": "a", "options": options(n, 1, 1)}))),
        ("options", 100, element(|n| json!({"type": "static_select", "options": options(n, 1, 3)}))),
        ("option text", 75, element(|n| json!({"type": "static_select", "options": options(1, n, 1)}))),
        ("option value", 150, element(|n| json!({"type": "static_select", "options": options(1, 1, n)}))),
        ("checkboxes", 10, element(|n| json!({"type": "checkboxes", "options": options(n, 1, 2)}))),
        ("placeholder", 150, element(|n| json!({"type": "users_select", "placeholder": plain(n)}))),
    ]
}

#[test]
fn each_limit_holds_at_n_and_breaks_at_one_more() {
    for (name, limit, make) in block_rows().into_iter().chain(element_rows()) {
        assert_eq!(problems(&make(limit)), Vec::<String>::new(), "{name} at {limit}");
        let broken = problems(&make(limit + 1));
        assert_eq!(broken.len(), 1, "{name} at {}: {broken:?}", limit + 1);
    }
}

#[test]
fn a_problem_names_its_place_as_slack_does() {
    let blocks = json!([{"type": "section", "text": text(3001)}]);
    let expected = "[ERROR] must be less than 3001 characters [json-pointer:/blocks/0/text/text]";
    assert_eq!(problems(&blocks), [expected]);
}

#[test]
fn what_slack_does_not_take_is_a_problem() {
    let twice = json!({"type": "button", "text": plain(1), "action_id": "a"});
    let refused = [
        json!([{"type": "section", "text": text(0)}]),
        json!([{"type": "section"}]),
        json!([{"type": "header", "text": text(5)}]),
        json!([{"type": "divider", "colour": "red"}]),
        json!([{"type": "divider", "block_id": null}]),
        json!([{"type": "fancy"}]),
        json!([{"type": "input", "label": plain(1), "element": {"type": "plain_text_input"}}]),
        json!([{"type": "divider", "block_id": "a"}, {"type": "divider", "block_id": "a"}]),
        json!([{"type": "actions", "elements": [twice.clone(), twice]}]),
        json!([{"type": "actions", "elements": []}]),
        json!([{"type": "context", "elements": [{"type": "button", "text": plain(1)}]}]),
        json!([{"type": "table", "rows": [[{}]]}, {"type": "table", "rows": [[{}]]}]),
        json!(["divider"]),
        button(&json!({"style": "default"})),
        button(&json!({"url": "not a url"})),
        button(&json!({"text": text(1)})),
    ];
    for blocks in refused {
        assert!(!problems(&blocks).is_empty(), "{blocks}");
    }
}

#[test]
fn attachments_are_checked_with_their_blocks() {
    let check = |list: Value| {
        let mut findings = Findings::default();
        message_attachments(list.as_array().unwrap(), &mut findings);
        findings.problems
    };
    assert!(check(json!([{"color": "#ff0000", "blocks": [{"type": "section", "text": text(3000)}]}])).is_empty());
    let expected = "[ERROR] must be less than 3001 characters [json-pointer:/attachments/0/blocks/0/text/text]";
    assert_eq!(check(json!([{"blocks": [{"type": "section", "text": text(3001)}]}])), [expected]);
    assert_eq!(check(json!([{"color": "good"}])).len(), 1);
    assert!(check(json!([{"fallback": "a", "footer": "x".repeat(300)}])).is_empty());
    assert_eq!(check(json!([{"fallback": "a", "footer": "x".repeat(301)}])).len(), 1);
}

#[test]
fn a_modal_is_checked() {
    let modal = |title: usize, submit: bool| {
        let mut modal = json!({"type": "modal", "title": plain(title), "blocks": [
            {"type": "input", "label": plain(2000), "element": {"type": "plain_text_input", "max_length": 3000}}]});
        if submit {
            modal["submit"] = plain(24);
        }
        view(&modal, Surface::Modal).problems
    };
    assert_eq!(modal(24, true), Vec::<String>::new());
    assert_eq!(modal(25, true).len(), 1);
    assert_eq!(modal(24, false).len(), 1);
}

#[test]
fn metadata_is_flat() {
    assert_eq!(metadata_error(&json!({"event_type": "a", "event_payload": {"b": 1}})), None);
    assert_eq!(
        metadata_error(&json!({"event_type": "a", "event_payload": {"b": {}}})),
        Some("invalid_metadata_schema")
    );
    assert_eq!(metadata_error(&json!("a")), Some("invalid_metadata_format"));
}

use super::*;
use proptest::prelude::*;
use serde_json::json;

/// A click, as <https://docs.slack.dev/reference/interaction-payloads/block_actions-payload> describes it.
const CLICK: &str = r#"{"type":"block_actions","team":{"id":"T9","domain":"example"},
"user":{"id":"U1","username":"ann","team_id":"T8"},"api_app_id":"A1","token":"x",
"container":{"type":"message_attachment","message_ts":"1548261231.000200","attachment_id":1,"channel_id":"C1",
"is_ephemeral":false,"is_app_unfurl":false},"trigger_id":"1.2.3","channel":{"id":"C1","name":"ops"},
"message":{"type":"message","text":"…","user":"U2","ts":"1548261231.000200","thread_ts":"1548261000.000100"},
"response_url":"https://hooks.slack.com/actions/A1/1/x","enterprise":null,"is_enterprise_install":false,
"actions":[{"action_id":"ack","block_id":"b1","text":{"type":"plain_text","text":"Acknowledge","emoji":true},
"value":"p1","type":"button","action_ts":"1548426417.840180"}]}"#;

const SUBMISSION: &str = r#"{"type":"view_submission","team":{"id":"T1","domain":"example"},
"user":{"id":"U1","username":"ann"},"view":{"id":"V1","type":"modal","callback_id":"ack","private_metadata":"p1|C1",
"hash":"1.cd","state":{"values":{"comment":{"text":{"type":"plain_text_input","value":"looking"}},
"empty":{"text":{"type":"plain_text_input","value":null}},
"how":{"flags":{"type":"checkboxes","selected_options":[{"value":"sticky"},{"value":"notify"}]},
"kind":{"type":"radio_buttons","selected_option":{"value":"fixed"}},
"start":{"type":"datetimepicker","selected_date_time":1700000000},
"day":{"type":"datepicker","selected_date":"2024-02-29"}}}}},"response_urls":[]}"#;

const LEGACY: &str = r#"{"type":"interactive_message","actions":[{"name":"ack","type":"button","value":"yes"}],
"callback_id":"old","team":{"id":"T1","domain":"d"},"channel":{"id":"C1","name":"general"},
"user":{"id":"U1","name":"ann"},"action_ts":"1481579588.685999","message_ts":"1481579582.000003","attachment_id":"1",
"token":"…","is_app_unfurl":false,"original_message":{},"response_url":"https://hooks.slack.com/actions/1",
"trigger_id":"1.2"}"#;

const COMMAND: &str = "token=g&team_id=T1&team_domain=example&enterprise_id=E1&channel_id=C1&channel_name=test&\
user_id=U1&user_name=Steve&command=%2Fackbell&text=ack+db1%2Fload+it%26amp%3Bs&\
response_url=https://hooks.slack.com/commands/1234/5678&trigger_id=1.2&api_app_id=A1";

const UNINSTALLED: &str = r#"{"token":"x","team_id":"T1","api_app_id":"A1","event":{"type":"app_uninstalled"},
"type":"event_callback","event_id":"Ev1","event_time":1}"#;

fn json_body(text: &str) -> Result<Interaction, DecodeError> {
    decode(false, text.as_bytes())
}

fn form_of(payload: &str) -> Vec<u8> {
    let escaped: String = payload.bytes().map(|byte| format!("%{byte:02x}")).collect();
    format!("payload={escaped}").into_bytes()
}

fn block_actions(text: &str) -> BlockActions {
    match decode(true, &form_of(text)).unwrap() {
        Interaction::BlockActions(actions) => actions,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_click_says_who_where_and_what() {
    let click = block_actions(CLICK);
    assert_eq!(click.origin.user.as_ref(), "U1");
    assert_eq!(click.origin.user_name.as_deref(), Some("ann"));
    assert_eq!(click.origin.user_team, TeamId::new("T8"));
    assert_eq!(click.origin.team, TeamId::new("T9"));
    assert_eq!(click.origin.channel, ChannelId::new("C1"));
    assert_eq!(click.origin.trigger, TriggerId::new("1.2.3"));
    assert_eq!(click.origin.response_url.unwrap().expose(), "https://hooks.slack.com/actions/A1/1/x");
    assert_eq!(click.message, MessageTs::new("1548261231.000200"));
    let [action] = click.actions.as_slice() else { panic!("{:?}", click.actions) };
    assert_eq!((action.id.as_ref(), action.value.as_deref(), action.is_url), ("ack", Some("p1"), false));
    assert_eq!(action.ts, MessageTs::new("1548426417.840180"));
}

#[test]
fn the_response_url_shows_in_no_log() {
    assert!(!format!("{:?}", block_actions(CLICK)).contains("hooks.slack.com"));
}

#[test]
fn what_is_missing_is_absent() {
    let bare = r#"{"type":"block_actions","user":{"id":"U1"},"team":null,"channel":null,"actions":[
        {"action_id":"a","type":"static_select","selected_option":{"value":"v"}},{"action_id":"b","url":"https://x"}]}"#;
    let click = block_actions(bare);
    assert_eq!((&click.origin.team, &click.origin.user_team, &click.origin.channel), (&None, &None, &None));
    assert_eq!(click.message, None);
    assert_eq!(click.actions[0].input, Input::Value("v".into()));
    assert!(click.actions[1].is_url);

    let nobody = json_body(r#"{"type":"block_actions","user":{"id":""}}"#).unwrap_err();
    assert_eq!(nobody.to_string(), "the block_actions lacks its user.id");
}

#[test]
fn an_ephemeral_message_and_its_channel_stand_in_the_container() {
    let text = r#"{"type":"block_actions","user":{"id":"U1","name":"ann"},"actions":[],
        "container":{"message_ts":"1.2","channel_id":"C2","is_ephemeral":true,"thread_ts":"1.1"}}"#;
    let click = block_actions(text);
    assert_eq!(click.origin.channel, ChannelId::new("C2"));
    assert_eq!(click.message, MessageTs::new("1.2"));
}

#[test]
fn a_modal_gives_its_inputs() {
    let Interaction::ViewSubmission(submission) = json_body(SUBMISSION).unwrap() else { panic!() };
    assert_eq!(submission.origin.user_team, TeamId::new("T1"), "the payload of a view has no user.team_id");
    let view = submission.view;
    assert_eq!((view.id.as_ref(), view.private_metadata.as_ref()), ("V1", "p1|C1"));
    let input =
        |block: &str, action: &str| view.inputs[&BlockId::new(block).unwrap()][&ActionId::new(action).unwrap()].clone();
    assert_eq!(input("comment", "text"), Input::Value("looking".into()));
    assert_eq!(input("empty", "text"), Input::Empty);
    assert_eq!(input("how", "flags"), Input::Values(vec!["sticky".into(), "notify".into()]));
    assert_eq!(input("how", "kind"), Input::Value("fixed".into()));
    assert_eq!(input("how", "start"), Input::Moment(1_700_000_000));
    assert_eq!(input("how", "day"), Input::Value("2024-02-29".into()));

    let closed = SUBMISSION.replace("view_submission", "view_closed");
    assert_eq!(json_body(&closed).unwrap(), Interaction::Unknown { kind: "view_closed".into() });
}

#[test]
fn an_old_button_and_a_shortcut_say_who_used_them_where() {
    let Interaction::Unsupported(button) = json_body(LEGACY).unwrap() else { panic!() };
    assert_eq!((button.kind, button.origin.user.as_ref()), ("interactive_message", "U1"));
    assert_eq!(button.message, MessageTs::new("1481579582.000003"));
    assert_eq!(button.origin.response_url.unwrap().expose(), "https://hooks.slack.com/actions/1");
    let shortcut =
        r#"{"type":"message_action","callback_id":"c","user":{"id":"U1"},"message_ts":"1.2","channel":{"id":"C1"}}"#;
    let Interaction::Unsupported(shortcut) = json_body(shortcut).unwrap() else { panic!() };
    assert_eq!((shortcut.kind, shortcut.message), ("message_action", MessageTs::new("1.2")));
}

#[test]
fn a_slash_command_comes_as_form_and_as_json() {
    let Interaction::SlashCommand(command) = decode(true, COMMAND.as_bytes()).unwrap() else { panic!() };
    assert_eq!((command.command.as_ref(), command.text.as_ref()), ("/ackbell", "ack db1/load it&amp;s"));
    assert_eq!((&command.origin.team, &command.origin.user_team), (&TeamId::new("T1"), &TeamId::new("T1")));
    let envelope = json!({ "command": "/ackbell", "text": "ack db1/load it&amp;s", "user_id": "U1", "user_name": "Steve",
        "team_id": "T1", "enterprise_id": "E1", "channel_id": "C1", "trigger_id": "1.2", "api_app_id": "A1",
        "is_enterprise_install": "false", "response_url": "https://hooks.slack.com/commands/1234/5678" });
    assert_eq!(decode_envelope("slash_commands", envelope).unwrap(), Interaction::SlashCommand(command));
}

#[test]
fn events_are_known_by_their_id() {
    let Interaction::Event(event) = json_body(UNINSTALLED).unwrap() else { panic!() };
    assert_eq!((event.id, event.team, event.kind), (EventId::new("Ev1"), TeamId::new("T1"), EventKind::AppUninstalled));
    let kind = |event: Value| match decode_envelope("events_api", json!({ "type": "event_callback", "event": event })) {
        Ok(Interaction::Event(event)) => event.kind,
        other => panic!("{other:?}"),
    };
    let revoked = kind(json!({ "type": "tokens_revoked", "tokens": { "oauth": ["U1"], "bot": ["U2"] } }));
    let users = |id: &str| vec![UserId::new(id).unwrap()];
    assert_eq!(revoked, EventKind::TokensRevoked { people: users("U1"), bots: users("U2") });
    let opened = kind(json!({ "type": "app_home_opened", "user": "U1", "channel": "D1", "tab": "home" }));
    assert_eq!(opened, EventKind::AppHomeOpened { user: UserId::new("U1").unwrap(), tab: "home".into() });
    let item = json!({ "type": "message", "channel": "C1", "ts": "1.2" });
    let reaction = |user: &Value, item: &Value| json!({ "type": "reaction_removed", "user": user, "reaction": "eyes", "item": item });
    let EventKind::Reaction(removed) = kind(reaction(&json!("U1"), &item)) else { panic!() };
    assert_eq!((removed.is_added, removed.emoji.as_str(), removed.message.as_ref()), (false, "eyes", "1.2"));
    let of_a_file = kind(reaction(&json!("U1"), &json!({ "type": "file", "file": "F1" })));
    assert_eq!(of_a_file, EventKind::Other { kind: "reaction_removed".into() });
    let bad = json!({ "type": "event_callback", "event": reaction(&json!(5), &item) });
    assert!(decode_envelope("events_api", bad).is_err());
    assert_eq!(kind(json!({ "type": "emoji_changed", "user": 5 })), EventKind::Other { kind: "emoji_changed".into() });
}

#[test]
fn the_rest_is_answered_too() {
    let kind = |text: &str| json_body(text).unwrap();
    for unused in ["url_verification", "block_suggestion"] {
        let body = format!(r#"{{"type":"{unused}","challenge":"c","token":"t"}}"#);
        assert_eq!(kind(&body), Interaction::Unknown { kind: unused.into() });
    }
    assert_eq!(kind(r#"{"type":"new_thing","user":5}"#), Interaction::Unknown { kind: "new_thing".into() });
    assert!(matches!(decode_envelope("new", json!(1)), Ok(Interaction::Unknown { .. })));
}

#[test]
fn bad_bodies_are_refused() {
    let deep = format!(r#"{{"type":"block_actions","x":{}{}}}"#, "[".repeat(10_000), "]".repeat(10_000));
    let wide = format!(r#"{{"type":"block_actions","x":[{}0]}}"#, r#"{"":0},"#.repeat(120_000));
    let twice = CLICK.replacen(r#""api_app_id":"A1","#, r#""api_app_id":"A1","api_app_id":"A2","#, 1);
    for body in [
        &deep,
        &wide,
        &twice,
        &CLICK.replace(r#""U1""#, "5"),
        &CLICK.replace(r#"{"id":"T9","domain":"example"}"#, r#""T9""#),
        &CLICK.replace(r#""attachment_id":1"#, r#""attachment_id":1e999"#),
        &CLICK.replace("ann", r"\ud800"),
        &CLICK[..CLICK.len() - 1],
        &format!("{CLICK}{CLICK}"),
        &SUBMISSION.replace("1700000000", "17000000000000000000000"),
        r#"{"type":"event_callback"}"#,
        r#"{"type":5}"#,
        "[]",
        "",
    ]
    .map(AsRef::<str>::as_ref)
    {
        let start: String = body.chars().take(80).collect();
        assert!(json_body(body).is_err(), "{start}");
        assert!(decode(true, &form_of(body)).is_err(), "{start}");
    }
    for form in ["", "payload=%7", "payload=%zz", "payload=%ff", "a=1&a=2", "text=x", "ssl_check=0"] {
        assert!(decode(true, form.as_bytes()).is_err(), "{form}");
    }
    assert!(matches!(decode(false, b"\xff"), Err(DecodeError::NotUtf8)));
}

#[test]
fn an_error_quotes_nothing() {
    let error = json_body(&CLICK.replace(r#"{"id":"T9","domain":"example"}"#, r#""secret""#)).unwrap_err();
    assert_eq!(error.to_string(), "a field of the block_actions has the wrong type");
}

proptest! {
    #[test]
    fn no_bytes_panic(form: bool, body in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = decode(form, &body);
    }

    #[test]
    fn no_mutation_panics(which in 0..5_usize, at in any::<prop::sample::Index>(), length in 0..40_usize, with in ".{0,20}") {
        let body = [CLICK, SUBMISSION, LEGACY, COMMAND, UNINSTALLED][which];
        let at = at.index(body.len());
        let mut bytes = body.as_bytes().to_vec();
        bytes.splice(at..(at + length).min(body.len()), with.bytes());
        let _ = decode(which == 3, &bytes);
        let _ = decode(true, &form_of(&String::from_utf8_lossy(&bytes)));
    }

    #[test]
    fn a_form_carries_every_text(text in any::<String>()) {
        let payload = json!({ "type": "interactive_message", "user": { "id": "U1", "name": format!("x{text}") } });
        let Interaction::Unsupported(used) = decode(true, &form_of(&payload.to_string())).unwrap() else { panic!() };
        prop_assert_eq!(used.origin.user_name, Some(format!("x{text}")));
    }
}

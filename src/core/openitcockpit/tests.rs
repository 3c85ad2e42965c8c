use crate::command::Action;
use crate::command::tests::command;
use crate::config::{Api, ApiLogin, Core, CoreKind};
use crate::core::door::tests::serve;
use crate::core::door::{Receipt, send};
use crate::secret::Secret;

const HOST: &str = "c36b8048-93ce-4385-ac19-ab5c90574b77";

fn core(url: String) -> Core {
    let api = Api { url, login: ApiLogin::Key(Secret::new("k1".into())), ca_file: None };
    // Nothing of it is on this machine.
    let gone = Some("/nonexistent/ackbell".into());
    Core { kind: CoreKind::OpenItCockpit, api: Some(api), command_file: gone, ..Core::default() }
}

#[test]
fn a_command_goes_by_its_typed_fields() {
    let answer = r#"{"message":"Command added successfully to queue","command":"ACKNOWLEDGE_SVC_PROBLEM","args":{}}"#;
    let (url, served) = serve(vec![(200, answer.to_owned())]);
    let comment = "on it".to_owned();
    let action = Action::Acknowledge { sticky: true, notify: false, persistent: true, comment, expiry: None };
    let receipt = send(&core(url), &command(&action, HOST, Some("u-2"), "alice").unwrap()).unwrap();
    let answer = Some("Command added successfully to queue".to_owned());
    assert_eq!(receipt, Receipt { door: "openITCOCKPIT API", answer });
    let request = served.join().unwrap().remove(0);
    assert!(request.starts_with("POST /nagios_module/cmd/submit.json HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("X-OITC-API k1\r\n"), "{request}");
    let body: serde_json::Value = serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap();
    let expected = serde_json::json!({
        "command": "ACKNOWLEDGE_SVC_PROBLEM", "hostUuid": HOST, "serviceUuid": "u-2", "sticky": 2, "notify": 0,
        "persistent": 1, "author": "alice", "comment": "on it",
    });
    assert_eq!(body, expected);
}

#[test]
fn a_wrong_key_is_told() {
    for status in [302, 401, 403] {
        let (url, _) = serve(vec![(status, String::new())]);
        let action = Action::RemoveAcknowledgement;
        let error = send(&core(url), &command(&action, HOST, None, "alice").unwrap()).unwrap_err();
        assert!(error.to_string().starts_with("the openITCOCKPIT API doesn't let ackbell in ("), "{error}");
    }
}

#[test]
fn what_its_queue_would_spoil_takes_another_door() {
    let (start, end, comment) = (1_795_240_000, 1_795_247_200, String::new());
    let downtime = Action::Downtime { start, end, flexible: None, comment, host_services: false };
    let (url, _) = serve(Vec::new());
    let error = send(&core(url), &command(&downtime, HOST, Some("u-2"), "alice").unwrap()).unwrap_err();
    assert!(error.to_string().ends_with("there is no command file /nonexistent/ackbell"), "{error}");
}

use crate::config::{Api, ApiLogin, Core, CoreKind};
use crate::model::action::Action;
use crate::monitoring::error::Receipt;
use crate::monitoring::send::send;
use crate::monitoring::send::tests::serve;
use crate::rules::command::tests::command;
use crate::system::secret::Secret;

const HOST: &str = "c36b8048-93ce-4385-ac19-ab5c90574b77";

fn core(url: String) -> Core {
    let api = Api { urls: vec![url], login: ApiLogin::Key(Secret::new("k1".into())), ca_file: None };
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
    assert_eq!(receipt, Receipt { transport: "openITCOCKPIT API", answer, ..Receipt::default() });
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
fn what_it_refuses_is_told_as_what_it_is() {
    let refusal = |status: u16, body: &str| {
        let (url, _) = serve(vec![(status, body.to_owned())]);
        let action = Action::RemoveAcknowledgement;
        send(&core(url), &command(&action, HOST, None, "alice").unwrap()).unwrap_err()
    };
    for status in [302, 401] {
        let error = refusal(status, "").to_string();
        let start = format!("the openITCOCKPIT API refuses ackbell's login ({status}, the API key isn't known there)");
        assert!(error.starts_with(&start), "{error}");
    }
    let error = refusal(403, r#"{"message":"Forbidden"}"#).to_string();
    assert!(error.contains("(403, the API key's user group lacks the right to NagiosModule, Cmd, submit)"), "{error}");
    let message = "Could not resolve hostname \\\"web01\\\" into a UUID";
    let error = refusal(400, &format!(r#"{{"message":"CmdController: {message}","code":400}}"#));
    let verdict = "the monitoring core refused it: Could not resolve hostname \"web01\" into a UUID";
    assert_eq!((error.to_string().as_str(), error.is_verdict()), (verdict, true));
    assert!(refusal(404, r#"{"message":"Command not found"}"#).is_verdict());
    assert!(!refusal(404, "<html>").is_verdict() && !refusal(500, r#"{"message":"x"}"#).is_verdict());
}

#[test]
fn downtimes_and_their_ends_reach_the_satellites_comments_take_another_door() {
    let (start, end, comment) = (1_795_240_000, 1_795_247_200, "up".to_owned());
    let downtime = Action::Downtime { start, end, flexible: None, comment, host_services: false };
    let cancel = Action::CancelDowntime { id: "7".into() };
    let common = serde_json::json!({ "hostUuid": HOST });
    let scheduled = serde_json::json!({ "command": "SCHEDULE_SVC_DOWNTIME", "serviceUuid": "u-2", "start_time": start,
        "end_time": end, "fixed": 1, "trigger_id": 0, "duration": 7200, "author": "alice", "comment": "up" });
    let service_end = serde_json::json!({ "command": "DEL_SVC_DOWNTIME", "serviceUuid": "u-2", "downtime_id": "7" });
    let host_end = serde_json::json!({ "command": "DEL_HOST_DOWNTIME", "downtime_id": "7", "include_services": 0 });
    for (action, service, mut expected) in
        [(&downtime, Some("u-2"), scheduled), (&cancel, Some("u-2"), service_end), (&cancel, None, host_end)]
    {
        expected.as_object_mut().unwrap().extend(common.as_object().unwrap().clone());
        let answer = serde_json::json!({ "message": "queued", "command": expected["command"] }).to_string();
        let (url, served) = serve(vec![(200, answer)]);
        send(&core(url), &command(action, HOST, service, "alice").unwrap()).unwrap();
        let request = served.join().unwrap().remove(0);
        let body: serde_json::Value = serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap();
        assert_eq!(body, expected);
    }
    let comment = Action::Comment { persistent: true, comment: "hi".into() };
    let (url, _) = serve(Vec::new());
    let error = send(&core(url), &command(&comment, HOST, Some("u-2"), "alice").unwrap()).unwrap_err();
    assert!(error.to_string().ends_with("there is no command file /nonexistent/ackbell"), "{error}");
}

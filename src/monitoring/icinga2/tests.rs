use super::*;
use crate::model::core_snapshot::Acknowledged;
use crate::monitoring::scope::Scope;
use crate::monitoring::send::tests::{icinga2, serve};
use crate::monitoring::{send, state};
use crate::rules::command::tests::command;
use std::time::Duration;

const NOW: i64 = 1_795_240_000;

fn acknowledge(expiry: Option<i64>) -> Action {
    Action::Acknowledge { sticky: true, notify: false, persistent: true, comment: "on it".into(), expiry }
}

/// The path and body of the request, without the author.
fn asked(action: &Action, service: Option<&str>) -> (String, Value) {
    let (path, mut body) = request(&command(action, "web\"01", service, "alice").unwrap());
    body.as_object_mut().unwrap().remove("author");
    (path, body)
}

#[test]
fn each_action_is_its_request() {
    let (path, body) = asked(&acknowledge(Some(NOW + 60)), Some("HTTP"));
    assert_eq!(path, "/v1/actions/acknowledge-problem");
    let expected = json!({
        "type": "Service", "filter": "host.name==ackbell_host && service.name==ackbell_service",
        "filter_vars": { "ackbell_host": "web\"01", "ackbell_service": "HTTP" },
        "comment": "on it", "sticky": true, "notify": false, "persistent": true, "expiry": NOW + 60,
    });
    assert_eq!(body, expected);
    let downtime = Action::Downtime {
        start: NOW,
        end: NOW + 7200,
        flexible: Some(Duration::from_secs(600)),
        comment: "up".into(),
        host_services: true,
    };
    let (path, body) = asked(&downtime, None);
    assert_eq!(path, "/v1/actions/schedule-downtime");
    let expected = json!({
        "type": "Host", "filter": "host.name==ackbell_host", "filter_vars": { "ackbell_host": "web\"01" },
        "comment": "up", "start_time": NOW, "end_time": NOW + 7200, "fixed": false, "duration": 600, "all_services": true,
    });
    assert_eq!(body, expected);
    for (action, path, key, value) in [
        (Action::RemoveAcknowledgement, "/v1/actions/remove-acknowledgement", "type", json!("Host")),
        (Action::Recheck { at: NOW }, "/v1/actions/reschedule-check", "next_check", json!(NOW)),
        (Action::StopNotifications, "/v1/objects/hosts", "attrs", json!({ "enable_notifications": false })),
        (Action::Comment { persistent: true, comment: "hi".into() }, "/v1/actions/add-comment", "comment", json!("hi")),
        (Action::CancelDowntime { id: "a!b".into() }, "/v1/actions/remove-downtime", "type", json!("Downtime")),
    ] {
        let (found, body) = asked(&action, None);
        assert_eq!((found.as_str(), &body[key]), (path, &value));
    }
}

#[test]
fn its_verdict_is_the_receipt() {
    let good = r#"{"results":[{"code":200.0,"status":"Successfully acknowledged problem for object 'web01!HTTP'."}]}"#;
    let conflict = r#"{"results":[{"code":409.0,"status":"Service web01!HTTP is OK."}]}"#;
    for (status, body, expected) in [
        (200, good, Ok("Successfully acknowledged problem for object 'web01!HTTP'")),
        (409, conflict, Err("the monitoring core refused it: Service web01!HTTP is OK")),
        (200, conflict, Err("the monitoring core refused it: Service web01!HTTP is OK")),
        (
            404,
            r#"{"error":404,"status":"No objects found."}"#,
            Err("it doesn't know HTTP on web01, or its API user may not acknowledge problems"),
        ),
        (500, r#"{"results":[]}"#, Err("the monitoring core refused it: it doesn't know HTTP on web01")),
        (
            403,
            r#"{"error":403,"status":"Missing permission: x"}"#,
            Err("the API user lacks a permission: Missing permission: x"),
        ),
        (503, "", Err("it is reloading; try again")),
    ] {
        let (url, served) = serve(vec![(status, body.to_owned())]);
        let command = command(&acknowledge(None), "web01", Some("HTTP"), "alice").unwrap();
        match (send::send(&icinga2(url), &command), expected) {
            (Ok(receipt), Ok(text)) => assert_eq!(receipt.answer.as_deref(), Some(text)),
            (Err(error), Err(text)) => assert!(error.to_string().contains(text), "{error}"),
            other => panic!("{other:?}"),
        }
        let request = served.join().unwrap().remove(0);
        assert!(request.starts_with("POST /v1/actions/acknowledge-problem HTTP/1.1\r\n"), "{request}");
        // "ackbell:s:3"
        assert!(request.to_lowercase().contains("authorization: basic ywnrymvsbdpzojm=\r\n"), "{request}");
    }
}

#[test]
fn its_objects_are_read_back() {
    let object = |service: Option<&str>| Object {
        core: String::new(),
        host: "web01".into(),
        service: service.map(str::to_owned),
    };
    let (host, http) = (object(None), object(Some("HTTP")));
    let results = |results: Value| (200, json!({ "results": results }).to_string());
    let (url, served) = serve(vec![
        results(json!([{ "status": { "icingaapplication": { "app": {
            "pid": 7.0, "program_start": 1_795_000_000.5, "enable_notifications": true } } } }])),
        results(json!([{ "attrs": { "__name": "web01", "name": "web01", "state": 0.0, "state_type": 1.0 } }])),
        results(json!([{ "attrs": {
            "__name": "web01!HTTP", "name": "HTTP", "host_name": "web01", "state": 2.0, "state_type": 0.0,
            "acknowledgement": 2.0, "downtime_depth": 1.0, "enable_notifications": true, "last_check": 1_795_239_999.9,
            "next_check": 1_795_240_059.1, "last_state_change": 1_795_230_000.2,
            "last_check_result": { "output": "bad\nworse" } } }])),
        results(json!([
            { "attrs": { "host_name": "web01", "service_name": "HTTP", "entry_type": 4.0, "author": "alice",
                "text": "on it", "entry_time": 1_795_240_000.3 } },
            { "attrs": { "host_name": "web01", "service_name": "HTTP", "entry_type": 4.0, "author": "bob",
                "text": "before", "entry_time": 1_795_230_000.3 } }])),
        results(
            json!([{ "attrs": { "__name": "web01!HTTP!x", "host_name": "web01", "service_name": "HTTP", "author": "alice",
            "comment": "up", "start_time": 1.0, "end_time": 2.0, "fixed": true } }]),
        ),
    ]);
    let snapshot = state::read(&icinga2(url), &[host.clone(), http.clone(), object(Some("Gone"))]).unwrap();
    let asked = served.join().unwrap();
    assert!(asked[2].contains(r#""ackbell_names":["web01!HTTP","web01!Gone"]"#), "{}", asked[2]);
    assert!(asked[2].to_lowercase().contains("x-http-method-override: get"), "{}", asked[2]);
    assert_eq!((snapshot.program.pid, snapshot.program.start), (Some(7), Some(1_795_000_000)));
    assert_eq!(snapshot.states.len(), 2);
    let state = &snapshot.states[&http];
    assert_eq!((state.code, state.is_hard, state.acknowledged), (2, false, Acknowledged::Sticky));
    assert_eq!((state.last_check, state.output.as_str()), (1_795_239_999, "bad"));
    assert_eq!(state.acknowledgement().unwrap().author, "alice");
    assert_eq!(state.downtimes[0].id, "web01!HTTP!x");
    assert_eq!(snapshot.states[&host].code, 0);
}

#[test]
fn what_was_never_checked_is_no_problem() {
    let results = |results: Value| (200, json!({ "results": results }).to_string());
    let host =
        |name: &str, checked: Value| json!({ "attrs": { "name": name, "state": 1.0, "last_check_result": checked } });
    let (url, served) = serve(vec![
        results(json!([host("down", json!({ "output": "no ping" })), host("never", Value::Null)])),
        results(json!([])),
    ]);
    let found = super::state::list(icinga2(url).api.as_ref().unwrap(), Scope::Problems).unwrap();
    served.join().unwrap();
    assert_eq!(found.iter().map(|(object, _)| object.host.as_str()).collect::<Vec<_>>(), ["down"]);
    let (url, _) = serve(vec![
        results(json!([])),
        results(json!([host("never", Value::Null)])),
        results(json!([])),
        results(json!([])),
    ]);
    let never = Object { core: String::new(), host: "never".into(), service: None };
    let snapshot = state::read(&icinga2(url), std::slice::from_ref(&never)).unwrap();
    assert_eq!(snapshot.states[&never].name(&never), "PENDING");
}

#[test]
fn dependencies_between_hosts_make_the_topology() {
    let ask = |path: &str, _: &Value| {
        let attrs = |attrs: Value| json!({ "attrs": attrs });
        let between = |child: &str, child_service: &str, parent: &str, parent_service: &str| {
            attrs(json!({ "child_host_name": child, "child_service_name": child_service, "parent_host_name": parent,
                "parent_service_name": parent_service }))
        };
        let grouped = |child: &str, parent: &str| {
            let mut one = between(child, "", parent, "");
            one["attrs"]["redundancy_group"] = json!("ways");
            one
        };
        let results = if path.ends_with("dependencies") {
            json!([
                between("web", "", "sw", ""),
                between("web", "HTTP", "db", "MySQL"),
                between("web", "", "sw", ""),
                between("web", "", "power", ""),
                grouped("app", "sw"),
                grouped("app", "other")
            ])
        } else {
            json!([attrs(json!({ "host_name": "web" })), attrs(json!({ "host_name": "db" }))])
        };
        Ok(Answer { status: 200, body: json!({ "results": results }) })
    };
    let topology = super::state::topology_from(&ask).unwrap();
    assert_eq!((topology.count_behind("sw"), topology.count_behind("db")), ((1, 1), (0, 0)), "app has another way");
    assert_eq!(topology.count_behind("power"), (1, 1), "each that is in no group is needed");
    // Up to 2.13 `redundancy_group` isn't known.
    let older = |path: &str, body: &Value| {
        if body.to_string().contains("redundancy_group") {
            return Ok(Answer { status: 400, body: json!({ "status": "Invalid field specified" }) });
        }
        ask(path, body)
    };
    assert_eq!(super::state::topology_from(&older).unwrap(), topology);
    let refused = |_: &str, _: &Value| Ok(Answer { status: 403, body: json!({ "status": "no permission" }) });
    assert!(super::state::topology_from(&refused).is_err());
}

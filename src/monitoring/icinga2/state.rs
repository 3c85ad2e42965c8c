//! Reading the objects' state from the API.

use crate::config::Api;
use crate::model::core_snapshot::{Acknowledged, Acknowledgement, Downtime, Program, Snapshot, State};
use crate::model::object::Object;
use crate::model::topology::Topology;
use crate::monitoring::error::ReadError;
use crate::monitoring::http::{Answer, Client};
use crate::monitoring::objects::Names;
use crate::monitoring::scope::Scope;
use crate::system::clock;
use crate::system::order;
use serde_json::{Value, json};

/// The attributes of [`state`].
const STATE: [&str; 9] = [
    "state",
    "state_type",
    "acknowledgement",
    "downtime_depth",
    "enable_notifications",
    "last_check",
    "next_check",
    "last_state_change",
    "last_check_result",
];

/// The wanted objects' state as it is in memory now.
pub(in crate::monitoring) fn read(api: &Api, wanted: &[Object]) -> Result<Snapshot, ReadError> {
    // Before asking: what the core does meanwhile is later.
    let created = clock::wall_ms() / 1000;
    let asked =
        Client::new(api).and_then(|client| snapshot(&|path, body| client.post(path, body, true), wanted, created));
    asked.map_err(|reason| ReadError::Unreadable { origin: "the Icinga 2 API".to_owned(), reason })
}

/// For the fuzzer: as if these were the core's answers, one to each question in turn.
#[cfg(any(fuzzing, test))]
pub(crate) fn read_from(answers: &[&str], wanted: &[Object], created: i64) -> Result<Snapshot, String> {
    let asked = std::cell::Cell::new(0);
    let ask = |_: &str, _: &Value| {
        let answer = answers[asked.replace(asked.get() + 1) % answers.len()];
        Ok(Answer { status: 200, body: serde_json::from_str(answer).unwrap_or_default() })
    };
    snapshot(&ask, wanted, created)
}

/// Asks: a path and a body.
type Ask<'a> = &'a dyn Fn(&str, &Value) -> Result<Answer, String>;

fn snapshot(ask: Ask<'_>, wanted: &[Object], created: i64) -> Result<Snapshot, String> {
    let mut snapshot = Snapshot { created, ..Snapshot::default() };
    // It takes a permission of its own, and is only worth a word when it is there.
    if let Ok(found) = query(ask, "/v1/status/IcingaApplication", &json!({})) {
        let app = found.first().map_or(&Value::Null, |result| &result["status"]["icingaapplication"]["app"]);
        snapshot.program = Program {
            pid: app.get("pid").and_then(|pid| integer(pid).try_into().ok()),
            start: app.get("program_start").map(integer),
            notifications_enabled: app["enable_notifications"].as_bool(),
            external_commands_checked: None,
        };
    }
    let names = |has_service: bool| {
        let of_kind = wanted.iter().filter(move |object| object.service.is_some() == has_service);
        of_kind.map(|object| match &object.service {
            Some(service) => format!("{}!{service}", object.host),
            None => object.host.clone(),
        })
    };
    // An attribute that the kind doesn't have is an error.
    for (path, kind, names, (host, service)) in [
        ("/v1/objects/hosts", "host", names(false).collect::<Vec<_>>(), ("name", "")),
        ("/v1/objects/services", "service", names(true).collect::<Vec<_>>(), ("host_name", "name")),
    ] {
        if names.is_empty() {
            continue;
        }
        let body = json!({
            "attrs": (["name", host].iter().chain(&STATE).collect::<Vec<_>>()),
            "filter": format!("{kind}.__name in ackbell_names"),
            "filter_vars": { "ackbell_names": names },
        });
        for result in query(ask, path, &body)? {
            let attrs = &result["attrs"];
            if let Some(object) = object(wanted, attrs, (host, service)) {
                snapshot.states.insert(object.clone(), state(attrs));
            }
        }
    }
    read_notes(ask, wanted, &mut snapshot)?;
    Ok(snapshot)
}

/// Everything in memory, or all that isn't well.
pub(in crate::monitoring) fn list(api: &Api, scope: Scope) -> Result<Vec<(Object, State)>, ReadError> {
    let failed = |reason| ReadError::Unreadable { origin: "the Icinga 2 API".to_owned(), reason };
    let client = Client::new(api).map_err(failed)?;
    let mut found = Vec::new();
    for (path, kind, names) in
        [("/v1/objects/hosts", "host", &["name"][..]), ("/v1/objects/services", "service", &["host_name", "name"])]
    {
        let body = match scope {
            Scope::Names => json!({ "attrs": names }),
            Scope::Problems => {
                json!({ "attrs": (names.iter().chain(&STATE).collect::<Vec<_>>()), "filter": format!("{kind}.state != 0") })
            }
        };
        for result in query(&|path, body| client.post(path, body, true), path, &body).map_err(failed)? {
            let attrs = &result["attrs"];
            let object = Object {
                core: String::new(),
                host: text(&attrs[names[0]]),
                service: names.get(1).map(|name| text(&attrs[*name])),
            };
            let state = state(attrs);
            // An object that was never checked has no state yet.
            if scope == Scope::Names || !state.is_pending {
                found.push((object, state));
            }
        }
    }
    Ok(found)
}

/// Display names of all hosts and services; aliases don't exist here.
pub(in crate::monitoring) fn labels(api: &Api) -> Option<Names> {
    let client = Client::new(api).ok()?;
    let ask = |path: &str, body: &Value| client.post(path, body, true);
    let mut names = Names::default();
    for (path, host, service) in
        [("/v1/objects/hosts", "name", None), ("/v1/objects/services", "host_name", Some("name"))]
    {
        let attrs: Vec<&str> = [Some(host), service, Some("display_name")].into_iter().flatten().collect();
        for result in query(&ask, path, &json!({ "attrs": attrs })).ok()? {
            let attrs = &result["attrs"];
            let service = service.map(|name| text(&attrs[name])).unwrap_or_default();
            names.put((text(&attrs[host]), service), &text(&attrs["display_name"]));
        }
    }
    Some(names)
}

/// Which hosts depend on which, by its dependencies, and the number of their services. A service's own dependencies say nothing
/// of hosts.
pub(in crate::monitoring) fn topology(api: &Api) -> Option<Topology> {
    let client = Client::new(api).ok()?;
    topology_from(&|path: &str, body: &Value| client.post(path, body, true)).ok()
}

pub(super) fn topology_from(ask: Ask<'_>) -> Result<Topology, String> {
    let attrs =
        ["parent_host_name", "parent_service_name", "child_host_name", "child_service_name", "redundancy_group"];
    let path = "/v1/objects/dependencies";
    let dependencies = |attrs: &[&str]| ask(path, &json!({ "attrs": attrs }));
    // Up to 2.13 there are no such groups, and an attribute that isn't known is a mistake.
    let answer = match dependencies(&attrs)? {
        Answer { status: 400, .. } => dependencies(&attrs[..4])?,
        answer => answer,
    };
    let dependencies = results(path, answer)?;
    let services = query(ask, "/v1/objects/services", &json!({ "attrs": ["host_name"] }))?;
    let mut topology = Topology::default();
    for dependency in dependencies {
        let attrs = &dependency["attrs"];
        let is_of_hosts =
            text(&attrs["parent_service_name"]).is_empty() && text(&attrs["child_service_name"]).is_empty();
        if is_of_hosts {
            let (child, parent) = (text(&attrs["child_host_name"]), text(&attrs["parent_host_name"]));
            // Of those of no group each is needed.
            let group = Some(text(&attrs["redundancy_group"])).filter(|group| !group.is_empty());
            topology.add_parent_of(&child, &group.unwrap_or_else(|| format!("\u{1f}{parent}")), &parent);
        }
    }
    for service in services {
        topology.add_service(&text(&service["attrs"]["host_name"]));
    }
    Ok(topology)
}

/// The comments and downtimes of the objects found.
fn read_notes(ask: Ask<'_>, wanted: &[Object], snapshot: &mut Snapshot) -> Result<(), String> {
    const NAMES: (&str, &str) = ("host_name", "service_name");
    let hosts: Vec<&str> = wanted.iter().map(|object| object.host.as_str()).collect();
    let of_hosts = |kind: &str| json!({ "filter": format!("{kind}.host_name in ackbell_hosts"), "filter_vars": { "ackbell_hosts": hosts } });
    let mut comments = query(ask, "/v1/objects/comments", &of_hosts("comment"))?;
    order::by_key(&mut comments, |result| integer(&result["attrs"]["entry_time"]));
    for result in comments {
        let attrs = &result["attrs"];
        let Some(state) = object(wanted, attrs, NAMES).and_then(|object| snapshot.states.get_mut(object)) else {
            continue;
        };
        let time = integer(&attrs["entry_time"]);
        let comment = Acknowledgement { author: text(&attrs["author"]), comment: text(&attrs["text"]), time };
        // As in Nagios: 1 a person's, 4 an acknowledgement's.
        match integer(&attrs["entry_type"]) {
            4 => state.acknowledgements.push(comment),
            1 => state.comments.push(comment),
            _ => {}
        }
    }
    for result in query(ask, "/v1/objects/downtimes", &of_hosts("downtime"))? {
        let attrs = &result["attrs"];
        let Some(state) = object(wanted, attrs, NAMES).and_then(|object| snapshot.states.get_mut(object)) else {
            continue;
        };
        state.downtimes.push(Downtime {
            id: text(&attrs["__name"]),
            author: text(&attrs["author"]),
            comment: text(&attrs["comment"]),
            start: integer(&attrs["start_time"]),
            end: integer(&attrs["end_time"]),
            is_fixed: attrs["fixed"].as_bool().unwrap_or(true),
        });
    }
    Ok(())
}

/// The results of a query; none when nothing matches.
fn query(ask: Ask<'_>, path: &str, body: &Value) -> Result<Vec<Value>, String> {
    results(path, ask(path, body)?)
}

fn results(path: &str, mut answer: Answer) -> Result<Vec<Value>, String> {
    match (answer.status, answer.body["results"].take()) {
        (200, Value::Array(results)) => Ok(results),
        (404, _) => Ok(Vec::new()),
        (status, _) => {
            let text = crate::model::notification::clean_line(answer.body["status"].as_str().unwrap_or_default());
            Err(format!("{path} answered {status} {}", text.chars().take(200).collect::<String>())
                .trim_end()
                .to_owned())
        }
    }
}

/// Which of the wanted objects it is, by the attributes that hold its host's and its service's name.
fn object<'a>(wanted: &'a [Object], attrs: &Value, (host, service): (&str, &str)) -> Option<&'a Object> {
    let name = attrs[service].as_str().filter(|name| !name.is_empty());
    wanted.iter().find(|object| Some(object.host.as_str()) == attrs[host].as_str() && object.service.as_deref() == name)
}

fn state(attrs: &Value) -> State {
    let number = |key: &str| integer(&attrs[key]);
    State {
        code: number("state").try_into().unwrap_or_default(),
        is_hard: number("state_type") == 1,
        is_pending: attrs["last_check_result"].is_null(),
        acknowledged: match number("acknowledgement") {
            0 => Acknowledged::No,
            2 => Acknowledged::Sticky,
            _ => Acknowledged::Normal,
        },
        downtime_depth: number("downtime_depth").try_into().unwrap_or_default(),
        notifications_enabled: attrs["enable_notifications"].as_bool().unwrap_or_default(),
        last_check: number("last_check"),
        next_check: number("next_check"),
        last_state_change: number("last_state_change"),
        output: text(&attrs["last_check_result"]["output"]).lines().next().unwrap_or_default().to_owned(),
        ..State::default()
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Every number of this API has a fraction.
#[expect(clippy::cast_possible_truncation, reason = "times and small numbers; what is out of range is cut")]
fn integer(value: &Value) -> i64 {
    value.as_f64().unwrap_or_default() as i64
}

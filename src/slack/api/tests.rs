use super::*;
use crate::config::{Credentials, blank_integration};
use crate::system::secret::Secret;
use std::net::TcpListener;

const SECOND: Duration = Duration::from_secs(1);

fn integration(api_url: &str) -> Integration {
    let credentials = Credentials::Bot { token: Secret::new("xoxb-1".to_owned()), webhook: None };
    Integration { api_url: api_url.to_owned(), credentials, ..blank_integration() }
}

fn client(term: Option<Arc<Term>>) -> Client {
    Client::new(&integration("http://127.0.0.1:9/api/"), &Environment::default()).unwrap().within(term)
}

#[test]
fn all_of_a_call_is_out_before_another_node_may_lead() {
    let term = Arc::new(Term::new(1, clock::since_boot()));
    let limits = client(Some(Arc::clone(&term))).limits(60 * SECOND).unwrap();
    let part = limits.part.unwrap();
    // The name, the connection, the head and the body.
    assert!(part * 3 + limits.connect <= 8 * SECOND, "{limits:?}");
    assert!(limits.all > 20 * SECOND, "the answer is waited for: {limits:?}");
    let notify = client(Some(Arc::clone(&term))).limits(5 * SECOND).unwrap();
    assert_eq!(notify.all, 5 * SECOND, "a notify has to end");
    term.end();
    let refused = client(Some(term)).limits(60 * SECOND).unwrap_err();
    assert!(matches!(refused, Outcome::Unsure { .. }), "{refused:?}");
    assert_eq!(client(None).limits(60 * SECOND).unwrap().part, None, "a file has no other node");
}

#[test]
fn an_unsure_lease_makes_no_call_and_is_no_wait_of_slacks() {
    let slack = TcpListener::bind("127.0.0.1:0").unwrap();
    slack.set_nonblocking(true).unwrap();
    let term = Arc::new(Term::new(1, clock::since_boot()));
    term.end();
    let own = integration(&format!("http://{}/api/", slack.local_addr().unwrap()));
    let client = Client::new(&own, &Environment::default()).unwrap().within(Some(term));
    let post = || client.post(Some("#c"), serde_json::json!({ "text": "t" }), SECOND);
    let call = || client.call("views.publish", &serde_json::json!({}), SECOND).unwrap_err();
    let look_up = || client.look_up("users.info", &[], SECOND).unwrap_err();
    for outcome in [post(), call(), call(), look_up(), look_up()] {
        assert!(matches!(outcome, Outcome::Unsure { .. }), "{outcome:?}");
    }
    assert!(slack.accept().is_err(), "nobody called");
}

/// Where another node's waits are asked for, this node was paused, and its lease ended.
#[derive(Debug)]
struct Pauses(&'static OnceLock<Arc<Term>>);

impl SharedWaits for Pauses {
    fn left(&self, integration: &str, _method: &str) -> Duration {
        if integration == "pauses" {
            self.0.get().unwrap().end();
        }
        Duration::ZERO
    }

    fn keep(&self, _integration: &str, _method: &str, _after: Duration) {}
}

#[test]
fn a_lease_that_ends_while_the_database_is_asked_makes_no_call() {
    static TERM: OnceLock<Arc<Term>> = OnceLock::new();
    let slack = TcpListener::bind("127.0.0.1:0").unwrap();
    slack.set_nonblocking(true).unwrap();
    let term = TERM.get_or_init(|| Arc::new(Term::new(1, clock::since_boot())));
    share_waits(Box::new(Pauses(&TERM)));
    let own = integration(&format!("http://{}/api/", slack.local_addr().unwrap()));
    let own = Integration { name: "pauses".to_owned(), ..own };
    let client = Client::new(&own, &Environment::default()).unwrap().within(Some(Arc::clone(term)));
    let picture = upload::Picture { name: "a.png", title: "a", text: "a", png: &[] };
    let delete = || client.delete("C1", "1.2", SECOND).unwrap_err();
    let look_up = || client.look_up("users.info", &[], SECOND).unwrap_err();
    let upload = || client.upload(&picture, SECOND).unwrap_err();
    let respond = || client.respond(&format!("{}respond", own.api_url), &serde_json::json!({}), SECOND);
    let calls: [&dyn Fn() -> Outcome; 4] = [&delete, &look_up, &upload, &respond];
    for (nth, call) in calls.into_iter().enumerate() {
        term.renewed(clock::since_boot());
        let outcome = call();
        assert!(matches!(outcome, Outcome::Unsure { .. }), "{nth}: {outcome:?}");
    }
    assert!(slack.accept().is_err(), "nobody called");
}

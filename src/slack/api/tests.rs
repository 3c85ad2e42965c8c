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

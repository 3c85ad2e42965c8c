//! Whom Slack says that somebody is: its answer to `users.info`.

use serde_json::Value;

/// Any JSON as that answer: the person is still the one who clicked, and no name holds what commands a terminal.
pub fn people(bytes: &[u8]) {
    let Ok(user) = serde_json::from_slice::<Value>(bytes) else { return };
    let person = crate::flow::callback::requester::person_from_answer(&user);
    assert_eq!(person.user_id, "U1", "somebody else than who clicked");
    assert!(!person.team_id.is_empty(), "of no workspace");
    assert!(!person.name.contains(char::is_control), "a name that commands: {:?}", person.name);
    assert!(person.email.is_none_or(|email| !email.trim().is_empty()), "an address without a letter is somebody's");
}

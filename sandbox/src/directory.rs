//! `users.*` and `usergroups.*`.

use serde_json::{Value, json};

use super::state::State;
use super::web_api::{Call, Refusal, Reply};
use super::workspace::TEAM;

/// <https://docs.slack.dev/reference/methods/users.info>
pub(super) fn info(state: &State, call: &Call) -> Reply {
    let id = call.text("user").ok_or_else(|| Refusal::new("user_not_found"))?;
    let user = state.workspace.users.iter().find(|user| user.id == id);
    user.map(|user| json!({"user": user.as_slack()})).ok_or_else(|| Refusal::new("user_not_found"))
}

/// Deactivated people aren't found. <https://docs.slack.dev/reference/methods/users.lookupByEmail>
pub(super) fn lookup_by_email(state: &State, call: &Call) -> Reply {
    let email = call.text("email").ok_or_else(|| Refusal::missing("email"))?;
    let mut people = state.workspace.users.iter().filter(|user| !user.deleted && !user.bot && user.team == TEAM);
    let found = people.find(|user| user.email.eq_ignore_ascii_case(email));
    found.map(|user| json!({"user": user.as_slack()})).ok_or_else(|| Refusal::new("users_not_found"))
}

/// <https://docs.slack.dev/reference/methods/usergroups.list>
pub(super) fn groups(state: &State, call: &Call) -> Value {
    let groups: Vec<Value> = state
        .workspace
        .groups
        .iter()
        .map(|group| {
            let mut shown = json!({
                "id": group.id, "team_id": "T0SANDBOX", "is_usergroup": true, "name": group.handle,
                "handle": group.handle, "date_delete": 0, "user_count": group.users.len(),
            });
            if call.flag("include_users") {
                shown["users"] = json!(group.users);
            }
            shown
        })
        .collect();
    json!({"usergroups": groups})
}

/// <https://docs.slack.dev/reference/methods/usergroups.users.list>
pub(super) fn group_users(state: &State, call: &Call) -> Reply {
    let id = call.text("usergroup").ok_or_else(|| Refusal::missing("usergroup"))?;
    let group = state.workspace.groups.iter().find(|group| group.id == id);
    group.map(|group| json!({"users": group.users})).ok_or_else(|| Refusal::new("no_such_subteam"))
}

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

/// The list is the whole of the group; an empty one is refused.
/// <https://docs.slack.dev/reference/methods/usergroups.users.update>
pub(super) fn set_group_users(state: &mut State, call: &Call) -> Reply {
    let id = call.text("usergroup").ok_or_else(|| Refusal::missing("usergroup"))?.to_owned();
    let given = call.text("users").ok_or_else(|| Refusal::new("no_users_provided"))?;
    let users: Vec<String> = given.split(',').map(|user| user.trim().to_owned()).collect();
    let is_known = |id: &String| state.workspace.users.iter().any(|user| user.id == *id && !user.deleted);
    if !users.iter().all(is_known) {
        return Err(Refusal::new("invalid_users"));
    }
    let group = state.workspace.groups.iter_mut().find(|group| group.id == id);
    let group = group.ok_or_else(|| Refusal::new("no_such_subteam"))?;
    group.users = users;
    Ok(json!({"usergroup": {
        "id": group.id, "team_id": TEAM, "is_usergroup": true, "name": group.handle, "handle": group.handle,
        "date_delete": 0, "user_count": group.users.len(), "users": group.users,
    }}))
}

/// A bot sees only whether somebody is there. <https://docs.slack.dev/reference/methods/users.getPresence>
pub(super) fn presence(state: &State, call: &Call) -> Reply {
    let id = call.text("user").ok_or_else(|| Refusal::missing("user"))?;
    let user = state.workspace.users.iter().find(|user| user.id == id);
    let user = user.ok_or_else(|| Refusal::new("user_not_found"))?;
    Ok(json!({"presence": if user.away { "away" } else { "active" }}))
}

/// Of others the next time without disturbance alone is shown, and no snooze.
/// <https://docs.slack.dev/reference/methods/dnd.info>
pub(super) fn do_not_disturb(state: &State, call: &Call) -> Reply {
    let id = call.text("user").ok_or_else(|| Refusal::new("user_not_found"))?;
    let user = state.workspace.users.iter().find(|user| user.id == id);
    let user = user.ok_or_else(|| Refusal::new("user_not_found"))?;
    let (start, end) = user.dnd;
    Ok(json!({"dnd_enabled": end > 0, "next_dnd_start_ts": start.max(1), "next_dnd_end_ts": end.max(1)}))
}

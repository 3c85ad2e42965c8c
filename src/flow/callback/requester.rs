//! The identity of the requester, as Slack knows it; remembered for some minutes.

use super::request::Requester;
use crate::config::values::ON_CALL;
use crate::config::{Config, Integration, Who};
use crate::model::notification::clean_line;
use crate::model::outcome::Outcome;
use crate::rules::authorise::Person;
use crate::slack::api::Client;
use serde_json::Value;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// How long an answer about a person, or about the groups, is used. Short: a member who was made a guest is soon one.
const REMEMBERED_FOR: Duration = Duration::from_secs(5 * 60);
/// For one call.
const BUDGET: Duration = Duration::from_secs(5);
/// How many people are remembered; then all are looked up again.
const PEOPLE_MAX: usize = 10_000;

/// Why the requester isn't known, as a sentence for the person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum IdentityError {
    /// Worth another try.
    #[error("Slack doesn't say who you are ({0}); try again in a moment")]
    Later(String),
    /// Slack doesn't know the user id, or doesn't show that user to the app.
    #[error("Slack doesn't tell ackbell who you are ({0})")]
    Unknown(String),
    #[error(
        "Slack doesn't let ackbell see who you are ({0}); its app needs the scopes users:read and users:read.email"
    )]
    Never(String),
}

/// The people, groups and workspaces that Slack was asked about.
#[derive(Debug, Default)]
pub(crate) struct KnownPeople {
    /// By integration and user.
    known: HashMap<(String, String), (Instant, Person)>,
    /// By integration: each group's id, handle and members.
    groups: HashMap<String, (Instant, Vec<Group>)>,
    /// By integration: the workspace its token is of. It never changes with the token.
    teams: HashMap<String, String>,
}

#[derive(Debug, Clone)]
struct Group {
    id: String,
    handle: String,
    members: Vec<String>,
}

impl KnownPeople {
    /// Forgets everything: another configuration, perhaps another token.
    pub(crate) fn forget(&mut self) {
        *self = Self::default();
    }

    /// The workspace of the installation: the token's, else the webhook's, else the one that Slack named in what it
    /// signed.
    pub(crate) fn team(
        &mut self,
        integration: &Integration,
        client: &Client,
        requester: &Requester,
    ) -> Result<String, IdentityError> {
        if !integration.is_bot() {
            let of_webhook = integration.webhook_url().and_then(|url| {
                url.expose()
                    .split("/services/")
                    .nth(1)?
                    .split('/')
                    .next()
                    .filter(|id| id.starts_with('T'))
                    .map(str::to_owned)
            });
            return Ok(of_webhook.or_else(|| requester.team.clone()).unwrap_or_default());
        }
        if let Some(team) = self.teams.get(&integration.name) {
            return Ok(team.clone());
        }
        let answer =
            client.call("auth.test", &Value::Object(serde_json::Map::new()), BUDGET).map_err(identity_error)?;
        let team = answer["team_id"].as_str().unwrap_or_default().to_owned();
        self.teams.insert(integration.name.clone(), team.clone());
        Ok(team)
    }

    /// The person, as seen from the installation's workspace `team`. Without a token Slack can't be asked: then the
    /// person is who the signed request says, and may be a guest.
    pub(crate) fn person(
        &mut self,
        requester: &Requester,
        integration: &Integration,
        team: &str,
        config: &Config,
        client: &Client,
    ) -> Result<Person, IdentityError> {
        let claimed = Person {
            integration: requester.integration.clone(),
            team_id: requester.user_team.clone().or_else(|| requester.team.clone()).unwrap_or_default(),
            user_id: requester.user.clone(),
            name: requester.user_name.clone().unwrap_or_default(),
            ..Person::default()
        };
        if !integration.is_bot() {
            return Ok(Person { name: clean_line(&claimed.name), ..claimed });
        }
        let key = (requester.integration.clone(), requester.user.clone());
        let known =
            self.known.get(&key).filter(|(at, _)| at.elapsed() < REMEMBERED_FOR).map(|(_, person)| person.clone());
        let mut person = if let Some(person) = known {
            person
        } else {
            let person = match client.look_up("users.info", &[("user", &requester.user)], BUDGET) {
                Ok(answer) => person_of(&answer["user"], claimed, team),
                // Slack hides the users of workspaces that share no channel with the app.
                Err(Outcome::DestinationNever { .. }) if !claimed.team_id.is_empty() && claimed.team_id != team => {
                    Person { is_outsider: true, ..claimed }
                }
                Err(Outcome::DestinationNever { reason }) => return Err(IdentityError::Unknown(reason.text)),
                Err(outcome) => return Err(identity_error(outcome)),
            };
            if self.known.len() >= PEOPLE_MAX {
                self.known.clear();
            }
            self.known.insert(key, (Instant::now(), person.clone()));
            person
        };
        // It is kept, written into the core, and printed.
        person.name = clean_line(&person.name);
        if config.access.rules.iter().any(|rule| rule.who.iter().any(is_group_in_slack)) {
            person.groups = self.groups_of(requester, client)?;
        }
        Ok(person)
    }

    fn groups_of(&mut self, requester: &Requester, client: &Client) -> Result<Vec<String>, IdentityError> {
        let is_fresh = self.groups.get(&requester.integration).is_some_and(|(at, _)| at.elapsed() < REMEMBERED_FOR);
        if !is_fresh {
            let answer =
                client.look_up("usergroups.list", &[("include_users", "true")], BUDGET).map_err(identity_error)?;
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let list =
                |value: &Value| value.as_array().map(Vec::as_slice).unwrap_or_default().iter().map(text).collect();
            let groups =
                answer["usergroups"].as_array().map(Vec::as_slice).unwrap_or_default().iter().map(|group| Group {
                    id: text(&group["id"]),
                    handle: text(&group["handle"]).to_lowercase(),
                    members: list(&group["users"]),
                });
            self.groups.insert(requester.integration.clone(), (Instant::now(), groups.collect()));
        }
        let groups = self.groups.get(&requester.integration).map(|(_, groups)| groups.as_slice()).unwrap_or_default();
        let own = groups.iter().filter(|group| group.members.contains(&requester.user));
        Ok(own.flat_map(|group| [group.id.clone(), group.handle.clone()]).collect())
    }
}

/// A shift plan isn't one of Slack's groups.
fn is_group_in_slack(who: &Who) -> bool {
    matches!(who, Who::Group(group) if !group.starts_with(ON_CALL))
}

/// Slack's user object (<https://docs.slack.dev/reference/objects/user-object>).
fn person_of(user: &Value, claimed: Person, team: &str) -> Person {
    let flag = |name: &str| user[name].as_bool().unwrap_or(false);
    let text = |value: &Value| value.as_str().filter(|text| !text.trim().is_empty()).map(str::to_owned);
    let profile = &user["profile"];
    let names = [&profile["display_name"], &profile["real_name"], &user["real_name"], &user["name"]];
    // In an enterprise a person is at home in one workspace and belongs to several
    // (<https://docs.slack.dev/enterprise/developing-for-enterprise-orgs>).
    let teams = user["enterprise_user"]["teams"].as_array().map(Vec::as_slice).unwrap_or_default();
    let belongs = !team.is_empty() && teams.iter().any(|own| own == team);
    let home = if belongs { Some(team.to_owned()) } else { text(&user["team_id"]) };
    // An address is proof of a person only while there is one, who was seen to read mail there.
    let is_proven = !flag("deleted") && user["is_email_confirmed"].as_bool() != Some(false);
    Person {
        team_id: home.unwrap_or(claimed.team_id),
        name: names.into_iter().find_map(text).unwrap_or(claimed.name),
        email: text(&profile["email"]).filter(|_| is_proven),
        is_guest: Some(flag("is_restricted") || flag("is_ultra_restricted")),
        is_outsider: flag("is_outsider"),
        is_bot: flag("is_bot"),
        ..Person { name: String::new(), team_id: String::new(), ..claimed }
    }
}

/// For the fuzzer: the person that any answer of Slack about a user leads to.
#[cfg(any(fuzzing, test))]
pub(crate) fn person_from_answer(user: &Value) -> Person {
    let claimed = Person { team_id: "T1".into(), user_id: "U1".into(), name: "said".into(), ..Person::default() };
    let person = person_of(user, claimed, "T1");
    Person { name: clean_line(&person.name), ..person }
}

fn identity_error(outcome: Outcome) -> IdentityError {
    match outcome {
        Outcome::TokenNever { reason } | Outcome::DestinationNever { reason } | Outcome::MessageNever { reason } => {
            IdentityError::Never(reason.text)
        }
        Outcome::Temporary { reason, .. } | Outcome::Plain { reason } | Outcome::PostAnew { reason } => {
            IdentityError::Later(reason.text)
        }
        Outcome::Wait { after } => IdentityError::Later(format!("Slack asks to wait {} s", after.as_secs())),
        Outcome::Unsure { .. } => IdentityError::Later(outcome.reason().text),
        Outcome::Delivered(_) => IdentityError::Later("no answer".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn seen(user: &Value) -> Person {
        let claimed = Person { team_id: "T1".into(), user_id: "U1".into(), ..Person::default() };
        person_of(user, claimed, "T1")
    }

    #[test]
    fn whoever_belongs_to_the_workspace_is_a_member_wherever_they_are_at_home() {
        for (user, team) in [
            (json!({"team_id": "T1"}), "T1"),
            (json!({"team_id": "T2"}), "T2"),
            (json!({"team_id": "T2", "enterprise_user": {"teams": ["T3", "T1"]}}), "T1"),
            (json!({"team_id": "E1", "enterprise_user": {"teams": ["T1"]}}), "T1"),
            (json!({"team_id": "T2", "enterprise_user": {"teams": ["T3"]}}), "T2"),
            (json!({"team_id": "T2", "enterprise_user": {"teams": "T1"}}), "T2"),
        ] {
            assert_eq!(seen(&user).team_id, team, "{user}");
        }
        // Without a workspace to compare with nobody belongs there.
        let claimed = Person::default();
        assert_eq!(person_of(&json!({"enterprise_user": {"teams": [""]}}), claimed, "").team_id, "");
    }

    #[test]
    fn an_address_counts_while_it_is_somebodys_own() {
        let user = |more: Value| {
            let mut user = json!({"team_id": "T1", "profile": {"email": "alice@example.com"}});
            user.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            seen(&user).email
        };
        assert_eq!(user(json!({})).as_deref(), Some("alice@example.com"));
        assert_eq!(user(json!({"is_email_confirmed": true, "deleted": false})).as_deref(), Some("alice@example.com"));
        assert_eq!(user(json!({"is_email_confirmed": false})), None);
        assert_eq!(user(json!({"deleted": true})), None);
    }
}

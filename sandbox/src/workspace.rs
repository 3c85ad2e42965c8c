//! The sample workspace: who and what there is in T0SANDBOX, and what each token may do.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Value, json};

/// The bot that posts.
pub(super) const BOT_USER: &str = "U0BOT00001";
/// The workspace.
pub(super) const TEAM: &str = "T0SANDBOX";
/// The workspace that #shared is shared with.
const OTHER_TEAM: &str = "T0OTHER001";
/// The scopes the sample token has: what an app needs for everything but posting under other names.
const SCOPES: &str = "chat:write,chat:write.public,channels:read,channels:join,channels:history,groups:read,\
groups:history,im:read,im:write,im:history,mpim:read,mpim:write,mpim:history,users:read,users:read.email,\
usergroups:read,usergroups:write,dnd:read,commands,incoming-webhook,reactions:write,files:write";

/// A channel, or a direct message.
#[derive(Debug, Clone, Default)]
pub(super) struct Channel {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) private: bool,
    pub(super) archived: bool,
    /// The other workspace whose people are in it too.
    pub(super) shared_with: Option<String>,
    /// Whether the bot is in it.
    pub(super) member: bool,
    /// The people of a direct message; empty for a channel.
    pub(super) users: Vec<String>,
    /// What every message is refused with, such as `restricted_action`.
    pub(super) refuses: Option<String>,
}

impl Channel {
    /// Whether it is a direct message.
    pub(super) fn is_direct(&self) -> bool {
        !self.users.is_empty()
    }

    /// The channel as the Web API shows it. <https://docs.slack.dev/reference/objects/conversation-object>
    pub(super) fn as_slack(&self) -> Value {
        if self.is_direct() {
            return json!({"id": self.id, "is_im": self.users.len() == 1, "is_mpim": self.users.len() > 1,
                "user": self.users.first(), "is_channel": false, "is_group": false, "is_archived": false});
        }
        json!({
            "id": self.id, "name": self.name, "name_normalized": self.name, "is_channel": !self.private,
            "is_group": self.private, "is_private": self.private, "is_im": false, "is_mpim": false,
            "is_archived": self.archived, "is_member": self.member, "is_general": self.name == "general",
            "context_team_id": "T0SANDBOX", "is_shared": self.shared_with.is_some(),
            "is_ext_shared": self.shared_with.is_some(),
        })
    }
}

/// A person.
#[derive(Debug, Clone, Default)]
pub(super) struct User {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) email: String,
    pub(super) deleted: bool,
    pub(super) guest: Guest,
    pub(super) bot: bool,
    /// Not active, as `users.getPresence` says.
    pub(super) away: bool,
    /// From when until when they are in Do Not Disturb next, or are now; Unix seconds, zero for never.
    pub(super) dnd: (i64, i64),
    /// The workspace they belong to; another one's people come through a shared channel.
    pub(super) team: String,
}

/// How little a person may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Guest {
    #[default]
    No,
    /// Some channels.
    Multi,
    /// One channel.
    Single,
}

impl User {
    /// The user as the Web API shows it. <https://docs.slack.dev/reference/objects/user-object>
    pub(super) fn as_slack(&self) -> Value {
        json!({
            "id": self.id, "team_id": self.team, "name": self.name, "deleted": self.deleted, "real_name": self.name,
            "tz": "Europe/Berlin", "tz_label": "Central European Time", "tz_offset": 3600,
            "is_admin": false, "is_owner": false, "is_bot": self.bot, "is_restricted": self.guest != Guest::No,
            "is_ultra_restricted": self.guest == Guest::Single, "is_stranger": self.team != TEAM,
            "profile": {"email": self.email, "real_name": self.name, "display_name": self.name, "team": self.team},
        })
    }
}

/// A user group. <https://docs.slack.dev/reference/objects/usergroup-object>
#[derive(Debug, Clone, Default)]
pub(super) struct UserGroup {
    pub(super) id: String,
    pub(super) handle: String,
    pub(super) users: Vec<String>,
}

/// What a token may do, or why nothing.
#[derive(Debug, Clone)]
pub(super) enum Token {
    Scopes(Vec<String>),
    /// Every call is refused with this error.
    Dead(String),
    /// Opens Socket Mode and nothing else.
    AppLevel,
}

impl Token {
    fn with_scopes(scopes: &str) -> Self {
        Self::Scopes(scopes.split(',').map(|scope| scope.trim().to_owned()).filter(|scope| !scope.is_empty()).collect())
    }
}

/// A webhook that isn't simply the channel of its B part.
#[derive(Debug, Clone, Default)]
pub(super) struct Hook {
    pub(super) channel: Option<String>,
    /// Refuses every message with this status and body.
    pub(super) refuses: Option<(u16, String)>,
}

/// The workspace.
#[derive(Debug, Default)]
pub(super) struct Workspace {
    channels: BTreeMap<String, Channel>,
    by_name: HashMap<String, String>,
    pub(super) users: Vec<User>,
    pub(super) groups: Vec<UserGroup>,
    tokens: HashMap<String, Token>,
    pub(super) hooks: HashMap<String, Hook>,
    auto_channels: bool,
    made: u64,
}

impl Workspace {
    /// The workspace every test starts with.
    pub(super) fn sample(bot_token: &str, app_token: &str) -> Self {
        let mut workspace = Self { auto_channels: true, ..Self::default() };
        let rows = [
            ("C0OPS00001", "ops", false, false, true),
            ("C0DB000001", "db-alerts", false, false, true),
            ("C0GENERAL1", "general", false, false, false),
            ("C0SECRET01", "secret", true, false, false),
            ("C0OLD00001", "old", false, true, true),
            ("C0SHARED01", "shared", false, false, true),
        ];
        for (id, name, private, archived, member) in rows {
            let (id, name) = (id.to_owned(), name.to_owned());
            let shared_with = (name == "shared").then(|| OTHER_TEAM.to_owned());
            workspace.add_channel(Channel { id, name, private, archived, shared_with, member, ..Channel::default() });
        }
        let people = [
            ("U0ALICE001", "alice", Guest::No, TEAM),
            ("U0BOB00001", "bob", Guest::No, TEAM),
            ("U0GUEST001", "guest", Guest::Multi, TEAM),
            ("U0GUEST002", "visitor", Guest::Single, TEAM),
            ("U0STRANGER", "stranger", Guest::No, OTHER_TEAM),
            ("U0GONE0001", "gone", Guest::No, TEAM),
            (BOT_USER, "ackbell", Guest::No, TEAM),
        ];
        for (id, name, guest, team) in people {
            let (deleted, bot) = (name == "gone", id == BOT_USER);
            let (id, name, email) = (id.to_owned(), name.to_owned(), format!("{name}@example.com"));
            workspace.users.push(User {
                id,
                name,
                email,
                deleted,
                guest,
                bot,
                team: team.to_owned(),
                ..User::default()
            });
        }
        let users = vec!["U0ALICE001".to_owned(), "U0BOB00001".to_owned()];
        workspace.groups.push(UserGroup { id: "S0ONCALL01".to_owned(), handle: "oncall".to_owned(), users });
        workspace.tokens.insert(bot_token.to_owned(), Token::with_scopes(SCOPES));
        workspace.tokens.insert(app_token.to_owned(), Token::AppLevel);
        workspace
    }

    fn add_channel(&mut self, channel: Channel) {
        if !channel.is_direct() {
            self.by_name.insert(channel.name.clone(), channel.id.clone());
        }
        self.channels.insert(channel.id.clone(), channel);
    }

    /// What is known of a token.
    pub(super) fn token(&self, token: &str) -> Option<&Token> {
        self.tokens.get(token)
    }

    /// A new token.
    pub(super) fn grant(&mut self, token: &str, scopes: &[String]) {
        self.tokens.insert(token.to_owned(), Token::Scopes(scopes.to_vec()));
    }

    /// From now on the token is refused with this error.
    pub(super) fn kill(&mut self, token: &str, error: &str) {
        self.tokens.insert(token.to_owned(), Token::Dead(error.to_owned()));
    }

    /// The channel of that id.
    pub(super) fn channel(&self, id: &str) -> Option<&Channel> {
        self.channels.get(id)
    }

    /// The channel of that id, to be changed.
    pub(super) fn channel_mut(&mut self, id: &str) -> Option<&mut Channel> {
        self.channels.get_mut(id)
    }

    /// All channels in order of their ids.
    pub(super) fn channels(&self) -> impl Iterator<Item = &Channel> {
        self.channels.values()
    }

    /// The id a message's `channel` means: an id, a public channel's name with or without `#`, or a user.
    pub(super) fn find(&mut self, given: &str) -> Option<String> {
        if self.channels.contains_key(given) {
            return Some(given.to_owned());
        }
        if self.users.iter().any(|user| user.id == given && !user.deleted) {
            return Some(self.open_direct(&[given.to_owned()]));
        }
        let name = given.trim_start_matches('#');
        if let Some(id) = self.by_name.get(name).filter(|id| !self.channels[*id].private) {
            return Some(id.clone());
        }
        let digits = name.strip_prefix("load-")?;
        let load = self.auto_channels && !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        load.then(|| self.make_channel(&format!("C0LOAD{digits}"), name))
    }

    fn make_channel(&mut self, id: &str, name: &str) -> String {
        self.add_channel(Channel { id: id.to_owned(), name: name.to_owned(), member: true, ..Channel::default() });
        id.to_owned()
    }

    /// The direct message with these people, made if there is none.
    pub(super) fn open_direct(&mut self, users: &[String]) -> String {
        if let Some(found) = self.channels.values().find(|channel| channel.users == users) {
            return found.id.clone();
        }
        let (id, name) = if let [one] = users {
            (format!("D{}", one.trim_start_matches('U')), "directmessage".to_owned())
        } else {
            self.made += 1;
            (format!("G0MPIM{:04}", self.made), format!("mpdm-{}", self.made))
        };
        let channel = Channel { id: id.clone(), name, member: true, users: users.to_vec(), ..Channel::default() };
        self.add_channel(channel);
        id
    }

    /// The channel a webhook's path posts to; its B part names one if nothing else is set.
    pub(super) fn hook_channel(&mut self, path: &str) -> Option<String> {
        if let Some(channel) = self.hooks.get(path).and_then(|hook| hook.channel.clone()) {
            return self.find(&channel).or_else(|| self.private_by_name(&channel));
        }
        let b_part = path.trim_start_matches('/').split('/').nth(2).filter(|part| !part.is_empty())?;
        let id = format!("C{}", b_part.strip_prefix('B').unwrap_or(b_part));
        let name = b_part.to_ascii_lowercase();
        Some(if self.channels.contains_key(&id) { id } else { self.make_channel(&id, &name) })
    }

    /// A webhook reaches a private channel: it was installed there by someone who is in it.
    fn private_by_name(&self, given: &str) -> Option<String> {
        self.by_name.get(given.trim_start_matches('#')).cloned()
    }

    /// Takes over what the control API was given; what is already there is changed, not doubled.
    pub(super) fn merge(&mut self, given: &Value) {
        if let Some(auto) = given["auto_channels"].as_bool() {
            self.auto_channels = auto;
        }
        for row in given["channels"].as_array().into_iter().flatten() {
            self.merge_channel(row);
        }
        for row in given["users"].as_array().into_iter().flatten() {
            self.merge_user(row);
        }
        for row in given["usergroups"].as_array().into_iter().flatten() {
            self.merge_group(row);
        }
        for row in given["webhooks"].as_array().into_iter().flatten() {
            let status = row["status"].as_u64().and_then(|status| u16::try_from(status).ok());
            let refuses = status.map(|status| (status, text(row, "body")));
            let channel = row["channel"].as_str().map(str::to_owned);
            self.hooks.insert(text(row, "path"), Hook { channel, refuses });
        }
        for (token, row) in given["tokens"].as_object().into_iter().flatten() {
            let known = match row["error"].as_str() {
                Some(error) => Token::Dead(error.to_owned()),
                None if row["app_level"] == true => Token::AppLevel,
                None => Token::with_scopes(row["scopes"].as_str().unwrap_or(SCOPES)),
            };
            self.tokens.insert(token.clone(), known);
        }
    }

    fn merge_channel(&mut self, row: &Value) {
        let given = text(row, "id");
        let id = if given.is_empty() { format!("C0{}", text(row, "name").to_uppercase()) } else { given };
        let mut channel = self.channels.get(&id).cloned().unwrap_or(Channel { member: true, ..Channel::default() });
        self.by_name.remove(&channel.name);
        channel.name = row["name"].as_str().map_or_else(
            || if channel.name.is_empty() { id.to_lowercase() } else { channel.name.clone() },
            |name| name.trim_start_matches('#').to_owned(),
        );
        channel.id = id;
        channel.private = row["private"].as_bool().unwrap_or(channel.private);
        channel.archived = row["archived"].as_bool().unwrap_or(channel.archived);
        if let Some(shared_with) = row.get("shared_with") {
            channel.shared_with = shared_with.as_str().map(str::to_owned);
        }
        channel.member = row["member"].as_bool().unwrap_or(channel.member);
        if let Some(refuses) = row.get("refuses") {
            channel.refuses = refuses.as_str().map(str::to_owned);
        }
        self.add_channel(channel);
    }

    fn merge_user(&mut self, row: &Value) {
        let id = text(row, "id");
        let mut user = self.users.iter().find(|user| user.id == id).cloned().unwrap_or_default();
        self.users.retain(|other| other.id != id);
        user.id = id;
        user.name = row["name"].as_str().map_or(user.name, str::to_owned);
        user.email = row["email"].as_str().map_or(user.email, str::to_owned);
        user.deleted = row["deleted"].as_bool().unwrap_or(user.deleted);
        user.guest = match &row["guest"] {
            Value::Null => user.guest,
            Value::Bool(false) => Guest::No,
            Value::String(kind) if kind == "single" => Guest::Single,
            _ => Guest::Multi,
        };
        user.team = row["team"].as_str().map_or(user.team, str::to_owned);
        if user.team.is_empty() {
            TEAM.clone_into(&mut user.team);
        }
        user.bot = row["bot"].as_bool().unwrap_or(user.bot);
        user.away = row["away"].as_bool().unwrap_or(user.away);
        if let (Some(start), Some(end)) = (row["dnd"][0].as_i64(), row["dnd"][1].as_i64()) {
            user.dnd = (start, end);
        }
        self.users.push(user);
    }

    fn merge_group(&mut self, row: &Value) {
        let id = text(row, "id");
        self.groups.retain(|group| group.id != id);
        let users = row["users"].as_array().into_iter().flatten();
        let users = users.filter_map(Value::as_str).map(str::to_owned).collect();
        self.groups.push(UserGroup { id, handle: text(row, "handle"), users });
    }
}

fn text(row: &Value, key: &str) -> String {
    row[key].as_str().unwrap_or_default().to_owned()
}

//! The words of the configuration for its enums: read by [`super::values`], and shown again as they were written.

use super::{CommentRule, Field, Flavor, Thread};

pub(super) const FLAVORS: [(&str, Flavor); 4] = [
    ("slack", Flavor::Slack),
    ("mattermost", Flavor::Mattermost),
    ("rocketchat", Flavor::RocketChat),
    ("discord", Flavor::Discord),
];

pub(super) const THREADS: [(&str, Thread); 3] =
    [("replies", Thread::Replies), ("broadcast", Thread::Broadcast), ("off", Thread::Off)];

pub(super) const COMMENT_RULES: [(&str, CommentRule); 2] =
    [("optional", CommentRule::Optional), ("required", CommentRule::Required)];

/// All but `var:KEY`.
pub(super) const FIELDS: [(&str, Field); 8] = [
    ("address", Field::Address),
    ("alias", Field::Alias),
    ("duration", Field::Duration),
    ("attempt", Field::Attempt),
    ("contact", Field::Contact),
    ("hostgroups", Field::HostGroups),
    ("servicegroups", Field::ServiceGroups),
    ("time", Field::Time),
];

fn name<T: PartialEq>(names: &[(&'static str, T)], value: &T) -> &'static str {
    names.iter().find(|(_, known)| known == value).map_or("?", |(name, _)| name)
}

impl Flavor {
    pub(crate) fn name(self) -> &'static str {
        name(&FLAVORS, &self)
    }
}

impl Thread {
    pub(crate) fn name(self) -> &'static str {
        name(&THREADS, &self)
    }
}

impl CommentRule {
    pub(crate) fn name(self) -> &'static str {
        name(&COMMENT_RULES, &self)
    }
}

impl Field {
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Var(key) => format!("var:{key}"),
            plain => name(&FIELDS, plain).to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_has_its_word() {
        assert_eq!(Field::Var("run".into()).name(), "var:run");
        assert_eq!(
            [Flavor::RocketChat.name(), Thread::Off.name(), CommentRule::Required.name()],
            ["rocketchat", "off", "required"]
        );
    }
}

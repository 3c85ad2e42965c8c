//! The one table of what ackbell does in Slack, the rights and events that takes, and why; the manifest asks for them,
//! and `doctor` says which are missing.

use crate::config::{Config, Destination, Flavor, Integration, Mention, Who};
use crate::system::order;
use std::collections::BTreeSet;

/// Something ackbell does in Slack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Feature {
    /// Posts to the one channel that is chosen at the installation.
    Webhook,
    /// Posts to any public channel, and to those it was invited to; edits its messages.
    Messages,
    /// Finds whom an e-mail address belongs to.
    Emails,
    /// Calls a user group by its handle, or lets its members act.
    Groups,
    /// Keeps a user group equal to a shift plan.
    KeptGroups,
    /// Sees who is not to be disturbed, before a step relies on them.
    Rest,
    /// Knows who clicked.
    Clicks,
    /// Listens to the slash command; a channel can subscribe.
    Command,
    /// Shows what is wrong in the app's own tab.
    Home,
    /// Acts on emojis.
    Reactions,
    /// Uploads pictures of curves.
    Pictures,
}

/// A bot scope that a feature needs (<https://docs.slack.dev/reference/scopes>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Need {
    pub(crate) scope: &'static str,
    /// The feature that doesn't work without it.
    pub(crate) why: &'static str,
    /// The rest of the feature works without it.
    pub(crate) is_optional: bool,
}

const fn need(scope: &'static str, why: &'static str) -> Need {
    Need { scope, why, is_optional: false }
}

const fn optional(scope: &'static str, why: &'static str) -> Need {
    Need { scope, why, is_optional: true }
}

impl Feature {
    /// The scopes it takes.
    pub(crate) fn needs(self) -> &'static [Need] {
        match self {
            Self::Webhook => const { &[need("incoming-webhook", "posting into the channel that was chosen")] },
            Self::Messages => {
                const {
                    &[
                        need("chat:write", "posting and editing messages"),
                        optional("chat:write.public", "posting into public channels without an invitation"),
                    ]
                }
            }
            Self::Emails => {
                const {
                    &[
                        need("users:read.email", "finding people by their e-mail address"),
                        // Slack shows addresses only to an app that has both.
                        optional("users:read", "knowing whose address it is"),
                    ]
                }
            }
            Self::Groups => const { &[need("usergroups:read", "user groups in mention and [access]")] },
            Self::KeptGroups => {
                const {
                    &[
                        need("usergroups:write", "keeping a user group equal to who is on call"),
                        need("usergroups:read", "seeing whether the group is equal to who is on call"),
                    ]
                }
            }
            Self::Rest => {
                const { &[optional("dnd:read", "seeing who is in Do Not Disturb before a step relies on them")] }
            }
            Self::Clicks => {
                const {
                    &[
                        need("users:read", "knowing who clicked"),
                        optional("users:read.email", "knowing which contact of the core clicked"),
                    ]
                }
            }
            Self::Command => {
                const {
                    &[
                        optional("commands", "the slash command"),
                        optional("channels:read", "seeing whether it is in a public channel"),
                        optional("groups:read", "seeing whether it is in a private channel"),
                    ]
                }
            }
            Self::Home => &[],
            Self::Reactions => const { &[need("reactions:read", "emojis that act, of [reactions]")] },
            Self::Pictures => const { &[optional("files:write", "pictures of curves, of [curve]")] },
        }
    }

    /// The events that Slack is to send (<https://docs.slack.dev/reference/events>).
    pub(super) fn events(self) -> &'static [&'static str] {
        match self {
            Self::Webhook | Self::Messages => &["app_uninstalled", "tokens_revoked"],
            Self::Home => &["app_home_opened"],
            Self::Reactions => &["reaction_added", "reaction_removed"],
            Self::Emails
            | Self::Groups
            | Self::KeptGroups
            | Self::Rest
            | Self::Clicks
            | Self::Command
            | Self::Pictures => &[],
        }
    }

    /// All that need no webhook.
    pub(super) fn of_a_bot() -> BTreeSet<Self> {
        [Self::Messages, Self::Emails, Self::Groups, Self::Clicks, Self::Command, Self::Home].into()
    }
}

/// The scopes of some features, each once, sorted; one that some feature can't do without isn't optional.
pub(crate) fn needs_of(features: &BTreeSet<Feature>) -> Vec<Need> {
    let mut needs: Vec<Need> = features.iter().flat_map(|feature| feature.needs()).copied().collect();
    order::by_key(&mut needs, |need| (need.scope, need.is_optional));
    needs.dedup_by_key(|need| need.scope);
    needs
}

/// The features of a bot as configured; `is_heard`: interactions in Slack reach it.
pub(crate) fn of_bot(config: &Config, integration: &Integration, is_heard: bool) -> BTreeSet<Feature> {
    let posting = if posts_by_webhook_alone(config, integration) { Feature::Webhook } else { Feature::Messages };
    let mut features = BTreeSet::from([posting]);
    let mut groups = false;
    if is_heard && integration.interactive != Some(false) {
        features.extend([Feature::Clicks, Feature::Command, Feature::Home]);
        if config.reactions.acknowledge.is_some() || config.reactions.recheck.is_some() {
            features.insert(Feature::Reactions);
        }
        groups = config.access.rules.iter().flat_map(|rule| &rule.who).any(|who| matches!(who, Who::Group(_)));
        if config.access.people.keys().any(|who| matches!(who, Who::Email(_))) {
            features.insert(Feature::Emails);
        }
    }
    let routes = || config.routes_to(integration);
    let mentions = || routes().flat_map(|route| &route.mention);
    let by_email = |to: &Destination| matches!(to, Destination::Email(_) | Destination::Contact);
    if routes().flat_map(|route| &route.to).chain(&integration.channel).any(by_email)
        || mentions().any(|mention| matches!(mention, Mention::Email(_)))
    {
        features.insert(Feature::Emails);
    }
    if groups || mentions().any(|mention| matches!(mention, Mention::Handle(_))) {
        features.insert(Feature::Groups);
    }
    if config.curve.as_ref().is_some_and(|sources| sources.picture) {
        features.insert(Feature::Pictures);
    }
    features.extend(after_the_message(config));
    features
}

/// What steps and shift plans take. They are told by the integration of the message that they are about.
fn after_the_message(config: &Config) -> BTreeSet<Feature> {
    let mut features = BTreeSet::new();
    let to = || config.escalation.iter().flat_map(|step| &step.to);
    let mentions = || config.escalation.iter().flat_map(|step| &step.mention);
    let names_a_person = to()
        .any(|to| matches!(to, Destination::Email(_) | Destination::User(_) | Destination::OnCall(_)))
        || mentions().any(|who| matches!(who, Mention::Email(_) | Mention::User(_) | Mention::OnCall(_)));
    if names_a_person {
        features.extend([Feature::Emails, Feature::Rest]);
    }
    if !config.on_call.is_empty() {
        features.insert(Feature::Emails);
    }
    if mentions().any(|mention| matches!(mention, Mention::Handle(_))) {
        features.insert(Feature::Groups);
    }
    if config.on_call.iter().any(|plan| plan.usergroup.is_some()) {
        features.insert(Feature::KeptGroups);
    }
    features
}

/// Beside the webhook there is a bot token, and no destination that only the token could reach: the webhook posts, and the
/// token shows who clicked.
pub(crate) fn posts_by_webhook_alone(config: &Config, integration: &Integration) -> bool {
    let has_webhook = integration.webhook_url().is_some() && integration.channel.is_none();
    has_webhook && config.routes_to(integration).all(|route| route.to.is_empty())
}

/// What the app that is to be made for an integration does: everything as long as there is none.
pub(super) fn wanted(config: &Config, integration: &Integration, is_heard: bool) -> BTreeSet<Feature> {
    match (integration.is_bot(), integration.webhook_url().is_some()) {
        (false, false) => Feature::of_a_bot(),
        (true, _) if integration.flavor == Flavor::Slack => of_bot(config, integration, is_heard),
        _ => [Feature::Webhook].into(),
    }
}

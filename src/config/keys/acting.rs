//! Who may do what, and what stays of it.

use super::{FLAG, PATTERNS, SPAN, Section, TEXT, TEXTS, key};

pub(super) const ACKNOWLEDGE: Section = Section {
    header: "[acknowledge]",
    about: "Options of an acknowledgement from Slack, and the values its form starts with.",
    keys: &[
        key("sticky", FLAG, "true", "true", "It lasts until the recovery, not only until the next change of state."),
        key("notify", FLAG, "true", "true", "The core notifies the contacts."),
        key("persistent", FLAG, "false", "false", "The comment outlives the acknowledgement."),
        key("comment", TEXT, "optional", "\"required\"", "Whether the form needs a comment: optional, required."),
        key(
            "expire",
            "list of spans of time",
            "1h, 4h, 1d",
            "[\"1h\", \"4h\", \"1d\"]",
            "The expiry times the form offers, beside never.",
        ),
        key(
            "still",
            SPAN,
            "nobody is asked",
            "\"4h\"",
            "So long after it whoever acknowledged is asked whether they are still on it.",
        ),
        key(
            "still_wait",
            SPAN,
            "30m",
            "\"30m\"",
            "How long they have to answer before the people of all steps are told.",
        ),
    ],
};

pub(super) const ACCESS: Section = Section {
    header: "[access]",
    about: "Who may do what from Slack. Without rules: all users of the workspace, except guests and users of other workspaces.",
    keys: &[
        key(
            "guests",
            FLAG,
            "false",
            "false",
            "Guests may do what other users may. Needed for buttons with only a webhook, as ackbell can't see then who is a guest.",
        ),
        key(
            "require_contact",
            FLAG,
            "false",
            "true",
            "Only contacts of the host or service may act on it, as the core knows them.",
        ),
        key("ask", TEXT, "", "\"#monitoring-help\"", "The person or channel named to a user who is refused."),
        key(
            "people",
            "table",
            "",
            "{ U0123ABCDEF = \"alice\", \"bob@example.com\" = \"bob\" }",
            "Slack users and their contact in the core; other users are found by their e-mail address.",
        ),
        key("rule", "list of tables", "", "[{ allow = \"*\" }]", "The rules, see below."),
    ],
};

pub(super) const ACCESS_RULE: Section = Section {
    header: "[[access.rule]]",
    about: "The first rule that matches decides. If there is an allow rule, anything that no rule allows is refused.",
    keys: &[
        key(
            "allow",
            TEXTS,
            "",
            "[\"@dba\", \"alice@example.com\"]",
            "Who may: \"*\", an id, an address, \"@usergroup\".",
        ),
        key("deny", TEXTS, "", "\"*\"", "Who may not."),
        key("integration", TEXTS, "", "\"default\"", "People of these integrations, by name; [slack] is \"default\"."),
        key("channel", TEXTS, "", "\"C0123ABCDEF\"", "In these channels, by id."),
        key(
            "action",
            TEXTS,
            "",
            "\"notifications\"",
            "acknowledge, unacknowledge, downtime, recheck, notifications, comment, view, subscribe.",
        ),
        key("host", PATTERNS, "", "\"db*\"", "On these hosts."),
        key("service", PATTERNS, "", "\"MySQL*\"", "On these services."),
        key("core", PATTERNS, "", "\"branch\"", "Of these cores."),
    ],
};

pub(super) const AUDIT: Section = Section {
    header: "[audit]",
    about: "Who did what from Slack: `ackbell audit`.",
    keys: &[key(
        "keep",
        SPAN,
        "for good",
        "\"400d\"",
        "How long its rows are kept, at least a day. The chain of hashes stays valid: its new start is recorded.",
    )],
};

pub(super) const REACTIONS: Section = Section {
    header: "[reactions]",
    about: "Emojis on a card that act, for people who may. The table alone switches both on. Needs the scope reactions:read, and the events \
        reaction_added and reaction_removed: `ackbell manifest` has them.",
    keys: &[
        key(
            "acknowledge",
            TEXT,
            "eyes",
            "\"eyes\"",
            "Acknowledges; taken back, it removes that acknowledgement. \"none\" for no emoji.",
        ),
        key("recheck", TEXT, "repeat", "\"repeat\"", "Has the object checked again."),
    ],
};

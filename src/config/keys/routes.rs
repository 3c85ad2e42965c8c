//! Where a notification goes, who is told next, and how it looks.

use super::{COUNT, FILE, FLAG, PATTERNS, SPAN, Section, TEXT, TEXTS, key};

pub(super) const ROUTE: Section = Section {
    header: "[[route]]",
    about: "Where a notification goes. The first route that matches is used, and the next ones too if it has continue = true. A notification that matches no route goes to the integration's channel. \
        `ackbell preview --explain` shows which route matches.",
    keys: &[
        key(
            "match",
            "table",
            "matches all",
            "{ host = \"db*\", state = [\"critical\", \"down\"] }",
            "The conditions, see below.",
        ),
        key(
            "to",
            TEXTS,
            "the integration's channel",
            "[\"#db-alerts\", \"C0123ABCDEF\", \"@alice@example.com\", \"contact\"]",
            "Channels, people by address or id, or \"contact\": the notification's contact, by e-mail address.",
        ),
        key(
            "mention",
            TEXTS,
            "",
            "[\"@oncall\", \"U0123ABCDEF\", \"here\"]",
            "Who is mentioned when a problem is new or gets worse.",
        ),
        key("integration", TEXT, "default", "\"default\"", "The integration that sends it."),
        key("label", TEXT, "", "\"prod\"", "Instead of integration: every integration with that label sends it."),
        key("continue", FLAG, "false", "true", "Go on with the next route."),
        key(
            "hold",
            TEXT,
            "sent at once",
            "\"Mon-Fri 08:00\"",
            "When what can wait is sent, as one message. A problem that gets worse is sent at once. \
             CRITICAL, DOWN and UNREACHABLE wait only where the route's \"state\" names them.",
        ),
    ],
};

pub(super) const ROUTE_MATCH: Section = Section {
    header: "[route.match]",
    about: "Every given key must match. Patterns may use * and ?; a leading ! negates; upper and lower case are the same.",
    keys: &[
        key("host", PATTERNS, "", "\"db*\"", "The host's name."),
        key("service", PATTERNS, "", "[\"Disk*\", \"!Disk /tmp\"]", "The service's name."),
        key("hostgroup", PATTERNS, "", "\"databases\"", "One of the host's groups."),
        key("servicegroup", PATTERNS, "", "\"backups\"", "One of the service's groups."),
        key("contact", PATTERNS, "", "\"alice\"", "The contact that is notified."),
        key("contact_group", PATTERNS, "", "\"dba\"", "One of the contact's groups."),
        key(
            "state",
            TEXTS,
            "",
            "[\"critical\", \"down\"]",
            "The state: ok, warning, critical, unknown, up, down, unreachable.",
        ),
        key("type", TEXTS, "", "[\"problem\", \"recovery\"]", "The notification's type."),
        key("var", "table", "", "{ team = \"dba\" }", "Custom variables, each a pattern or a list of them."),
        key("core", PATTERNS, "", "\"branch\"", "The core's name, as given to `notify --core`."),
        key(
            "time",
            TEXT,
            "",
            "\"Mon-Fri 08:00-18:00\"",
            "Times of the week, several separated by commas, in the machine's zone.",
        ),
    ],
};

pub(super) const ESCALATE: Section = Section {
    header: "[[escalate]]",
    about: "A step that is told when nobody answers a problem: a reply in its thread that the channel sees, and a direct message to each person. \
        An acknowledgement (in Slack or in the core), a downtime, stopped notifications or the recovery ends it. All steps whose conditions match are told, each after its own time. \
        A storm is escalated once. `ackbell preview --explain` shows the steps of a problem.",
    keys: &[
        key(
            "match",
            "table",
            "matches all",
            "{ hostgroup = \"databases\", state = [\"critical\", \"down\"] }",
            "The conditions, as those of a route; \"time\" is looked at when the step is due.",
        ),
        key("after", SPAN, "must be given", "\"10m\"", "So long after the message was delivered."),
        key(
            "mention",
            TEXTS,
            "",
            "[\"@dba-lead\", \"@alice@example.com\"]",
            "Who is mentioned in the thread. A person gets a direct message, too.",
        ),
        key(
            "to",
            TEXTS,
            "",
            "[\"@alice@example.com\", \"#managers\"]",
            "People and channels that get the problem as a message of their own, which then follows it.",
        ),
        key("repeat", SPAN, "told once", "\"15m\"", "It is told again after so long."),
        key("times", COUNT, "3 with repeat, else 1", "3", "How often it is told in all."),
    ],
};

pub(super) const ON_CALL: Section = Section {
    header: "[oncall.NAME]",
    about: "Who is on call: by a calendar, or by people who take turns. @oncall:NAME stands for them in mention, to, [access] and [[escalate]]; \
        `/ackbell oncall` says who they are.",
    keys: &[
        key(
            "ical",
            "path or address",
            "",
            "\"https://calendar.example.com/dba.ics\"",
            "The calendar, in iCalendar's format. The people of a shift are its attendees, else the addresses or names in its title.",
        ),
        key(
            "override",
            "path or address",
            "",
            "\"https://calendar.example.com/swaps.ics\"",
            "Another calendar: while it has a shift, that replaces those of the plan.",
        ),
        key("ical_user", TEXT, "", "\"ackbell\"", "The user, where the calendars need a password."),
        key("ical_password", TEXT, "", "\"...\"", "The password; better in a file of its own."),
        key("ical_password_file", FILE, "", "\"calendar-password\"", "The file with the password."),
        key(
            "names",
            "table",
            "",
            "{ \"Alice A.\" = \"alice@example.com\" }",
            "People by the names that the calendar uses.",
        ),
        key(
            "people",
            TEXTS,
            "",
            "[\"alice@example.com\", \"bob@example.com\"]",
            "Instead of a calendar: people who take turns, by e-mail address or Slack id.",
        ),
        key(
            "start",
            TEXT,
            "",
            "\"2026-11-02 09:00\"",
            "When the first one's first shift begins, in the machine's zone.",
        ),
        key("every", SPAN, "", "\"7d\"", "How long a shift is."),
        key(
            "time",
            TEXT,
            "always",
            "\"Mon-Fri 08:00-18:00\"",
            "When the rotation holds; outside of it the fallback is on call.",
        ),
        key("fallback", TEXTS, "", "\"carol@example.com\"", "Who is on call when nobody has a shift."),
        key("usergroup", TEXT, "", "\"S0123ABCDEF\"", "A user group of Slack that is kept equal, by its id."),
        key("channel", TEXT, "", "\"#dba\"", "Where the handover is told when the shift changes."),
        key("integration", TEXT, "the first", "\"default\"", "Whose token keeps the group and posts the handover."),
    ],
};

pub(super) const MESSAGE: Section = Section {
    header: "[message]",
    about: "How a message looks.",
    keys: &[
        key("title", "template", "ackbell's own", "\"{{ state }}: {{ host }}\"", "The title, in minijinja."),
        key("body", "template", "ackbell's own", "\"{{ output }}\"", "The body, in minijinja."),
        key(
            "formatter",
            TEXT,
            "formatter",
            "\"slack_formatter\"",
            "The custom variable of a service or host (_FORMATTER) that names its formatter: disk, load or http, which are \
                shipped, or one of [formatters.NAME].",
        ),
        key(
            "fields",
            TEXTS,
            "address, duration, attempt, contact",
            "[\"address\", \"duration\", \"var:team\"]",
            "The line below: address, alias, duration, attempt, contact, hostgroups, servicegroups, time, var:KEY.",
        ),
        key(
            "redact",
            TEXTS,
            "",
            "['password=\\S+']",
            "Regular expressions; matching text is removed before anything is stored or sent.",
        ),
        key(
            "thread",
            TEXT,
            "replies",
            "\"broadcast\"",
            "Whether changes are also replies in the thread: replies, broadcast, off.",
        ),
    ],
};

pub(super) const FORMATTERS: Section = Section {
    header: "[formatters.NAME]",
    about: "The templates of the services whose custom variable names it.",
    keys: &[
        key("title", "template", "of [message]", "\"{{ state }}: {{ object }}\"", "The title, in minijinja."),
        key(
            "body",
            "template",
            "of [message]",
            "\"{% for metric in metrics %}{{ metric.line }}\\n{% endfor %}\"",
            "The body; `metrics` has label, value, number, level, limits and line of each measurement.",
        ),
    ],
};

pub(super) const STORM: Section = Section {
    header: "[storm]",
    about: "When many problems become one message.",
    keys: &[
        key("threshold", COUNT, "5", "5", "More problems than this for one channel ..."),
        key("window", SPAN, "30s", "\"30s\"", "... within this time become one message."),
    ],
};

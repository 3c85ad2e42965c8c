//! Every key of the configuration, for the manual. A test compares it with what the readers really ask for.

/// One key.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    /// As a reader of TOML would say it.
    pub(crate) kind: &'static str,
    /// What holds when it isn't given; empty when that is nothing.
    pub(crate) default: &'static str,
    /// Its value as it is written.
    pub(crate) example: &'static str,
    pub(crate) about: &'static str,
}

/// A table of the file.
#[derive(Debug)]
pub(crate) struct Section {
    /// As it is written: `[slack]`; empty for the top of the file.
    pub(crate) header: &'static str,
    pub(crate) about: &'static str,
    pub(crate) keys: &'static [Key],
}

const fn key(
    name: &'static str,
    kind: &'static str,
    default: &'static str,
    example: &'static str,
    about: &'static str,
) -> Key {
    Key { name, kind, default, example, about }
}

const TEXT: &str = "string";
const TEXTS: &str = "string or list of strings";
const FLAG: &str = "true or false";
const FILE: &str = "path";
const SPAN: &str = "span of time";
const URL: &str = "address";
const PATTERNS: &str = "pattern or list of patterns";
const COUNT: &str = "number";

/// All tables, in the order of the manual.
pub(crate) const SECTIONS: [Section; 26] = [
    Section {
        header: "",
        about: "At the top of the file, each on a line of its own before the first table: they are found even when the rest has mistakes.",
        keys: &[
            key(
                "state_dir",
                FILE,
                "/var/lib/ackbell",
                "\"/var/lib/ackbell\"",
                "Where notifications wait. It belongs to the core's user.",
            ),
            key(
                "runtime_dir",
                FILE,
                "/run/ackbell where that is there, else state_dir",
                "\"/run/ackbell\"",
                "Holds the wake-up socket.",
            ),
        ],
    },
    Section {
        header: "[slack]",
        about: "The way into Slack: an integration with the name \"default\". [integrations.NAME] makes more of them, with the same keys. \
            Where a secret isn't given, the default one is taken from the environment.",
        keys: &SLACK,
    },
    Section {
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
    },
    Section {
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
    },
    Section {
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
    },
    Section {
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
    },
    Section {
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
    },
    Section {
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
    },
    Section {
        header: "[storm]",
        about: "When many problems become one message.",
        keys: &[
            key("threshold", COUNT, "5", "5", "More problems than this for one channel ..."),
            key("window", SPAN, "30s", "\"30s\"", "... within this time become one message."),
        ],
    },
    Section {
        header: "[outbox]",
        about: "The queue of messages for Slack.",
        keys: &[
            key(
                "time_budget",
                SPAN,
                "10s",
                "\"10s\"",
                "How long `notify` delivers by itself when no listener runs; at most 25s.",
            ),
            key(
                "max_age",
                SPAN,
                "3d",
                "\"3d\"",
                "How long a message is retried; then it is dead: kept in the queue, and reported by `ackbell check`.",
            ),
        ],
    },
    Section {
        header: "[core]",
        about: "The monitoring core. Values that aren't given are read from its main configuration, or looked for in the usual paths of its kind. \
            [cores.NAME] makes more of them, with the same keys, for `notify --core NAME`.",
        keys: &CORE,
    },
    Section {
        header: "[acknowledge]",
        about: "Options of an acknowledgement from Slack, and the values its form starts with.",
        keys: &[
            key(
                "sticky",
                FLAG,
                "true",
                "true",
                "It lasts until the recovery, not only until the next change of state.",
            ),
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
    },
    Section {
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
    },
    Section {
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
            key(
                "integration",
                TEXTS,
                "",
                "\"default\"",
                "People of these integrations, by name; [slack] is \"default\".",
            ),
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
    },
    Section {
        header: "[audit]",
        about: "Who did what from Slack: `ackbell audit`.",
        keys: &[key(
            "keep",
            SPAN,
            "for good",
            "\"400d\"",
            "How long its rows are kept, at least a day. The chain of hashes stays valid: its new start is recorded.",
        )],
    },
    Section {
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
    },
    Section {
        header: "[deadman]",
        about: "A message that lies scheduled at Slack, and is sent when nothing is heard of this host, its core or ackbell any more. Needs a bot \
            token and a listener. When all live again, a second message says how long the silence was; with the scope channels:history (in \
            a private channel groups:history) the first one is edited instead.",
        keys: &[
            key("channel", TEXT, "", "\"#ops\"", "Where Slack says it."),
            key("after", SPAN, "15m", "\"15m\"", "After which silence; from 5m to 24h."),
            key("name", TEXT, "the host's name", "\"mon1\"", "This host, as the message names it."),
            key("integration", TEXT, "the first one", "\"default\"", "Whose bot token schedules it."),
        ],
    },
    Section {
        header: "[history]",
        about: "The problems that ended: `ackbell history`, and a line on the next card.",
        keys: &[key("keep", SPAN, "365d", "\"365d\"", "How long they are remembered, at least a day.")],
    },
    Section {
        header: "[report]",
        about: "The week's summary, as `ackbell report` prints it: posted once a week where a channel is given. Cards of problems that are \
            over then have the buttons Worth it and Noise, which are counted.",
        keys: &[
            key("channel", TEXT, "", "\"#ops\"", "Where it is posted: as `channel` of [slack]."),
            key("integration", TEXT, "default", "\"second\"", "By which integration."),
            key("at", TEXT, "Mon 08:00", "\"Mon 08:00\"", "When, in the machine's time zone."),
        ],
    },
    Section {
        header: "[database]",
        about: "The outbox in a PostgreSQL database (12 or newer), for several listeners that share it: the same on all of them. \
            Without it the outbox is a file in the state directory. `ackbell database init` makes the tables, and \
            `ackbell database copy` moves an outbox there.",
        keys: &[
            key(
                "url",
                "URL",
                "",
                "\"postgres://ackbell@db.example.com/ackbell\"",
                "The server, the role and the database, without a password. The server's certificate must be good for its name, \
                 unless it is this machine: sslrootcert=FILE after a ? names the CA if it is one of your own, sslmode=disable \
                 sends everything unencrypted.",
            ),
            key("password", TEXT, "", "\"s3cret\"", "The role's password."),
            key("password_file", FILE, "", "\"db-password\"", "A file with the value of the key above."),
        ],
    },
    Section {
        header: "[relay]",
        about: "Beside a core that doesn't reach Slack: `ackbell listen` hands the notifications to a listener that does, and \
            answers its questions about the core. Such a machine needs no [slack].",
        keys: &[
            key(
                "to",
                "URL or list of URLs",
                "",
                "\"https://mon.example.com:9277\"",
                "The listener that reaches Slack; several where any of them will do.",
            ),
            key(
                "token",
                TEXT,
                "",
                "\"0123456789abcdef0123456789abcdef\"",
                "The token that the listener has as [cores.NAME] relay_token.",
            ),
            key("token_file", FILE, "", "\"relay.token\"", "A file with the value of the key above."),
            key(
                "ca_file",
                FILE,
                "the distribution's",
                "\"/etc/ackbell/centre-ca.pem\"",
                "The CA of the listener's certificate.",
            ),
            key(
                "client_cert",
                FILE,
                "",
                "\"relay.pem\"",
                "The certificate chain to show where the listener has a client_ca.",
            ),
            key("client_key", FILE, "", "\"relay.key\"", "The chain's key."),
        ],
    },
    Section {
        header: "[curve]",
        about: "The last hours of the value that broke its threshold, on the card. The card goes first; the curve is added by an edit within a \
            minute, or not at all. The sources are asked in this order until one has values. Needs a bot token and a listener.",
        keys: &[
            key("span", SPAN, "6h", "\"24h\"", "How far back it goes; from 1h to 7d."),
            key(
                "rrd",
                FILE,
                "",
                "\"/var/lib/pnp4nagios/perfdata\"",
                "The RRDs of PNP4Nagios or openITCOCKPIT: the directory that has one for each host. They are read by `rrdtool`.",
            ),
            key("rrdtool", FILE, "/usr/bin/rrdtool", "\"/usr/local/bin/rrdtool\"", "The program; it has 5 s."),
            key(
                "notifications",
                FLAG,
                "true",
                "false",
                "Where no other source has values: those of the object's notifications of the last day. They are few.",
            ),
            key(
                "picture",
                FLAG,
                "false",
                "true",
                "A picture in the thread as well. Needs the scope files:write, which `ackbell manifest` then asks for.",
            ),
        ],
    },
    Section {
        header: "[curve.grafana]",
        about: "A panel of a Grafana with its image renderer, as the picture in place of ackbell's own. Needs picture = true.",
        keys: &[
            key(
                "url",
                URL,
                "",
                "\"https://grafana.example.com/d-solo/UID/NAME?orgId=1&panelId=4&var-host={host}\"",
                "The panel's address as Grafana's Share dialogue gives it for its image, with {host}, {service} and {label} as its variables. \
                 Times and size in it are replaced. https, or http on this machine.",
            ),
            key("token", TEXT, "", "\"secret\"", "The token of a service account that may view the dashboard."),
            key("token_file", FILE, "", "\"grafana-token\"", "A file that contains it."),
            key("ca_file", FILE, "the system's", "\"/etc/ssl/site-ca.pem\"", "The certificates to trust."),
        ],
    },
    Section {
        header: "[curve.graphite]",
        about: "A Graphite, or a database that answers as it does.",
        keys: &[
            key("url", URL, "", "\"https://graphite.example.com\"", "Its address: https, or http on this machine."),
            key(
                "target",
                TEXT,
                "",
                "\"icinga2.{host}.services.{service}.*.perfdata.{label}.value\"",
                "One series, with {host}, {service} and {label}; in these each character but letters, digits, - and _ becomes _.",
            ),
            key(
                "host_target",
                TEXT,
                "the target, with hostcheck as {service}",
                "\"icinga2.{host}.host.*.perfdata.{label}.value\"",
                "The same for a host's own check.",
            ),
            key("user", TEXT, "", "\"ackbell\"", "For a login with a password."),
            key("password", TEXT, "", "\"secret\"", "Its password."),
            key("password_file", FILE, "", "\"graphite-password\"", "A file that contains it."),
            key("token", TEXT, "", "\"secret\"", "In place of user and password: a bearer token."),
            key("token_file", FILE, "", "\"graphite-token\"", "A file that contains it."),
            key("ca_file", FILE, "the system's", "\"/etc/ssl/site-ca.pem\"", "The certificates to trust."),
        ],
    },
    Section {
        header: "[curve.prometheus]",
        about: "A Prometheus, or VictoriaMetrics.",
        keys: &[
            key("url", URL, "", "\"https://prometheus.example.com\"", "Its address: https, or http on this machine."),
            key(
                "query",
                TEXT,
                "",
                "\"100 - node_filesystem_avail_bytes{instance=\\\"{host}:9100\\\"}\"",
                "One series in the unit of the plugin, with {host}, {service} and {label} between quotes.",
            ),
            key(
                "host_query",
                TEXT,
                "the query, with hostcheck as {service}",
                "\"probe_icmp_duration_seconds{instance=\\\"{host}\\\"}\"",
                "The same for a host's own check.",
            ),
            key("user", TEXT, "", "\"ackbell\"", "For a login with a password."),
            key("password", TEXT, "", "\"secret\"", "Its password."),
            key("password_file", FILE, "", "\"prometheus-password\"", "A file that contains it."),
            key("token", TEXT, "", "\"secret\"", "In place of user and password: a bearer token."),
            key("token_file", FILE, "", "\"prometheus-token\"", "A file that contains it."),
            key("ca_file", FILE, "the system's", "\"/etc/ssl/site-ca.pem\"", "The certificates to trust."),
        ],
    },
    Section {
        header: "[listen]",
        about: "How clicks in Slack reach ackbell. With an app_token the listener opens a connection to Slack (Socket Mode). Otherwise Slack calls \
            https://YOUR-NAME/slack/request, and a reverse proxy forwards the request.",
        keys: &[
            key(
                "http",
                TEXT,
                "127.0.0.1:9277 where a signing_secret is given",
                "\"127.0.0.1:9277\"",
                "The address to listen on; \"none\" for no HTTP.",
            ),
            key(
                "public_url",
                URL,
                "",
                "\"https://ackbell.example.com\"",
                "The public address under which Slack reaches the listener.",
            ),
            key(
                "tls_cert",
                FILE,
                "",
                "\"fullchain.pem\"",
                "TLS without a reverse proxy: the certificate chain; a renewed one is used without a restart.",
            ),
            key("tls_key", FILE, "", "\"privkey.pem\"", "The chain's key."),
            key(
                "client_ca",
                FILE,
                "",
                "\"relays-ca.pem\"",
                "Relays must show a certificate of this CA beside their token; nobody else has to.",
            ),
            key(
                "intake_token",
                TEXT,
                "",
                "\"0123456789abcdef\"",
                "The token of other programs for /v1/webhook; without it only programs on this machine may use it.",
            ),
            key("intake_token_file", FILE, "", "\"intake-token\"", "A file with the value of the key above."),
            key(
                "intake_without_token",
                FLAG,
                "false",
                "true",
                "Accepts messages from programs on this machine at /v1/webhook over TCP without a token; a proxy on this \
                 machine that forwards this path opens it to the world.",
            ),
            key(
                "intake_users",
                TEXTS,
                "",
                "[\"backup\"]",
                "Users that may send messages by the socket \"intake\" in the runtime directory, beside root and the listener's own user.",
            ),
            key(
                "node",
                TEXT,
                "the host's name",
                "\"mon1\"",
                "This listener's name among those that share an outbox in [database]. No two may have the same.",
            ),
            key(
                "metrics",
                TEXT,
                "local",
                "\"all\"",
                "Who may read /metrics and /healthz: this machine (local), or everybody (all).",
            ),
            key(
                "socket_mode",
                FLAG,
                "true where an app_token is given",
                "false",
                "Whether a connection is opened with the app_token.",
            ),
        ],
    },
];

const SLACK: [Key; 26] = [
    key("description", TEXT, "", "\"Ops workspace\"", "A description, only shown."),
    key("labels", TEXTS, "", "[\"prod\"]", "Labels by which routes select it."),
    key("team_id", TEXT, "the first it is installed in", "\"T0123ABCDEF\"", "The workspace it may be installed in."),
    key("fallback", TEXT, "", "\"second\"", "The integration that sends instead while this one isn't installed."),
    key("enabled", FLAG, "true", "true", "Whether it is used at all."),
    key("bot_token", TEXT, "", "\"xoxb-...\"", "The app's bot token; or SLACK_BOT_TOKEN. Preferred over the webhook."),
    key("bot_token_file", FILE, "", "\"bot-token\"", "A file with the token, relative to the configuration."),
    key(
        "webhook_url",
        URL,
        "",
        "\"https://hooks.slack.com/services/...\"",
        "An incoming webhook; or SLACK_WEBHOOK_URL.",
    ),
    key("webhook_url_file", FILE, "", "\"webhook-url\"", "A file with the value of the key above."),
    key("app_token", TEXT, "", "\"xapp-...\"", "The app-level token, for Socket Mode; or SLACK_APP_TOKEN."),
    key("app_token_file", FILE, "", "\"app-token\"", "A file with the value of the key above."),
    key(
        "signing_secret",
        TEXTS,
        "",
        "\"8f742231b10e8888abcd99yyyzzz85a5\"",
        "Verifies requests from Slack to [listen] http; a list while rotating; or SLACK_SIGNING_SECRET or SLACK_SECRET.",
    ),
    key(
        "signing_secret_file",
        "path or list of paths",
        "",
        "\"signing-secret\"",
        "A file with the value of the key above.",
    ),
    key("client_id", TEXT, "", "\"1234.5678\"", "For installing the app; or SLACK_APP_CLIENT_ID."),
    key("client_secret", TEXT, "", "\"0123456789abcdef\"", "For installing the app; or SLACK_APP_CLIENT_SECRET."),
    key("client_secret_file", FILE, "", "\"client-secret\"", "A file with the value of the key above."),
    key("command", TEXT, "/ackbell", "\"/monitoring\"", "The slash command; each app of a workspace needs its own."),
    key(
        "channel",
        TEXT,
        "",
        "\"#ops\"",
        "Default channel: for notifications that match no route, and for those whose own channel can't be reached.",
    ),
    key(
        "proxy",
        URL,
        "HTTPS_PROXY and NO_PROXY",
        "\"http://user:password@proxy:3128\"",
        "The proxy to Slack; \"none\" for none.",
    ),
    key(
        "ca_file",
        FILE,
        "the distribution's",
        "\"/etc/ssl/certs/ca-certificates.crt\"",
        "The CA certificates that are trusted.",
    ),
    key("api_url", URL, "https://slack.com/api/", "\"https://slack-gov.com/api/\"", "Slack's Web API."),
    key("flavor", TEXT, "slack", "\"mattermost\"", "The receiver's dialect: slack, mattermost, rocketchat, discord."),
    key("interactive", FLAG, "when a listener can receive clicks", "false", "Whether messages have buttons."),
    key(
        "acts",
        FLAG,
        "true",
        "false",
        "Whether its users may act; if not, they get messages, and may view the states that the rules allow.",
    ),
    key("connect_timeout", SPAN, "5s", "\"5s\"", "The time limit for connecting, TLS included."),
    key("timeout", SPAN, "10s", "\"10s\"", "The time limit of a whole call."),
];

const CORE: [Key; 22] = [
    key("kind", TEXT, "nagios", "\"naemon\"", "nagios, naemon, icinga2, openitcockpit, checkmk, centreon."),
    key(
        "main_config",
        FILE,
        "",
        "\"/etc/nagios4/nagios.cfg\"",
        "The core's main configuration; it names the core's other files.",
    ),
    key(
        "objects_file",
        FILE,
        "",
        "\"/var/lib/nagios4/objects.cache\"",
        "The core's object cache: display names and contacts.",
    ),
    key(
        "command_file",
        FILE,
        "",
        "\"/var/lib/nagios4/rw/nagios.cmd\"",
        "The file that takes external commands, such as acknowledgements.",
    ),
    key(
        "status_file",
        FILE,
        "",
        "\"/var/lib/nagios4/status.dat\"",
        "The core's state; read to confirm that a command was applied.",
    ),
    key(
        "log_file",
        FILE,
        "",
        "\"/var/log/nagios4/nagios.log\"",
        "The core's log; it shows why a command was not applied.",
    ),
    key(
        "query_socket",
        FILE,
        "",
        "\"/var/lib/naemon/naemon.qh\"",
        "Naemon's query handler: takes commands and answers whether it accepted them.",
    ),
    key(
        "livestatus",
        "path, host:port or tls:host:port, or a list",
        "",
        "\"/var/cache/naemon/live\"",
        "Livestatus: the state without delay. A list holds several addresses of this one core; the first that answers is used.",
    ),
    key(
        "livestatus_ca_file",
        FILE,
        "",
        "\"/etc/ssl/certs/monitoring-ca.pem\"",
        "The CA of the certificates behind tls: addresses; else the distribution's.",
    ),
    key(
        "livestatus_tls_name",
        TEXT,
        "",
        "\"mysite\"",
        "The name in these certificates, where it isn't the host's: a Checkmk site's certificate has the site's name.",
    ),
    key(
        "url",
        URL,
        "",
        "\"https://monitoring.example.com/nagios4\"",
        "The web interface; titles of messages link to it.",
    ),
    key(
        "web",
        TEXT,
        "the module on this machine, else monitoring",
        "\"icingadb\"",
        "Icinga Web 2's module at that url: icingadb or monitoring.",
    ),
    key(
        "api_url",
        "URL, or a list",
        "",
        "\"https://icinga.example.com:5665\"",
        "The API of Icinga 2 or openITCOCKPIT. A list holds several addresses of this one core; the first that answers is used.",
    ),
    key("api_user", TEXT, "", "\"ackbell\"", "Icinga 2's API user."),
    key("api_password", TEXT, "", "\"...\"", "The user's password."),
    key("api_password_file", FILE, "", "\"icinga-password\"", "A file with the value of the key above."),
    key("api_key", TEXT, "", "\"0123456789abcdef\"", "openITCOCKPIT's API key."),
    key("api_key_file", FILE, "", "\"api-key\"", "A file with the value of the key above."),
    key("api_ca_file", FILE, "", "\"/var/lib/icinga2/certs/ca.crt\"", "The CA of the API's certificate."),
    key(
        "relay_token",
        TEXTS,
        "",
        "\"0123456789abcdef0123456789abcdef\"",
        "The token of the relay beside this core, only in [cores.NAME]; a list while one is replaced.",
    ),
    key(
        "relay_token_file",
        "path or list of paths",
        "",
        "\"branch.token\"",
        "A file with the value of the key above; `ackbell relay-token` makes one.",
    ),
    key(
        "redundant",
        FLAG,
        "",
        "true",
        "Several hosts notify for this core: true if each checks by itself, so that a problem is over when all of them say so, \
         or 5 minutes after one did and the others are silent; false if they speak for one core, as the masters of an Icinga cluster do.",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Problem, load};
    use crate::system::environment::Environment;
    use std::collections::BTreeSet;

    /// What the readers say of a file with this text.
    fn problems(text: &str) -> Vec<Problem> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ackbell.toml");
        std::fs::write(&path, text).unwrap();
        match load(Some(&path), &Environment::default()) {
            Ok((_, warnings)) => warnings,
            Err(e) => e.problems(),
        }
    }

    fn written(section: &Section, line: &str) -> String {
        match section.header {
            "" => format!("{line}\n"),
            "[route.match]" => format!("[[route]]\nmatch = {{ {line} }}\n"),
            header => format!("{header}\n{line}\n"),
        }
    }

    #[test]
    fn every_key_that_is_read_is_told_and_no_other() {
        for section in &SECTIONS {
            let found = problems(&written(section, "qqqqqqqq = 1"));
            let remedies: Vec<&str> = found.iter().filter_map(|problem| problem.remedy.as_deref()).collect();
            let read = remedies.iter().find_map(|remedy| remedy.strip_prefix("known here: ")).unwrap();
            let mut read: BTreeSet<&str> = read.split(", ").collect();
            let documented: BTreeSet<&str> = section.keys.iter().map(|key| key.name).collect();
            if section.header.is_empty() {
                // Tables are sections of their own.
                read.retain(|name| !SECTIONS.iter().any(|other| other.header.trim_matches(['[', ']']) == *name));
                let named = ["integrations", "cores", "formatters", "oncall"];
                assert_eq!(read.iter().filter(|name| named.contains(name)).count(), named.len());
                read.retain(|name| !named.contains(name));
            }
            let inner = |name: &str| format!("{}.{name}]", section.header.trim_end_matches(']'));
            if section.header == "[curve]" {
                read.retain(|name| !SECTIONS.iter().any(|other| other.header == inner(name)));
            }
            assert_eq!(documented, read, "{}", section.header);
            assert_eq!(documented.len(), section.keys.len(), "{}: twice", section.header);
        }
    }

    #[test]
    fn every_example_is_taken() {
        for section in &SECTIONS {
            for key in section.keys {
                let found = problems(&written(section, &format!("{} = {}", key.name, key.example)));
                // Alone in its table, much else is missing; files aren't there. The value itself is fine.
                let about_value = found.iter().find(|problem| {
                    let (about, quoted) = (format!("{}: ", key.name), format!("\"{}\" in ", key.name));
                    let is_about = problem.message.starts_with(&about) || problem.message.starts_with(&quoted);
                    (is_about && !problem.message.contains("can't read") && !problem.message.contains("has no API"))
                        || problem.message.contains("unknown key")
                });
                assert_eq!(about_value, None, "{} {}", section.header, key.name);
            }
        }
    }
}

//! The outbox, its database, and what is remembered.

use super::{FILE, SPAN, Section, TEXT, key};

pub(super) const TOP: Section = Section {
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
};

pub(super) const OUTBOX: Section = Section {
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
};

pub(super) const DATABASE: Section = Section {
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
            "The server, the role and the database, without a password. The server's certificate must be valid for its host name, \
             unless it is this machine: sslrootcert=FILE after a ? names the CA if it is one of your own, sslmode=disable \
             sends everything unencrypted.",
        ),
        key("password", TEXT, "", "\"s3cret\"", "The role's password."),
        key("password_file", FILE, "", "\"db-password\"", "A file with the value of the key above."),
        key(
            "key_file",
            FILE,
            "",
            "\"seal-key\"",
            "Where a browser installs the app (client_id): a file with a key that the app's tokens are sealed with in the \
             database, the same on all listeners. `openssl rand -base64 32` prints one. Of several lines the first seals and \
             each opens: a new key is added to the end on all listeners first, then moved to the front; the old one can go \
             when `ackbell doctor` says that nothing is sealed with it.",
        ),
    ],
};

pub(super) const DEADMAN: Section = Section {
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
};

pub(super) const HISTORY: Section = Section {
    header: "[history]",
    about: "The problems that ended: `ackbell history`, and a line on the next card.",
    keys: &[key("keep", SPAN, "365d", "\"365d\"", "How long they are remembered, at least a day.")],
};

pub(super) const WEEKLY: Section = Section {
    header: "[report]",
    about: "The week's summary, as `ackbell report` prints it: posted once a week where a channel is given. Cards of problems that are \
        over then have the buttons Worth it and Noise, which are counted.",
    keys: &[
        key("channel", TEXT, "", "\"#ops\"", "Where it is posted: as `channel` of [slack]."),
        key("integration", TEXT, "default", "\"second\"", "By which integration."),
        key("at", TEXT, "Mon 08:00", "\"Mon 08:00\"", "When, in the machine's time zone."),
    ],
};

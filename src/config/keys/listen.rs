//! The listener.

use super::{FILE, FLAG, Section, TEXT, TEXTS, URL, key};

pub(super) const LISTEN: Section = Section {
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
};

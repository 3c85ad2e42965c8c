//! The way into Slack.

use super::{FILE, FLAG, Key, SPAN, Section, TEXT, TEXTS, URL, key};

pub(super) const SLACK: Section = Section {
    header: "[slack]",
    about: "The way into Slack: an integration with the name \"default\". [integrations.NAME] makes more of them, with the same keys. \
        Where a secret isn't given, the default one is taken from the environment.",
    keys: &SLACK_KEYS,
};

const SLACK_KEYS: [Key; 26] = [
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

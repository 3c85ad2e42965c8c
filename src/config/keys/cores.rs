//! The cores and the relays beside them.

use super::{FILE, FLAG, Key, Section, TEXT, TEXTS, URL, key};

pub(super) const CORE: Section = Section {
    header: "[core]",
    about: "The monitoring core. Values that aren't given are read from its main configuration, or looked for in the usual paths of its kind. \
        [cores.NAME] makes more of them, with the same keys, for `notify --core NAME`.",
    keys: &CORE_KEYS,
};

pub(super) const RELAY: Section = Section {
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
};

const CORE_KEYS: [Key; 22] = [
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

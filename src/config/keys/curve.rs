//! Curves of values.

use super::{FILE, FLAG, SPAN, Section, TEXT, URL, key};

pub(super) const CURVE: Section = Section {
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
};

pub(super) const CURVE_GRAFANA: Section = Section {
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
};

pub(super) const CURVE_GRAPHITE: Section = Section {
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
};

pub(super) const CURVE_PROMETHEUS: Section = Section {
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
};

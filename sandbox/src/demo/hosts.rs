//! The hosts and services of the story, and what their plugins say.

/// What a plugin found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) code: u8,
    pub(super) output: &'static str,
    pub(super) perfdata: &'static str,
}

const fn found(code: u8, output: &'static str, perfdata: &'static str) -> Finding {
    Finding { code, output, perfdata }
}

/// A host.
#[derive(Debug, Clone, Copy)]
pub(super) struct Host {
    pub(super) name: &'static str,
    pub(super) alias: &'static str,
    pub(super) address: &'static str,
}

const fn host(name: &'static str, alias: &'static str, address: &'static str) -> Host {
    Host { name, alias, address }
}

/// Something that may break: a host (with an empty service) or a service.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    pub(super) host: &'static str,
    pub(super) service: &'static str,
    pub(super) fine: Finding,
    /// From bad to worse.
    pub(super) bad: &'static [Finding],
}

const fn part(host: &'static str, service: &'static str, fine: Finding, bad: &'static [Finding]) -> Part {
    Part { host, service, fine, bad }
}

pub(super) const SWITCH: &str = "sw-core-01";
/// What others learn of while nobody answers.
pub(super) const ESCALATED: (&str, &str) = ("web01", "HTTPS");

pub(super) const HOSTS: [Host; 14] = [
    host("files01", "File server", "192.0.2.11"),
    host("mail01", "Mail relay", "192.0.2.25"),
    host("db01", "Database, primary", "192.0.2.31"),
    host("db02", "Database, replica", "192.0.2.32"),
    host("web01", "Web shop", "192.0.2.80"),
    host(SWITCH, "Core switch, rack 3", "192.0.2.2"),
    host("app01", "Application 1, rack 3", "192.0.2.101"),
    host("app02", "Application 2, rack 3", "192.0.2.102"),
    host("app03", "Application 3, rack 3", "192.0.2.103"),
    host("app04", "Application 4, rack 3", "192.0.2.104"),
    host("app05", "Application 5, rack 3", "192.0.2.105"),
    host("app06", "Application 6, rack 3", "192.0.2.106"),
    host("app07", "Application 7, rack 3", "192.0.2.107"),
    host("app08", "Application 8, rack 3", "192.0.2.108"),
];

/// What every host has behind the switch: five services of eight hosts are the storm.
pub(super) const BEHIND_THE_SWITCH: [Part; 5] = [
    part(
        "app",
        "SSH",
        found(0, "SSH OK - OpenSSH_9.2p1 (protocol 2.0)", "time=0.012s;;;0;10"),
        &[found(2, "CRITICAL - Socket timeout after 10 seconds", "")],
    ),
    part(
        "app",
        "HTTP",
        found(0, "HTTP OK: HTTP/1.1 200 OK - 4812 bytes in 0.034 second response time", "time=0.034s;1;5;0;10"),
        &[found(2, "CRITICAL - Socket timeout after 10 seconds", "")],
    ),
    part(
        "app",
        "Load",
        found(0, "OK - load average: 0.42, 0.51, 0.48", "load1=0.42;8;16;0; load5=0.51;6;12;0; load15=0.48;4;8;0;"),
        &[found(3, "CHECK_NRPE: Socket timeout after 10 seconds.", "")],
    ),
    part(
        "app",
        "Memory",
        found(0, "MEMORY OK - 38% used (6.1 GB of 16.0 GB)", "used=38%;85;95;0;100"),
        &[found(3, "CHECK_NRPE: Socket timeout after 10 seconds.", "")],
    ),
    part(
        "app",
        "Disk /",
        found(0, "DISK OK - free space: / 31204 MB (78%)", "/=8796MB;32000;36000;0;40000"),
        &[found(3, "CHECK_NRPE: Socket timeout after 10 seconds.", "")],
    ),
];

const PING_LOST: Finding = found(2, "CRITICAL - Host Unreachable: rta nan, lost 100%", "pl=100%;80;100;0;100");
pub(super) const PING_OK: Finding =
    found(0, "PING OK - Packet loss = 0%, RTA = 0.42 ms", "rta=0.42ms;3000;5000;0; pl=0%;80;100;0;100");
/// A host's state has no third step: down.
pub(super) const PING_DOWN: Finding = Finding { code: 1, ..PING_LOST };

/// The services outside of the storm. The first three broke before the demo began.
pub(super) const PARTS: [Part; 8] = [
    part(
        "files01",
        "Disk /srv",
        found(0, "DISK OK - free space: /srv 212 GB (42%)", "/srv=288GB;425;475;0;500"),
        &[
            found(1, "DISK WARNING - free space: /srv 61 GB (12%)", "/srv=439GB;425;475;0;500"),
            found(2, "DISK CRITICAL - free space: /srv 14 GB (2%)", "/srv=486GB;425;475;0;500"),
        ],
    ),
    part(
        "mail01",
        "Mail queue",
        found(0, "OK: postfix mailq is 7 (threshold w = 200 c = 500)", "unsent=7;200;500;0"),
        &[found(2, "CRITICAL: postfix mailq is 1841 (threshold c = 500)", "unsent=1841;200;500;0")],
    ),
    part("db02", "", PING_OK, &[PING_DOWN]),
    part(
        "db01",
        "PostgreSQL",
        found(0, "POSTGRES_BACKENDS OK: 41 of 200 connections (20%)", "connections=41;160;190;0;200"),
        &[
            found(1, "POSTGRES_BACKENDS WARNING: 168 of 200 connections (84%)", "connections=168;160;190;0;200"),
            found(2, "POSTGRES_BACKENDS CRITICAL: 198 of 200 connections (99%)", "connections=198;160;190;0;200"),
        ],
    ),
    part(
        "web01",
        "HTTPS",
        found(0, "HTTP OK: HTTP/1.1 200 OK - 18231 bytes in 0.211 second response time", "time=0.211s;2;5;0;10"),
        &[found(
            2,
            "HTTP CRITICAL: HTTP/1.1 502 Bad Gateway - 312 bytes in 5.402 second response time",
            "time=5.402s;2;5;0;10",
        )],
    ),
    part(
        "web01",
        "Certificate",
        found(0, "OK - certificate shop.example.com expires in 61 days", "days=61;14:;7:"),
        &[found(1, "WARNING - certificate shop.example.com expires in 9 days", "days=9;14:;7:")],
    ),
    part(
        "db01",
        "Replication lag",
        found(0, "OK - replica is 0.4 s behind", "lag=0.4s;30;120;0"),
        &[
            found(1, "WARNING - replica is 47 s behind", "lag=47s;30;120;0"),
            found(2, "CRITICAL - replica is 311 s behind", "lag=311s;30;120;0"),
        ],
    ),
    part(
        "files01",
        "Load",
        found(0, "OK - load average: 0.91, 0.88, 0.80", "load1=0.91;8;16;0; load5=0.88;6;12;0; load15=0.80;4;8;0;"),
        &[found(
            1,
            "WARNING - load average: 11.20, 7.90, 3.10",
            "load1=11.20;8;16;0; load5=7.90;6;12;0; load15=3.10;4;8;0;",
        )],
    ),
];

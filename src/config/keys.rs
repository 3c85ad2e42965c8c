//! Every key of the configuration, for the manual. A test compares it with what the readers really ask for.

mod acting;
mod cores;
mod curve;
mod listen;
mod outbox;
mod routes;
mod slack;

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
    outbox::TOP,
    slack::SLACK,
    routes::ROUTE,
    routes::ROUTE_MATCH,
    routes::ESCALATE,
    routes::ON_CALL,
    routes::MESSAGE,
    routes::FORMATTERS,
    routes::STORM,
    outbox::OUTBOX,
    cores::CORE,
    acting::ACKNOWLEDGE,
    acting::ACCESS,
    acting::ACCESS_RULE,
    acting::AUDIT,
    acting::REACTIONS,
    outbox::DEADMAN,
    outbox::HISTORY,
    outbox::WEEKLY,
    outbox::DATABASE,
    cores::RELAY,
    curve::CURVE,
    curve::CURVE_GRAFANA,
    curve::CURVE_GRAPHITE,
    curve::CURVE_PROMETHEUS,
    listen::LISTEN,
];

#[cfg(test)]
mod tests;

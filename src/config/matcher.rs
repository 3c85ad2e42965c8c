//! `match` of a route: its keys, how they are loaded, and how `config show` prints them. Whether a notification matches is
//! decided by `rules/route/matcher`.

use super::problem::Problems;
use super::reader::{Table, texts_of};
use super::{TimeWindows, values};
use crate::model::notification::Kind;
use crate::model::pattern::Pattern;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The conditions of a route; every given part must match, an empty one matches all.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Matcher {
    pub(crate) host: Vec<Pattern>,
    pub(crate) service: Vec<Pattern>,
    pub(crate) host_group: Vec<Pattern>,
    pub(crate) service_group: Vec<Pattern>,
    pub(crate) contact: Vec<Pattern>,
    pub(crate) contact_group: Vec<Pattern>,
    pub(crate) core: Vec<Pattern>,
    /// Upper-case state names.
    pub(crate) state: Vec<String>,
    pub(crate) kind: Vec<Kind>,
    /// Keys in lower case.
    pub(crate) vars: BTreeMap<String, Vec<Pattern>>,
    pub(crate) time: Option<TimeWindows>,
    /// Further conditions: of a filter that names one kind more than once.
    pub(crate) also: Vec<Matcher>,
}

impl Matcher {
    /// Itself, and what must match as well.
    pub(crate) fn parts(&self) -> impl Iterator<Item = &Self> {
        std::iter::once(self).chain(&self.also)
    }

    /// How many patterns and names it has.
    pub(crate) fn patterns(&self) -> usize {
        let lists = [&self.host, &self.service, &self.host_group, &self.service_group];
        let more = [&self.contact, &self.contact_group, &self.core];
        let patterns = lists.into_iter().chain(more).chain(self.vars.values()).map(Vec::len).sum::<usize>();
        let also = self.also.iter().map(Self::patterns).sum::<usize>();
        patterns + self.state.len() + self.kind.len() + also
    }
}

/// Loads one `match` table.
pub(super) fn load(mut table: Table<'_>, problems: &mut Problems<'_>) -> Matcher {
    let mut patterns =
        |key, table: &mut Table<'_>| -> Vec<Pattern> { table.parsed_list(key, problems, values::pattern) };
    let (host, service) = (patterns("host", &mut table), patterns("service", &mut table));
    let (host_group, service_group) = (patterns("hostgroup", &mut table), patterns("servicegroup", &mut table));
    let (contact, contact_group) = (patterns("contact", &mut table), patterns("contact_group", &mut table));
    let core = patterns("core", &mut table);
    let mut vars = BTreeMap::new();
    if let Some(inner) = table.table("var", problems) {
        for entry in inner.entries() {
            let texts = texts_of(entry, "[route.match.var]", problems);
            let patterns = texts.iter().map(|text| Pattern(text.text.to_owned())).collect();
            vars.insert(entry.key.to_ascii_lowercase(), patterns);
        }
    }
    let matcher = Matcher {
        host,
        service,
        host_group,
        service_group,
        contact,
        contact_group,
        core,
        state: table.parsed_list("state", problems, values::state),
        kind: table.parsed_list("type", problems, values::kind),
        vars,
        time: table.parsed("time", problems, values::time_windows),
        also: Vec::new(),
    };
    table.finish(problems);
    matcher
}

/// For `config show`.
pub(super) fn show(m: &Matcher) -> Value {
    let patterns = |patterns: &[Pattern]| patterns.iter().map(|p| p.0.clone()).collect::<Vec<_>>();
    json!({
            "host": patterns(&m.host), "service": patterns(&m.service),
            "hostgroup": patterns(&m.host_group), "servicegroup": patterns(&m.service_group),
            "contact": patterns(&m.contact), "contact_group": patterns(&m.contact_group), "core": patterns(&m.core),
            "state": m.state, "type": m.kind.iter().map(|kind| kind.name().to_lowercase()).collect::<Vec<_>>(),
            "var": m.vars.iter().map(|(key, values)| (key.clone(), json!(patterns(values)))).collect::<Map<_, _>>(),
            "time": m.time.is_some(),
    })
}

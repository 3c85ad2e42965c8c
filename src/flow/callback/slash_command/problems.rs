//! `problems` and `status`: the core's state, as far as the person may see it.

use super::{NoAnswer, SlashAnswer, SlashWorker, core_of, find, not_readable, phrases, state_of};
use crate::config::{Core, Matcher};
use crate::flow::callback::slash_request::SlashRequest;
use crate::model::object::Object;
use crate::model::pattern::Globs;
use crate::monitoring::object_list;
use crate::rules::authorise::Permission;
use crate::rules::slash::Filter;
use crate::slack::slash_reply::{Entry, Page};
use crate::system::clock;
use crate::system::order;

/// Lines of problems on one page: with their buttons far below Slack's 50 blocks, and little to scroll on a phone.
const PAGE_LINES: usize = 10;

impl SlashWorker {
    /// The list of problems that match the filter and that the person may see.
    pub(super) fn problems(
        &mut self,
        request: &SlashRequest,
        permission: &Permission<'_>,
        cores: &[Core],
        filter: &Filter,
    ) -> Result<SlashAnswer, NoAnswer> {
        let matches = &filter.matches;
        if let Some(key) = phrases::unsupported_key(matches) {
            let sentence = format!("`problems` can't be filtered by {key}, only by host, service, state and core.");
            return Err(sentence.into());
        }
        let wanted = CompiledFilter::new(matches);
        let cores: Vec<&Core> = cores.iter().filter(|core| wanted.takes_core(&core.name)).collect();
        let mut entries: Vec<Entry> = Vec::new();
        for core in &cores {
            let found = object_list::problems(core, permission).map_err(|e| not_readable(&e))?;
            let naming = self.lookup.naming(core);
            for (object, state) in found {
                let label = find::Label::known(&object, naming.labels);
                let is_in_state =
                    matches.state.is_empty() || matches.state.iter().any(|name| name == state.name(&object));
                if is_in_state && wanted.takes(&object, &label) {
                    let names = naming.names(&object, None);
                    if permission.may(&names.of(&object), None).is_ok() {
                        entries.push(Entry::new(object, label.text(), &state));
                    }
                }
            }
        }
        if entries.is_empty()
            && let Some(sentence) = find::no_such_object(matches, &cores, &mut self.lookup, permission)?
        {
            return Ok(SlashAnswer::Text(sentence));
        }
        order::by_key(&mut entries, Entry::urgency);
        let (from, text) =
            (request.from.min(entries.len().saturating_sub(1)) / PAGE_LINES * PAGE_LINES, filter.text.clone());
        let total = entries.len();
        let acknowledged = entries.iter().filter(|entry| entry.is_quiet()).count();
        let entries = entries.into_iter().skip(from).take(PAGE_LINES).collect();
        let (core, is_partial) = (request.order.core.clone(), permission.differs_by_object());
        let by = request.order.is_public.then(|| request.requester.user.clone());
        Ok(SlashAnswer::List(Page {
            total,
            acknowledged,
            from,
            size: PAGE_LINES,
            entries,
            filter: text,
            core,
            is_partial,
            by,
        }))
    }

    /// The state of one object.
    pub(super) fn status(
        &mut self,
        permission: &Permission<'_>,
        cores: &[Core],
        tokens: &[String],
    ) -> Result<String, NoAnswer> {
        let found = find::object(tokens, cores, &mut self.lookup, permission)?;
        let core = core_of(cores, &found.object)?;
        let names = self.lookup.names(core, &found.object, None);
        permission.may(&names.of(&found.object), None)?;
        let label = self.lookup.labels.of_core(core).map(|labels| find::Label::from_names(&found.object, labels));
        let state = state_of(core, &found.object, permission)?;
        let label = label.map_or_else(|| found.object.to_string(), |label| label.text());
        Ok(phrases::status(&found.object, &label, &state, clock::wall_ms() / 1000))
    }
}

/// A filter, ready to be compared with many objects: the hosts, services and cores of each of its parts.
struct CompiledFilter(Vec<[Globs; 3]>);

impl CompiledFilter {
    fn new(matches: &Matcher) -> Self {
        let globs = |part: &Matcher| [&part.host, &part.service, &part.core].map(|patterns| Globs::of(patterns));
        Self(matches.parts().map(globs).collect())
    }

    fn takes_core(&self, name: &str) -> bool {
        self.0.iter().all(|[_, _, cores]| cores.take(&[Some(name)]))
    }

    fn takes(&self, object: &Object, label: &find::Label) -> bool {
        self.0.iter().all(|[hosts, services, _]| {
            hosts.take(&[Some(&object.host), Some(&label.host)])
                && services.take(&[object.service.as_deref(), label.service.as_deref()])
        })
    }
}

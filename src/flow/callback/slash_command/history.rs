//! `history`, and the buttons of a card about it: the earlier problems of one object, as far as the person may see it.

use super::{NoAnswer, SlashWorker, core_of, find, not_kept};
use crate::config::Core;
use crate::flow::callback::clicked_message;
use crate::flow::callback::slash_request::SlashRequest;
use crate::flow::deliver::wall_time;
use crate::model::object::Object;
use crate::model::past_problem::{Ending, PastProblem};
use crate::model::time_text::{span, utc};
use crate::rules::authorise::Permission;
use crate::rules::render::memory::{Earlier, LOOKED_AT};
use crate::rules::render::redact_remarks;
use crate::rules::slash::{ClickedCard, ClickedQuestion};
use crate::slack::mrkdwn::{bold, date, plain};
use crate::store::Verdicts;
use crate::system::clock;

/// So many are listed.
const LISTED_MAX: usize = 10;

impl SlashWorker {
    /// The earlier problems of a named object.
    pub(super) fn history(
        &mut self,
        request: &SlashRequest,
        permission: &Permission<'_>,
        cores: &[Core],
        tokens: &[String],
    ) -> Result<String, NoAnswer> {
        let found = find::object(tokens, cores, &mut self.lookup, permission)?;
        let core = core_of(cores, &found.object)?;
        let names = self.lookup.names(core, &found.object, None);
        permission.may(&names.of(&found.object), None)?;
        let label = self.lookup.labels.of_core(core).map(|labels| find::Label::from_names(&found.object, labels));
        let label = label.map_or_else(|| found.object.to_string(), |label| label.text());
        self.last_times(request, &found.object, &label)
    }

    /// A button of a card.
    pub(super) fn clicked(
        &mut self,
        request: &SlashRequest,
        permission: &Permission<'_>,
        (question, card): (ClickedQuestion, &ClickedCard),
    ) -> Result<String, NoAnswer> {
        let found = clicked_message::find_subject(&self.store, card, &request.requester, permission);
        let (object, shown) = found.map_err(|e| not_kept(&e))??;
        let latest = shown.as_ref().and_then(|shown| shown.problem.as_ref()).map(|problem| &problem.latest);
        let core = self.lookup.core(&object.core).unwrap_or_default();
        let names = self.lookup.names(&core, &object, latest);
        permission.may(&names.of(&object), None)?;
        let label = latest.map_or_else(|| object.to_string(), crate::model::notification::Notification::object_label);
        let is_noise = match question {
            ClickedQuestion::LastTimes => return self.last_times(request, &object, &label),
            ClickedQuestion::WorthIt => false,
            ClickedQuestion::Noise => true,
        };
        let now = clock::wall_ms() / 1000;
        let ended = shown.and_then(|shown| shown.problem).and_then(|problem| problem.recovered).unwrap_or(now);
        let counted = self.store.judge(&object, ended, &request.requester.key(), is_noise, now);
        match counted.map_err(|e| not_kept(&e))? {
            Some(verdicts) => Ok(counted_text(is_noise, verdicts, &label)),
            None => Err(format!("ackbell doesn't remember that problem of {label}, so nothing was counted.").into()),
        }
    }

    fn last_times(&mut self, request: &SlashRequest, object: &Object, label: &str) -> Result<String, NoAnswer> {
        let now = clock::wall_ms() / 1000;
        let mut past = self.store.past_problems(object, now.saturating_add(1), LOOKED_AT).map_err(|e| not_kept(&e))?;
        redact_remarks(&mut past, &request.config.message.redact);
        Ok(listed(&past, label, now))
    }
}

fn counted_text(is_noise: bool, verdicts: Verdicts, label: &str) -> String {
    let verdict = if is_noise { "noise" } else { "worth it" };
    let Verdicts { noise, worth_it } = verdicts;
    format!("Counted as {verdict}. This problem of {}: {worth_it} worth it, {noise} noise.", plain(label))
}

/// The newest ones, and a count of all.
fn listed(past: &[PastProblem], label: &str, now: i64) -> String {
    if past.is_empty() {
        return format!("ackbell remembers no earlier problem of {}.", bold(label));
    }
    let more = if past.len() >= LOOKED_AT { " or more" } else { "" };
    let mut lines = vec![format!("{}: {} remembered{more}", bold(label), problems(past.len()))];
    let earlier = Earlier {
        problems: past.iter().map(|past| (past.clone(), wall_time(past.began, now))).collect(),
        own: None,
        ..Earlier::default()
    };
    lines.extend(earlier.pattern().map(|pattern| format!("{}.", plain(&pattern))));
    lines.extend(past.iter().take(LISTED_MAX).map(line));
    if past.len() > LISTED_MAX {
        lines.push(format!("… and {} earlier", past.len() - LISTED_MAX));
    }
    lines.join("\n")
}

fn problems(count: usize) -> String {
    if count == 1 { "1 problem".to_owned() } else { format!("{count} problems") }
}

fn line(past: &PastProblem) -> String {
    let lasted = match past.ending {
        Ending::Recovered => format!("for {}", span(past.lasted())),
        Ending::Unseen => format!("for {} at most, the end was not reported", span(past.lasted())),
    };
    let times =
        if past.notified == 1 { "notified once".to_owned() } else { format!("notified {} times", past.notified) };
    let answer = past.answer.as_ref().map_or_else(
        || "nobody acknowledged it".to_owned(),
        |answer| {
            let remark = answer.remark.as_deref().filter(|remark| !remark.is_empty());
            let remark =
                remark.map(|remark| format!(": \"{}\"", remark.split_whitespace().collect::<Vec<_>>().join(" ")));
            let by = answer.by.as_deref().unwrap_or("somebody");
            let remark: String = remark.unwrap_or_default().chars().take(160).collect();
            format!("{by} answered after {}{remark}", span(answer.after(past.began)))
        },
    );
    format!("• {} {} {lasted}, {times}; {}", date(past.began, &utc(past.began)), past.worst.name(), plain(&answer))
}

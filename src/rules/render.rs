//! From a notification to a [`Card`]: what people are to read, in the field's words, without any of Slack's.
//!
//! Pure. Escaping, markup and limits are [`crate::slack`]'s business.
#![warn(clippy::wildcard_enum_match_arm)]

pub(crate) mod cause;
mod digest;
mod fix;
mod formatter;
pub(crate) mod links;
pub(crate) mod memory;
pub(crate) mod perfdata;
pub(crate) mod phrases;
mod problem_card;
mod samples;

pub(crate) use digest::{Digest, Line, closing, digest, line, list};
pub(crate) use fix::KNOWN_FIX_VARS;
pub(crate) use perfdata::Metric;
pub(crate) use problem_card::{combined_card, problem_card};
pub(crate) use samples::{failing_sample, problem_samples, samples, storm};

use crate::config::{Core, Message};
use crate::model::curve::Curve;
use crate::model::notification::{Kind, Notification};
use crate::model::object::Object;
use crate::model::template;
use crate::model::time_text::span;
use cause::Cause;
use fix::KnownFix;
use memory::{Earlier, Memory};

/// A notification whose core was this far behind is called late.
const LATE_AFTER_SECONDS: i64 = 60;
/// How many metrics are shown; the rest is counted.
const METRICS_MAX: usize = 10;

/// What is known beside the notification when it is rendered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RenderContext<'a> {
    /// Unix seconds at delivery.
    pub(crate) now: i64,
    pub(crate) core: Option<&'a Core>,
    pub(crate) style: &'a Message,
    pub(crate) mentions: &'a [ResolvedMention],
    /// A word about the delivery itself, such as that it was meant for another channel.
    pub(crate) annotation: Option<&'a str>,
    /// Unix seconds of the oldest that the message shows for the first time; by it the message is late.
    pub(crate) oldest: Option<i64>,
    /// Why nothing could be delivered a while ago.
    pub(crate) outage: Option<&'a str>,
    /// What a click on the message can do.
    pub(crate) interactivity: Interactivity,
    /// The message's number in the outbox.
    pub(crate) post: i64,
    /// How it went before, where that is known.
    pub(crate) earlier: Option<&'a Earlier>,
    /// What it hangs below and what hangs below it, where that is known.
    pub(crate) cause: Option<&'a Cause>,
    /// People are asked whether the notification was worth it.
    pub(crate) asks_verdict: bool,
}

/// By what means people act from a message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Interactivity {
    /// Nobody would hear a click.
    #[default]
    Nothing,
    Buttons,
    /// A bot token opens forms.
    Forms,
}

/// What people can do from a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AvailableAction {
    Acknowledge,
    /// By a form.
    AcknowledgeWith,
    RemoveAcknowledgement,
    /// By a form.
    Downtime,
    Recheck,
    StopNotifications,
    ResumeNotifications,
    /// Of a digest.
    AcknowledgeAll,
    StillOnIt,
    /// By a form.
    HandOver,
    /// Shows the earlier problems to the person alone.
    LastTimes,
    /// Of one that is over: the notification was worth it, or wasn't.
    WorthIt,
    Noise,
}

impl<'a> RenderContext<'a> {
    /// Nothing special known.
    pub(crate) fn bare(style: &'a Message, core: Option<&'a Core>, now: i64) -> Self {
        Self {
            now,
            core,
            style,
            mentions: &[],
            annotation: None,
            oldest: None,
            outage: None,
            interactivity: Interactivity::Nothing,
            post: 0,
            earlier: None,
            cause: None,
            asks_verdict: false,
        }
    }
}

/// One line under the title that says when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TimelineEntry {
    pub(crate) what: String,
    /// Unix seconds.
    pub(crate) at: i64,
    /// It holds now, so the summary says it, too.
    pub(crate) holds: bool,
}

/// Whom a message calls, as Slack knows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ResolvedMention {
    Here,
    Channel,
    Everyone,
    User(String),
    UserGroup(String),
}

/// What a colour and an icon say at a glance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Critical,
    Warning,
    Unknown,
    Good,
    Acknowledged,
    Quiet,
}

/// A message for people. All texts are plain and unescaped.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Card {
    pub(crate) tone: Tone,
    /// `CRITICAL`, `RECOVERED`, `ACKNOWLEDGED`
    pub(crate) head: String,
    /// `Disk on web01`
    pub(crate) object: String,
    /// A template's title in place of head and object.
    pub(crate) title: Option<String>,
    /// The core's page about the object.
    pub(crate) page: Option<String>,
    /// One sentence under the title: who acknowledged, how long it lasted.
    pub(crate) lead: Option<String>,
    /// What happened before, oldest first.
    pub(crate) marks: Vec<TimelineEntry>,
    pub(crate) comment: Option<String>,
    pub(crate) output: String,
    pub(crate) long_output: String,
    pub(crate) metrics: Vec<Metric>,
    pub(crate) metrics_more: usize,
    /// A template's body in place of output, long output and metrics.
    pub(crate) body: Option<String>,
    pub(crate) context: Vec<String>,
    /// Unix seconds.
    pub(crate) time: i64,
    pub(crate) late: Option<String>,
    pub(crate) annotation: Option<String>,
    /// How it went before.
    pub(crate) memory: Memory,
    /// The last hours of the value that broke its threshold.
    pub(crate) curve: Option<Curve>,
    /// What is known to help, shown first.
    pub(crate) fix: KnownFix,
    /// Label and address.
    pub(crate) links: Vec<(String, String)>,
    pub(crate) mentions: Vec<ResolvedMention>,
    pub(crate) available_actions: Vec<AvailableAction>,
    /// What the offers are about, and by which number a click names the message.
    pub(crate) subject: Object,
    pub(crate) post: i64,
    /// Why a template was not used.
    pub(crate) template_error: Option<String>,
}

/// Renders; never fails. A template that does is left out and said so.
pub(crate) fn card(notification: &Notification, facts: &RenderContext<'_>) -> Card {
    let page = facts.core.and_then(|core| links::page(notification, core));
    let mut links = links::all(notification, page.as_deref(), facts.core);
    let fix = KnownFix::take(notification, &mut links.web);
    let fields = facts.style.fields.iter().filter_map(|field| phrases::field(field, notification));
    let context = fields.chain(links.other.iter().map(|(label, url)| format!("{label}: {url}"))).collect();
    let templates = formatter::templates(notification, facts.style);
    let metrics = if templates.title.is_some() || templates.body.is_some() {
        formatter::metrics(&perfdata::parse(&notification.perfdata))
    } else {
        minijinja::Value::UNDEFINED
    };
    let (title, title_error) = template::render(templates.title.as_deref(), notification, &metrics);
    let (body, body_error) = template::render(templates.body.as_deref(), notification, &metrics);
    let mut card = Card {
        tone: phrases::tone(notification),
        head: phrases::head(notification),
        object: notification.object_label(),
        title,
        lead: phrases::lead(notification),
        marks: phrases::downtime_start(notification)
            .map(|at| TimelineEntry { what: "it begins".to_owned(), at, holds: false })
            .into_iter()
            .collect(),
        // Of a step it is our own sentence, the lead.
        comment: notification.comment.clone().filter(|_| !crate::model::problem::is_by_a_timer(&notification.kind)),
        output: notification.output.clone(),
        long_output: notification.long_output.clone(),
        metrics: Vec::new(),
        metrics_more: 0,
        body,
        context,
        time: notification.time,
        late: late(facts.oldest.unwrap_or(notification.time), facts),
        annotation: facts.annotation.map(str::to_owned),
        memory: Memory::default(),
        curve: None,
        fix,
        links: links.web,
        page,
        mentions: facts.mentions.to_vec(),
        available_actions: Vec::new(),
        subject: Object::of(notification),
        post: facts.post,
        template_error: templates.error.or(title_error).or(body_error),
    };
    if is_about_state(&notification.kind) {
        card.measure(&notification.perfdata);
    }
    card
}

impl Card {
    /// Shows what was measured.
    fn measure(&mut self, perfdata: &str) {
        let all = perfdata::parse(perfdata);
        self.metrics_more = all.len().saturating_sub(METRICS_MAX);
        self.metrics = all.into_iter().take(METRICS_MAX).collect();
    }

    /// The whole message in one line: for a phone's notification, a screen reader, a search.
    pub(crate) fn summary(&self) -> String {
        let mut line = self.heading();
        let holding = self.marks.iter().filter(|mark| mark.holds).map(|mark| mark.what.as_str());
        let parts = self.lead.as_deref().into_iter().chain(holding).chain(self.comment.as_deref());
        for part in parts.chain([self.output.as_str()]) {
            if !part.is_empty() {
                line.push_str(" · ");
                line.push_str(&part.replace('\n', " "));
            }
        }
        line
    }

    /// The title as one text.
    pub(crate) fn heading(&self) -> String {
        self.title.clone().unwrap_or_else(|| format!("{}: {}", self.head, self.object))
    }

    /// The last line: the context's pieces, and when it was late.
    pub(crate) fn details(&self) -> Vec<String> {
        self.context.iter().cloned().chain(self.late.clone()).collect()
    }
}

/// Cuts out everything that the patterns match from the texts of plugins and people.
pub(crate) fn redact(notification: &mut Notification, patterns: &[String]) {
    for cut in cutters(patterns) {
        cut(&mut notification.output);
        cut(&mut notification.long_output);
        cut(&mut notification.perfdata);
        notification.comment.iter_mut().for_each(&cut);
        notification.vars.values_mut().for_each(&cut);
        notification.host.display_name.iter_mut().for_each(&cut);
    }
}

/// The same for the comments of earlier problems, which may be older than the patterns.
pub(crate) fn redact_remarks(past: &mut [crate::model::past_problem::PastProblem], patterns: &[String]) {
    for cut in cutters(patterns) {
        past.iter_mut().filter_map(|past| past.answer.as_mut()?.remark.as_mut()).for_each(&cut);
    }
}

/// The same for the texts of another program.
pub(crate) fn redact_direct_message(message: &mut crate::model::incoming::DirectMessage, patterns: &[String]) {
    for cut in cutters(patterns) {
        cut(&mut message.title);
        cut(&mut message.body);
        message.markdown.iter_mut().for_each(&cut);
        message.labels.values_mut().for_each(&cut);
    }
}

/// For each pattern, the function that cuts its matches out of a text. `config check` complains about the others.
fn cutters(patterns: &[String]) -> impl Iterator<Item = impl Fn(&mut String)> {
    patterns.iter().filter_map(|pattern| regex_lite::Regex::new(pattern).ok()).map(|pattern| {
        move |text: &mut String| {
            if pattern.is_match(text) {
                *text = pattern.replace_all(text, "[redacted]").into_owned();
            }
        }
    })
}

fn late(time: i64, facts: &RenderContext<'_>) -> Option<String> {
    let behind = facts.now.saturating_sub(time);
    let why = facts.outage.map_or_else(String::new, |reason| format!(": Slack was unreachable ({reason})"));
    (behind > LATE_AFTER_SECONDS).then(|| format!("delivered {} late{why}", span(behind.unsigned_abs())))
}

/// Whether the plugin's measurements belong to what is said.
fn is_about_state(kind: &Kind) -> bool {
    match kind {
        Kind::Problem | Kind::Recovery | Kind::Custom | Kind::Other(_) => true,
        Kind::Acknowledgement
        | Kind::FlappingStart
        | Kind::FlappingStop
        | Kind::FlappingDisabled
        | Kind::DowntimeStart
        | Kind::DowntimeEnd
        | Kind::DowntimeCancelled
        | Kind::Unacknowledged
        | Kind::DowntimeScheduled
        | Kind::NotificationsStopped
        | Kind::NotificationsResumed
        | Kind::Unanswered
        | Kind::StillAsked
        | Kind::StillOnIt
        | Kind::HandedOver
        | Kind::Forgotten => false,
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_support;

//! A card in Block Kit: a title above, the rest in a coloured attachment, and a complete text for everything that
//! shows no blocks (<https://docs.slack.dev/reference/block-kit/>).
//!
//! The bar's colour exists only as `attachments[].color`
//! (<https://docs.slack.dev/legacy/legacy-messaging/legacy-secondary-message-attachments>).

use super::buttons::actions;
use super::limits::{CONTEXT_ELEMENTS_MAX, FALLBACK_MAX, SECTION_TEXT_MAX, TEXT_MAX, TITLE_MAX, cut};
use super::mrkdwn;
use crate::model::object::Object;
use crate::model::time_text::utc;
use crate::rules::render::{Card, Digest, Line, ResolvedMention, Tone};
use serde_json::{Value, json};

/// How much of the first line and of the rest of an output is shown, in characters of markup.
const OUTPUT_MAX: usize = 2900;
const LONG_OUTPUT_MAX: usize = 2900;
/// How much of an object's notes is shown.
const FIX_MAX: usize = 600;
/// How much of an object's earlier problems is shown.
const MEMORY_MAX: usize = 1000;
/// How much of a curve is shown; it has about 200.
const CURVE_MAX: usize = 600;
/// How many earlier states a message lists.
const MARKS_MAX: usize = 6;
/// How many sections of lines one message has; how much Slack takes in all isn't documented.
const LINE_SECTIONS_MAX: usize = 3;

/// The message with all its looks.
pub(crate) fn message(card: &Card) -> Value {
    let (fallback, _) = cut(&mrkdwn::escape(&card.heading()), FALLBACK_MAX);
    json!({
        "text": summary(card),
        "blocks": [section(&title(card))],
        "attachments": [{ "color": colour(card.tone), "fallback": fallback, "blocks": body(card) }],
        "unfurl_links": false,
        "unfurl_media": false,
    })
}

/// The same as plain text, for when Slack refuses the blocks.
pub(crate) fn plain(card: &Card) -> Value {
    let mut text = summary(card);
    let long = if card.body.is_some() { String::new() } else { card.long_output.clone() };
    let memory = card.memory.line.iter().chain(&card.memory.more).cloned().collect::<Vec<_>>().join("\n");
    let fix = card.fix.text.as_deref().into_iter().chain(card.fix.links.iter().map(|(_, url)| url.as_str()));
    let fix = fix.collect::<Vec<_>>().join(" · ");
    let annotation = card.annotation.as_deref().unwrap_or("");
    let curve = card.curve.as_ref().map(|curve| format!("{}\n{}", curve.bars, curve.sentence)).unwrap_or_default();
    let (body, details) = (card.body.as_deref().unwrap_or(&long), card.details().join(" · "));
    for part in [fix.as_str(), body, &curve, &memory, &details, annotation] {
        if !part.is_empty() {
            text.push('\n');
            text.push_str(&mrkdwn::escape(part));
        }
    }
    json!({ "text": cut(&text, TEXT_MAX).0, "unfurl_links": false, "unfurl_media": false })
}

/// What a reply in the thread says of one notification: shorter than the message above it, except for an output that
/// had no room there.
pub(crate) fn reply(card: &Card) -> Value {
    let mut blocks = vec![section(&title(card))];
    let sentences = sentences(card);
    if !sentences.is_empty() {
        blocks.push(section(&cut(&sentences.join("\n"), SECTION_TEXT_MAX).0));
    }
    if !card.output.trim().is_empty() {
        blocks.push(section(&mrkdwn::fence(&card.output, OUTPUT_MAX)));
    }
    if overflows(card) {
        blocks.extend(whole_output(&card.long_output));
    }
    blocks.push(json!({ "type": "context", "elements": [text(&mrkdwn::date(card.time, &utc(card.time)))] }));
    message_of(&summary(card), &blocks)
}

/// Whether a message has no room for all of the output, so that a reply must have the rest.
pub(crate) fn overflows(card: &Card) -> bool {
    card.body.is_none() && mrkdwn::escape(&card.long_output).chars().count() > LONG_OUTPUT_MAX - 100
}

/// A long output in as many sections as one message has for it, and what was cut.
fn whole_output(output: &str) -> Vec<Value> {
    const PART_CHARS: usize = 2000;
    let characters: Vec<char> = output.chars().collect();
    let parts = characters.chunks(PART_CHARS).take(LINE_SECTIONS_MAX * 2);
    let mut blocks: Vec<Value> =
        parts.map(|part| section(&mrkdwn::fence(&part.iter().collect::<String>(), SECTION_TEXT_MAX))).collect();
    let cut_away = characters.len().saturating_sub(PART_CHARS * LINE_SECTIONS_MAX * 2);
    if cut_away > 0 {
        blocks.push(section(&format!("_… {cut_away} more characters_")));
    }
    blocks
}

/// Lines for a thread, as many as one message holds; and how many those are.
pub(crate) fn lines(lines: &[Line], mentions: &[ResolvedMention]) -> (Value, usize) {
    let (mut blocks, covered) = line_sections(lines, LINE_SECTIONS_MAX);
    let calling: Vec<String> = mentions.iter().take(20).map(mention).collect();
    if !calling.is_empty() {
        blocks.insert(0, section(&calling.join(" ")));
    }
    let texts = lines.iter().take(covered).map(|line| format!("{}: {} · {}", line.head, line.object, line.output));
    let text = mrkdwn::escape(&texts.collect::<Vec<_>>().join("\n"));
    (message_of(&cut(&text, TEXT_MAX).0, &blocks), covered)
}

/// One sentence in a thread.
pub(crate) fn sentence(tone: Tone, text: &str) -> Value {
    message_of(&mrkdwn::escape(text), &[section(&format!("{} {}", icon(tone), mrkdwn::plain(text)))])
}

/// A digest, and how many of its lines it holds.
pub(crate) fn digest(digest: &Digest, mentions: &[ResolvedMention]) -> (Value, usize) {
    let calling: Vec<String> = mentions.iter().take(20).map(mention).collect();
    let title = format!("{} {} {}", icon(digest.tone), mrkdwn::bold(&digest.title), calling.join(" "));
    let (mut body, covered) = line_sections(&digest.lines, LINE_SECTIONS_MAX);
    if !digest.counts.is_empty() {
        body.insert(0, section(&mrkdwn::plain(&digest.counts)));
    }
    let rest = [digest.rest.as_deref(), digest.annotation.as_deref()].into_iter().flatten();
    body.extend(rest.map(|text| section(&cut(&mrkdwn::plain(text), SECTION_TEXT_MAX).0)));
    let text = cut(&mrkdwn::escape(&digest.summary()), TEXT_MAX).0;
    body.extend(actions(&digest.available_actions, digest.post, &Object::default()));
    let mut message = message_of(&text, &[section(title.trim_end())]);
    if !body.is_empty() {
        let (fallback, _) = cut(&mrkdwn::escape(&digest.title), FALLBACK_MAX);
        message["attachments"] = json!([{ "color": colour(digest.tone), "fallback": fallback, "blocks": body }]);
    }
    (message, covered)
}

/// Only the text of a message, for when Slack refuses the blocks.
pub(crate) fn without_blocks(mut message: Value) -> Value {
    if let Some(fields) = message.as_object_mut() {
        fields.remove("blocks");
        fields.remove("attachments");
    }
    message
}

pub(super) fn message_of(text: &str, blocks: &[Value]) -> Value {
    json!({ "text": text, "blocks": blocks, "unfurl_links": false, "unfurl_media": false })
}

/// Lines packed into sections, whole lines only.
fn line_sections(lines: &[Line], most: usize) -> (Vec<Value>, usize) {
    let (mut sections, mut current, mut covered) = (Vec::new(), String::new(), 0);
    for line in lines {
        let markup = line_markup(line);
        if !current.is_empty() && current.chars().count() + markup.chars().count() + 1 > SECTION_TEXT_MAX {
            if sections.len() + 1 == most {
                break;
            }
            sections.push(section(&std::mem::take(&mut current)));
        }
        if !current.is_empty() {
            current.push('\n');
        }
        current.push_str(&markup);
        covered += 1;
    }
    if !current.is_empty() {
        sections.push(section(&current));
    }
    (sections, covered)
}

fn line_markup(line: &Line) -> String {
    let (object, _) = cut(&line.object, 120);
    let object = match &line.page {
        Some(page) if page.len() <= 300 => mrkdwn::link(page, &object),
        _ => mrkdwn::plain(&object),
    };
    let (head, _) = cut(&line.head, 60);
    let output = if line.output.is_empty() { String::new() } else { format!(" · {}", mrkdwn::plain(&line.output)) };
    let date = mrkdwn::date(line.time, &utc(line.time));
    format!("{} {} {object} · {date}{output}", icon(line.tone), mrkdwn::bold(&head))
}

fn summary(card: &Card) -> String {
    cut(&mrkdwn::escape(&card.summary()), TEXT_MAX).0
}

pub(super) fn title(card: &Card) -> String {
    let (object, _) = cut(&card.object, TITLE_MAX / 4);
    let (head, _) = cut(&card.head, TITLE_MAX / 4);
    let object = match &card.page {
        Some(page) if page.chars().count() <= TITLE_MAX => mrkdwn::link(page, &object),
        _ => mrkdwn::plain(&object),
    };
    let heading = match &card.title {
        Some(title) => mrkdwn::bold(&cut(&title.replace('\n', " "), TITLE_MAX / 2).0),
        None => format!("{} {object}", mrkdwn::bold(&head)),
    };
    let mentions: Vec<String> = card.mentions.iter().take(20).map(mention).collect();
    let calling = if mentions.is_empty() { String::new() } else { format!(" {}", mentions.join(" ")) };
    format!("{} {heading}{calling}", icon(card.tone))
}

/// The blocks beside the bar; never empty, as the time always shows.
fn body(card: &Card) -> Vec<Value> {
    let mut blocks = Vec::new();
    blocks.extend(known_fix(card));
    let sentences = sentences(card);
    if !sentences.is_empty() {
        blocks.push(section(&cut(&sentences.join("\n"), SECTION_TEXT_MAX).0));
    }
    match &card.body {
        Some(body) => blocks.push(section(&cut(&mrkdwn::plain(body), SECTION_TEXT_MAX).0)),
        None => blocks.extend(measured(card)),
    }
    blocks.extend(curve(card));
    blocks.extend(memory(card));
    if let Some(annotation) = &card.annotation {
        blocks.push(section(&cut(&format!(":information_source: {}", mrkdwn::plain(annotation)), SECTION_TEXT_MAX).0));
    }
    let links: Vec<String> =
        card.links.iter().filter(|(_, url)| url.len() <= 900).map(|(label, url)| mrkdwn::link(url, label)).collect();
    let mut elements: Vec<Value> = card.context.iter().map(|piece| text(&cut(&mrkdwn::plain(piece), 500).0)).collect();
    elements.truncate(CONTEXT_ELEMENTS_MAX - 3);
    elements.push(text(&mrkdwn::date(card.time, &utc(card.time))));
    elements.extend(card.late.as_deref().map(|late| text(&mrkdwn::bold(late))));
    if !links.is_empty() {
        elements.push(text(&links.join("  ·  ")));
    }
    blocks.push(json!({ "type": "context", "elements": elements }));
    blocks.extend(actions(&card.available_actions, card.post, &card.subject));
    blocks
}

/// The object's notes and runbook, above all else.
fn known_fix(card: &Card) -> Option<Value> {
    let links = card.fix.links.iter().filter(|(_, url)| url.len() <= 900).map(|(label, url)| mrkdwn::link(url, label));
    let text = card.fix.text.as_deref().map(|text| mrkdwn::plain(&cut(text, FIX_MAX).0));
    let parts: Vec<String> = text.into_iter().chain(links).collect();
    (!parts.is_empty()).then(|| section(&cut(&format!(":book: {}", parts.join("  ·  ")), SECTION_TEXT_MAX).0))
}

/// The last hours of the value that broke its threshold. It keeps its time, as it stays while the problem goes on.
fn curve(card: &Card) -> Option<Value> {
    let curve = card.curve.as_ref()?;
    let at = mrkdwn::date(curve.at, &utc(curve.at));
    let text = format!("{}\n{}", mrkdwn::plain(&curve.bars), mrkdwn::plain(&curve.sentence));
    Some(section(&format!("{} ({at})", cut(&text, CURVE_MAX).0)))
}

/// How it went before: one block, which Slack folds where it is long.
fn memory(card: &Card) -> Option<Value> {
    let lines: Vec<String> = card.memory.line.iter().chain(&card.memory.more).map(|line| mrkdwn::plain(line)).collect();
    (!lines.is_empty()).then(|| section(&cut(&lines.join("\n"), MEMORY_MAX).0))
}

/// What is said under the title: the lead, what happened when, a person's words.
pub(super) fn sentences(card: &Card) -> Vec<String> {
    let lead = card.lead.as_deref().map(|lead| mrkdwn::plain(&cut(lead, 500).0));
    let skipped = card.marks.len().saturating_sub(MARKS_MAX);
    let earlier = (skipped > 0).then(|| format!("… {skipped} earlier"));
    let marks = card
        .marks
        .iter()
        .skip(skipped)
        .map(|mark| format!("{} {}", mrkdwn::plain(&cut(&mark.what, 100).0), mrkdwn::date(mark.at, &utc(mark.at))));
    let comment = card.comment.as_deref().map(|comment| quote(&cut(comment, 1200).0));
    lead.into_iter().chain(earlier).chain(marks).chain(comment).collect()
}

/// What the plugin said and measured.
fn measured(card: &Card) -> Vec<Value> {
    let mut blocks = Vec::new();
    for (output, most) in [(&card.output, OUTPUT_MAX), (&card.long_output, LONG_OUTPUT_MAX)] {
        if !output.trim().is_empty() {
            blocks.push(section(&mrkdwn::fence(output, most)));
        }
    }
    let mut lines: Vec<String> = card.metrics.iter().map(|metric| mrkdwn::plain(&metric.line())).collect();
    if card.metrics_more > 0 {
        lines.push(format!("… and {} more", card.metrics_more));
    }
    if !lines.is_empty() {
        blocks.push(section(&cut(&lines.join("\n"), SECTION_TEXT_MAX).0));
    }
    blocks
}

/// A person's words, each line quoted.
fn quote(comment: &str) -> String {
    comment.lines().map(|line| format!("> {}", mrkdwn::plain(line))).collect::<Vec<_>>().join("\n")
}

pub(super) fn section(markup: &str) -> Value {
    json!({ "type": "section", "text": text(markup) })
}

/// `verbatim`: what looks like a channel or a person in foreign text stays text.
pub(super) fn text(markup: &str) -> Value {
    json!({ "type": "mrkdwn", "text": markup, "verbatim": true })
}

pub(super) fn mention(mention: &ResolvedMention) -> String {
    match mention {
        ResolvedMention::Here => "<!here>".to_owned(),
        ResolvedMention::Channel => "<!channel>".to_owned(),
        ResolvedMention::Everyone => "<!everyone>".to_owned(),
        ResolvedMention::User(id) => format!("<@{id}>"),
        ResolvedMention::UserGroup(id) => format!("<!subteam^{id}>"),
    }
}

/// The bar's colour.
pub(crate) fn colour(tone: Tone) -> &'static str {
    match tone {
        Tone::Critical => "#d0021b",
        Tone::Warning => "#f5a623",
        Tone::Unknown => "#9013fe",
        Tone::Good => "#2eb67d",
        Tone::Acknowledged => "#1d9bd1",
        Tone::Quiet => "#8d8d8d",
    }
}

fn icon(tone: Tone) -> &'static str {
    match tone {
        Tone::Critical => ":red_circle:",
        Tone::Warning => ":large_yellow_circle:",
        Tone::Unknown => ":large_purple_circle:",
        Tone::Good => ":large_green_circle:",
        Tone::Acknowledged => ":large_blue_circle:",
        Tone::Quiet => ":white_circle:",
    }
}

//! A card in Block Kit: a title above, the rest in a coloured attachment, and a complete text for everything that
//! shows no blocks (<https://docs.slack.dev/reference/block-kit/>).
//!
//! The bar's colour exists only as `attachments[].color`
//! (<https://docs.slack.dev/legacy/legacy-messaging/legacy-secondary-message-attachments>).

use super::limits::{CONTEXT_ELEMENTS_MAX, FALLBACK_MAX, SECTION_TEXT_MAX, TEXT_MAX, TITLE_MAX, cut};
use super::mrkdwn;
use crate::render::{Card, ResolvedMention, Tone, utc};
use serde_json::{Value, json};

/// How much of the first line and of the rest of an output is shown, in characters of markup.
const OUTPUT_MAX: usize = 2900;
const LONG_OUTPUT_MAX: usize = 2900;

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
    for part in [card.body.as_deref().unwrap_or(&long), &card.details().join(" · "), card.note.as_deref().unwrap_or("")]
    {
        if !part.is_empty() {
            text.push('\n');
            text.push_str(&mrkdwn::escape(part));
        }
    }
    json!({ "text": cut(&text, TEXT_MAX).0, "unfurl_links": false, "unfurl_media": false })
}

fn summary(card: &Card) -> String {
    cut(&mrkdwn::escape(&card.summary()), TEXT_MAX).0
}

fn title(card: &Card) -> String {
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
    let lead = card.lead.as_deref().map(|lead| mrkdwn::plain(&cut(lead, 500).0));
    let comment = card.comment.as_deref().map(|comment| quote(&cut(comment, 1500).0));
    let sentences: Vec<String> = [lead, comment].into_iter().flatten().collect();
    if !sentences.is_empty() {
        blocks.push(section(&cut(&sentences.join("\n"), SECTION_TEXT_MAX).0));
    }
    match &card.body {
        Some(body) => blocks.push(section(&cut(&mrkdwn::plain(body), SECTION_TEXT_MAX).0)),
        None => blocks.extend(measured(card)),
    }
    if let Some(note) = &card.note {
        blocks.push(section(&cut(&format!(":information_source: {}", mrkdwn::plain(note)), SECTION_TEXT_MAX).0));
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
    blocks
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

fn section(markup: &str) -> Value {
    json!({ "type": "section", "text": text(markup) })
}

/// `verbatim`: what looks like a channel or a person in foreign text stays text.
fn text(markup: &str) -> Value {
    json!({ "type": "mrkdwn", "text": markup, "verbatim": true })
}

fn mention(mention: &ResolvedMention) -> String {
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

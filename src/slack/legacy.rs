//! A card as a legacy attachment in Markdown, for receivers that take Slack's webhooks but ignore blocks: Mattermost,
//! Rocket.Chat and Discord.

use super::blocks::colour;
use super::limits::{FALLBACK_MAX, cut};
use crate::config::Flavor;
use crate::model::incoming::DirectMessage;
use crate::model::time_text::utc;
use crate::rules::render::{Card, Digest, ResolvedMention, Tone};
use serde_json::{Value, json};

/// Discord refuses descriptions above 4,096 characters; the others take more.
const TEXT_MAX: usize = 3500;
const TITLE_MAX: usize = 240;

/// The message in the receiver's dialect.
pub(crate) fn message(card: &Card, flavor: Flavor) -> Value {
    let (title, _) = cut(&harmless(&card.heading().replace('\n', " ")), TITLE_MAX);
    let (fallback, _) = cut(&harmless(&card.summary()), FALLBACK_MAX);
    let mut attachment =
        json!({ "color": colour(card.tone), "fallback": fallback, "title": title, "text": text(card) });
    if let Some(page) = &card.page {
        attachment["title_link"] = Value::from(page.as_str());
    }
    let calling: Vec<String> = card.mentions.iter().filter_map(|mention| call(mention, flavor)).collect();
    json!({ "text": calling.join(" "), "attachments": [attachment] })
}

/// A digest's list in the receiver's dialect, and how many of its lines it holds.
pub(crate) fn digest(digest: &Digest, flavor: Flavor, mentions: &[ResolvedMention]) -> (Value, usize) {
    let (mut text, mut covered) = (harmless(&digest.counts), 0);
    for line in &digest.lines {
        let output = if line.output.is_empty() { String::new() } else { format!(" · {}", harmless(&line.output)) };
        let markup = format!("\n**{}** {} · {}{output}", harmless(&line.head), harmless(&line.object), utc(line.time));
        if covered > 0 && text.chars().count() + markup.chars().count() > TEXT_MAX {
            break;
        }
        text.push_str(&markup);
        covered += 1;
    }
    text.extend(digest.annotation.as_deref().map(|annotation| format!("\n{}", harmless(annotation))));
    let (title, _) = cut(&harmless(&digest.title), TITLE_MAX);
    let (fallback, _) = cut(&harmless(&digest.summary()), FALLBACK_MAX);
    let attachment = json!({ "color": colour(digest.tone), "fallback": fallback, "title": title, "text": text.trim() });
    let calling: Vec<String> = mentions.iter().filter_map(|mention| call(mention, flavor)).collect();
    (json!({ "text": calling.join(" "), "attachments": [attachment] }), covered)
}

/// Another program's message, in the receiver's dialect; its Markdown isn't trusted to be harmless there.
pub(crate) fn direct_message(message: &DirectMessage, annotation: Option<&str>) -> Value {
    let (title, _) = cut(&harmless(&message.title), TITLE_MAX);
    let links: Vec<String> = message.links.iter().map(|(label, url)| link(&harmless(label), url)).collect();
    let mut parts = vec![cut(&harmless(&message.body), TEXT_MAX / 2).0, links.join(" · ")];
    parts.extend(annotation.map(harmless));
    parts.retain(|part| !part.is_empty());
    let text = cut(&parts.join("\n\n"), TEXT_MAX).0;
    let (fallback, _) = cut(&harmless(&format!("{}: {}", message.title, message.body)), FALLBACK_MAX);
    let attachment = json!({ "color": colour(Tone::Quiet), "fallback": fallback, "title": title, "text": text });
    json!({ "text": "", "attachments": [attachment] })
}

fn text(card: &Card) -> String {
    let mut parts = Vec::new();
    parts.extend(card.fix.text.as_deref().map(harmless));
    parts.extend(card.fix.links.iter().map(|(label, url)| link(label, url)));
    parts.extend(card.lead.as_deref().map(harmless));
    parts.extend(card.marks.iter().map(|mark| format!("{} {}", harmless(&mark.what), utc(mark.at))));
    parts.extend(card.comment.as_deref().map(|comment| format!("> {}", harmless(comment).replace('\n', "\n> "))));
    if let Some(body) = &card.body {
        parts.push(harmless(body));
    } else {
        let output = [card.output.as_str(), card.long_output.as_str()].join("\n");
        if !output.trim().is_empty() {
            parts.push(fence(output.trim(), TEXT_MAX / 2));
        }
        let metrics: Vec<String> = card.metrics.iter().map(|metric| harmless(&metric.line())).collect();
        parts.push(metrics.join("\n"));
    }
    let curve = card.curve.iter().flat_map(|curve| [harmless(&curve.bars), harmless(&curve.sentence)]);
    parts.extend(curve);
    parts.extend(card.memory.line.iter().chain(&card.memory.more).map(|line| harmless(line)));
    parts.extend(card.annotation.as_deref().map(harmless));
    let mut details: Vec<String> = card.details().iter().map(|piece| harmless(piece)).collect();
    details.push(utc(card.time));
    parts.push(details.join(" · "));
    parts.push(card.links.iter().map(|(label, url)| link(label, url)).collect::<Vec<_>>().join(" · "));
    parts.retain(|part| !part.trim().is_empty());
    cut(&parts.join("\n"), TEXT_MAX).0
}

fn link(label: &str, url: &str) -> String {
    format!("[{label}]({})", url.replace('(', "%28").replace(')', "%29").replace(' ', "%20"))
}

fn fence(output: &str, most: usize) -> String {
    let (kept, cut_away) = cut(&output.replace("``", "`\u{2060}`\u{2060}"), most);
    let remainder = if cut_away > 0 { format!("\n… {cut_away} more characters") } else { String::new() };
    format!("```\n{kept}\n```{remainder}")
}

/// Foreign text in which nothing is Markdown and nobody is called.
fn harmless(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '*' | '_' | '~' | '`' | '[' | ']' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            // `@channel`, `<!channel>` and `<@U1>` are translated by some receivers.
            '@' | '<' => {
                out.push(c);
                out.push('\u{2060}');
            }
            c => out.push(c),
        }
    }
    out
}

/// Whom the receiver can call by a plain word; Slack's ids mean nothing to it.
fn call(mention: &ResolvedMention, flavor: Flavor) -> Option<String> {
    match (mention, flavor) {
        (ResolvedMention::Here, _) => Some("@here".to_owned()),
        (ResolvedMention::Channel | ResolvedMention::Everyone, Flavor::Mattermost) => Some("@channel".to_owned()),
        (ResolvedMention::Channel | ResolvedMention::Everyone, Flavor::RocketChat) => Some("@all".to_owned()),
        (ResolvedMention::Channel | ResolvedMention::Everyone, Flavor::Discord) => Some("@everyone".to_owned()),
        _ => None,
    }
}

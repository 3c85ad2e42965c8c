//! Another program's message: a header, the text, and its links as buttons.

use super::blocks::{mention, message_of, section, text};
use super::limits::{HEADER_MAX, SECTION_TEXT_MAX, TEXT_MAX, cut};
use super::{markdown, mrkdwn};
use crate::model::incoming::DirectMessage;
use crate::rules::render::{Interactivity, ResolvedMention};
use serde_json::{Value, json};

/// How many sections of text one message has; how much Slack takes in all isn't documented.
const SECTIONS_MAX: usize = 6;
/// A button's text (<https://docs.slack.dev/reference/block-kit/block-elements/button-element>).
const BUTTON_TEXT_MAX: usize = 75;

/// The message with all its blocks. Slack sends the app each click on a button, even if the button only opens an address,
/// and warns the reader if no app answers: without a listener the links are links.
pub(crate) fn message(
    direct: &DirectMessage,
    annotation: Option<&str>,
    mentions: &[ResolvedMention],
    interactivity: Interactivity,
) -> Value {
    let mut blocks = vec![
        json!({ "type": "header", "text": { "type": "plain_text", "text": cut(&direct.title, HEADER_MAX).0, "emoji": true } }),
    ];
    let mentioned: Vec<String> = mentions.iter().take(20).map(mention).collect();
    blocks.extend((!mentioned.is_empty()).then(|| section(&mentioned.join(" "))));
    let over = direct.title.chars().count() > HEADER_MAX;
    blocks.extend(over.then(|| section(&cut(&mrkdwn::bold(&direct.title), SECTION_TEXT_MAX).0)));
    blocks.extend(sections(direct));
    if let Some(annotation) = annotation {
        blocks.push(section(&cut(&format!(":information_source: {}", mrkdwn::plain(annotation)), SECTION_TEXT_MAX).0));
    }
    blocks.extend(details(direct));
    match interactivity {
        Interactivity::Nothing => blocks.extend(links(direct)),
        Interactivity::Buttons | Interactivity::Forms => blocks.extend(buttons(direct)),
    }
    let summary = format!("{}\n{}", mrkdwn::escape(&direct.title), mrkdwn::escape(&direct.body));
    message_of(&cut(&summary, TEXT_MAX).0, &blocks)
}

/// The text, in as many sections as there is room for, and what was cut.
fn sections(message: &DirectMessage) -> Vec<Value> {
    let plain = || {
        let paragraph =
            |text: &str| markdown::Piece { markup: mrkdwn::plain(text), plain: text.to_owned(), is_close: false };
        message.body.split("\n\n").filter(|text| !text.trim().is_empty()).map(paragraph).collect()
    };
    let mut pieces: Vec<markdown::Piece> = message.markdown.as_deref().map_or_else(plain, markdown::pieces);
    if pieces.is_empty() {
        pieces = plain();
    }
    let (mut parts, mut current) = (Vec::new(), String::new());
    for piece in pieces {
        let gap = if current.is_empty() {
            ""
        } else if piece.is_close {
            "\n"
        } else {
            "\n\n"
        };
        if current.chars().count() + gap.len() + piece.markup.chars().count() <= SECTION_TEXT_MAX {
            current.push_str(gap);
            current.push_str(&piece.markup);
            continue;
        }
        parts.extend((!current.is_empty()).then(|| std::mem::take(&mut current)));
        if piece.markup.chars().count() <= SECTION_TEXT_MAX {
            current = piece.markup;
        } else {
            // Torn apart, markup would end where nobody meant it to: its text alone.
            parts.extend(torn(&piece.plain));
        }
    }
    parts.push(current);
    parts.retain(|part| !part.trim().is_empty());
    let cut_away: usize = parts.iter().skip(SECTIONS_MAX).map(|part| part.chars().count()).sum();
    let mut blocks: Vec<Value> = parts.iter().take(SECTIONS_MAX).map(|part| section(part)).collect();
    if cut_away > 0 {
        blocks.push(section(&format!("_… {cut_away} more characters_")));
    }
    blocks
}

/// A text without markup in parts that fit a section each.
fn torn(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut room = SECTION_TEXT_MAX;
    for c in text.chars() {
        // The most that one character can become.
        let length = mrkdwn::plain(c.encode_utf8(&mut [0; 4])).chars().count().max(2);
        if length > room {
            parts.push(String::new());
            room = SECTION_TEXT_MAX;
        }
        room -= length;
        if let Some(part) = parts.last_mut() {
            part.push(c);
        }
    }
    parts.iter().map(|part| mrkdwn::plain(part)).collect()
}

/// The labels that say more than the text does, and how many links were left out.
fn details(message: &DirectMessage) -> Option<Value> {
    let contains = |value: &str| message.title.contains(value) || message.body.contains(value);
    let labels = message.labels.iter().filter(|(_, value)| !value.is_empty() && !contains(value));
    let mut pieces: Vec<String> = labels.map(|(name, value)| format!("{name}: {value}")).collect();
    match message.links_left_out {
        0 => {}
        1 => pieces.push("one link was left out".to_owned()),
        count => pieces.push(format!("{count} links were left out")),
    }
    let line = cut(&mrkdwn::plain(&pieces.join(" · ")), 1000).0;
    (!line.is_empty()).then(|| json!({ "type": "context", "elements": [text(&line)] }))
}

fn links(message: &DirectMessage) -> Vec<Value> {
    let mut lines = vec![String::new()];
    for (label, url) in message.links.iter().take(crate::slack::limits::LINKS_MAX) {
        let label = cut(label, BUTTON_TEXT_MAX).0;
        let shown = Some(mrkdwn::link(url, &label)).filter(|shown| shown.chars().count() <= SECTION_TEXT_MAX);
        let shown = shown.unwrap_or_else(|| format!("{} (its address is too long to show)", mrkdwn::plain(&label)));
        match lines.last_mut() {
            Some(line) if line.is_empty() => *line = shown,
            Some(line) if line.chars().count() + 5 + shown.chars().count() <= SECTION_TEXT_MAX => {
                line.push_str("  ·  ");
                line.push_str(&shown);
            }
            _ => lines.push(shown),
        }
    }
    lines.iter().filter(|line| !line.is_empty()).map(|line| section(line)).collect()
}

fn buttons(message: &DirectMessage) -> Option<Value> {
    let button = |(number, (label, url)): (usize, &(String, String))| {
        json!({
            "type": "button", "action_id": format!("link-{number}"), "url": url,
            "text": { "type": "plain_text", "text": cut(label, BUTTON_TEXT_MAX).0, "emoji": true },
        })
    };
    let elements: Vec<Value> =
        message.links.iter().take(crate::slack::limits::LINKS_MAX).enumerate().map(button).collect();
    (!elements.is_empty()).then(|| json!({ "type": "actions", "elements": elements }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn direct(body: &str) -> DirectMessage {
        DirectMessage {
            title: "T".into(),
            body: markdown::to_plain(body),
            markdown: Some(body.into()),
            ..DirectMessage::default()
        }
    }

    fn texts(message: &Value) -> Vec<&str> {
        let blocks = message["blocks"].as_array().unwrap().iter();
        blocks.filter_map(|block| block["text"]["text"].as_str()).collect()
    }

    #[test]
    fn paragraphs_are_packed_and_never_torn() {
        let long = format!("**{}**\n\n", "word ".repeat(200));
        let message = message(&direct(&long.repeat(8)), None, &[], Interactivity::Nothing);
        let texts = texts(&message);
        assert_eq!(texts.len(), 1 + 4, "{texts:?}");
        assert!(texts[1..].iter().all(|text| text.chars().count() <= 3000 && text.matches('*').count() % 2 == 0));
    }

    #[test]
    fn what_is_too_long_is_cut_and_said() {
        let message = message(&direct(&"x".repeat(200_000)), None, &[], Interactivity::Nothing);
        let texts = texts(&message);
        assert!(texts.last().unwrap().ends_with("more characters_"), "{:?}", texts.last());
        assert_eq!(texts.len(), 1 + SECTIONS_MAX + 1);
    }

    #[test]
    fn labels_that_the_text_says_are_not_repeated() {
        let mut message = direct("deleted in 24 hours");
        message.labels = [("hours".to_owned(), "24".to_owned()), ("by".to_owned(), "auto<!here>".to_owned())].into();
        message.links_left_out = 2;
        let shown = super::message(&message, None, &[], Interactivity::Nothing).to_string();
        assert!(
            shown.contains("by: auto&lt;!here&gt; · 2 links were left out") && !shown.contains("hours: 24"),
            "{shown}"
        );
    }

    #[test]
    fn links_are_buttons_only_where_a_click_is_heard() {
        let mut message = direct("text");
        message.links = vec![("Log <1>".to_owned(), "https://example.com/a?b&c".to_owned())];
        let shown = |interactivity| {
            super::message(&message, None, &[], interactivity)["blocks"].as_array().unwrap().last().unwrap().clone()
        };
        assert_eq!(shown(Interactivity::Buttons)["type"], "actions");
        assert_eq!(shown(Interactivity::Nothing)["text"]["text"], "<https://example.com/a?b&amp;c|Log &lt;1&gt;>");
    }
}

//! Messages of other programs: whatever they contain, they mention nobody and lead to the web only.

use super::NOW;
use super::files::keep_incoming;
use crate::listen::message_api::message::parse;
use crate::model::incoming::Incoming;
use crate::slack::limits::LINKS_MAX;
use crate::slack::{direct_message, markdown};

/// A body of the message API; and any text as Markdown.
pub fn intake(bytes: &[u8]) {
    if let Ok(direct) = parse(bytes, None, "fresh", NOW) {
        assert!(!direct.title.is_empty() && !direct.body.is_empty() && direct.links.len() <= LINKS_MAX);
        assert!(direct.links.iter().all(|(_, url)| markdown::is_web(url)), "{:?}", direct.links);
        let message = direct_message::message(&direct, None, &[], crate::rules::render::Interactivity::Nothing);
        let blocks = message["blocks"].as_array().expect("a list");
        assert!(blocks.len() <= 50, "{} blocks", blocks.len());
        for text in blocks.iter().filter_map(|block| block["text"]["text"].as_str()) {
            assert!(text.chars().count() <= 3000, "{} characters", text.chars().count());
        }
        for block in blocks.iter().filter(|block| block["text"]["type"] == "mrkdwn") {
            harmless(block["text"]["text"].as_str().unwrap_or_default());
        }
        harmless(message["text"].as_str().unwrap_or_default());
        keep_incoming(&Incoming::DirectMessage(direct));
    }
    let text = String::from_utf8_lossy(bytes);
    for piece in markdown::pieces(&text) {
        harmless(&piece.markup);
    }
}

/// Nothing in it calls anybody, and every link leads to the web or to a mail program.
fn harmless(markup: &str) {
    for tag in markup.split('<').skip(1) {
        let is_link = ["http://", "https://", "mailto:"]
            .iter()
            .any(|scheme| tag.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)));
        assert!(is_link && tag.contains('>'), "{markup:?}");
    }
}

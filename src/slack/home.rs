//! App Home: the open problems, with the buttons of the cards (<https://docs.slack.dev/surfaces/app-home>).

use super::blocks::{section, sentences, text, title};
use super::buttons::{actions, plain_text};
use super::limits::{SECTION_TEXT_MAX, VIEW_BLOCKS_MAX, cut};
use super::mrkdwn;
use crate::model::time_text::utc;
use crate::rules::render::Card;
use serde_json::{Value, json};

/// A view may be so large (<https://docs.slack.dev/reference/methods/views.publish>: 250 kB); Slack adds to it.
const VIEW_BYTES_MAX: usize = 200_000;
/// So much of a plugin's output is shown.
const OUTPUT_MAX: usize = 160;

/// The view as a modal: the same blocks under a title.
pub(crate) fn as_modal(mut view: Value) -> Value {
    view["type"] = "modal".into();
    view["title"] = plain_text("What is wrong?");
    view["close"] = plain_text("Close");
    view
}

/// One problem of the list.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) card: Card,
    /// Unix seconds.
    pub(crate) since: Option<i64>,
}

/// The view of one person.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Home {
    /// Headings with their problems; none of them is empty.
    pub(crate) groups: Vec<(&'static str, Vec<Entry>)>,
    /// Who is on call now, as markup; empty without a shift plan.
    pub(crate) on_call: String,
    /// Rules restrict what the person sees.
    pub(crate) is_partial: bool,
}

/// The view. `now`: Unix seconds.
pub(crate) fn view(home: &Home, now: i64) -> Value {
    let total: usize = home.groups.iter().map(|(_, entries)| entries.len()).sum();
    let headline = match total {
        0 if home.is_partial => "*Nothing is wrong* in what you may see.".to_owned(),
        0 => "*Nothing is wrong.* :tada:".to_owned(),
        1 => "*One problem*".to_owned(),
        total => format!("*{total} problems*"),
    };
    let (mut blocks, mut bytes, mut shown) = (vec![section(&headline), as_of(now)], 0, 0);
    if !home.on_call.is_empty() {
        blocks.push(section(&cut(&format!("On call now\n{}", home.on_call), SECTION_TEXT_MAX).0));
    }
    'all: for (heading, entries) in &home.groups {
        let mut heading = Some(json!({ "type": "header", "text": { "type": "plain_text", "text": heading } }));
        for entry in entries {
            let one: Vec<Value> = heading.take().into_iter().chain(blocks_of(entry)).collect();
            bytes += one.iter().map(|block| block.to_string().len()).sum::<usize>();
            // One block is left for the count of the others.
            if blocks.len() + one.len() >= VIEW_BLOCKS_MAX || bytes > VIEW_BYTES_MAX {
                break 'all;
            }
            blocks.extend(one);
            shown += 1;
        }
    }
    match total - shown {
        0 => {}
        1 => blocks.push(section("_… and one more_")),
        more => blocks.push(section(&format!("_… and {more} more_"))),
    }
    json!({ "type": "home", "blocks": blocks })
}

/// A view with a text only: why there is nothing to see.
pub(crate) fn text_only(text: &str, now: i64) -> Value {
    json!({ "type": "home", "blocks": [section(&cut(&mrkdwn::plain(text), SECTION_TEXT_MAX).0), as_of(now)] })
}

fn as_of(now: i64) -> Value {
    let as_of = format!("As of {}; refreshed as things change.", mrkdwn::date(now, &utc(now)));
    json!({ "type": "context", "block_id": AS_OF, "elements": [text(&as_of)] })
}

/// The block that differs each time.
const AS_OF: &str = "as-of";

/// The view without its time of refresh, to compare whether something has changed.
pub(crate) fn without_timestamps(view: &Value) -> Vec<&Value> {
    let blocks = view["blocks"].as_array().map(Vec::as_slice).unwrap_or_default();
    blocks.iter().filter(|block| block["block_id"] != AS_OF).collect()
}

fn blocks_of(entry: &Entry) -> Vec<Value> {
    let card = &entry.card;
    let since = entry.since.map(|since| format!("since {}", mrkdwn::date(since, &utc(since))));
    let output = card.output.lines().next().filter(|line| !line.trim().is_empty());
    let output = output.map(|line| mrkdwn::plain(&cut(line, OUTPUT_MAX).0));
    let lines: Vec<String> = [title(card)].into_iter().chain(since).chain(sentences(card)).chain(output).collect();
    let mut blocks = vec![section(&cut(&lines.join("\n"), SECTION_TEXT_MAX).0)];
    blocks.extend(actions(&card.available_actions, card.post, &card.subject));
    blocks
}

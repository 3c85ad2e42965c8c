//! What people and plugins write: the text behind the slash command, the fields of a notification, the command line.

use super::{NOW, files};
use crate::notification::{FIELDS, Fields, clean_line, clean_prose, clean_text};
use crate::slack::mrkdwn;
use crate::slash::{self, Filter, What};

/// Behind `/ackbell`: an order, or a sentence for the person; a filter that is kept is the same when it is read again.
pub fn slash(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    match slash::parse("/ackbell", &text) {
        Ok(order) => match order.what {
            What::Problems(filter) | What::Subscribe(filter) | What::Unsubscribe(Some(filter)) => same(&filter),
            What::Act(_, words) => drop(slash::downtime("/ackbell", words.get(1..).unwrap_or_default())),
            What::Help | What::Status(_) | What::Unsubscribe(None) | What::Subscriptions | What::Whoami => {}
        },
        Err(sentence) => assert!(!sentence.is_empty(), "refused without a word"),
    }
}

/// The words of a command line, a line each: whatever is taken of it can be kept and shown.
pub fn arguments(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let words: Vec<String> = std::iter::once("ackbell").chain(text.split('\n')).map(str::to_owned).collect();
    if let Some(fields) = crate::cli::notify::taken(&words) {
        files::keep(&fields.into_notification(NOW));
    }
}

fn same(filter: &Filter) {
    // A word with every kind of quote in it can't be written as one word; nobody's names are like that.
    if !filter.text.contains(['"', '\'', '“', '”', '„', '‘', '’', '`']) {
        assert_eq!(Filter::of(&filter.text).as_ref(), Ok(filter), "a filter changes when it is kept");
    }
}

/// Arguments of `notify`, `NAME VALUE` a line (`var KEY=VALUE` and `to` too): nothing is refused, and the object has a name
/// without control characters.
pub fn fields(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut fields = Fields::default();
    for line in text.split('\n') {
        let (name, value) = line.split_once(' ').unwrap_or((line, ""));
        match (FIELDS.iter().find(|field| field.name == name), value.split_once('=')) {
            (Some(field), _) => fields.put(field.name, value),
            (None, Some((key, value))) if name == "var" => fields.vars.push((key.to_owned(), value.to_owned())),
            (None, _) => fields.to.push(value.to_owned()),
        }
    }
    let notification = fields.into_notification(NOW);
    let label = notification.object_label();
    assert!(!label.is_empty() && !label.contains(char::is_control), "about nothing: {label:?}");
    files::keep(&notification);
}

/// Macros as a core, a shell and a plugin hand them over: what is left of them is text, and in Slack it reads as such.
pub fn macros(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let line = clean_line(&text);
    assert!(!line.contains(char::is_control), "a line that commands: {line:?}");
    assert_eq!(clean_line(&line), line, "cleaned again, it is another line");
    for cleaned in [clean_text(&text), clean_prose(&text)] {
        let is_bad = |c: char| c.is_control() && c != '\n' && c != '\t';
        assert!(!cleaned.contains(is_bad), "a text that commands: {cleaned:?}");
        let shown = mrkdwn::plain(&cleaned);
        assert_eq!(shown.replace('\u{2060}', ""), mrkdwn::escape(&cleaned), "it doesn't read as it was written");
        assert!(!shown.contains(['<', '>']), "it can call somebody: {shown:?}");
    }
}

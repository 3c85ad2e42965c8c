//! What people and plugins write: the text behind the slash command, the fields of a notification, the command line.

use super::{NOW, files};
use crate::config::Access;
use crate::model::notification::{FIELDS, Fields, LongOutput, clean_line, clean_text};
use crate::rules::authorise::{Caller, KnownNames, Person, Right};
use crate::rules::slash::{self, Filter, SlashOrder};
use crate::slack::mrkdwn;

/// Behind `/ackbell`: an order, or a sentence for the person; a filter that is kept is the same when it is read again.
pub fn slash(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    match slash::parse("/ackbell", &text) {
        Ok(order) => match order.what {
            SlashOrder::Problems(filter)
            | SlashOrder::Subscribe(filter)
            | SlashOrder::Me(filter)
            | SlashOrder::Unsubscribe(Some(filter)) => {
                bounded(&filter);
                same(&filter);
            }
            SlashOrder::Action(_, name) => {
                named(&name.tokens);
                for length in 0..=name.tokens.len() {
                    drop(slash::downtime("/ackbell", name.behind(length)));
                }
            }
            SlashOrder::Status(tokens) | SlashOrder::History(tokens) => named(&tokens),
            SlashOrder::Clicked(..)
            | SlashOrder::Help
            | SlashOrder::Unsubscribe(None)
            | SlashOrder::Subscriptions
            | SlashOrder::OnCall
            | SlashOrder::Whoami => {}
        },
        Err(sentence) => assert!(!sentence.is_empty(), "refused without a word"),
    }
}

/// Text that anybody may write costs little, before it is known whether they may.
fn bounded(filter: &Filter) {
    assert!(filter.text.chars().count() <= 500, "a filter for megabytes");
    assert!(filter.matches.patterns() <= 50, "a filter for minutes");
    let caller = Caller { team_id: "T1".into(), acts: true, ..Caller::default() };
    let person = Person { team_id: "T1".into(), is_guest: Some(false), ..Person::default() };
    let (caller, access) = (Caller { person, ..caller }, Access::default());
    let admitted = caller.admit(&access).expect("somebody of ours");
    let permission = admitted.ask(Right::Subscribe).expect("nobody is refused without rules");
    assert_eq!(permission.covers(&filter.matches, &KnownNames::default()), Ok(()));
}

fn named(tokens: &[String]) {
    let name = tokens.iter().take(slash::NAME_TOKENS_MAX);
    assert!(name.map(|token| token.matches('/').count()).sum::<usize>() <= 20, "a name of a thousand readings");
    assert!(!tokens.iter().any(|token| token.contains(char::is_control)), "a name of several lines");
}

/// The words of a command line, a line each: whatever is taken of it can be kept and shown.
pub fn arguments(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let tokens: Vec<String> = std::iter::once("ackbell").chain(text.split('\n')).map(str::to_owned).collect();
    if let Some(fields) = crate::cli::notify::taken(&tokens) {
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
    for cleaned in [clean_text(&text), LongOutput::Nagios.lines(&text), LongOutput::Naemon.lines(&text)] {
        let is_bad = |c: char| c.is_control() && c != '\n' && c != '\t';
        assert!(!cleaned.contains(is_bad), "a text that commands: {cleaned:?}");
        let shown = mrkdwn::plain(&cleaned);
        assert_eq!(shown.replace('\u{2060}', ""), mrkdwn::escape(&cleaned), "it doesn't read as it was written");
        assert!(!shown.contains(['<', '>']), "it can call somebody: {shown:?}");
    }
}

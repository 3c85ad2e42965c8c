//! The line a problem quotes, with every secret cut out of it.
//!
//! Decided from the text alone, as it must hold for a file that doesn't parse: whatever follows a key that may name a
//! secret, or that nobody knows, is cut, on its line and on lines that only continue it. What is left passes through the
//! program's one redaction.

use super::keys::{SECTIONS, Section};
use super::suggest;
use super::tree::Span;
use crate::system::secret;

/// Longer lines are cut; a caret beyond stands at the end.
const WIDTH: usize = 120;

/// A quoted line and where the carets stand under it, in characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Excerpt {
    pub(crate) text: String,
    pub(crate) offset: usize,
    pub(crate) length: usize,
}

/// Line and column in characters, both from 1.
pub(crate) fn line_column(text: &str, at: usize) -> (usize, usize) {
    let before = &text.as_bytes()[..at.min(text.len())];
    let line_start = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |newline| newline + 1);
    let line = String::from_utf8_lossy(before).matches('\n').count() + 1;
    (line, String::from_utf8_lossy(&before[line_start..]).chars().count() + 1)
}

/// The first line of the span, with its secrets cut out.
pub(crate) fn excerpt(text: &str, span: Span) -> Excerpt {
    let (number, column) = line_column(text, span.start);
    let start = span.start.min(text.len());
    let line_start = text.as_bytes()[..start].iter().rposition(|&byte| byte == b'\n').map_or(0, |newline| newline + 1);
    let line = text[line_start..].lines().next().unwrap_or_default();
    let line_end = line_start + line.len();
    let marked = text.get(start..span.end.clamp(start, line_end.max(start))).unwrap_or_default().chars().count();

    let harmless = mask(text, number, line);
    let shown: String = harmless
        .chars()
        .take(WIDTH)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect::<String>()
        .trim_end()
        .into();
    let cut = shown.chars().count();
    let offset = (column - 1).min(cut);
    let length = marked.clamp(1, (cut - offset).max(1));
    Excerpt { text: shown, offset, length }
}

/// The line without secrets.
fn mask(text: &str, number: usize, line: &str) -> String {
    let keys = keys(line);
    if let Some((_, end)) = keys.iter().find(|(key, _)| is_hidden(key)) {
        return format!("{} [redacted]", secret::redact(&line[..*end]));
    }
    let leads =
        line.trim_start().starts_with(['[', '#']) || keys.first().is_some_and(|(_, end)| is_leading(line, *end));
    if !leads && continues_secret(text, number) {
        return "[redacted]".to_owned();
    }
    secret::redact(line)
}

/// Whether the line's first key is the first thing on it, so that the line continues nothing.
fn is_leading(line: &str, end: usize) -> bool {
    line[..end].trim_start().starts_with(|c: char| c.is_alphanumeric() || "\"'_{".contains(c))
}

/// Whether the last key before this line may name a secret.
fn continues_secret(text: &str, number: usize) -> bool {
    let before: Vec<&str> = text.lines().take(number.saturating_sub(1)).collect();
    before
        .iter()
        .rev()
        .take_while(|line| !(line.starts_with('[') && line.trim_end().ends_with(']')))
        .find_map(|line| keys(line).last().map(|(key, _)| is_hidden(key)))
        .unwrap_or(false)
}

/// The keys on a line (quoted or bare words before `=` or `:`), each with the end of its mark.
fn keys(line: &str) -> Vec<(String, usize)> {
    let bytes = line.as_bytes();
    let (mut found, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let start = at;
        let token = match bytes[at] {
            quote @ (b'"' | b'\'') => {
                at += 1;
                while at < bytes.len() && bytes[at] != quote {
                    at += if bytes[at] == b'\\' && quote == b'"' { 2 } else { 1 };
                }
                let token = line.get(start + 1..at.min(bytes.len()));
                at += 1;
                token
            }
            b'#' => break,
            byte if is_bare(byte) => {
                while at < bytes.len() && is_bare(bytes[at]) {
                    at += 1;
                }
                line.get(start..at)
            }
            _ => {
                at += 1;
                continue;
            }
        };
        let gap = bytes.get(at..).unwrap_or_default().iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        if let (Some(token), Some(b'=' | b':')) = (token, bytes.get(at + gap)) {
            at += gap + 1;
            found.push((token.to_owned(), at));
        }
    }
    found
}

fn is_bare(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-.".contains(&byte) || !byte.is_ascii()
}

/// Whether a key's value isn't shown. That of a key nobody knows never is: who knows what it was meant to be.
fn is_hidden(key: &str) -> bool {
    let name = key.rsplit('.').next().unwrap_or(key);
    let is_known = |section: &Section| {
        let mut parts = section.header.trim_matches(['[', ']']).split('.');
        parts.any(|part| part == name) || section.keys.iter().any(|key| key.name == name)
    };
    // A port or a part of an address before a colon isn't a key.
    let is_number = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
    may_be_secret(key) || !is_number && !SECTIONS.iter().any(is_known)
}

/// Whether a key's value may be secret: the known names, anything near them, and anything that sounds so.
fn may_be_secret(key: &str) -> bool {
    const NAMES: [&str; 6] = ["bot_token", "app_token", "webhook_url", "signing_secret", "client_secret", "proxy"];
    const SOUNDS: [&str; 11] =
        ["api_key", "apikey", "token", "secret", "pass", "webhook", "proxy", "credential", "auth", "sign", "hook"];
    let key = key.rsplit('.').next().unwrap_or(key).to_ascii_lowercase();
    if key.ends_with("_file") {
        return false;
    }
    SOUNDS.iter().any(|sound| key.contains(sound)) || suggest::nearest(&key, NAMES).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, needle: &str) -> Excerpt {
        let start = text.find(needle).unwrap();
        excerpt(text, Span { start, end: start + needle.len() })
    }

    #[test]
    fn the_line_is_quoted_with_its_place() {
        let found = shown("a = 1\n  chanel = \"#ö\"\n", "chanel");
        assert_eq!(found, Excerpt { text: "  chanel = [redacted]".into(), offset: 2, length: 6 });
        assert_eq!(line_column("a\nöb", 4), (2, 2));
    }

    #[test]
    fn no_secret_is_quoted() {
        for (text, needle, expected) in [
            ("signing_secret = \"hunter2\"", "signing", "signing_secret = [redacted]"),
            ("sining_secrt = \"hunter2\"", "sining", "sining_secrt = [redacted]"),
            (
                "slack = { enabled = true, bot_token = \"hunter2\" }",
                "slack",
                "slack = { enabled = true, bot_token = [redacted]",
            ),
            ("signing_secret = [\n  \"hunter2\",\n  \"a=b\"\n", "hunter2", "[redacted]"),
            ("signing_secret = [\n  \"hunter2\",\n  \"a=b\"\n", "a=b", "[redacted]"),
            ("{\"slack\": {\"signing_secret\":\n \"hunter2\"", "hunter2", "[redacted]"),
            ("{\"slack\": {\"signing_secret\": \"hunter2\"", "hunter2", "{\"slack\": {\"signing_secret\": [redacted]"),
            ("channel = \"xoxb-hunter2\"", "channel", "channel = \"xoxb-[redacted]\""),
            ("api_pasword = \"hunter2\"", "api_pasword", "api_pasword = [redacted]"),
            ("intake_tokn = \"hunter2\"", "intake_tokn", "intake_tokn = [redacted]"),
            ("  \"hunter2\": 1", "hunter2", "  \"hunter2\": [redacted]"),
            ("chanel = [\n  \"hunter2\"\n]", "hunter2", "[redacted]"),
            ("bot_token = \"hunter2", "hunter2", "bot_token = [redacted]"),
            ("bot_token_file = \"/a\"", "bot", "bot_token_file = \"/a\""),
            ("api_key = \"hunter2\"", "api", "api_key = [redacted]"),
        ] {
            assert_eq!(shown(text, needle).text, expected);
        }
    }
}

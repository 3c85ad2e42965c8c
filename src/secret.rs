//! Secrets: tokens, webhook URLs, signing secrets. They have no `Display` and no `Serialize`; `Debug` is redacted.
//!
//! [`redact`] is the one redaction of the program: whatever is logged, printed as an error or kept as a reason
//! passes through it, so a secret that slipped into a text from outside is cut out too.

use secrecy::{ExposeSecret, SecretString};

/// A secret value. Only [`Secret::expose`] gives the text, and only where it is sent.
#[derive(Clone)]
pub(crate) struct Secret(SecretString);

impl Secret {
    pub(crate) fn new(value: String) -> Self {
        Self(SecretString::from(value))
    }

    /// The secret itself, for a request's header, address or signature.
    pub(crate) fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl Eq for Secret {}

/// The text with everything that looks like a Slack token, a webhook's secret path or a proxy's password cut out.
pub(crate) fn redact(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, kept, after)) = next_secret(rest) {
        out.push_str(before);
        out.push_str(kept);
        out.push_str("[redacted]");
        rest = after;
    }
    out.push_str(rest);
    out
}

/// The first secret in the text: what stands before it, the harmless start of it that is kept, what follows it.
fn next_secret(text: &str) -> Option<(&str, &str, &str)> {
    const TOKENS: [&str; 6] = ["xoxb-", "xoxp-", "xoxa-", "xapp-", "xoxe-", "xoxe."];
    let token = TOKENS.iter().filter_map(|start| text.find(start).map(|at| (at, start.len()))).min();
    let hook = find_after(text, &["/services/", "/hooks/", "/webhooks/"]);
    let password = find_password(text);
    let (at, kept) = [token, hook, password].into_iter().flatten().min()?;
    let end = at + kept;
    let length = text[end..].find(|c: char| c.is_whitespace() || "\"'<>,)@".contains(c)).unwrap_or(text.len() - end);
    Some((&text[..at], &text[at..end], &text[end + length..]))
}

/// Where a webhook's secret path begins: just behind one of the marks, when something follows it.
fn find_after(text: &str, marks: &[&str]) -> Option<(usize, usize)> {
    marks.iter().filter_map(|mark| text.find(mark).map(|at| (at, mark.len()))).min()
}

/// Where `user:password@` stands behind `://`.
fn find_password(text: &str) -> Option<(usize, usize)> {
    let start = text.find("://")? + 3;
    let authority = &text[start..][..text[start..].find(['/', ' ', '"']).unwrap_or(text.len() - start)];
    authority.rfind('@')?;
    Some((start, authority.find(':')? + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_webhooks_and_passwords_are_cut_out() {
        for (text, expected) in [
            ("token xoxb-1-2-abc refused", "token xoxb-[redacted] refused"),
            (
                "https://hooks.slack.com/services/T1/B2/secret: refused",
                "https://hooks.slack.com/services/[redacted] refused",
            ),
            ("proxy http://user:p%40ss@proxy:3128 said 407", "proxy http://user:[redacted]@proxy:3128 said 407"),
            ("nothing here: a/b c:d", "nothing here: a/b c:d"),
            ("xapp-1 and xoxe.xoxb-2", "xapp-[redacted] and xoxe.[redacted]"),
        ] {
            assert_eq!(redact(text), expected);
        }
    }

    #[test]
    fn debug_says_nothing() {
        assert_eq!(format!("{:?}", Secret::new("xoxb-1".into())), "[redacted]");
    }
}

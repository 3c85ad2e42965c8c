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

/// Bytes nobody can guess, in hexadecimal.
pub(crate) fn unguessable() -> std::io::Result<String> {
    let mut bytes = [0; 32];
    std::io::Read::read_exact(&mut std::fs::File::open("/dev/urandom")?, &mut bytes)?;
    Ok(data_encoding::HEXLOWER.encode(&bytes))
}

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
    let token = find_after(text, &TOKENS);
    let hook = find_after(text, &["/services/", "/hooks/", "/webhooks/"]);
    let (at, start, end) = [token, hook, find_password(text)].into_iter().flatten().min()?;
    Some((&text[..at], &text[at..start], &text[end..]))
}

/// The first of the marks, and the start and end of the secret behind it.
fn find_after(text: &str, marks: &[&str]) -> Option<(usize, usize, usize)> {
    let (at, start) = marks.iter().filter_map(|mark| text.find(mark).map(|at| (at, at + mark.len()))).min()?;
    let length = text[start..].find(|c: char| c.is_whitespace() || "\"'<>,)@".contains(c));
    Some((at, start, length.map_or(text.len(), |length| start + length)))
}

/// The first `user:password@` behind a `://`: its start, and the start and end of the password.
fn find_password(text: &str) -> Option<(usize, usize, usize)> {
    text.match_indices("://").find_map(|(at, mark)| {
        let start = at + mark.len();
        let authority = &text[start..][..text[start..].find(['/', ' ', '"']).unwrap_or(text.len() - start)];
        let (person, _) = authority.rsplit_once('@')?;
        Some((start, start + person.find(':')? + 1, start + person.len()))
    })
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
            (
                "https://slack.com/ by http://user:pass@proxy:3128",
                "https://slack.com/ by http://user:[redacted]@proxy:3128",
            ),
            ("http://user:p,(@)'s@proxy", "http://user:[redacted]@proxy"),
            ("http://user@proxy:3128", "http://user@proxy:3128"),
            ("nothing here: a/b c:d", "nothing here: a/b c:d"),
            ("xapp-1 and xoxe.xoxb-2", "xapp-[redacted] and xoxe.[redacted]"),
        ] {
            assert_eq!(redact(text), expected);
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_before_it_shows_a_secret(text in "([a-z]{0,3}|://|[:@/ ,\"]|xoxb-|/hooks/){0,12}", kind in 0..3_usize) {
            let secret = ["xoxb-HIDDEN", "http://user:HIDDEN@proxy", "https://hooks.slack.com/services/T1/HIDDEN"][kind];
            let shown = redact(&format!("{text} {secret}"));
            proptest::prop_assert!(!shown.contains("HIDDEN"), "{}", shown);
        }
    }

    #[test]
    fn debug_says_nothing() {
        assert_eq!(format!("{:?}", Secret::new("xoxb-1".into())), "[redacted]");
    }
}

//! Slack's markup (<https://docs.slack.dev/messaging/formatting-message-text>): the one place that escapes.

use super::limits::cut;

/// Can't be seen, and is neither a blank nor a letter.
const JOINER: char = '\u{2060}';

/// Foreign text, made harmless: after this it can't mention, link or call anybody.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Foreign text in bold. The markers would end it, so they go.
pub(crate) fn bold(text: &str) -> String {
    format!("*{}*", plain(text))
}

/// Foreign text in which nothing is markup and everything reads as it was written: `*_~`, backticks, a quotation's `>`
/// and an emoji's colons have no escape, so an invisible joiner keeps them from pairing up with their neighbours.
pub(crate) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut before = '\n';
    for (at, c) in text.char_indices() {
        let rest = &text[at + c.len_utf8()..];
        // Escaped, too, it begins a quotation at the start of a line.
        if c == '>' && before == '\n' {
            out.push(JOINER);
        }
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            _ => out.push(c),
        }
        let is_markup = match c {
            '*' | '~' | '`' => true,
            // Within a word it is a letter like any other, and a name stays one that can be copied.
            '_' => !(before.is_alphanumeric() && rest.starts_with(char::is_alphanumeric)),
            ':' => is_emoji(rest),
            _ => false,
        };
        if is_markup {
            out.push(JOINER);
        }
        before = c;
    }
    out
}

/// A sentence of ours with foreign text in it: what stands between our backticks stays code, all else reads as it was
/// written.
pub(crate) fn sentence(text: &str) -> String {
    let parts: Vec<&str> = text.split('`').collect();
    let is_code = |at: usize| at % 2 == 1 && at + 1 < parts.len();
    let shown = parts.iter().enumerate().map(|(at, part)| if is_code(at) { escape(part) } else { plain(part) });
    shown.collect::<Vec<_>>().join("`")
}

/// Whether what follows a colon makes it an emoji. Times and addresses don't: of the numbers only two are emoji.
fn is_emoji(rest: &str) -> bool {
    let Some((name, _)) = rest.split_once(':') else { return false };
    let is_name = |c: char| c.is_alphanumeric() || "_+'-".contains(c);
    let is_number = name.bytes().all(|byte| byte.is_ascii_digit());
    name.chars().all(is_name) && (!is_number || ["100", "1234"].contains(&name))
}

/// A link, or just its label when the URL isn't one for the web.
pub(crate) fn link(url: &str, label: &str) -> String {
    if !(url.starts_with("https://") || url.starts_with("http://")) {
        return plain(label);
    }
    let url = address(url);
    format!("<{url}|{}>", plain(label).replace('|', "¦").replace('\n', " "))
}

/// An address that can't end the link it stands in.
pub(super) fn address(url: &str) -> String {
    url.replace('&', "&amp;").replace('<', "%3C").replace('>', "%3E").replace('|', "%7C").replace(' ', "%20")
}

/// A time in the reader's zone; the fallback names its own.
pub(crate) fn date(unix: i64, fallback: &str) -> String {
    format!("<!date^{unix}^{{date_short_pretty}} {{time_secs}}|{}>", escape(fallback))
}

/// Foreign text in a code fence of at most `most` characters, saying how much was cut.
pub(crate) fn fence(text: &str, most: usize) -> String {
    // Three backticks would end it; an invisible joiner keeps them apart.
    let safe = escape(text).replace("``", "`\u{2060}`\u{2060}");
    let (kept, cut_away) = cut(&safe, most.saturating_sub(60));
    let remainder = if cut_away > 0 { format!("\n_… {cut_away} more characters_") } else { String::new() };
    format!("```\n{kept}\n```{remainder}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_foreign_calls_or_links() {
        assert_eq!(escape("<!channel> & <@U1>"), "&lt;!channel&gt; &amp; &lt;@U1&gt;");
        assert_eq!(link("https://a/b|c>d", "x|y>"), "<https://a/b%7Cc%3Ed|x¦y&gt;>");
        assert_eq!(link("javascript:1", "x"), "x");
        assert!(!fence("a```b", 3000)[3..].trim_end_matches("```").contains("```"));
    }

    #[test]
    fn what_formats_nothing_reads_as_typed() {
        for (typed, expected) in [
            ("eth0:up:ok _raid_", "eth0:~up:ok _~raid_~"),
            ("see :100: _PRIMARY_", "see :~100: _~PRIMARY_~"),
            ("2001:db8:100:1234::1", "2001:~db8:~100:~1234::1"),
            ("at 12:30:45, web_01 and web_02", "at 12:30:45, web_01 and web_02"),
            ("> quoted\n>too, a>b", "~&gt; quoted\n~&gt;too, a&gt;b"),
            (":skull_and_crossbones:", ":~skull_and_crossbones:"),
            ("*b* & `c`", "*~b*~ &amp; `~c`~"),
        ] {
            assert_eq!(plain(typed), expected.replace('~', "\u{2060}"), "{typed}");
            // Nothing but what can't be seen was added.
            assert_eq!(plain(typed).replace('\u{2060}', ""), escape(typed));
        }
    }

    #[test]
    fn names_in_our_sentences_read_as_typed_and_our_code_stays_code() {
        for (text, expected) in [
            (
                "no \"eth0:up:ok _raid_\". Did you mean `eth0:up:ok _raid_`?",
                "no \"eth0:~up:ok _~raid_~\". Did you mean `eth0:up:ok _raid_`?",
            ),
            ("`a <b>` & *c*", "`a &lt;b&gt;` &amp; *~c*~"),
            ("no *end* of `*code*", "no *~end*~ of `*~code*~"),
            ("", ""),
        ] {
            assert_eq!(sentence(text), expected.replace('~', "\u{2060}"), "{text}");
        }
    }

    #[test]
    fn a_fence_says_what_it_cut() {
        let text = fence(&"&".repeat(5000), 3000);
        assert!(text.chars().count() <= 3000 && text.ends_with("more characters_"), "{}", text.len());
    }
}

//! Slack's markup (<https://docs.slack.dev/messaging/formatting-message-text>): the one place that escapes.

use super::limits::cut;

/// Foreign text, made harmless: after this it can't mention, link or call anybody.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Foreign text in bold. The markers would end it, so they go.
pub(crate) fn bold(text: &str) -> String {
    format!("*{}*", plain(text))
}

/// Foreign text in which nothing is markup: `*_~` and backticks have no escape, so an invisible joiner keeps them from
/// pairing up with their neighbours.
pub(crate) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in escape(text).chars() {
        out.push(c);
        if matches!(c, '*' | '~' | '`') {
            out.push('\u{2060}');
        }
    }
    out
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
    let said = if cut_away > 0 { format!("\n_… {cut_away} more characters_") } else { String::new() };
    format!("```\n{kept}\n```{said}")
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
    fn a_fence_says_what_it_cut() {
        let text = fence(&"&".repeat(5000), 3000);
        assert!(text.chars().count() <= 3000 && text.ends_with("more characters_"), "{}", text.len());
    }
}

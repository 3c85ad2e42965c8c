//! Whether `<` opens what Slack knows, and nothing else.
//! <https://docs.slack.dev/messaging/formatting-message-text>

use super::Findings;

/// Notes each `<` that opens nothing and each `&` that isn't one of the three entities.
pub(super) fn check(text: &str, pointer: &str, findings: &mut Findings) {
    let mut rest = text;
    while let Some(at) = rest.find(['<', '&']) {
        let tail = &rest[at..];
        if let Some(after) = tail.strip_prefix('&') {
            if !["amp;", "lt;", "gt;"].iter().any(|entity| after.starts_with(entity)) {
                findings.add_violation("unescaped_ampersand", format!("{pointer}: {}", excerpt(tail)));
            }
            rest = after;
            continue;
        }
        match tail.find('>').map(|end| (&tail[1..end], end)) {
            Some((inside, end)) if is_construct(inside) => rest = &tail[end + 1..],
            _ => {
                findings.add_violation("unescaped_markup", format!("{pointer}: {}", excerpt(tail)));
                rest = &tail[1..];
            }
        }
    }
}

fn excerpt(text: &str) -> String {
    text.chars().take(60).collect()
}

fn is_id(text: &str, first: &[char]) -> bool {
    let ordinary = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit();
    text.len() > 1 && text.starts_with(first) && text.chars().all(ordinary)
}

fn is_construct(inside: &str) -> bool {
    if inside.is_empty() || inside.contains(['<', '\n']) {
        return false;
    }
    let (target, label) = inside.split_once('|').map_or((inside, None), |(target, label)| (target, Some(label)));
    let labelled = label.is_some_and(|label| !label.is_empty());
    if let Some(user) = target.strip_prefix('@') {
        return is_id(user, &['U', 'W']);
    }
    if let Some(channel) = target.strip_prefix('#') {
        return is_id(channel, &['C', 'G', 'D']);
    }
    if let Some(special) = target.strip_prefix('!') {
        return match special.split_once('^') {
            None => ["here", "channel", "everyone"].contains(&special),
            Some(("subteam", group)) => is_id(group, &['S']),
            Some(("date", rest)) => labelled && is_date(rest),
            Some(_) => false,
        };
    }
    let scheme = ["http://", "https://", "mailto:", "tel:", "slack://"].into_iter().find(|s| target.starts_with(s));
    let whole = scheme.is_some_and(|scheme| target.len() > scheme.len());
    whole
        && !target.contains(char::is_whitespace)
        && label.is_none_or(|label| !label.is_empty() && !label.contains('|'))
}

/// `UNIX^{tokens}` and perhaps `^URL`.
fn is_date(rest: &str) -> bool {
    const TOKENS: [&str; 10] = [
        "date_num",
        "date",
        "date_short",
        "date_long",
        "date_pretty",
        "date_short_pretty",
        "date_long_pretty",
        "time",
        "time_secs",
        "ago",
    ];
    let mut parts = rest.splitn(3, '^');
    let (Some(seconds), Some(format)) = (parts.next(), parts.next()) else { return false };
    let link = parts.next().is_none_or(|url| url.starts_with("http://") || url.starts_with("https://"));
    let mut tokens =
        format.split('{').skip(1).map(|part| part.split_once('}').map_or("", |(token, _)| token)).peekable();
    let number = !seconds.is_empty() && seconds.bytes().all(|byte| byte.is_ascii_digit());
    number && link && tokens.peek().is_some() && tokens.all(|token| TOKENS.contains(&token))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<&'static str> {
        let mut findings = Findings::default();
        check(text, "/text", &mut findings);
        findings.notes.iter().map(|(kind, _)| *kind).collect()
    }

    #[test]
    fn what_slack_knows_is_fine() {
        for text in [
            "plain &lt;b&gt; &amp;",
            "<https://a.example/?a=1&b=2|label>",
            "<@U0ALICE001> <#C0OPS00001|ops>",
            "> quote",
            "<!here> <!channel> <!everyone> <!subteam^S0ONCALL01>",
            "<mailto:a@example.com|a>",
            "<!date^1392734382^{date_short_pretty} at {time_secs}^https://a.example|18 Feb, UTC>",
        ] {
            assert!(kinds(text).is_empty(), "{text}: {:?}", kinds(text));
        }
    }

    #[test]
    fn what_was_not_escaped_is_noted() {
        for text in [
            "load < 5",
            "<script>",
            "<>",
            "<@alice>",
            "<https://a b|c>",
            "<!date^x^{date}|f>",
            "<!all>",
            "<https://x|>",
        ] {
            assert_eq!(kinds(text), ["unescaped_markup"], "{text}");
        }
        assert_eq!(kinds("a & b &quot;"), ["unescaped_ampersand", "unescaped_ampersand"]);
    }
}

//! Slack's limits, in one table, and the one way to cut a text to them.
//!
//! Slack doesn't say whether it counts before or after `&amp;` is decoded; counting Unicode scalars of the escaped
//! text is the stricter reading. Source: <https://docs.slack.dev/reference/block-kit/>.

/// `section.text` and any other text object (<https://docs.slack.dev/reference/block-kit/blocks/section-block>).
pub(crate) const SECTION_TEXT_MAX: usize = 3000;
/// `header.text` (<https://docs.slack.dev/reference/block-kit/blocks/header-block>).
pub(crate) const HEADER_MAX: usize = 150;
/// Blocks of a modal or a Home (<https://docs.slack.dev/reference/views/home-tab-views>).
pub(crate) const VIEW_BLOCKS_MAX: usize = 100;
/// Elements of a context block (<https://docs.slack.dev/reference/block-kit/blocks/context-block>).
pub(crate) const CONTEXT_ELEMENTS_MAX: usize = 10;
/// The top-level `text` (<https://docs.slack.dev/reference/methods/chat.postMessage>): 4,000 advised.
pub(crate) const TEXT_MAX: usize = 3900;
/// What a title may take of its section: the rest is for mentions.
pub(crate) const TITLE_MAX: usize = 1500;
/// An attachment's `fallback`; not documented, kept short.
pub(crate) const FALLBACK_MAX: usize = 300;
/// Buttons of one row (<https://docs.slack.dev/reference/block-kit/blocks/actions-block>).
pub(crate) const LINKS_MAX: usize = 25;

/// The text in at most `most` characters, and how many were cut away. Never cuts inside an entity (`&amp;`); what was
/// cut is said by an ellipsis.
pub(crate) fn cut(escaped: &str, most: usize) -> (String, usize) {
    let total = escaped.chars().count();
    if total <= most {
        return (escaped.to_owned(), 0);
    }
    let mut kept: String = escaped.chars().take(most.saturating_sub(1)).collect();
    if let Some(entity) = kept.rfind('&').filter(|&at| !kept[at..].contains(';')) {
        // Only `&` of an entity is left in escaped text.
        kept.truncate(entity);
    }
    let cut_away = total - kept.chars().count();
    kept.push('…');
    (kept, cut_away)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entities_stay_whole() {
        assert_eq!(cut("a&amp;b", 7), ("a&amp;b".to_owned(), 0));
        for most in 2..=5 {
            assert_eq!(cut("a&amp;bcd", most).0, "a…", "{most}");
        }
        assert_eq!(cut("a&amp;bcd", 8), ("a&amp;b…".to_owned(), 2));
        assert_eq!(cut("äöü", 2), ("ä…".to_owned(), 2));
    }
}

//! Markdown in Slack's markup: what other programs write (<https://docs.slack.dev/messaging/formatting-message-text>).
//!
//! Everything is parsed as `CommonMark` and written anew, so a text can't bring markup of Slack's own along: it mentions
//! nobody, and links lead to the web or to a mail program only.

use super::mrkdwn;
use pulldown_cmark::{Event, LinkType, Options, Parser, Tag, TagEnd};

/// Keeps a mark from touching a letter, where Slack would take it for a letter, too.
const GAP: char = '\u{200b}';
/// One level of a list within a list.
const INDENT: &str = "    ";

/// A paragraph, an item of a list, a block of code: what is never torn apart unless it is too long for a section.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Piece {
    /// In Slack's markup.
    pub(crate) markup: String,
    /// The same words without any.
    pub(crate) plain: String,
    /// It follows the piece before it closely, as an item the one above it.
    pub(crate) is_close: bool,
}

/// The text in pieces, in order.
pub(crate) fn pieces(markdown: &str) -> Vec<Piece> {
    let options = Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TABLES | Options::ENABLE_TASKLISTS;
    let mut writer = Writer::default();
    for event in Parser::new_ext(markdown, options) {
        writer.take(event);
    }
    writer.end_piece();
    writer.pieces
}

/// The words alone.
pub(crate) fn to_plain(markdown: &str) -> String {
    let mut text = String::new();
    for piece in pieces(markdown) {
        if !text.is_empty() {
            text.push_str(if piece.is_close { "\n" } else { "\n\n" });
        }
        text.push_str(&piece.plain);
    }
    text
}

/// Whether an address leads to the web.
pub(crate) fn is_web(url: &str) -> bool {
    has_scheme(url, &["https://", "http://"])
}

fn has_scheme(url: &str, schemes: &[&str]) -> bool {
    let is_of = |scheme: &&str| url.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    schemes.iter().any(is_of) && !url.chars().any(|c| c.is_control() || c.is_whitespace())
}

#[derive(Debug, Default)]
struct Writer {
    pieces: Vec<Piece>,
    current: Piece,
    /// Of each list that is open: the next number, if it has any.
    lists: Vec<Option<u64>>,
    quotes: usize,
    /// The marks that are open: `*`, `_`, `~`.
    marks: Vec<char>,
    /// Of each link that is open: where it leads, and where its words begin. Links within links don't exist, images do.
    links: Vec<(String, usize)>,
    is_code: bool,
    /// A mark was closed just now.
    after_mark: bool,
    /// The piece to come follows closely.
    is_close: bool,
}

impl Writer {
    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text)
            | Event::Html(text)
            | Event::InlineHtml(text)
            | Event::InlineMath(text)
            | Event::DisplayMath(text)
            | Event::FootnoteReference(text) => self.text(&text),
            Event::Code(code) => {
                self.before_mark();
                self.current.markup.push_str(&format!("`{}`", mrkdwn::escape(&code).replace('`', "´")));
                self.current.plain.push_str(&code);
                self.after_mark = true;
            }
            // A line that is broken in the source is broken for people, too: these texts are written for chats.
            Event::SoftBreak | Event::HardBreak => self.newline(),
            Event::Rule => {
                self.end_piece();
                self.text("———");
                self.end_piece();
            }
            Event::TaskListMarker(done) => self.text(if done { "☑ " } else { "☐ " }),
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Paragraph | Tag::HtmlBlock | Tag::Table(_) => self.begin_unless_item(),
            Tag::Heading { .. } => {
                self.end_piece();
                self.open_mark('*');
            }
            Tag::BlockQuote(_) => {
                self.end_piece();
                self.quotes += 1;
            }
            Tag::CodeBlock(_) => {
                self.end_piece();
                self.is_code = true;
            }
            Tag::List(first) => {
                self.end_piece();
                self.is_close = !self.lists.is_empty();
                self.lists.push(first);
            }
            Tag::Item => self.item(),
            Tag::TableCell if !self.current.plain.is_empty() && !self.current.plain.ends_with('\n') => {
                self.text(" | ");
            }
            Tag::Emphasis => self.open_mark('_'),
            Tag::Strong => self.open_mark('*'),
            Tag::Strikethrough => self.open_mark('~'),
            Tag::Link { link_type, dest_url, .. } => {
                let is_mail = link_type == LinkType::Email;
                let url = if is_mail { format!("mailto:{dest_url}") } else { dest_url.into_string() };
                self.links.push((url, self.current.markup.len()));
            }
            Tag::Image { dest_url, .. } => self.links.push((dest_url.into_string(), self.current.markup.len())),
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Heading(_) => {
                self.close_mark();
                self.end_piece();
            }
            TagEnd::Paragraph | TagEnd::HtmlBlock | TagEnd::Table | TagEnd::Item => self.end_piece(),
            TagEnd::BlockQuote(_) => {
                self.end_piece();
                self.quotes = self.quotes.saturating_sub(1);
            }
            TagEnd::CodeBlock => self.end_code(),
            TagEnd::List(_) => {
                self.end_piece();
                self.lists.pop();
                self.is_close = false;
            }
            TagEnd::TableHead | TagEnd::TableRow => self.newline(),
            TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough => self.close_mark(),
            TagEnd::Link | TagEnd::Image => self.end_link(),
            _ => {}
        }
    }

    fn text(&mut self, text: &str) {
        if self.is_code {
            self.current.plain.push_str(text);
            return;
        }
        if std::mem::take(&mut self.after_mark) && text.starts_with(char::is_alphanumeric) {
            self.current.markup.push(GAP);
        }
        self.current.markup.push_str(&mrkdwn::plain(text));
        self.current.plain.push_str(text);
    }

    fn newline(&mut self) {
        self.after_mark = false;
        self.current.markup.push('\n');
        self.current.plain.push('\n');
    }

    fn before_mark(&mut self) {
        if self.current.markup.ends_with(char::is_alphanumeric) {
            self.current.markup.push(GAP);
        }
    }

    /// A mark within one of its kind means nothing more.
    fn open_mark(&mut self, mark: char) {
        if !self.marks.contains(&mark) {
            self.before_mark();
            self.current.markup.push(mark);
        }
        self.marks.push(mark);
    }

    fn close_mark(&mut self) {
        if let Some(mark) = self.marks.pop().filter(|mark| !self.marks.contains(mark)) {
            self.current.markup.push(mark);
            self.after_mark = true;
        }
    }

    /// The words become the link's label; a link to another host is its words.
    fn end_link(&mut self) {
        let Some((url, from)) = self.links.pop() else {
            return;
        };
        let label = self.current.markup.split_off(from.min(self.current.markup.len()));
        let is_inside = !self.links.is_empty();
        if is_inside || !has_scheme(&url, &["https://", "http://", "mailto:"]) {
            self.current.markup.push_str(&label);
            return;
        }
        let url = mrkdwn::address(&url);
        let label = label.replace('|', "¦").replace('\n', " ");
        if label.trim().is_empty() {
            self.current.markup.push_str(&format!("<{url}>"));
        } else {
            self.current.markup.push_str(&format!("<{url}|{label}>"));
        }
    }

    fn item(&mut self) {
        let is_first = self.current.markup.is_empty() && self.pieces.is_empty();
        self.end_piece();
        let depth = self.lists.len().saturating_sub(1);
        let bullet = match self.lists.last_mut() {
            Some(Some(number)) => {
                *number += 1;
                format!("{}. ", *number - 1)
            }
            _ => "• ".to_owned(),
        };
        self.current.is_close = self.is_close && !is_first;
        self.is_close = true;
        let bullet = format!("{}{bullet}", INDENT.repeat(depth));
        self.current.markup.push_str(&bullet);
        self.current.plain.push_str(&bullet);
    }

    /// The first paragraph of an item stands beside its bullet.
    fn begin_unless_item(&mut self) {
        if !self.current.plain.ends_with("• ") && !self.current.plain.ends_with(". ") {
            self.end_piece();
        }
    }

    fn end_code(&mut self) {
        self.is_code = false;
        let code = std::mem::take(&mut self.current.plain);
        let code = code.trim_end_matches('\n');
        // Three backticks would end it; an invisible joiner keeps them apart.
        let safe = mrkdwn::escape(code).replace("``", "`\u{2060}`\u{2060}");
        self.current.markup = format!("```\n{safe}\n```");
        code.clone_into(&mut self.current.plain);
        self.end_piece();
    }

    fn end_piece(&mut self) {
        self.after_mark = false;
        let mut piece = std::mem::take(&mut self.current);
        if piece.plain.trim().is_empty() && piece.markup.trim().is_empty() {
            return;
        }
        for text in [&mut piece.markup, &mut piece.plain] {
            text.truncate(text.trim_end().len());
        }
        if self.quotes > 0 {
            piece.markup = piece.markup.lines().map(|line| format!("> {line}\n")).collect::<String>();
            piece.markup.truncate(piece.markup.trim_end().len());
        }
        self.pieces.push(piece);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn markup(markdown: &str) -> String {
        pieces(markdown).into_iter().map(|piece| piece.markup).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn markdown_becomes_slacks_markup() {
        for (markdown, expected) in [
            (
                "Your **x** is [**dormant**](https://c.example/a?b=1&c=2) now.",
                "Your *x* is <https://c.example/a?b=1&amp;c=2|*dormant*> now.",
            ),
            ("*a* _b_ ~~c~~ `d<e`", "_a_ _b_ ~c~ `d&lt;e`"),
            ("foo**bar**baz", "foo\u{200b}*bar*\u{200b}baz"),
            ("***both***", "_*both*_"),
            ("# Big\ntext", "*Big*\ntext"),
            ("# **Big**", "*Big*"),
            ("- a\n- b\n  - c\n\n1. x\n2. y", "• a\n• b\n    • c\n1. x\n2. y"),
            ("> one\n> two", "> one\n> two"),
            ("```sh\na < b\n```", "```\na &lt; b\n```"),
            ("one\ntwo\n\nthree", "one\ntwo\nthree"),
            ("![logo](https://x.example/l.png)", "<https://x.example/l.png|logo>"),
            ("<https://x.example/>", "<https://x.example/|https://x.example/>"),
            ("<a@example.com>", "<mailto:a@example.com|a@example.com>"),
            ("| a | b |\n|---|---|\n| 1 | 2 |", "a | b\n1 | 2"),
            ("a\n\n---\n\nb", "a\n———\nb"),
        ] {
            assert_eq!(markup(markdown), expected, "{markdown:?}");
        }
    }

    #[test]
    fn nothing_foreign_gets_through() {
        for hostile in [
            "<!channel> <@U0BOB00001> <#C1> <!subteam^S1>",
            "[x](<https://a.example/><!channel>)",
            "[click](javascript:alert(1)) [b](JaVaScRiPt:1) [c](data:text/html,x) [d](//evil.example)",
            "![<!here>](https://a.example/|x><!channel>)",
            "`<!channel>` ```<!channel>```",
            "    <!channel>",
            "<div><!channel></div>",
            "[<!channel>](https://a.example)",
            "&lt;!channel&gt;",
        ] {
            let markup = markup(hostile);
            let tags: Vec<&str> = markup.split('<').skip(1).collect();
            assert!(tags.iter().all(|tag| tag.starts_with("https://a.example")), "{hostile:?} -> {markup:?}");
            assert_eq!(tags.len(), markup.matches('>').count(), "{hostile:?} -> {markup:?}");
        }
    }

    #[test]
    fn the_words_alone_stay_readable() {
        assert_eq!(to_plain("**a** [b](https://x.example)\n\n- c\n- d\n\n`e`"), "a b\n\n• c\n• d\n\ne");
    }

    proptest::proptest! {
        #[test]
        fn no_text_mentions_or_panics(text in "([*_~`\\[\\]()<>!@#|\\\\ \n-]|https://a.example|javascript:|<!channel>|<@U1>|[a-z0-9]){0,60}") {
            for piece in pieces(&text) {
                proptest::prop_assert!(!piece.markup.contains("<!") && !piece.markup.contains("<@"), "{}", piece.markup);
                proptest::prop_assert!(!piece.markup.contains("<javascript"), "{}", piece.markup);
            }
        }
    }
}

//! Cleaning what a core, a shell and a plugin hand over: any bytes in, printable text out.

use std::borrow::Cow;

/// One line of clean text: newlines and tabs become blanks, other control characters vanish.
pub(crate) fn clean_line(raw: &str) -> String {
    let line: String = without_escape_sequences(raw)
        .chars()
        .filter_map(|c| match c {
            '\n' | '\r' | '\t' => Some(' '),
            c if is_unwanted(c) => None,
            c => Some(c),
        })
        .collect();
    line.trim().to_owned()
}

/// Clean text of several lines as a program wrote it: a backslash is a backslash.
pub(crate) fn clean_text(raw: &str) -> String {
    let text: String = without_escape_sequences(raw)
        .replace("\r\n", "\n")
        .chars()
        .filter(|&c| c == '\n' || c == '\t' || !is_unwanted(c))
        .collect();
    text.trim_end().trim_start_matches('\n').to_owned()
}

/// The name of a host, a service or a core, exactly as the core has it: two names that look alike are two objects, and
/// a command must name the right one. Only control characters go, which no core takes in a name. How it is *shown* is
/// [`clean_line`]'s.
pub(crate) fn exact_name(raw: &str) -> String {
    raw.chars().filter(|c| !c.is_control()).collect::<String>().trim().to_owned()
}

/// How a core writes the lines after the first of a plugin's output, `$LONGSERVICEOUTPUT$`, into one argument.
///
/// Seen on Nagios 4.4.6, 4.5.12 and Naemon 1.5.2; Icinga 2 and Checkmk pass the lines as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LongOutput {
    /// A newline is `\n`, a backslash is doubled.
    Nagios,
    /// A newline is `\n`, a backslash is one.
    Naemon,
    AsItIs,
}

impl LongOutput {
    /// The lines again. Text that has real newlines was not escaped, whatever the core.
    pub(crate) fn lines(self, raw: &str) -> String {
        match self {
            Self::AsItIs => clean_text(raw),
            Self::Nagios | Self::Naemon if raw.contains('\n') => clean_text(raw),
            Self::Nagios => clean_text(&undoubled(raw).unwrap_or_else(|| raw.replace("\\n", "\n"))),
            Self::Naemon => clean_text(&raw.replace("\\n", "\n")),
        }
    }
}

/// Nagios's escapes undone; `None` where a lone backslash shows that it didn't write them.
fn undoubled(raw: &str) -> Option<String> {
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw.chars();
    while let Some(c) = rest.next() {
        text.push(match (c, c == '\\') {
            (c, false) => c,
            (_, true) => match rest.next()? {
                '\\' => '\\',
                'n' => '\n',
                _ => return None,
            },
        });
    }
    Some(text)
}

/// The value, unless the core had nothing to say: empty, a lone `$`, or a macro left as it stood.
pub(crate) fn present(raw: &str) -> Option<&str> {
    let value = raw.trim();
    if value.is_empty() || value == "$" || is_unexpanded_macro(value) { None } else { Some(value) }
}

/// `$SERVICEDISPLAYNAME$`, `$_HOSTSITE$`, `$USER1$`, and Icinga 2's `$host.name$`.
fn is_unexpanded_macro(value: &str) -> bool {
    value
        .strip_prefix('$')
        .and_then(|rest| rest.strip_suffix('$'))
        .is_some_and(|name| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "_.:".contains(c)))
}

/// Control characters, and the invisible ones that turn text around or hide it. Joiners stay: Persian words and emoji
/// of several parts are written with them.
fn is_unwanted(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// Without a terminal's escape sequences, whole: colours (`ESC [ 1 ; 31 m`), titles (`ESC ] ... BEL`) and two-character
/// ones (ECMA-48). What is no such sequence loses its escape character later, with the other control characters.
fn without_escape_sequences(raw: &str) -> Cow<'_, str> {
    if !raw.contains(['\u{1b}', '\u{9b}']) {
        return Cow::Borrowed(raw);
    }
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find(['\u{1b}', '\u{9b}']) {
        text.push_str(&rest[..at]);
        rest = after_escape_sequence(&rest[at..]);
    }
    text.push_str(rest);
    Cow::Owned(text)
}

/// What follows the sequence that `text` begins with. One without its end is only its first characters.
fn after_escape_sequence(text: &str) -> &str {
    let (inside, is_control_sequence) = match text.strip_prefix('\u{1b}') {
        Some(after) => (after.strip_prefix('[').unwrap_or(after), after.starts_with('[')),
        None => (&text['\u{9b}'.len_utf8()..], true),
    };
    if is_control_sequence {
        let end = inside.find(|c: char| !matches!(c, ' '..='?')).unwrap_or(inside.len());
        let after = &inside[end..];
        return after.strip_prefix(|c| matches!(c, '@'..='~')).unwrap_or(after);
    }
    // An operating system command: a title or a link, up to BEL or `ESC \`.
    let Some(title) = inside.strip_prefix(']') else {
        return inside.strip_prefix(|c| matches!(c, ' '..='~')).unwrap_or(inside);
    };
    match title.split_once(['\u{7}', '\u{1b}']) {
        Some((_, after)) => after.strip_prefix('\\').unwrap_or(after),
        None => title,
    }
}

/// openITCOCKPIT names objects and contacts so: `c36b8048-93ce-4385-ac19-ab5c90574b77`
pub(crate) fn is_uuid(name: &str) -> bool {
    name.len() == 36
        && name.char_indices().all(|(i, c)| if [8, 13, 18, 23].contains(&i) { c == '-' } else { c.is_ascii_hexdigit() })
}

/// One line of text that fits into a field: control characters become blanks, `;` becomes `,`.
pub(crate) fn clean_field(text: &str) -> String {
    without_controls(text).replace(';', ",")
}

/// One line of text: control characters become blanks.
pub(crate) fn without_controls(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    clean_line(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_vanish_and_lines_are_joined() {
        assert_eq!(clean_line(" a\u{0}b\u{1}c\td\ne\u{202e} "), "abc d e");
    }

    #[test]
    fn a_terminals_sequences_go_whole() {
        for (raw, shown) in [
            ("\u{1b}[1;31mCRITICAL\u{1b}[0m: 3 vulns", "CRITICAL: 3 vulns"),
            ("\u{9b}31mred", "red"),
            ("\u{1b}]0;title\u{7}text", "text"),
            ("\u{1b}]8;;https://example.com\u{1b}\\\\link", "\\link"),
            ("\u{1b}(Bplain", "Bplain"),
            ("cut\u{1b}[31", "cut"),
            ("\u{1b}", ""),
            ("[1;31m stays", "[1;31m stays"),
            ("\u{1b}[31ü", "ü"),
        ] {
            assert_eq!(clean_line(raw), shown, "{raw:?}");
        }
    }

    #[test]
    fn joiners_are_shown_and_turning_marks_are_not() {
        assert_eq!(clean_line("سرویس\u{200c}ها 👩\u{200d}💻 \u{202e}x\u{200b}"), "سرویس\u{200c}ها 👩\u{200d}💻 x");
    }

    #[test]
    fn names_are_the_cores_exactly() {
        for name in ["سرویس\u{200c}ها", "a\u{200b}b", "\u{202e}x", "Disk C:\\", "two  blanks"] {
            assert_eq!(exact_name(name), name);
        }
        assert_eq!(exact_name(" a\u{0}b\n"), "ab");
    }

    #[test]
    fn each_core_has_its_own_newlines() {
        use LongOutput::{AsItIs, Naemon, Nagios};
        for (core, raw, lines) in [
            (Nagios, "one\\ntwo\\n\\nthree\\n", "one\ntwo\n\nthree"),
            (Nagios, r"D:\\new\nthree", "D:\\new\nthree"),
            (Naemon, r"\\nas01\x", "\\\nas01\\x"),
            (Naemon, r"a\nb C:\temp", "a\nb C:\\temp"),
            // Somebody's Naemon that was configured as a Nagios: a lone backslash gives it away.
            (Nagios, r"a\nb C:\temp", "a\nb C:\\temp"),
            (AsItIs, r"C:\new \\nas01", r"C:\new \\nas01"),
            (Nagios, "real\nlines C:\\new", "real\nlines C:\\new"),
        ] {
            assert_eq!(core.lines(raw), lines, "{core:?} {raw:?}");
        }
    }

    #[test]
    fn empty_values_and_leftover_macros_are_absent() {
        for raw in ["", "  ", "$", "$SERVICEDESC$", "$_HOSTSITE$", "$host.vars.os$"] {
            assert_eq!(present(raw), None, "{raw:?}");
        }
        for raw in ["$5", "a$b$", "$HOME is full$", "0"] {
            assert_eq!(present(raw), Some(raw), "{raw:?}");
        }
    }

    #[test]
    fn uuids_are_recognised() {
        assert!(is_uuid("c36b8048-93ce-4385-ac19-ab5c90574b77"));
        assert!(!is_uuid("web01") && !is_uuid("c36b8048-93ce-4385-ac19-ab5c90574b7g"));
    }
}

//! Cleaning what a core, a shell and a plugin hand over: any bytes in, printable text out.

/// One line of clean text: newlines and tabs become blanks, other control characters vanish.
pub(crate) fn clean_line(raw: &str) -> String {
    let line: String = raw
        .chars()
        .filter_map(|c| match c {
            '\n' | '\r' | '\t' => Some(' '),
            c if is_unwanted(c) => None,
            c => Some(c),
        })
        .collect();
    line.trim().to_owned()
}

/// Clean text of several lines. A core passes a newline as the two characters `\n`; they become newlines again,
/// while an escaped backslash before an `n` (`C:\\new`) stays a path.
pub(crate) fn clean_text(raw: &str) -> String {
    const BACKSLASH: &str = "\u{0}"; // no text contains it: it is removed just below
    let text: String = raw
        .replace('\0', "")
        .replace("\\\\", BACKSLASH)
        .replace("\\n", "\n")
        .replace(BACKSLASH, "\\")
        .replace("\r\n", "\n")
        .chars()
        .filter(|&c| c == '\n' || c == '\t' || !is_unwanted(c))
        .collect();
    text.trim_end().trim_start_matches('\n').to_owned()
}

/// Clean text of several lines as a program wrote it: a backslash is a backslash.
pub(crate) fn clean_prose(raw: &str) -> String {
    let text: String =
        raw.replace("\r\n", "\n").chars().filter(|&c| c == '\n' || c == '\t' || !is_unwanted(c)).collect();
    text.trim_end().trim_start_matches('\n').to_owned()
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

/// Control characters, and the invisible ones that turn text around or hide it.
fn is_unwanted(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_vanish_and_lines_are_joined() {
        assert_eq!(clean_line(" a\u{0}b\u{1b}[31mc\td\ne\u{202e} "), "ab[31mc d e");
    }

    #[test]
    fn the_cores_escaped_newlines_come_back() {
        assert_eq!(clean_text("one\\ntwo\\n\\nthree\\n"), "one\ntwo\n\nthree");
        assert_eq!(clean_text("C:\\\\new\\nnext"), "C:\\new\nnext");
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
}

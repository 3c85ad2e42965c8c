//! Splits a command's text into tokens: a phone's curly quotes and Slack's markup are undone first.

/// A text, quoted if it must be to be one token.
pub(crate) fn quoted(token: &str) -> String {
    if !token.is_empty() && !token.contains(|c: char| c.is_whitespace() || QUOTES.contains(&c)) {
        return token.to_owned();
    }
    let quote = if token.contains('"') { '\'' } else { '"' };
    format!("{quote}{token}{quote}")
}

const QUOTES: [char; 8] = ['"', '\'', '“', '”', '„', '‘', '’', '`'];

/// The characters that end a quotation started by this one.
fn closing(open: char) -> Option<&'static [char]> {
    match open {
        '"' | '“' | '”' | '„' => Some(&['"', '“', '”', '„']),
        '‘' => Some(&['’', '‘']),
        '\'' => Some(&['\'']),
        '`' => Some(&['`']),
        _ => None,
    }
}

/// A token without its quotes, and where it ends in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) text: String,
    pub(super) end: usize,
    pub(super) is_quoted: bool,
}

pub(super) fn tokens(text: &str) -> Result<Vec<String>, String> {
    Ok(split(text, false)?.into_iter().map(|token| token.text).collect())
}

/// Splits at blanks. A quotation may stand anywhere in a word but begins only at its start or after `/` or `=`: an
/// apostrophe inside a word is a letter. A quotation without an end is a mistake, or where a comment may stand, a letter.
pub(super) fn split(text: &str, has_comment: bool) -> Result<Vec<Token>, String> {
    let (mut tokens, mut token, mut is_quoted) = (Vec::new(), String::new(), false);
    let mut characters = text.char_indices();
    while let Some((at, c)) = characters.next() {
        let may_quote = token.is_empty() || token.ends_with(['/', '=']);
        if c.is_whitespace() || c.is_control() {
            if is_quoted || !token.is_empty() {
                tokens.push(Token { text: std::mem::take(&mut token), end: at, is_quoted });
            }
            is_quoted = false;
        } else if let Some(ends) = closing(c).filter(|_| may_quote) {
            let mut inner = characters.clone();
            let mut quotation = String::new();
            let has_end = loop {
                match inner.next() {
                    Some((_, end)) if ends.contains(&end) => break true,
                    // No name has a line of its own.
                    Some((_, other)) if other.is_control() => quotation.push(' '),
                    Some((_, other)) => quotation.push(other),
                    None => break false,
                }
            };
            if has_end {
                is_quoted = true;
                token.push_str(&quotation);
                characters = inner;
            } else if has_comment {
                token.push(c);
            } else {
                return Err(format!("The closing quote of {c}{quotation} is missing."));
            }
        } else {
            token.push(c);
        }
    }
    if is_quoted || !token.is_empty() {
        tokens.push(Token { text: token, end: text.len(), is_quoted });
    }
    Ok(tokens)
}

/// The text as it was typed: Slack makes links of addresses, and names of people and channels
/// (<https://docs.slack.dev/interactivity/implementing-slash-commands>), and escapes the three characters of its markup.
pub(super) fn unformatted(text: &str) -> String {
    let (mut typed, mut rest) = (String::with_capacity(text.len()), text);
    while let Some((before, link)) = rest.split_once('<') {
        typed.push_str(before);
        let Some((inside, behind)) = link.split_once('>') else {
            typed.push('<');
            rest = link;
            continue;
        };
        let sign = inside.chars().next().filter(|c| ['@', '#', '!'].contains(c));
        match (sign, inside.split_once('|')) {
            (Some('!'), None) => typed.push_str(&inside.replacen('!', "@", 1)),
            (Some(sign @ ('@' | '#')), Some((_, label))) => {
                typed.push(sign);
                typed.push_str(label.trim_start_matches(sign));
            }
            (_, Some((_, label))) => typed.push_str(label),
            (_, None) => typed.push_str(inside),
        }
        rest = behind;
    }
    typed.push_str(rest);
    unescaped(&typed)
}

fn unescaped(text: &str) -> String {
    // Text copied from a message of ours may have invisible joiners in it.
    text.replace('\u{2060}', "").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

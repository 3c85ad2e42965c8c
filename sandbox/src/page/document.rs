//! Messages as one self-contained page, drawn by the same script as the sandbox's channels.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

const STYLE: &str = include_str!("page.css");
const SCRIPTS: [&str; 4] =
    [include_str!("dom.js"), include_str!("text.js"), include_str!("blocks.js"), include_str!("preview.js")];

/// A page that shows `{"name", "message"}` after one another. It needs no network: its policy allows its own style and
/// script, by their hashes, and nothing else.
pub fn preview_page(messages: &Value) -> String {
    let script = script();
    // In JSON a `<` is only inside of texts; escaped, none of them can end the element.
    let messages = messages.to_string().replace('<', "\\u003c");
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
        <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src '{}'; script-src '{}'\">\n\
        <meta name=\"viewport\" content=\"width=device-width\">\n<meta name=\"color-scheme\" content=\"light dark\">\n\
        <title>ackbell preview</title>\n<style>{STYLE}</style>\n</head>\n<body class=\"preview\">\n\
        <main id=\"preview\"></main>\n<script type=\"application/json\" id=\"messages\">{messages}</script>\n\
        <script type=\"module\">{script}</script>\n</body>\n</html>\n",
        hash(STYLE),
        hash(&script)
    )
}

/// The modules in one: what one imports of another stands before it.
fn script() -> String {
    let lines = SCRIPTS.iter().flat_map(|module| module.lines()).filter(|line| !line.starts_with("import "));
    lines.map(|line| format!("{}\n", line.strip_prefix("export ").unwrap_or(line))).collect()
}

/// As a policy names what is inline. <https://www.w3.org/TR/CSP3/#grammardef-hash-source>
fn hash(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn nothing_in_a_message_ends_the_data_and_nothing_is_loaded() {
        let page = preview_page(&json!([{"name": "x", "message": {"text": "</script><script>alert(1)"}}]));
        assert_eq!(page.matches("</script>").count(), 2);
        assert!(page.contains("\\u003c/script>"));
        assert!(!page.contains("src=") && !page.contains("import "), "self-contained");
    }
}

//! The pages a person sees while installing: the result, and the next step. No script, no image, nothing from elsewhere.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:38rem;margin:4rem auto;padding:0 1rem;\
color:#1c2733;background:#fff}h1{font-size:1.5rem}code{background:#eef1f4;padding:.1em .3em;border-radius:3px}\
@media(prefers-color-scheme:dark){body{color:#dde4ea;background:#14191f}code{background:#26303a}a{color:#8cc4ff}}";

/// One page: its title, and paragraphs in which a text between backquotes is code.
pub(super) fn page(title: &str, paragraphs: &[String]) -> String {
    let body: String = paragraphs.iter().map(|text| format!("<p>{}</p>\n", marked(text))).collect();
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{0} - ackbell</title>\
         <style>{STYLE}</style></head>\n<body><main><h1>{0}</h1>\n{body}</main></body></html>\n",
        escape(title)
    )
}

/// The content security policy: a browser may only show the page in its one style.
pub(in crate::listen) fn policy() -> String {
    let hash = BASE64_STANDARD.encode(Sha256::digest(STYLE));
    format!(
        "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
}

fn marked(text: &str) -> String {
    let parts = text.split('`').map(escape).enumerate();
    parts.map(|(i, part)| if i % 2 == 1 { format!("<code>{part}</code>") } else { part }).collect()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_is_only_text() {
        let html = page("<b>", &["type `/invite <x>` in \"Ops\"<script>".to_owned()]);
        assert!(html.contains("<h1>&lt;b&gt;</h1>"), "{html}");
        assert!(html.contains("<p>type <code>/invite &lt;x&gt;</code> in &quot;Ops&quot;&lt;script&gt;</p>"), "{html}");
        assert!(policy().starts_with("default-src 'none'; style-src 'sha256-"));
    }
}

//! Log lines that a machine can read: a fixed message, then `key=value`, values with blanks quoted.

use std::fs;
use std::path::Path;

/// Keys whose values are sentences or somebody's words; the others are names and numbers without blanks.
const TEXTS: [&str; 10] =
    ["reason", "error", "remedy", "text", "detail", "object", "filter", "outcome", "mention", "cause"];

fn sources(directory: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push((path.display().to_string(), fs::read_to_string(&path).unwrap()));
        }
    }
}

/// The format strings of the log macros, as they stand in the source.
fn log_formats(source: &str) -> Vec<&str> {
    let macros = ["error!(", "warn!(", "info!(", "debug!(", "format_args!("];
    let calls = macros.iter().flat_map(|name| source.match_indices(name).map(|(at, name)| &source[at + name.len()..]));
    let texts = calls.filter_map(|call| call.trim_start().strip_prefix('"'));
    texts.map(|text| &text[..end_of_string(text)]).collect()
}

fn end_of_string(text: &str) -> usize {
    let mut escaped = false;
    let end = text.char_indices().find(|(_, c)| {
        let is_end = *c == '"' && !escaped;
        escaped = *c == '\\' && !escaped;
        is_end
    });
    end.map_or(text.len(), |(at, _)| at)
}

/// `{name:?}` quotes and escapes; `{name}` and quotes of our own do neither.
#[test]
fn every_text_in_a_log_line_is_quoted_and_escaped() {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    let formats: Vec<_> =
        files.iter().flat_map(|(path, source)| log_formats(source).into_iter().map(move |text| (path, text))).collect();
    assert!(formats.len() > 80, "only {} log lines found", formats.len());
    for (path, text) in formats {
        assert!(!text.contains("=\\\"{"), "{path}: quotes that escape nothing: {text}");
        for key in TEXTS {
            for (at, found) in text.match_indices(&format!("{key}={{")) {
                let is_whole = !text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
                let value = text[at + found.len()..].split('}').next().unwrap_or_default();
                assert!(!is_whole || value.ends_with(":?"), "{path}: {key} isn't quoted: {text}");
            }
        }
    }
}

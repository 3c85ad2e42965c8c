//! A card in the terminal, looking like the message it will be: for `preview` and `notify --dry-run`.

pub(crate) mod table;

use crate::model::time_text::utc;
use crate::rules::render::{Card, Digest, Tone};

/// The card as lines. `width` is the terminal's, in columns.
pub(crate) fn preview(card: &Card, colours: bool, width: usize) -> String {
    let paint =
        |code: &str, text: &str| if colours { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() };
    let bar = paint(bar_code(card.tone), "┃");
    let mut lines = vec![format!("{} {}", icon(card.tone), paint("1", &card.heading()))];
    let mut body: Vec<String> = Vec::new();
    body.extend(card.fix.text.clone());
    body.extend(card.fix.links.iter().map(|(label, url)| format!("{label}: {}", paint("4", url))));
    body.extend(card.lead.clone());
    body.extend(card.marks.iter().map(|mark| format!("{} {}", mark.what, utc(mark.at))));
    body.extend(card.comment.iter().flat_map(|comment| comment.lines().map(|line| format!("❝ {line}"))));
    if let Some(text) = &card.body {
        body.extend(text.lines().map(str::to_owned));
    } else {
        let output = [card.output.as_str(), card.long_output.as_str()];
        let output: Vec<&str> = output.iter().flat_map(|text| text.lines()).filter(|line| !line.is_empty()).collect();
        body.extend(boxed(&output, width.saturating_sub(4)));
        body.extend(card.metrics.iter().map(crate::rules::render::Metric::line));
        if card.metrics_more > 0 {
            body.push(format!("… and {} more", card.metrics_more));
        }
    }
    body.extend(card.curve.iter().flat_map(|curve| [curve.bars.clone(), curve.sentence.clone()]));
    body.extend(card.memory.line.iter().chain(&card.memory.more).cloned());
    body.extend(card.annotation.iter().map(|annotation| format!("ℹ {annotation}")));
    let mut details = card.details();
    details.push(utc(card.time));
    body.push(paint("2", &details.join(" · ")));
    body.extend(card.links.iter().map(|(label, url)| format!("{label}: {}", paint("4", url))));
    lines.extend(body.iter().map(|line| format!("{bar} {line}")));
    lines.join("\n")
}

/// A digest as lines.
pub(crate) fn digest(digest: &Digest, colours: bool, width: usize) -> String {
    let paint =
        |code: &str, text: &str| if colours { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() };
    let bar = paint(bar_code(digest.tone), "┃");
    let mut lines =
        vec![format!("{} {}", icon(digest.tone), paint("1", &digest.title)), format!("{bar} {}", digest.counts)];
    for line in &digest.lines {
        let text = format!("{} {} {} · {}", icon(line.tone), line.head, line.object, line.output);
        lines.extend(fold(&text, width.saturating_sub(4).max(20)).iter().map(|part| format!("{bar} {part}")));
    }
    lines.extend(digest.rest.iter().chain(&digest.annotation).map(|text| format!("{bar} {text}")));
    lines.join("\n")
}

/// The lines in a frame; long ones are folded.
fn boxed(lines: &[&str], width: usize) -> Vec<String> {
    let inner = width.saturating_sub(4).max(20);
    let folded: Vec<String> = lines.iter().flat_map(|line| fold(line, inner)).collect();
    let widest = folded.iter().map(|line| line.chars().count()).max().unwrap_or(0);
    if folded.is_empty() {
        return Vec::new();
    }
    let edge = "─".repeat(widest + 2);
    let mut framed = vec![format!("┌{edge}┐")];
    framed.extend(folded.iter().map(|line| format!("│ {line}{} │", " ".repeat(widest - line.chars().count()))));
    framed.push(format!("└{edge}┘"));
    framed
}

fn fold(line: &str, width: usize) -> Vec<String> {
    let chars: Vec<char> = line.chars().collect();
    chars.chunks(width).map(|chunk| chunk.iter().collect()).collect()
}

fn bar_code(tone: Tone) -> &'static str {
    match tone {
        Tone::Critical => "31",
        Tone::Warning => "33",
        Tone::Unknown => "35",
        Tone::Good => "32",
        Tone::Acknowledged => "34",
        Tone::Quiet => "90",
    }
}

fn icon(tone: Tone) -> &'static str {
    match tone {
        Tone::Critical => "🔴",
        Tone::Warning => "🟡",
        Tone::Unknown => "🟣",
        Tone::Good => "🟢",
        Tone::Acknowledged => "🔵",
        Tone::Quiet => "⚪",
    }
}

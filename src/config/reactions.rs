//! `[reactions]`: emojis that act.

use super::problem::{Mistake, Problems};
use super::reader::Table;

/// `[reactions]`: the names of the emojis that act; none without the table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Reactions {
    pub(crate) acknowledge: Option<String>,
    pub(crate) recheck: Option<String>,
}

/// The table alone switches both on, with the emojis that people use anyway.
pub(super) fn read(top: &mut Table<'_>, problems: &mut Problems<'_>) -> Reactions {
    let Some(mut table) = top.table("reactions", problems) else { return Reactions::default() };
    let acknowledge = table.parsed("acknowledge", problems, emoji).unwrap_or_else(|| Some("eyes".to_owned()));
    let recheck = table.parsed("recheck", problems, emoji).unwrap_or_else(|| Some("repeat".to_owned()));
    if acknowledge.is_some() && acknowledge == recheck {
        let mistake = Mistake::new("one emoji can't acknowledge and re-check");
        problems.error(table.span, mistake.remedy("give each its own, or recheck = \"none\""));
    }
    table.finish(problems);
    Reactions { acknowledge, recheck }
}

/// As Slack's events name it: `eyes`, with or without its colons; `none` for no emoji.
fn emoji(text: &str) -> Result<Option<String>, Mistake> {
    let name = text.trim_matches(':');
    let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_+-'".contains(c);
    match name {
        "none" => Ok(None),
        name if !name.is_empty() && name.chars().all(is_name) => Ok(Some(name.to_owned())),
        _ => Err(Mistake::new(format!("\"{text}\" isn't the name of an emoji"))
            .remedy("write the name that Slack shows between colons: \"eyes\", \"repeat\"; or \"none\"")),
    }
}

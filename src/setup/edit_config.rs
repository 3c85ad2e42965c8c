//! Changes single values of a configuration and leaves every other line as it is: the comments of the default and what
//! people wrote are worth more than a tidy file. A sample that is commented out is the place for its value.
//!
//! Lines are all it knows; whether they came to mean what they should is looked up afterwards in what TOML reads.

/// A change of one key: a value, or its removal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    /// Empty for the top of the file.
    pub(crate) table: &'static str,
    pub(crate) key: String,
    pub(crate) value: Option<String>,
}

/// The file was written in a way that lines don't show: the change isn't made.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("can't set {0} in it without risk: write it there yourself, then run `ackbell setup` again")]
pub(crate) struct UnsupportedLayout(String);

/// The text with the changes.
pub(crate) fn edit(text: &str, changes: &[Change]) -> Result<String, UnsupportedLayout> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for change in changes {
        apply(&mut lines, change);
    }
    let edited = lines.join("\n") + "\n";
    let read: toml::Table =
        edited.parse().map_err(|_| UnsupportedLayout(changes.iter().map(name).collect::<Vec<_>>().join(", ")))?;
    for change in changes {
        let table =
            if change.table.is_empty() { Some(&read) } else { read.get(change.table).and_then(|t| t.as_table()) };
        let found = table.and_then(|table| table.get(&change.key));
        if found.and_then(|value| value.as_str()) != change.value.as_deref()
            || found.is_some() != change.value.is_some()
        {
            return Err(UnsupportedLayout(name(change)));
        }
    }
    Ok(edited)
}

fn name(change: &Change) -> String {
    let of = if change.table.is_empty() { String::new() } else { format!(" of [{}]", change.table) };
    format!("{}{of}", change.key)
}

fn apply(lines: &mut Vec<String>, change: &Change) {
    let Some(value) = &change.value else {
        if let Some((start, end)) = section(lines, change.table)
            && let Some(at) = (start..end).find(|&at| is_key(&lines[at], &change.key))
        {
            lines.remove(at);
        }
        return;
    };
    // A JSON string is a TOML basic string.
    let line = format!("{} = {}", change.key, serde_json::Value::from(value.as_str()));
    let (start, end) = section(lines, change.table).unwrap_or_else(|| open(lines, change.table));
    let own = (start..end).find(|&at| is_key(&lines[at], &change.key));
    let sample = || (start..end).find(|&at| lines[at].strip_prefix('#').is_some_and(|rest| is_key(rest, &change.key)));
    match own.or_else(sample) {
        Some(at) => {
            // The comment stays in its column.
            let from = lines[at].rfind("  # ").map(|blank| blank + 2);
            let comment = from.map(|from| (from - 2, lines[at][from..].to_owned()));
            lines[at] = match comment {
                Some((column, comment)) => format!("{line:<column$}  {comment}"),
                None => line,
            };
        }
        None if change.table.is_empty() => lines.insert(end, line),
        None => lines.insert(start, line),
    }
}

fn is_key(line: &str, key: &str) -> bool {
    line.trim_start().strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with('='))
}

fn is_header(line: &str) -> bool {
    line.starts_with('[') || line.starts_with("#[")
}

/// The lines of a table, without its header: the first and the one behind the last.
fn section(lines: &[String], table: &str) -> Option<(usize, usize)> {
    let start = if table.is_empty() {
        0
    } else {
        let header = format!("[{table}]");
        1 + lines.iter().position(|line| line.split('#').next().is_some_and(|line| line.trim() == header))?
    };
    let length = lines[start..].iter().position(|line| is_header(line));
    Some((start, length.map_or(lines.len(), |length| start + length)))
}

/// Brings the table to life where it is commented out, else adds it at the end.
fn open(lines: &mut Vec<String>, table: &str) -> (usize, usize) {
    let sample = format!("#[{table}]");
    if let Some(at) = lines.iter().position(|line| line.trim_end() == sample) {
        lines[at].remove(0);
    } else {
        lines.extend([String::new(), format!("[{table}]")]);
    }
    section(lines, table).unwrap_or((lines.len(), lines.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::DEFAULT;

    fn set(table: &'static str, key: &str, value: &str) -> Change {
        Change { table, key: key.into(), value: Some(value.into()) }
    }

    fn gone(table: &'static str, key: &str) -> Change {
        Change { table, key: key.into(), value: None }
    }

    #[test]
    fn samples_of_the_default_come_to_life_in_their_places() {
        let changes = [
            gone("slack", "enabled"),
            set("slack", "bot_token_file", "bot-token"),
            set("slack", "channel", "#ops"),
            set("core", "kind", "naemon"),
            set("", "state_dir", "/srv/a \"b\""),
        ];
        let edited = edit(DEFAULT, &changes).unwrap();
        let differing: Vec<&str> = edited.lines().filter(|line| !DEFAULT.lines().any(|old| old == *line)).collect();
        assert_eq!(
            differing,
            [
                "state_dir = \"/srv/a \\\"b\\\"\"",
                "bot_token_file = \"bot-token\"",
                "channel = \"#ops\"                       # default channel: for notifications that match no route",
                "[core]",
                "kind = \"naemon\"                        # or naemon, icinga2, openitcockpit, checkmk, centreon"
            ]
        );
        assert!(edited.contains("\n[core]\nkind"), "{edited}");
        assert_eq!(edited.lines().count() + 1, DEFAULT.lines().count());
    }

    #[test]
    fn what_people_wrote_stays() {
        let mine = "[[route]]\nto = \"#a\" # mine\n\n[slack] # ours\nbot_token = \"xoxb-1\"\n[storm]\nthreshold = 3\n";
        let changes = [gone("slack", "bot_token"), set("slack", "bot_token_file", "b"), set("core", "kind", "nagios")];
        let expected = "[[route]]\nto = \"#a\" # mine\n\n[slack] # ours\nbot_token_file = \"b\"\n[storm]\nthreshold = 3\n\
            \n[core]\nkind = \"nagios\"\n";
        assert_eq!(edit(mine, &changes).unwrap(), expected);
        assert_eq!(edit(expected, &changes).unwrap(), expected, "once more changes nothing");
    }

    #[test]
    fn what_lines_do_not_show_is_refused() {
        for intricate in
            ["slack.channel = \"#a\"\n", "[slack]\nchannel = \"\"\"\nx\"\"\"\n", "slack = { channel = \"#a\" }\n"]
        {
            let refused = edit(intricate, &[set("slack", "channel", "#b")]).unwrap_err();
            assert_eq!(refused, UnsupportedLayout("channel of [slack]".into()), "{intricate}");
        }
    }
}

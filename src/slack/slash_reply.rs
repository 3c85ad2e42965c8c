//! Messages that answer a slash command: the list of problems with its pages, and the help.

use super::blocks::section;
use super::buttons::plain_text;
use super::limits::cut;
use super::mrkdwn::{bold, plain};
use crate::model::core_snapshot::{Acknowledged, State};
use crate::model::object::Object;
use crate::model::time_text::span;
use crate::rules::slash::{FILTERS, VERBS};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Begins the action ids of the page buttons.
const PAGE: &str = "problems_";
/// A button's value.
const VALUE_MAX: usize = 2000;
/// So much of a plugin's output is shown.
const OUTPUT_MAX: usize = 160;

/// One line of the list.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    object: Object,
    label: String,
    code: u8,
    is_hard: bool,
    is_acknowledged: bool,
    in_downtime: bool,
    since: i64,
    output: String,
}

impl Entry {
    pub(crate) fn new(object: Object, label: String, state: &State) -> Self {
        Self {
            object,
            label,
            code: state.code,
            is_hard: state.is_hard,
            is_acknowledged: state.acknowledged != Acknowledged::No,
            in_downtime: state.downtime_depth > 0,
            since: state.last_state_change,
            output: state.output.clone(),
        }
    }

    /// Acknowledged or in downtime: somebody takes care of it.
    pub(crate) fn is_quiet(&self) -> bool {
        self.is_acknowledged || self.in_downtime
    }

    /// For sorting: problems that nobody takes care of come first, then the worst, then the newest.
    pub(crate) fn urgency(&self) -> (bool, u8, i64) {
        let badness = match (&self.object.service, self.code) {
            (None, 1) => 0,
            (Some(_), 2) => 1,
            (None, _) => 2,
            (Some(_), 3) => 3,
            _ => 4,
        };
        (self.is_quiet(), badness, -self.since)
    }

    fn block(&self, now: i64) -> Value {
        let (circle, state) = match (&self.object.service, self.code) {
            (None, 1) => (":red_circle:", "DOWN"),
            (None, _) => (":red_circle:", "UNREACHABLE"),
            (Some(_), 1) => (":large_yellow_circle:", "WARNING"),
            (Some(_), 2) => (":red_circle:", "CRITICAL"),
            (Some(_), _) => (":large_purple_circle:", "UNKNOWN"),
        };
        let mut text = format!("{circle} {} {state}", bold(&self.label));
        if let Ok(seconds) = u64::try_from(now - self.since)
            && self.since > 0
        {
            text.push_str(&format!(" for {}", span(seconds)));
        }
        if !self.is_hard {
            text.push_str(", soft state (not yet confirmed)");
        }
        if self.is_acknowledged {
            text.push_str(", acknowledged");
        }
        if self.in_downtime {
            text.push_str(", in downtime");
        }
        if !self.output.is_empty() {
            let (kept, rest) = cut(&self.output, OUTPUT_MAX);
            text.push_str(&format!("\n{}{}", plain(&kept), if rest > 0 { "…" } else { "" }));
        }
        let mut block = section(&text);
        let value = serde_json::to_string(&self.object).unwrap_or_default();
        if !self.is_quiet() && value.chars().count() <= VALUE_MAX {
            block["accessory"] = json!({
                "type": "button", "action_id": "acknowledge", "text": plain_text("Acknowledge"), "value": value,
            });
        }
        block
    }
}

/// A page of the list.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Page {
    pub(crate) total: usize,
    pub(crate) acknowledged: usize,
    pub(crate) from: usize,
    /// Lines of a page.
    pub(crate) size: usize,
    pub(crate) entries: Vec<Entry>,
    pub(crate) filter: String,
    pub(crate) core: Option<String>,
    /// Rules restrict what the person sees.
    pub(crate) is_partial: bool,
    /// Who asked, where everybody sees the answer.
    pub(crate) by: Option<String>,
}

/// The value of a button that turns the page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PageButton {
    pub(crate) filter: String,
    #[serde(default)]
    pub(crate) core: Option<String>,
    pub(crate) from: usize,
    /// Who asked, where everybody sees the list: others get a page of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) by: Option<String>,
}

impl PageButton {
    /// Decodes a click; `None` when it is on another button.
    pub(crate) fn from_click(action_id: &str, value: Option<&str>) -> Option<Self> {
        action_id.strip_prefix(PAGE)?;
        serde_json::from_str(value?).ok()
    }
}

/// The page as a message.
pub(crate) fn problems(page: &Page, now: i64) -> Value {
    let about = if page.filter.is_empty() { String::new() } else { format!(" that match {}", plain(&page.filter)) };
    let headline = match page.total {
        0 if page.is_partial => format!("No problems{about} that you may see."),
        0 => format!("No problems{about}. :tada:"),
        1 => format!("*One problem*{}", about.replacen("match", "matches", 1)),
        total => format!("*{total} problems*{about}"),
    };
    let known = match page.acknowledged {
        0 => String::new(),
        count => format!(", {count} acknowledged or in downtime"),
    };
    let text = format!("{headline}{known}");
    let mut blocks = vec![section(&text)];
    blocks.extend(page.entries.iter().map(|entry| entry.block(now)));
    let page_button = |name: &str, label: &str, from: usize| {
        let page = PageButton { filter: page.filter.clone(), core: page.core.clone(), from, by: page.by.clone() };
        let value = serde_json::to_string(&page).unwrap_or_default();
        json!({ "type": "button", "action_id": format!("{PAGE}{name}"), "text": plain_text(label), "value": value })
    };
    let mut buttons = Vec::new();
    if page.from > 0 {
        buttons.push(page_button("previous", "Previous", page.from.saturating_sub(page.size)));
    }
    if page.from + page.entries.len() < page.total {
        buttons.push(page_button("next", "Next", page.from + page.size));
    }
    if !buttons.is_empty() {
        let (first, last) = (page.from + 1, page.from + page.entries.len());
        let position = format!("{first} to {last} of {}", page.total);
        blocks.push(json!({ "type": "context", "elements": [super::blocks::text(&position)] }));
        blocks.push(json!({ "type": "actions", "elements": buttons }));
    }
    json!({ "text": text, "blocks": blocks })
}

/// The help text.
pub(crate) fn help(command: &str) -> String {
    let command = plain(command);
    let line = |(verb, behind, does): &(&str, &str, &str)| {
        let space = if behind.is_empty() { "" } else { " " };
        format!("`{command} {verb}{space}{behind}`: {does}")
    };
    let lines: Vec<String> = VERBS.iter().map(line).collect();
    format!("{}\n{FILTERS} Only you see the answer unless you add `--public`.", lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(i: usize, code: u8, acknowledged: Acknowledged) -> Entry {
        let object = Object { core: String::new(), host: format!("web{i:02}"), service: Some("Disk".into()) };
        let label = object.to_string();
        let state = State { code, is_hard: true, acknowledged, output: "x".repeat(500), ..State::default() };
        Entry::new(object, label, &state)
    }

    #[test]
    fn a_page_has_its_neighbours_and_few_blocks() {
        let entries = (10..20).map(|i| entry(i, 2, Acknowledged::No)).collect();
        let page = Page {
            total: 25,
            acknowledged: 0,
            from: 10,
            size: 10,
            entries,
            filter: "web* critical".into(),
            core: Some("branch".into()),
            is_partial: false,
            by: None,
        };
        let message = problems(&page, 100);
        let blocks = message["blocks"].as_array().unwrap();
        assert!(blocks.len() <= 50, "Slack's limit");
        let text = message.to_string();
        let (markup, verbatim) = (text.matches("\"mrkdwn\"").count(), text.matches("\"verbatim\":true").count());
        assert_eq!((markup, verbatim), (12, 12), "what looks like a channel in foreign text stays text");
        assert_eq!(blocks[11]["elements"][0]["text"], "11 to 20 of 25");
        let pages: Vec<PageButton> = blocks[12]["elements"].as_array().unwrap().iter().map(page_of).collect();
        assert_eq!((pages[0].from, pages[1].from), (0, 20));
        assert_eq!((pages[1].filter.as_str(), pages[1].core.as_deref()), ("web* critical", Some("branch")));
        assert_eq!(PageButton::from_click("acknowledge", Some("{}")), None);
        let last = Page { from: 20, entries: vec![entry(20, 1, Acknowledged::Normal)], total: 21, ..page };
        let blocks = problems(&last, 100)["blocks"].clone();
        assert_eq!(blocks[3]["elements"].as_array().unwrap().len(), 1, "only back");
        assert!(blocks[1]["accessory"].is_null(), "it is acknowledged");
    }

    fn page_of(button: &Value) -> PageButton {
        PageButton::from_click(button["action_id"].as_str().unwrap(), button["value"].as_str()).unwrap()
    }

    #[test]
    fn what_nobody_takes_care_of_comes_first() {
        let mut entries =
            [entry(1, 1, Acknowledged::No), entry(2, 2, Acknowledged::Sticky), entry(3, 2, Acknowledged::No)];
        entries.sort_by_key(Entry::urgency);
        let hosts: Vec<&str> = entries.iter().map(|entry| entry.object.host.as_str()).collect();
        assert_eq!(hosts, ["web03", "web01", "web02"]);
    }
}

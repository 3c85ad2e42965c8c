//! Golden files of every type and state, and what must hold whatever comes in.

use super::tests_support::style;
use super::*;
use crate::cli::terminal;
use crate::config::Flavor;
use crate::slack::{blocks, legacy, limits};
use proptest::prelude::*;
use serde_json::Value;
use std::fs;
use std::path::Path;

fn core() -> Core {
    let url = Some("https://monitoring.example.com/nagios4".to_owned());
    Core { url, ..Core::default() }
}

fn rendered(notification: &Notification) -> Card {
    let (style, core) = (style(), core());
    card(notification, &RenderContext::bare(&style, Some(&core), notification.time))
}

/// The rendering of each sample, as it was looked at and found good. `UPDATE_GOLDEN=1` writes them anew.
#[test]
fn every_type_and_state_looks_as_it_was_approved() {
    for (name, notification) in samples() {
        let card = rendered(&notification);
        looks(&name, &blocks::message(&card), &terminal::preview(&card, false, 80));
    }
    for (name, problem) in problem_samples() {
        let (style, core) = (style(), core());
        let facts = RenderContext {
            interactivity: Interactivity::Forms,
            post: 7,
            ..RenderContext::bare(&style, Some(&core), problem.latest.time)
        };
        let card = problem_card(&problem, &facts);
        looks(&name, &blocks::message(&card), &terminal::preview(&card, false, 80));
        looks(&format!("{name}-reply"), &blocks::reply(&rendered(&problem.latest)), "");
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ackbell.toml");
    fs::write(&path, "[slack]\nenabled = false\n").unwrap();
    let (config, _) = crate::config::load(Some(&path), &crate::system::environment::Environment::default()).unwrap();
    let config = crate::config::Config { cores: vec![core()], ..config };
    let digest = digest(&storm(), &config, Some("a note"), (Interactivity::Buttons, 7));
    looks("storm", &blocks::digest(&digest, &[ResolvedMention::Here]).0, &terminal::digest(&digest, false, 80));
    looks("storm-lines", &blocks::lines(&digest.lines, &[]).0, "");
}

/// Compares with what was approved.
#[track_caller]
fn looks(name: &str, message: &Value, text: &str) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    #[expect(clippy::disallowed_methods, reason = "a switch for whoever changes the looks")]
    let update = std::env::var("UPDATE_GOLDEN").is_ok();
    let json = serde_json::to_string_pretty(message).unwrap();
    for (file, content) in [(format!("{name}.json"), json.as_str()), (format!("{name}.txt"), text)] {
        if content.is_empty() {
            continue;
        }
        let (path, content) = (directory.join(&file), format!("{content}\n"));
        if update {
            fs::write(&path, &content).unwrap();
        }
        assert_eq!(content, fs::read_to_string(&path).unwrap_or_default(), "{file}");
    }
}

#[test]
fn lateness_is_said() {
    let (_, notification) = samples().remove(0);
    let (style, now) = (style(), notification.time + 540);
    let card = card(&notification, &RenderContext::bare(&style, None, now));
    assert_eq!(card.late.as_deref(), Some("delivered 9 min late"));
}

#[test]
fn a_broken_template_falls_back_and_is_told() {
    let (_, notification) = samples().remove(0);
    let looping = "{% for a in range(10000) %}{% for b in range(10000) %}x{% endfor %}{% endfor %}";
    for (title, expected) in [
        (looping, None),
        ("{{ state | nosuchfilter }}", None),
        ("{% include 'x' %}", None),
        ("{{ state }} of {{ object }} {{ vars.x }}", Some("CRITICAL of Disk on web01")),
    ] {
        let style = Message { title: Some(title.to_owned()), ..style() };
        let card = card(&notification, &RenderContext::bare(&style, None, 0));
        assert_eq!(card.title.as_deref(), expected, "{title}");
        assert_eq!(card.template_error.is_some(), expected.is_none(), "{:?}", card.template_error);
        assert_eq!(template::check_template(title).is_ok(), expected.is_some());
    }
}

#[test]
fn patterns_are_cut_out_everywhere() {
    let (_, mut notification) = samples().remove(0);
    notification.output = "login failed password=hunter2 for bob".to_owned();
    notification.comment = Some("password=hunter2".to_owned());
    redact(&mut notification, &[r"password=\S+".to_owned(), "(".to_owned()]);
    assert_eq!(notification.output, "login failed [redacted] for bob");
    assert_eq!(notification.comment.as_deref(), Some("[redacted]"));
}

/// Every text of the message with its limit, and whether it is markup.
fn texts(message: &Value) -> Vec<(String, bool)> {
    let mut found = vec![(message["text"].as_str().unwrap_or_default().to_owned(), true)];
    let attached = message["attachments"][0]["blocks"].as_array().cloned().unwrap_or_default();
    for block in message["blocks"].as_array().into_iter().flatten().chain(&attached) {
        let elements = block["elements"].as_array().cloned().unwrap_or_default();
        for text in elements.iter().chain([&block["text"]]).filter(|text| text.is_object()) {
            found.push((text["text"].as_str().unwrap_or_default().to_owned(), text["type"] == "mrkdwn"));
        }
    }
    found
}

/// Whether all that stands in angle brackets is ours: web links and dates.
fn only_our_markup(text: &str) -> bool {
    text.split('<').skip(1).all(|rest| {
        let inside = rest.split('>').next().unwrap_or_default();
        rest.contains('>')
            && (inside.starts_with("https://") || inside.starts_with("http://") || inside.starts_with("!date^"))
    }) && text.split('&').skip(1).all(|rest| ["amp;", "lt;", "gt;"].iter().any(|entity| rest.starts_with(entity)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_comes_in_slack_takes_it(
        host in "\\PC{1,40}", service in "\\PC{0,3000}", output in "(\\PC|[`<>&!@#*]){0,6000}",
        long in "(\\PC|\n|```|<!channel>|&amp;){0,4000}", perf in "([a-z]{1,9}=[0-9]{1,9}[a-z%]{0,3};[0-9:@~]{0,4};; ){0,40}",
        comment in "\\PC{0,5000}", url in "https?://\\PC{0,50}", kind in "PROBLEM|RECOVERY|ACKNOWLEDGEMENT|CUSTOM|[a-z<>&]{1,9}",
    ) {
        let mut fields = crate::model::notification::Fields::default();
        for (name, value) in [("hostname", &host), ("servicedesc", &service), ("output", &output), ("long-output", &long),
            ("perfdata", &perf), ("comment", &comment), ("action-url", &url), ("notificationtype", &kind)] {
            fields.put(name, value);
        }
        let card = rendered(&fields.into_notification(0));
        let message = blocks::message(&card);
        for (text, is_markup) in texts(&message) {
            prop_assert!(!text.trim().is_empty());
            let most = if text == message["text"] { limits::TEXT_MAX } else { limits::SECTION_TEXT_MAX };
            prop_assert!(text.chars().count() <= most);
            prop_assert!(!is_markup || only_our_markup(&text), "{}", text);
        }
        prop_assert!(message["attachments"][0]["blocks"].as_array().unwrap().len() <= 50);
        let plain = blocks::plain(&card);
        prop_assert!(plain["text"].as_str().unwrap().chars().count() <= limits::TEXT_MAX);
        for flavor in [Flavor::Mattermost, Flavor::RocketChat, Flavor::Discord] {
            prop_assert!(legacy::message(&card, flavor)["attachments"][0]["fallback"].is_string());
        }
        let _ = terminal::preview(&card, true, 80);
    }
}

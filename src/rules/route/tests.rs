//! Routes as an administrator writes them.

use super::*;
use crate::config::load;
use crate::model::notification::Fields;
use crate::system::environment::Environment;
use std::io::Write;

const NOON_MONDAY: LocalTime = LocalTime { weekday: 0, minute_of_day: 720 };

fn config(text: &str) -> Config {
    let mut file = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    load(Some(file.path()), &Environment::default()).unwrap().0
}

fn service(host: &str, service: &str, state: &str) -> Notification {
    let mut fields = Fields::default();
    for (name, value) in
        [("hostname", host), ("servicedesc", service), ("servicestate", state), ("hostgroups", "linux,db")]
    {
        fields.put(name, value);
    }
    fields.vars.push(("TEAM".into(), "dba".into()));
    fields.into_notification(0)
}

fn destinations(notification: &Notification, config: &Config) -> Vec<String> {
    let show = |routed: &Routed| match &routed.to {
        Target::Destination(destination) => destination.to_string(),
        Target::Webhook => format!("webhook of {}", routed.integration),
    };
    decide(notification, config, &[], NOON_MONDAY).routed.iter().map(show).collect()
}

const ROUTES: &str = r##"
[slack]
bot_token = "xoxb-1"
channel = "#ops"
[[route]]
match = { host = "db*", var = { team = "dba" }, state = ["critical"] }
to = ["#db", "@alice@example.com"]
mention = ["@oncall"]
continue = true
[[route]]
match = { host = ["db01", "!db02"], type = "problem" }
to = "#db"
mention = "here"
[[route]]
match = { hostgroup = "windows" }
to = "#win"
[[route]]
match = { service = "Night", time = "Mon-Sun 22:00-06:00" }
to = "#night"
"##;

#[test]
fn the_first_route_wins_unless_it_goes_on() {
    let config = config(ROUTES);
    assert_eq!(destinations(&service("db01", "MySQL", "2"), &config), ["#db", "@alice@example.com"]);
    assert_eq!(destinations(&service("db01", "MySQL", "1"), &config), ["#db"]);
    assert_eq!(destinations(&service("web01", "HTTP", "2"), &config), ["#ops"]);
    assert_eq!(destinations(&service("web01", "Night", "2"), &config), ["#ops"]);
    let decision = decide(&service("db01", "MySQL", "2"), &config, &[], NOON_MONDAY);
    assert_eq!(decision.routed[0].mentions, [Mention::Handle("oncall".into()), Mention::Here]);
}

#[test]
fn nobody_is_called_for_a_recovery() {
    let config = config(ROUTES);
    let mut recovery = service("db01", "MySQL", "2");
    recovery.kind = Kind::Recovery;
    assert!(decide(&recovery, &config, &[], NOON_MONDAY).routed[0].mentions.is_empty());
}

#[test]
fn the_command_line_overrides_and_its_mistakes_fall_back() {
    let config = config(ROUTES);
    let mut notification = service("db01", "MySQL", "2");
    notification.to = vec!["#here".into(), "nonsense".into()];
    assert_eq!(destinations(&notification, &config), ["#here"]);
    notification.to = vec!["nonsense".into()];
    let decision = decide(&notification, &config, &[], NOON_MONDAY);
    assert_eq!(decision.complaints, ["--to: \"nonsense\" isn't a destination"]);
    assert_eq!(destinations(&notification, &config), ["#ops"]);
}

#[test]
fn a_webhook_shows_it_once_whatever_the_routes_say() {
    let text = "[slack]\nwebhook_url = \"https://hooks.slack.com/services/x\"\n[[route]]\nto = [\"#a\", \"#b\"]\n";
    assert_eq!(destinations(&service("a", "b", "2"), &config(text)), ["webhook of default"]);
}

#[test]
fn disabled_places_are_told() {
    let text = "[slack]\nenabled = false\nwebhook_url = \"https://hooks.slack.com/services/x\"\n";
    let decision = decide(&service("a", "b", "2"), &config(text), &[], NOON_MONDAY);
    assert_eq!(
        (decision.routed.len(), decision.complaints),
        (0, vec!["the integration \"default\" is disabled".to_owned()])
    );
}

#[test]
fn a_contact_without_an_address_goes_to_the_channel_with_a_word() {
    let config = config("[slack]\nbot_token = \"xoxb-1\"\nchannel = \"#ops\"\n[[route]]\nto = \"contact\"\n");
    let decision = decide(&service("a", "b", "2"), &config, &[], NOON_MONDAY);
    assert_eq!(decision.complaints, ["meant for its contact, but the core passed no $CONTACTEMAIL$"]);
    assert_eq!(destinations(&service("a", "b", "2"), &config), ["#ops"]);
}

#[test]
fn explain_names_the_part_that_does_not_match() {
    let lines = explain(&service("web01", "HTTP", "2"), &config(ROUTES), &[], NOON_MONDAY);
    assert_eq!(
        lines,
        [
            "route at line 5: no, host must match \"db*\", it is \"web01\"",
            "route at line 10: no, host must match \"db01\" or \"!db02\", it is \"web01\"",
            "route at line 14: no, hostgroup must match \"windows\", it is \"linux\"",
            "route at line 17: no, service must match \"Night\", it is \"HTTP\"",
            "→ #ops by integration \"default\"",
        ]
    );
}

#[test]
fn a_contact_with_two_addresses_is_both() {
    let config = config("[slack]\nbot_token = \"xoxb-1\"\nchannel = \"#ops\"\n[[route]]\nto = \"contact\"\n");
    let mut notification = service("db01", "MySQL", "2");
    notification.contact.email = Some("alice@example.com,oncall@example.com".to_owned());
    assert_eq!(destinations(&notification, &config), ["@alice@example.com", "@oncall@example.com"]);
    notification.contact.email = Some("alice@example.com".to_owned());
    assert_eq!(destinations(&notification, &config), ["contact"]);
}

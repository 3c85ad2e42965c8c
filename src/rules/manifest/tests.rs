//! A judge made from Slack's published reference, and every kind of manifest before it.

use super::*;
use std::path::Path;

/// The mistakes that <https://docs.slack.dev/reference/app-manifest> refuses, by path.
fn complaints(manifest: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    known(manifest, "", &["_metadata", "display_information", "features", "oauth_config", "settings"], &mut faults);
    let information = &manifest["display_information"];
    known(
        information,
        "display_information",
        &["name", "description", "long_description", "background_color"],
        &mut faults,
    );
    within(&information["name"], "name", 1, 35, &mut faults);
    within(&information["description"], "description", 0, 140, &mut faults);
    within(&information["long_description"], "long_description", 174, 4000, &mut faults);
    features_fit(manifest, &mut faults);
    oauth_fits(&manifest["oauth_config"], &mut faults);
    settings_fit(manifest, &mut faults);
    faults
}

fn features_fit(manifest: &Value, faults: &mut Vec<String>) {
    let features = &manifest["features"];
    known(features, "features", &["app_home", "bot_user", "slash_commands", "shortcuts"], faults);
    let bot = features["bot_user"]["display_name"].as_str().unwrap_or_default();
    within(&features["bot_user"]["display_name"], "bot_user", 1, 80, faults);
    if !bot.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c)) {
        faults.push("bot_user.display_name has other characters".to_owned());
    }
    let home = ["home_tab_enabled", "messages_tab_enabled", "messages_tab_read_only_enabled"];
    known(&features["app_home"], "app_home", &home, faults);
    let is_socket = manifest["settings"]["socket_mode_enabled"] == true;
    for command in features["slash_commands"].as_array().into_iter().flatten() {
        known(command, "slash_command", &["command", "description", "usage_hint", "should_escape", "url"], faults);
        within(&command["command"], "command", 2, 32, faults);
        within(&command["description"], "command.description", 1, 2000, faults);
        within(&command["usage_hint"], "usage_hint", 0, 1000, faults);
        if !command["command"].as_str().unwrap_or_default().starts_with('/') {
            faults.push("a command begins with a slash".to_owned());
        }
        if command["url"].is_null() != is_socket {
            faults.push("a command has an address, except in Socket Mode".to_owned());
        }
        https(&command["url"], "command.url", faults);
    }
}

fn oauth_fits(oauth: &Value, faults: &mut Vec<String>) {
    known(oauth, "oauth_config", &["redirect_urls", "scopes", "token_management_enabled"], faults);
    known(&oauth["scopes"], "scopes", &["bot", "user", "bot_optional", "user_optional"], faults);
    let scopes = oauth["scopes"]["bot"].as_array().map_or(0, Vec::len);
    if !(1..=255).contains(&scopes) {
        faults.push(format!("{scopes} scopes"));
    }
    for url in oauth["redirect_urls"].as_array().into_iter().flatten() {
        https(url, "redirect_url", faults);
    }
}

fn settings_fit(manifest: &Value, faults: &mut Vec<String>) {
    let settings = &manifest["settings"];
    let keys = [
        "event_subscriptions",
        "interactivity",
        "org_deploy_enabled",
        "socket_mode_enabled",
        "token_rotation_enabled",
        "allowed_ip_address_ranges",
    ];
    known(settings, "settings", &keys, faults);
    let is_socket = settings["socket_mode_enabled"] == true;
    let (events, interactivity) = (&settings["event_subscriptions"], &settings["interactivity"]);
    known(events, "event_subscriptions", &["request_url", "bot_events", "user_events"], faults);
    known(interactivity, "interactivity", &["is_enabled", "request_url", "message_menu_options_url"], faults);
    for part in [events, interactivity] {
        https(&part["request_url"], "request_url", faults);
        if part.is_object() && part["request_url"].is_null() && !is_socket {
            faults.push("neither a request URL nor Socket Mode".to_owned());
        }
    }
    if events["bot_events"].as_array().is_some_and(|events| events.len() > 100) {
        faults.push("too many events".to_owned());
    }
    if !manifest["features"]["slash_commands"].is_null() && !has_scope(manifest, "commands") {
        faults.push("a command without the scope commands".to_owned());
    }
}

fn has_scope(manifest: &Value, scope: &str) -> bool {
    manifest["oauth_config"]["scopes"]["bot"].as_array().unwrap().iter().any(|found| found == scope)
}

fn known(value: &Value, key_path: &str, keys: &[&str], faults: &mut Vec<String>) {
    for key in value.as_object().into_iter().flat_map(|map| map.keys()).filter(|key| !keys.contains(&key.as_str())) {
        faults.push(format!("{key_path}.{key} is unknown"));
    }
}

fn within(value: &Value, key_path: &str, least: usize, most: usize, faults: &mut Vec<String>) {
    let length = value.as_str().map_or(0, |text| text.chars().count());
    if !value.is_null() && !(least..=most).contains(&length) || value.is_null() && least == 1 {
        faults.push(format!("{key_path}: {length} characters"));
    }
}

fn https(value: &Value, key_path: &str, faults: &mut Vec<String>) {
    if value.as_str().is_some_and(|url| !url.starts_with("https://")) {
        faults.push(format!("{key_path} isn't https"));
    }
}

fn public() -> AppFeatures {
    let url = "https://alerts.example.com".to_owned();
    AppFeatures { way: Connection::Public(url.clone()), install_at: Some(url), ..AppFeatures::everything() }
}

#[test]
fn every_kind_fits_slacks_reference() {
    let second = AppFeatures { integration: Some("second".into()), rotates: true, ..public() };
    for wanted in [AppFeatures::everything(), AppFeatures::webhook(), public(), second.clone()] {
        let made = manifest(&wanted);
        assert_eq!(complaints(&made), [""; 0], "{made:#}");
    }
    let made = manifest(&second);
    assert_eq!(made["settings"]["interactivity"]["request_url"], "https://alerts.example.com/slack/request/second");
    assert_eq!(made["oauth_config"]["redirect_urls"][0], "https://alerts.example.com/slack_oauth");
    assert_eq!(made["settings"]["token_rotation_enabled"], true);
}

#[test]
fn the_judge_refuses_what_slack_refuses() {
    let mut made = manifest(&public());
    made["display_information"]["name"] = json!("x".repeat(36));
    made["settings"]["event_subscriptions"]["request_url"] = Value::Null;
    made["features"]["shortcut"] = json!([]);
    made["oauth_config"]["redirect_urls"] = json!(["http://alerts.example.com/slack_oauth"]);
    assert_eq!(complaints(&made).len(), 4, "{:?}", complaints(&made));
}

/// A configuration's manifest.
fn of(text: &str) -> AppFeatures {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.toml");
    std::fs::write(&path, format!("state_dir = \"{}\"\n{text}", directory.path().display())).unwrap();
    let (config, _) = crate::config::load(Some(&path), &crate::system::environment::Environment::default()).unwrap();
    AppFeatures::new(&config, &config.integrations[0])
}

#[test]
fn an_app_asks_for_nothing_that_the_configuration_does_not_use() {
    let hook = "[slack]\nwebhook_url = \"https://hooks.slack.com/services/T/B/x\"\n";
    let bot = "[slack]\nbot_token = \"xoxb-1\"\nchannel = \"#ops\"\n";
    let quiet = format!("{bot}interactive = false\n");
    assert_eq!(of("[slack]\nenabled = false\n"), AppFeatures::everything(), "as it is before there is an app");
    assert_eq!(of(hook).scopes(), ["incoming-webhook"]);
    assert_eq!(of(&quiet).scopes(), ["chat:write", "chat:write.public"]);
    assert_eq!(of(&quiet).way, Connection::Nowhere);
    let people = format!("{quiet}[[route]]\nto = [\"contact\"]\nmention = [\"@oncall\"]\n");
    let expected = ["chat:write", "chat:write.public", "usergroups:read", "users:read", "users:read.email"];
    assert_eq!(of(&people).scopes(), expected);
    let all = of(&format!("{bot}[listen]\npublic_url = \"https://alerts.example.com\"\n"));
    assert_eq!(all.way, Connection::Public("https://alerts.example.com".into()));
    assert!(all.features.contains(&Feature::Command) && !all.features.contains(&Feature::Groups));
    let named = of(&format!("{bot}command = \"/monitoring\"\n"));
    assert_eq!(manifest(&named)["features"]["slash_commands"][0]["command"], "/monitoring");
    let socket = of(&format!("{bot}app_token = \"xapp-1\"\n[listen]\npublic_url = \"https://alerts.example.com\"\n"));
    assert_eq!(socket.way, Connection::Socket, "while Socket Mode is on, Slack sends nothing to addresses");
}

#[test]
fn the_link_holds_the_manifest_and_follows_the_api() {
    let made = manifest(&AppFeatures::webhook());
    let text = link(&made, "https://slack.com/api/");
    let encoded = text.strip_prefix("https://api.slack.com/apps?new_app=1&manifest_json=").unwrap();
    assert!(encoded.starts_with("%7B%22_metadata%22%3A%7B"), "{encoded}");
    assert!(link(&made, "https://slack-gov.com/api/").starts_with("https://api.slack-gov.com/apps?new_app=1&"));
}

#[test]
fn yaml_says_the_same() {
    let value = json!({ "a": { "b": ["x: y", { "c": true, "d": [1, 2] }], "e": "\"quoted\"\n" }, "f": null });
    let expected = "\
a:
  b:
    - \"x: y\"
    - c: true
      d:
        - 1
        - 2
  e: \"\\\"quoted\\\"\\n\"
f: null
";
    assert_eq!(yaml(&value), expected);
}

/// The samples are what `ackbell manifest` prints; `UPDATE_SAMPLES=1` writes them anew.
#[test]
fn the_samples_are_in_step() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("contrib/slack");
    for (name, wanted) in
        [("webhook", AppFeatures::webhook()), ("socket-mode", AppFeatures::everything()), ("public-address", public())]
    {
        let made = manifest(&wanted);
        for (kind, text) in [("json", format!("{made:#}\n")), ("yaml", yaml(&made))] {
            let path = directory.join(format!("{name}.{kind}"));
            #[expect(clippy::disallowed_methods, reason = "a person at a terminal asks for it")]
            if std::env::var("UPDATE_SAMPLES").is_ok() {
                std::fs::create_dir_all(&directory).unwrap();
                std::fs::write(&path, &text).unwrap();
            }
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text, "{}", path.display());
        }
    }
}

/// The methods that the code names.
fn collect_methods(directory: &Path, found: &mut BTreeSet<String>) {
    let method = regex_lite::Regex::new(
        r#"["}]((?:chat|conversations|users|usergroups|views|reactions|files|dnd|auth|apps|oauth)\.[a-zA-Z0-9.]+)""#,
    );
    let method = method.unwrap();
    for entry in std::fs::read_dir(directory).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() && !path.ends_with("sandbox") {
            collect_methods(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("tests.rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap();
            found.extend(method.captures_iter(code).map(|hit| hit[1].to_owned()));
        }
    }
}

/// The stand-in refuses what a token lacks, and the end-to-end tests give it the scopes of this very manifest.
#[test]
fn every_call_is_covered_and_every_scope_is_used() {
    let mut made = BTreeSet::new();
    collect_methods(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut made);
    assert!(made.contains("users.lookupByEmail") && made.contains("oauth.v2.access"), "{made:?}");
    let mut scopes = AppFeatures::everything().scopes();
    // Asked for only where they are configured.
    let configured = [Feature::KeptGroups, Feature::Rest, Feature::Pictures];
    scopes.extend(configured.iter().flat_map(|feature| feature.needs()).map(|need| need.scope));
    let mut used = BTreeSet::from([
        // These need no call: the command itself, and public channels that the app wasn't invited to.
        "commands",
        "chat:write.public",
    ]);
    // Its token is another one.
    made.remove("apps.connections.open");
    // A right to read what people write is only for who gives it: a dead man's message is corrected without it, too.
    made.remove("conversations.history");
    for method in &made {
        let taken = ackbell_sandbox::scopes_taken(method).unwrap_or_else(|| panic!("{method}?"));
        assert!(taken.is_empty() || taken.iter().any(|scope| scopes.contains(scope)), "{method}");
        used.extend(taken);
    }
    let idle: Vec<_> = scopes.iter().filter(|scope| !used.contains(*scope)).collect();
    assert!(idle.is_empty(), "{idle:?}");
}

#[test]
fn every_need_says_what_it_is_for() {
    let all = [Feature::Webhook, Feature::KeptGroups, Feature::Rest, Feature::Pictures]
        .into_iter()
        .chain(Feature::of_a_bot());
    for need in all.flat_map(Feature::needs) {
        assert!(need.why.len() > 10 && !need.why.contains("missing"), "{need:?}");
    }
    let both = feature::needs_of(&[Feature::Emails, Feature::Clicks].into());
    let found: Vec<_> = both.iter().map(|need| (need.scope, need.is_optional)).collect();
    assert_eq!(found, [("users:read", false), ("users:read.email", false)], "what one feature can't do without");
}

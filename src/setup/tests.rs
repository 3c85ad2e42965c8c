use super::*;
use crate::config;
use crate::system::environment::Environment;

fn choices(way: Connection, secrets: &[(SecretKind, &str)]) -> Choices {
    let secrets = secrets.iter().map(|(kind, text)| (*kind, kind.parse(text).unwrap())).collect();
    Choices { way, core: None, secrets, channel: None, api_url: None, state_dir: None, relay: None }
}

/// The configuration that a plan writes, loaded like any other.
fn put(choices: &Choices, path: &Path) -> Config {
    let existing = config::load(Some(path), &Environment::default()).ok().map(|(config, _)| config);
    let planned = plan(choices, path, existing.as_ref(), 1_795_000_000).unwrap();
    write_files::files(&planned, None).unwrap();
    config::load(Some(path), &Environment::default()).unwrap().0
}

#[test]
fn from_nothing_to_an_app_to_a_webhook() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ackbell.toml");
    let mut app = choices(Connection::App, &[(SecretKind::BotToken, "xoxb-1"), (SecretKind::AppToken, "xapp-1")]);
    app.channel = Some(config::destination("#ops").unwrap());
    let made = put(&app, &path);
    let slack = &made.integrations[0];
    assert_eq!(slack.bot_token().map(Secret::expose), Some("xoxb-1"));
    assert_eq!(slack, &app.integration(None), "the values that were checked are the ones that are written");
    assert_eq!(plan(&app, &path, Some(&made), 0).unwrap(), [], "once more, there is nothing to do");

    let hook = choices(Connection::Webhook, &[(SecretKind::WebhookUrl, "https://hooks.example/services/1")]);
    let made = put(&hook, &path);
    assert_eq!(
        (made.integrations[0].bot_token().is_some(), made.integrations[0].webhook_url().is_some()),
        (false, true)
    );
    assert!(directory.path().join("ackbell.toml.20261118110640.bak").exists());
}

#[test]
fn a_token_is_renewed_where_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ackbell.toml");
    std::fs::write(&path, "[slack]\nbot_token_file = \"mine\"\nchannel = \"#a\"\n").unwrap();
    std::fs::write(directory.path().join("mine"), "xoxb-old\n").unwrap();
    let made = put(&choices(Connection::App, &[(SecretKind::BotToken, "xoxb-new")]), &path);
    assert_eq!(made.integrations[0].bot_token().map(Secret::expose), Some("xoxb-new"));
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 2, "no backup of what didn't change");
}

#[test]
fn definitions_call_this_program_with_this_configuration() {
    let usual = Path::new("/etc/ackbell/ackbell.toml");
    let (text, bare) = definitions(CoreKind::Nagios, Path::new("/opt/ackbell"), usual).unwrap();
    assert!(text.contains("command_line  /opt/ackbell notify --type Host") && text.contains("check-ackbell"));
    assert!(bare.contains("/opt/ackbell notify") && !bare.contains("check-ackbell") && bare.ends_with("}\n"));
    let (text, bare) = definitions(CoreKind::Icinga2, Path::new("/usr/bin/ackbell"), Path::new("/a.toml")).unwrap();
    assert!(text.contains("[ \"/usr/bin/ackbell\", \"--config\", \"/a.toml\", \"notify\" ]"), "{text}");
    assert!(bare.ends_with("}\n"), "{bare}");
    assert_eq!(definitions(CoreKind::Nagios, Path::new("/a b/ackbell"), usual), None);
}

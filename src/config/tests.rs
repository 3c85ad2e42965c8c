//! Whole texts of what people read when a configuration is wrong.

use super::*;
use crate::system::environment::Environment;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;

fn env(pairs: &[(&str, &str)]) -> Environment {
    Environment::new(pairs.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))))
}

/// The problems of loading the text, without the directory.
fn problems(name: &str, text: &str) -> String {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let reported = match load(Some(&path), &Environment::default()) {
        Ok((_, warnings)) => warnings.iter().map(|w| format!("{w}\n")).collect(),
        Err(e) => e.to_string(),
    };
    reported.replace(&format!("{}/", directory.path().display()), "")
}

#[test]
fn every_problem_is_reported_at_once_with_its_place_and_remedy() {
    let text = "[slack]\nchanel = \"#ops\"\nbot_token = \"xapp-1-secret\"\nchannel = 5\n[outbox]\ntime_budget = \"1m\"\n[stage]\n";
    let expected = "\
a.toml:1:2: [slack] has no way to post
  1 | [slack]
    |  ^^^^^
  give it webhook_url or bot_token (or their _file), or enabled = false
a.toml:2:1: unknown key \"chanel\" in [slack]
  2 | chanel = [redacted]
    | ^^^^^^
  did you mean \"channel\"?
a.toml:3:13: bot_token: that is an app-level token
  3 | bot_token = [redacted]
    |             ^^^^^^^^^^
  put it into app_token
a.toml:4:11: \"channel\" in [slack] must be a string, this is a number
  4 | channel = 5
    |           ^
  put it in double quotes
a.toml:6:15: time_budget: \"1m\" is too long
  6 | time_budget = \"1m\"
    |               ^^^^
  at most \"25s\": the core kills a notification command after 30 s
a.toml:7:2: unknown key \"stage\" in the file
  7 | [stage]
    |  ^^^^^
  known here: state_dir, runtime_dir, slack, integrations, route, escalate, oncall, formatters, message, storm, outbox, database, core, cores, acknowledge, access, audit, history, report, curve, listen, deadman, reactions, relay";
    assert_eq!(problems("a.toml", text), expected);
}

#[test]
fn a_secret_without_end_is_read_only_so_far() {
    let reported = problems("a.toml", "[slack]\nbot_token_file = \"/dev/zero\"\nchannel = \"#ops\"\n");
    assert!(reported.contains("that isn't a bot token"), "{reported}");
}

#[test]
fn single_mistakes_have_their_remedies() {
    const SLACK: &str = "[slack]\nbot_token = \"xoxb-1\"\nchannel = \"#ops\"\n";
    for (rest, expected) in [
        ("[[route]]\nto = \"ops\"", "to: \"ops\" isn't a destination"),
        ("command = \"mon\"", "write \"/NAME\": up to 31 small letters"),
        ("command = \"/Mon\"", "command: \"/Mon\" isn't a slash command"),
        ("[[route]]\nmatch = { state = \"critcal\" }", "did you mean \"critical\"?"),
        ("[[route]]\nmatch = { type = \"problems\" }", "did you mean \"problem\"?"),
        ("[[route]]\nmatch = { time = \"always\" }", "time: \"always\" isn't a time of the week"),
        ("[[route]]\nmatch = { host = \"\" }", "an empty pattern matches nothing"),
        ("[[route]]\nintegration = \"defualt\"", "did you mean \"default\"?"),
        ("[[route]]\nmention = \"alice\"", "mention: \"alice\" isn't a user, group, channel or e-mail"),
        ("[[route]]\ncontinue = \"true\"", "remove the quotes"),
        ("[route]\nto = \"#a\"", "start each one with [[route]]"),
        ("[message]\nredact = \"(\"", "isn't a regular expression"),
        ("[message]\nthread = \"on\"", "\"on\" is not known"),
        ("[storm]\nthreshold = 0", "a whole number of at least 1"),
        ("[storm]\nthreshold = \"5\"", "a whole number of at least 1"),
        ("[message]\nfields = \"adress\"", "did you mean \"address\"?"),
        ("[outbox]\nmax_age = \"3 weeks\"", "max_age: \"3 weeks\" isn't a duration"),
        ("[core]\nkind = \"nagois\"", "did you mean \"nagios\"?"),
        ("[core]\nurl = \"monitoring\"", "url: \"monitoring\" isn't a web address"),
        ("[core]\nlivestatus = \"host:port\"", "livestatus: \"host:port\" isn't a Livestatus address"),
        ("[core]\napi_url = \"https://h\"", "api_url: this kind of core has no API"),
        ("[core]\nkind = \"icinga2\"\napi_url = \"https://h\"", "add api_user and api_password (or its _file)"),
        ("[core]\nkind = \"icinga2\"\napi_url = \"http://h\"", "plain http would send the secret readable"),
        ("[core]\nkind = \"openitcockpit\"\napi_key = \"k\"", "add api_url"),
        ("[core]\nstatusfile = \"x\"", "did you mean \"status_file\"?"),
        ("[acknowledge]\nstiky = true", "did you mean \"sticky\"?"),
        ("[acknowledge]\ncomment = \"never\"", "\"optional\" or \"required\""),
        ("[acknowledge]\nexpire = \"5s\"", "expire: \"5s\" is too short"),
        ("[access]\nguest = true", "did you mean \"guests\"?"),
        ("[access.people]\nalice = \"alice\"", "\"alice\" in [access.people] isn't a person"),
        ("[access.people]\nU0123ABCDEF = []", "must be one contact"),
        ("[[access.rule]]\nhost = \"a\"", "a rule without allow or deny"),
        ("[[access.rule]]\nallow = \"*\"\ndeny = \"*\"", "a rule can't both allow and deny"),
        ("[[access.rule]]\nallow = \"alice\"", "allow: unknown subject \"alice\" in [access]"),
        ("[[access.rule]]\nallow = \"*\"\naction = \"ack\"", "action: \"ack\" is not known"),
        ("[[access.rule]]\nallow = \"*\"\nchannel = \"#ops\"", "channel: \"#ops\" isn't a channel's id"),
        ("[[access.rule]]\nallow = \"*\"\nhosts = \"a\"", "unknown key \"hosts\" in [[access.rule]]"),
        ("[listen]\nhttp = \"localhost\"", "http: \"localhost\" isn't an address to listen on"),
        ("[listen]\nhtpp = \"127.0.0.1:1\"", "did you mean \"http\"?"),
        ("[listen]\ntls_key = \"k.pem\"", "\"tls_key\" is given without \"tls_cert\""),
        ("[listen]\npublic_url = \"http://h\"", "public_url: Slack calls https addresses only"),
        ("[listen]\npublic_url = \"h\"", "public_url: \"h\" isn't a web address"),
        ("[listen]\nsocket_mode = true", "socket_mode has no effect"),
        ("[listen]\nsocket_mode = \"false\"", "remove the quotes"),
        ("[integrations.second]\ndescription = \"x\"", "[integrations.second] has no way to post"),
        ("[integrations.second]\nbot_token = \"xoxp-1\"", "that is a person's token"),
        ("[integrations.second]\nbot_token = \"https://hooks.slack.com/x\"", "put a webhook's into webhook_url"),
        ("[integrations.second]\nwebhook_url = \"xoxb-1\"", "put it into bot_token"),
        ("[integrations.second]\nwebhook_url = \"http://example.com/x\"", "plain http would send the secret readable"),
        ("[integrations.second]\nwebhook_url = \"\"", "[integrations.second] has no way to post"),
        ("[integrations.second]\nwebhook_url_file = \"gone\"", "No such file or directory"),
        (
            "[integrations.second]\nbot_token = \"xoxb-1\"\nbot_token_file = \"x\"",
            "both \"bot_token\" and \"bot_token_file\" are given",
        ),
        ("[integrations.second]\nbot_token = \"xoxb-1 2\"", "it has blanks"),
        ("[integrations.second]\nbot_token = \"xoxb-1\"\nproxy = \"proxy:3128\"", "it isn't a proxy address"),
        (
            "[integrations.second]\nbot_token = \"xoxb-1\"\nflavor = \"teams\"",
            "\"slack\", \"mattermost\", \"rocketchat\" or \"discord\"",
        ),
        ("[integrations.second]\nbot_token = \"xoxb-1\"\nca_file = \"/gone.pem\"", "ca_file /gone.pem: No such file"),
        ("[integrations.second]\nbot_token = \"xoxb-1\"\nstate_dir = \"/x\"", "unknown key \"state_dir\""),
        ("x = ", "a.toml:4:"),
    ] {
        let reported = problems("a.toml", &format!("{SLACK}{rest}\n"));
        assert!(reported.contains(expected), "{rest}\n{reported}");
    }
}

#[test]
fn an_installation_that_is_shared_needs_a_key_to_seal_it() {
    let app = "[slack]\nclient_id = \"1.2\"\nclient_secret = \"s\"\n";
    let database = "[database]\nurl = \"postgres://localhost/o\"\n";
    let said = |more: &str| problems("a.toml", &format!("{app}{more}{database}"));
    let none = said("");
    assert!(
        none.contains(
            "\"default\" is installed by a browser, and [database] has no key_file to seal its token with\n  write"
        ),
        "{none}"
    );
    assert!(none.contains("openssl rand -base64 32") && none.contains("bot_token_file"), "{none}");
    for more in ["bot_token = \"xoxb-1\"\n", "enabled = false\n"] {
        assert!(!said(more).contains("key_file"), "{}", said(more));
    }
    assert!(!problems("a.toml", app).contains("[database]"));

    let directory = tempfile::tempdir().unwrap();
    let key = directory.path().join("seal-key");
    let with_key = |text: &str, mode| {
        fs::write(&key, text).unwrap();
        fs::set_permissions(&key, fs::Permissions::from_mode(mode)).unwrap();
        let named = format!("{app}[listen]\nhttp = \"127.0.0.1:1\"\n{database}key_file = \"{}\"\n", key.display());
        problems("a.toml", &named).replace(&format!("{}/", directory.path().display()), "")
    };
    let good = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n";
    assert!(!with_key(good, 0o640).contains("key_file"), "{}", with_key(good, 0o640));
    assert!(with_key(good, 0o644).contains("seal-key holds a secret and everybody may read it (mode 0644)"));
    assert!(with_key(good, 0o660).contains("seal-key holds a secret and others may write it"));
    for (text, wrong) in [
        ("", "key_file seal-key: it has no key"),
        ("c2hvcnQ=\n", "key_file seal-key: line 1 is a key of 5 bytes, and it must be 32"),
        ("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\nsecret!\n", "key_file seal-key: line 2 isn't valid base64"),
    ] {
        let said = with_key(text, 0o640);
        assert!(said.contains(wrong) && said.contains("openssl rand -base64 32"), "{said}");
        assert!(!said.contains("c2hvcnQ") && !said.contains("secret!"), "{said}");
    }
    fs::remove_file(&key).unwrap();
    let gone = problems("a.toml", &format!("{app}{database}key_file = \"gone\"\n"));
    assert!(gone.contains("key_file: can't read gone: No such file"), "{gone}");
    assert!(!gone.contains("has no key_file"), "one mistake is told once: {gone}");
}

#[test]
fn json_has_places_too() {
    let text = "{\n  \"slack\": {\n    \"webhook_url\": \"https://h/x\",\n    \"colour\": true\n  }\n}";
    assert!(
        problems("a.json", text)
            .starts_with("a.json:4:5: unknown key \"colour\" in [slack]\n  4 |     \"colour\": [redacted]\n")
    );
    assert!(problems("a.json", "{\"slack\": {},}").contains("trailing commas are not allowed"));
}

#[test]
fn readable_and_writable_secret_files_are_told() {
    let directory = tempfile::tempdir().unwrap();
    let (config, secret) = (directory.path().join("a.toml"), directory.path().join("hook"));
    fs::write(&config, "[slack]\nwebhook_url_file = \"hook\"\n").unwrap();
    fs::write(&secret, "https://hooks.slack.com/services/T/B/x\n").unwrap();
    let set = |mode| fs::set_permissions(&secret, fs::Permissions::from_mode(mode)).unwrap();
    set(0o640);
    let (good, warnings) = load(Some(&config), &Environment::default()).unwrap();
    assert!(warnings.is_empty(), "{warnings:?}");
    assert_eq!(good.integrations[0].webhook_url().unwrap().expose(), "https://hooks.slack.com/services/T/B/x");
    assert_eq!(good.sources, [config.clone(), secret.clone()]);
    set(0o644);
    let (_, warnings) = load(Some(&config), &Environment::default()).unwrap();
    assert!(warnings[0].to_string().contains("everybody may read it (mode 0644)"), "{warnings:?}");
    set(0o662);
    assert!(load(Some(&config), &Environment::default()).unwrap_err().to_string().contains("others may write it"));
}

#[test]
fn the_environment_configures_the_default_only() {
    let env = env(&[("SLACK_BOT_TOKEN", "xoxb-env"), ("SLACK_SECRET", "s3"), ("SLACK_APP_CLIENT_ID", "1.2")]);
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("a.toml");
    fs::write(&config, "[slack]\nchannel = \"#ops\"\n[integrations.b]\nwebhook_url = \"https://h/x\"\n").unwrap();
    fs::set_permissions(&config, fs::Permissions::from_mode(0o640)).unwrap();
    let (config, _) = load(Some(&config), &env).unwrap();
    let [default, second] = config.integrations.as_slice() else { panic!() };
    assert_eq!(default.bot_token().unwrap().expose(), "xoxb-env");
    assert_eq!((default.signing_secrets.len(), default.client_id.as_deref()), (1, Some("1.2")));
    assert!(second.bot_token().is_none() && second.signing_secrets.is_empty());
}

#[test]
fn the_http_door_is_where_it_is_said_or_where_a_secret_makes_sense_of_it() {
    const SLACK: &str = "[slack]\nbot_token = \"xoxb-1\"\nchannel = \"#ops\"\n";
    const SECRET: &str = "signing_secret = \"s\"\n";
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.toml");
    for (rest, expected) in [
        (String::new(), None),
        (SECRET.to_owned(), Some("127.0.0.1:9277")),
        (format!("{SECRET}[listen]\nhttp = \"none\"\n"), None),
        // Whoever clicks there is told that it is disabled.
        (format!("{SECRET}enabled = false\n"), Some("127.0.0.1:9277")),
        ("[listen]\npublic_url = \"https://a.example.com\"\n".to_owned(), None),
        ("[listen]\nhttp = \"[::1]:80\"\ntls_cert = \"c.pem\"\ntls_key = \"/k.pem\"\n".to_owned(), Some("[::1]:80")),
    ] {
        fs::write(&path, format!("{SLACK}{rest}")).unwrap();
        let (config, _) = load(Some(&path), &Environment::default()).unwrap_or_else(|e| panic!("{e}"));
        let address = config.listen.address(&config.integrations).map(|address| address.to_string());
        assert_eq!(address.as_deref(), expected, "{rest}");
        let files = config.listen.tls.map(|tls| [tls.cert, tls.key]);
        let expected = rest.contains("tls").then(|| [directory.path().join("c.pem"), PathBuf::from("/k.pem")]);
        assert_eq!(files, expected);
        assert_eq!(config.sources.len(), if rest.contains("tls") { 3 } else { 1 });
    }
}

#[test]
fn what_is_shown_has_no_secret() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.toml");
    let text = "[slack]\nbot_token = \"xoxb-hidden\"\nsigning_secret = [\"hidden1\", \"hidden2\"]\nchannel = \"#ops\"\n\
        proxy = \"http://u:hidden@p:1\"\n[core]\nkind = \"icinga2\"\napi_url = \"https://h:5665\"\napi_user = \"u\"\n\
        api_password = \"hidden\"\n[integrations.b]\nwebhook_url = \"https://h/services/hidden\"\n";
    fs::write(&path, text).unwrap();
    let (config, _) = load(Some(&path), &Environment::default()).unwrap_or_else(|e| panic!("{e}"));
    for shown in [show(&config), show_json(&config).to_string(), format!("{config:?}")] {
        assert!(!shown.contains("hidden"), "{shown}");
    }
}

#[test]
fn mistakes_about_relays_have_their_remedies() {
    for (text, expected) in [
        ("[relay]\ntoken = \"0123456789abcdef0123456789abcdef\"", "[relay] has no \"to\""),
        ("[relay]\nto = \"https://h\"", "[relay] has no token"),
        ("[relay]\nto = \"http://h\"", "to: plain http would send the secret readable"),
        (
            "[relay]\nto = \"https://h\"\ntoken = \"0123456789abcdef0123456789abcdef\"\nclient_cert = \"c\"",
            "client_cert and client_key belong together",
        ),
        ("[listen]\nclient_ca = \"c\"", "client_ca has no effect without tls_cert"),
        ("[relay]\nto = \"https://h\"\ntoken = \"short\"", "make one with `ackbell relay-token`"),
        ("[core]\nrelay_token = \"0123456789abcdef0123456789abcdef\"", "write [cores.NAME]"),
        (
            "[cores.a]\nrelay_token = \"0123456789abcdef0123456789abcdef\"\nmain_config = \"n.cfg\"",
            "move it to [core] in the relay's configuration",
        ),
        (
            "[cores.a]\nrelay_token = \"0123456789abcdef0123456789abcdef\"\n[listen]\nhttp = \"0.0.0.0:1\"",
            "relay tokens would be sent unencrypted to 0.0.0.0:1",
        ),
        (
            "[cores.a]\nrelay_token = \"0123456789abcdef0123456789abcdef\"\n[listen]\nhttp = \"none\"",
            "no HTTP listener that it could reach",
        ),
        (
            "[cores.a]\nrelay_token = \"0123456789abcdef0123456789abcdef\"\n\
             [cores.b]\nrelay_token = \"0123456789abcdef0123456789abcdef\"",
            "have the same relay token",
        ),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.toml");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let e = load(Some(&path), &Environment::default()).unwrap_err().to_string();
        assert!(e.contains(expected), "{text}: {e}");
    }
}

#[test]
fn cores_and_access_are_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.toml");
    let text = "[core]\nlivestatus = \"tcp:mon:6557\"\ncommand_file = \"nagios.cmd\"\n[cores.b]\nkind = \"openitcockpit\"\n\
        api_url = \"https://h/\"\napi_key = \"k\"\nlivestatus = \"/run/live\"\n[access]\nask = \"#help\"\n\
        [access.people]\n\"Alice@Example.com\" = \"alice\"\n[[access.rule]]\nallow = [\"@DBA\", \"U0123ABCDEF\"]\nhost = \"db*\"\n\
        [acknowledge]\nexpire = []\ncomment = \"required\"\n";
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let (config, _) = load(Some(&path), &Environment::default()).unwrap_or_else(|e| panic!("{e}"));
    let [first, second] = config.cores.as_slice() else { panic!() };
    assert_eq!(first.livestatus, Some(LivestatusAddress::Tcp("mon:6557".into()).into()));
    assert_eq!(first.command_file.as_deref(), Some(directory.path().join("nagios.cmd").as_path()));
    assert_eq!(second.livestatus, Some(LivestatusAddress::Unix("/run/live".into()).into()));
    assert_eq!(second.api.as_ref().unwrap().urls, ["https://h"]);
    assert_eq!(config.access.people.get(&Who::Email("alice@example.com".into())).map(String::as_str), Some("alice"));
    let rule = &config.access.rules[0];
    assert_eq!((rule.allows, rule.line), (true, 13));
    assert_eq!(rule.who, [Who::Group("dba".into()), Who::User("U0123ABCDEF".into())]);
    assert_eq!(config.acknowledge.comment, CommentRule::Required);
    assert!(config.acknowledge.sticky && config.acknowledge.expire.is_empty());
    let shown = show_json(&config);
    assert_eq!(shown["access"]["rule"][0]["allow"], serde_json::json!(["@dba", "U0123ABCDEF"]));
}

#[test]
fn the_default_is_good_and_so_are_its_samples() {
    let directory = tempfile::tempdir().unwrap();
    for (name, value) in [
        ("webhook-url", "https://hooks.slack.com/services/x"),
        ("bot-token", "xoxb-1"),
        ("second-bot-token", "xoxb-2"),
        ("icinga-password", "p"),
        ("signing-secret", "s"),
        ("app-token", "xapp-1"),
        ("intake-token", "0123456789abcdef"),
        ("db-password", "s"),
        ("seal-key", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="),
        ("client-secret", "s"),
        ("far.token", "0123456789abcdef0123456789abcdef"),
    ] {
        fs::write(directory.path().join(name), value).unwrap();
        fs::set_permissions(directory.path().join(name), fs::Permissions::from_mode(0o640)).unwrap();
    }
    let path = directory.path().join("a.toml");
    // A sample line is a comment that starts without a blank.
    let samples: String = DEFAULT
        .lines()
        .map(|line| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ') && !rest.is_empty()).unwrap_or(line))
        .filter(|line| !line.starts_with("ca_file") && !line.starts_with("api_ca_file"))
        .map(|line| format!("{line}\n"))
        .collect();
    for text in [DEFAULT.to_owned(), samples] {
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let (_, warnings) = load(Some(&path), &Environment::default()).unwrap_or_else(|e| panic!("{e}"));
        assert!(warnings.is_empty(), "{warnings:?}");
    }
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "(\\[{1,2}[a-z.]{1,12}\\]{1,2}\n|[a-z_]{1,12} ?= ?.{0,20}\n|.{0,20}\n){0,12}", json in "[{}\\[\\]\",:a-z0-9]{0,60}") {
        let _ = problems("a.toml", &text);
        let _ = problems("a.json", &json);
    }
}

#[test]
fn a_file_that_is_being_written_is_waited_for() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.toml");
    fs::write(&path, "").unwrap();
    let text = format!("state_dir = \"{}\"\n[slack]\nenabled = false\n", directory.path().display());
    let found = std::thread::scope(|scope| {
        let loaded = scope.spawn(|| load(Some(&path), &Environment::default()).unwrap().0.integrations.len());
        std::thread::sleep(Duration::from_millis(30));
        fs::write(&path, text).unwrap();
        loaded.join().unwrap()
    });
    assert_eq!(found, 1, "not the configuration of an empty file");
}

#[test]
fn a_core_may_have_several_addresses() {
    let read = |lines: &str| {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.toml");
        fs::write(&path, format!("[cores.a]\nkind = \"icinga2\"\napi_user = \"u\"\napi_password = \"p\"\n{lines}"))
            .unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        load(Some(&path), &Environment::default()).map(|(config, _)| config).map_err(|e| e.to_string())
    };
    let config =
        read("api_url = [\"https://a/\", \"https://b\"]\nlivestatus = [\"unix:/live\", \"tcp:h:6557\"]\n").unwrap();
    assert_eq!(config.cores[0].api.as_ref().unwrap().urls, ["https://a", "https://b"]);
    assert_eq!(config.cores[0].livestatus.as_ref().unwrap().to_string(), "/live, tcp:h:6557");
    let shown = &show_json(&config)["cores"][0];
    assert_eq!(shown["api_url"], serde_json::json!(["https://a", "https://b"]));
    assert_eq!(shown["livestatus"], serde_json::json!(["/live", "tcp:h:6557"]));
    for (lines, expected) in [
        ("api_url = [\"https://a\", \"https://a/\"]\n", "5:25: api_url: \"https://a/\" is in the list twice"),
        ("livestatus = \"tls:h\"\n", "livestatus: \"tls:h\" isn't a Livestatus address"),
        ("livestatus = \"h:1\"\nlivestatus_tls_name = \"x\"\n", "have no effect without TLS"),
        ("livestatus = \"tls:h:1\"\nlivestatus_ca_file = \"/none\"\n", "livestatus_ca_file /none: No such file"),
        (
            "livestatus = \"tls:h:1\"\nlivestatus_tls_name = \"a b\"\n",
            "\"a b\" isn't a name that a certificate can have",
        ),
        ("api_url = \"https://a\"\nlivestatus = []\n", "livestatus: the list is empty"),
        ("api_url = [\"https://a\", \"http://b\"]\n", "plain http would send the secret"),
        ("api_url = [\"https://a\"]\nlivestatus = [\"h:6557\", 7]\n", "must be a string or a list of strings"),
        ("api_url = []\n", "api_url: the list is empty"),
    ] {
        let refused = read(lines).unwrap_err();
        assert!(refused.contains(expected), "{refused}");
    }
}

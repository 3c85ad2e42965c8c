//! `ackbell doctor` against everything a user can meet in the first hour: each has its own sentence and its remedy.

use crate::harness::nagios::Nagios;
use crate::harness::on_call::{OnCall, Way};
use crate::harness::process::{ACKBELL, free_port, text};
use crate::harness::sandbox::{Sandbox, TOKEN};
use crate::harness::site::Site;
use crate::harness::wait;
use serde_json::json;
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// The exit code and what it said; in UTF-8, without colours.
fn examine(site: &Site, arguments: &[&str]) -> (i32, String) {
    let done = site.command(&[&["doctor"], arguments].concat()).env("LANG", "C.UTF-8").output().unwrap();
    assert_eq!(text(&done.stderr), "");
    plain(site, &done)
}

/// The exit code and the text; commands to paste name the configuration, which is left out here.
fn plain(site: &Site, done: &Output) -> (i32, String) {
    let named = format!("ackbell --config {} ", site.config().display());
    (done.status.code().unwrap(), text(&done.stdout).replace(&named, "ackbell "))
}

/// Some hop's line, with its remedy.
#[track_caller]
fn assert_said(said: &str, mark: &str, hop: &str, found: &str, remedy: &str) {
    let line = format!("{mark} {hop:<22} {found}\n");
    let arrow = format!("  {:<22} → {remedy}\n", "");
    let expected = if remedy.is_empty() { line } else { line + &arrow };
    assert!(said.contains(&expected), "wanted:\n{expected}\ngot:\n{said}");
}

fn token_site(sandbox: &Sandbox, more: &str) -> Site {
    let site = Site::with_token(sandbox, more);
    fs::create_dir_all(site.state("")).unwrap();
    site
}

#[test]
#[ignore = "needs nagios4 and root: tests/run"]
fn all_is_well_from_the_configuration_to_the_core() {
    let mut night = OnCall::with_nagios(Way::SocketMode, "");
    wait::until("its report", || night.site.state("listener.json").exists());
    let core = &mut night.core;
    let run = |arguments: &[&str]| {
        let mut command = Command::new(ACKBELL);
        command.arg("--config").arg(core_path(core)).args(arguments).env_clear().env("LANG", "C.UTF-8");
        command
    };
    let done = run(&["doctor", "--send"]).output().unwrap();
    let said = text(&done.stdout);
    let marks: String = said.lines().filter_map(|line| line.chars().next()).collect();
    assert!(marks.chars().all(|mark| mark == '✓') && marks.chars().count() >= 15, "{said}");
    assert_eq!(done.status.code(), Some(0));
    assert_said(&said, "✓", "[default] #ops", "public, @ackbell is in it", "");
    assert_said(&said, "✓", "commands", "the core takes them by its command file", "");
    assert!(night.sandbox.texts()[0].contains("MESSAGE"), "{:?}", night.sandbox.texts());
    let root = core.path("");
    let root = root.display();
    assert_said(&said, "✓", "shell lines", "no text from outside can run as a command", "");
    unsafe_lines_are_told(core);
    // Switched off, then stopped: an administrator's two classics.
    core.set_in_main("check_external_commands=1", "check_external_commands=0");
    let done = run(&["doctor"]).output().unwrap();
    let disabled = "the monitoring core takes no commands: check_external_commands=0 in its main configuration; set it to 1 and restart the core";
    let remedy = "in nagios.cfg: check_external_commands=1; then systemctl restart nagios4 (nagios, naemon)";
    assert_said(&text(&done.stdout), "✗", "commands", disabled, remedy);
    assert_eq!(done.status.code(), Some(78));
    core.set_in_main("check_external_commands=0", "check_external_commands=1");
    core.halt();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(ACKBELL);
        command.arg("--config").arg(core_path(core)).args(arguments).env_clear().env("LANG", "C.UTF-8");
        command
    };
    let done = run(&["doctor"]).output().unwrap();
    let found = format!(
        "the monitoring core isn't running: nobody reads its command file {root}rw/nagios.cmd; start it and try again"
    );
    assert_said(&text(&done.stdout), "✗", "commands", &found, "systemctl restart nagios4 (nagios, naemon)");
    assert_eq!(done.status.code(), Some(69));
}

/// Without the lines that take quotes out, and with a definition of an older ackbell: by `doctor`, `check` and `setup`.
fn unsafe_lines_are_told(core: &Nagios) {
    let run = |arguments: &[&str]| {
        let mut command = Command::new(ACKBELL);
        command.arg("--config").arg(core_path(core)).args(arguments).env_clear().env("LANG", "C.UTF-8");
        command.env("PATH", "/usr/bin:/bin").stdin(Stdio::null()).output().unwrap()
    };
    let (main, cache) = (core.path("nagios.cfg"), core.path("objects.cache"));
    let (before, objects) = (fs::read_to_string(&main).unwrap(), fs::read_to_string(&cache).unwrap());
    fs::write(&main, before.replace("illegal_", "#illegal_")).unwrap();
    let old = objects.replace("--contact '$CONTACTNAME$'", "--hostalias '$HOSTALIAS$'");
    fs::write(&cache, old.replace("Web server 1", "Bob's laptop")).unwrap();
    let shown = main.display();
    let output = format!(
        "{shown} has no illegal_macro_output_chars, and it has no default: what a monitored machine prints can run commands as the core's user"
    );
    let definition = "the command notify-host-by-ackbell has $HOSTALIAS$ on its shell line: whoever may write that can run commands as the core's user";
    let quote = "a quote in web01's alias: by such a definition no notification about it arrives";
    let remedy = "set illegal_macro_output_chars=`~$&|'\"<> there, and restart the core";
    let done = run(&["doctor"]);
    let said = text(&done.stdout);
    assert_said(&said, "✗", "shell lines", &output, remedy);
    let commands =
        "ackbell commands nagios prints definitions without them; put them in the old ones' place and reload the core";
    let named =
        commands.replace("ackbell commands", &format!("ackbell --config {} commands", core_path(core).display()));
    assert!(said.contains(definition) && (said.contains(commands) || said.contains(&named)), "{said}");
    assert!(said.contains(quote) && said.contains("has no illegal_object_name_chars"), "{said}");
    assert_eq!(done.status.code(), Some(78));
    let said = text(&run(&["check"]).stdout);
    assert!(said.starts_with("ACKBELL WARNING - "), "{said}");
    let parts = [&*output, definition, quote, " doctor says what to set"];
    assert!(parts.iter().all(|part| said.contains(part)), "{said}");
    fs::create_dir_all(core.path("conf.d")).unwrap();
    let hook = core.path("hook");
    fs::write(&hook, "https://hooks.slack.com/services/T0/B0/x").unwrap();
    let (main, hook) = (main.display().to_string(), hook.display().to_string());
    let definitions = core.path("conf.d/new.cfg").display().to_string();
    let rest = ["--webhook-url-file", &hook, "--definitions", &definitions];
    // Root follows only a configuration of its own: the site's is the core's.
    let own = tempfile::tempdir().unwrap();
    let config = own.path().join("ackbell.toml").display().to_string();
    let words = ["--config", &config, "setup", "--yes", "--dry-run", "--no-message", "--main-config", &main];
    let mut setup = Command::new(ACKBELL);
    setup.args([&words[..], &rest[..]].concat()).env_clear().env("LANG", "C.UTF-8").env("PATH", "/usr/bin:/bin");
    let done = setup.stdin(Stdio::null()).output().unwrap();
    let said = text(&done.stdout) + &text(&done.stderr);
    assert!(
        said.contains(&format!("! no definitions are written: {output}\n  {remedy}; then run setup again")),
        "{said}"
    );
    assert!(said.contains(&format!("! {definition}")), "{said}");
    fs::write(core.path("nagios.cfg"), before).unwrap();
    fs::write(&cache, objects).unwrap();
}

fn core_path(core: &Nagios) -> std::path::PathBuf {
    core.path("ackbell.toml")
}

#[test]
#[ignore = "needs root: tests/run"]
fn a_command_file_that_is_missing_plain_or_forbidden_is_told_apart() {
    let sandbox = Sandbox::start(&[]);
    let site = token_site(&sandbox, "[core]\ncommand_file = \"cmd\"\n");
    let path = site.dir.path().join("cmd");
    let shown = path.display();
    let (code, said) = examine(&site, &[]);
    let found = format!("the monitoring core isn't running, or takes no commands: there is no command file {shown}");
    let remedy =
        format!("systemctl status nagios4 (nagios, naemon); grep command_file in its main configuration: {shown}?");
    assert_said(&said, "✗", "commands", &found, &remedy);
    assert_eq!(code, 69);
    fs::write(&path, "").unwrap();
    let (code, said) = examine(&site, &[]);
    let found = format!("{shown} isn't a command file (a FIFO); set command_file in [core]");
    assert_said(&said, "✗", "commands", &found, &format!("rm {shown}; then restart the core, which makes its FIFO"));
    assert_eq!(code, 78);
    fs::remove_file(&path).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
    let (code, said) = as_nobody(&site);
    let found =
        format!("ackbell may not write to the command file {shown}; its user must be in the file's group, see `ls -l`");
    let remedy = format!("ls -l {shown}; usermod -aG ITS-GROUP USER, or sudo -u nagios ackbell doctor");
    assert_said(&said, "✗", "commands", &found, &remedy);
    let state = site.state("");
    let state = state.to_str().unwrap().trim_end_matches('/').to_owned();
    let found = format!("{state}/ belongs to root, nobody may not write it");
    let remedy = format!("sudo -u root ackbell doctor; or give it away: chown -R nobody {state}");
    assert_said(&said, "✗", "state directory", &found, &remedy);
    assert_eq!(code, 77);
}

/// As a user who may read the configuration and nothing else.
fn as_nobody(site: &Site) -> (i32, String) {
    use std::os::unix::process::CommandExt;
    let ackbell = site.dir.path().join("ackbell");
    crate::harness::process::copy_ackbell(&ackbell);
    for (path, mode) in [(site.dir.path().to_owned(), "0755"), (site.config(), "0644"), (site.state(""), "0755")] {
        assert!(Command::new("chmod").arg(mode).arg(path).status().unwrap().success());
    }
    let mut command = Command::new(ackbell);
    command.arg("--config").arg(site.config()).arg("doctor").env_clear().env("LANG", "C.UTF-8").uid(65534).gid(65534);
    plain(site, &command.output().unwrap())
}

#[test]
fn a_configuration_that_is_broken_readable_by_all_or_by_nobody() {
    let sandbox = Sandbox::start(&[]);
    let site = token_site(&sandbox, "");
    let good = fs::read_to_string(site.config()).unwrap();
    fs::write(site.config(), format!("{good}[slak]\n")).unwrap();
    let (code, said) = examine(&site, &[]);
    assert_eq!(code, 78);
    let first = said.lines().take(2).collect::<Vec<_>>().join("\n");
    assert_eq!(
        first,
        format!(
            "✗ {:<22} line 6:2: unknown key \"slak\" in the file\n  {:<22} → did you mean \"slack\"?; ackbell config check shows all",
            "configuration", ""
        )
    );
    fs::write(site.config(), &good).unwrap();
    Command::new("chmod").arg("0644").arg(site.config()).status().unwrap();
    let (code, said) = examine(&site, &[]);
    let path = site.config();
    let found = format!("{} holds a secret and everybody may read it (mode 0644)", path.display());
    assert_said(&said, "!", "configuration", &found, &format!("chmod 0640 {}", path.display()));
    assert_eq!(code, 0, "{said}");
}

#[test]
fn tokens_scopes_and_places_are_told_apart() {
    let sandbox = Sandbox::start(&[]);
    let refused = |error: &str| sandbox.tell("state", &json!({"tokens": {TOKEN: {"error": error}}}));
    let site =
        token_site(&sandbox, "[[route]]\nto = [\"#old\", \"#secret\", \"C0SECRET01\", \"@nobody@example.com\"]\n");
    let (code, said) = examine(&site, &[]);
    assert_eq!(code, 77);
    assert_said(
        &said,
        "✗",
        "[default] #old",
        "#old is archived",
        "in Slack: unarchive #old, or name another channel in the configuration",
    );
    let found = "no such channel, or a private one that @ackbell isn't in";
    let remedy = "in that channel type /invite @ackbell; and write a private channel's id (C...)";
    assert_said(&said, "✗", "[default] #secret", found, remedy);
    let found = "channel_not_found: there is no channel C0SECRET01, or it is private and @ackbell isn't in it";
    assert_said(&said, "✗", "[default] C0SECRET01", found, "in that channel type /invite @ackbell");
    let found = "nobody in this workspace has that address or id";
    assert_said(
        &said,
        "✗",
        "[default] @nobody@example.com",
        found,
        "correct it, or invite the person into the workspace",
    );
    let site = token_site(&sandbox, "[[route]]\nto = [\"#general\"]\n");
    sandbox.tell("state", &json!({"tokens": {TOKEN: {"scopes": "channels:read,groups:read"}}}));
    let (code, said) = examine(&site, &[]);
    assert_eq!(code, 77);
    let add = |scope: &str| format!("api.slack.com/apps, OAuth & Permissions: add {scope}, then reinstall the app");
    assert_said(
        &said,
        "✗",
        "[default] scopes",
        "chat:write is missing: posting and editing messages",
        &add("chat:write"),
    );
    let found = "chat:write.public is missing: posting into public channels without an invitation";
    assert_said(&said, "!", "[default] scopes", found, &add("chat:write.public"));
    assert_said(
        &said,
        "✗",
        "[default] #general",
        "@ackbell isn't in this public channel",
        "in #general type /invite @ackbell",
    );
    refused("account_inactive");
    let (code, said) = examine(&site, &[]);
    let remedy =
        "the app was removed: install it again (api.slack.com/apps, Install App) and put the new token into bot_token";
    assert_said(&said, "✗", "[default] token", "Slack refuses the bot token: account_inactive", remedy);
    assert_eq!(code, 77);
    let wrong = fs::read_to_string(site.config()).unwrap().replace(TOKEN, "xoxb-wrong");
    fs::write(site.config(), wrong).unwrap();
    let (code, said) = examine(&site, &[]);
    let remedy = "copy the Bot User OAuth Token again (api.slack.com/apps, OAuth & Permissions) into bot_token";
    assert_said(&said, "✗", "[default] token", "Slack refuses the bot token: invalid_auth", remedy);
    assert_eq!(code, 77);
    assert!(!said.contains("xoxb-wrong"));
    let (code, said) = examine(&site, &["--integration", "second"]);
    assert_said(&said, "✗", "integration", "there is no integration \"second\"", "known: default");
    assert_eq!(code, 78);
}

#[test]
fn a_clock_off_by_ten_minutes_is_told() {
    let sandbox = Sandbox::start(&[]);
    sandbox.tell("state", &json!({"clock_shift_seconds": 600}));
    let (code, said) = examine(&token_site(&sandbox, ""), &[]);
    let line = said.lines().find(|line| line.contains("clock")).unwrap();
    let (start, end) =
        ("this machine's clock is ", " s behind Slack's: clicks are refused as too old or from the future");
    assert!(line.starts_with("✗") && line.contains(start) && line.ends_with(end), "{said}");
    assert!(said.contains("→ timedatectl set-ntp true; then timedatectl status\n"), "{said}");
    assert_eq!(code, 78);
}

#[test]
fn a_revoked_webhook_is_told_when_it_is_tried() {
    let sandbox = Sandbox::start(&["--burst", "5"]);
    let site = Site::with_webhook(&sandbox);
    let (code, said) = examine(&site, &["--send"]);
    assert_said(&said, "✓", "[default] test message", "posted: see Slack", "");
    assert_eq!((code, sandbox.messages().len()), (0, 1), "{said}");
    let path = "/services/T0SANDBOX/B0000001/x";
    sandbox.tell("state", &json!({"webhooks": [{"path": path, "status": 404, "body": "no_service"}]}));
    let (code, said) = examine(&site, &["--send"]);
    let remedy =
        "the webhook was revoked: make a new one (api.slack.com/apps, Incoming Webhooks) and put it into webhook_url";
    assert_said(&said, "✗", "[default] test message", "Slack refuses it: 404 no_service", remedy);
    assert_eq!(code, 77);
    sandbox.assert_respected();
}

#[test]
fn every_obstacle_on_the_way_has_its_own_sentence() {
    let way = |slack: &str| {
        let site = Site::new(&format!("[slack]\nbot_token = \"{TOKEN}\"\nchannel = \"#ops\"\n{slack}"));
        let (code, said) = examine(&site, &["--integration", "default"]);
        assert_eq!(code, 69, "{said}");
        said
    };
    let said = way("api_url = \"https://nowhere.invalid/api/\"\n");
    let remedy = "getent hosts nowhere.invalid; repair /etc/resolv.conf, or set proxy in the configuration";
    assert_said(&said, "✗", "[default] way", "the name nowhere.invalid can't be resolved", remedy);
    let port = free_port();
    let said = way(&format!("api_url = \"http://127.0.0.1:{port}/api/\"\n"));
    let remedy = format!("curl -v http://127.0.0.1:{port}/; correct api_url, or the firewall");
    assert_said(&said, "✗", "[default] way", &format!("127.0.0.1:{port} refuses the connection"), &remedy);
    let said = way(&format!("proxy = \"http://127.0.0.1:{port}\"\n"));
    let found = format!("the proxy 127.0.0.1:{port} doesn't let us through to slack.com: it refuses the connection");
    let remedy = format!(
        "curl -v -x http://127.0.0.1:{port} https://slack.com/; then correct proxy (user, password), or set proxy = \"none\""
    );
    assert_said(&said, "✗", "[default] way", &found, &remedy);
    let stranger = refusing_proxy();
    let said = way(&format!("proxy = \"http://user:hidden@127.0.0.1:{stranger}\"\n"));
    assert!(
        said.contains(&format!(
            "✗ {:<22} the proxy 127.0.0.1:{stranger} doesn't let us through to slack.com: ",
            "[default] way"
        )),
        "{said}"
    );
    assert!(said.contains("407") && !said.contains("hidden"), "{said}");
}

/// Says 407 to everybody.
fn refusing_proxy() -> u16 {
    use std::io::{BufRead, BufReader, Write};
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let head = BufReader::new(client.try_clone().unwrap()).lines().map_while(Result::ok);
            head.take_while(|line| !line.is_empty()).for_each(drop);
            let _ = client.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n");
        }
    });
    port
}

#[test]
fn an_unknown_ca_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let (cert, key) = certificate(dir.path());
    let arguments = ["--tls-cert", cert.to_str().unwrap(), "--tls-key", key.to_str().unwrap()];
    let sandbox = Sandbox::start(&arguments);
    let site = token_site(&sandbox, "");
    let (code, said) = examine(&site, &["--integration", "default"]);
    let host = sandbox.url.strip_prefix("https://").unwrap();
    let found = format!("the certificate of {host} is signed by a CA that the system's bundle doesn't know");
    let remedy = format!("openssl s_client -connect {host}; add that CA to a file and set ca_file = \"FILE\"");
    assert_said(&said, "✗", "[default] way", &found, &remedy);
    assert_eq!(code, 69);
    let config = fs::read_to_string(site.config()).unwrap();
    fs::write(site.config(), config.replace("[slack]\n", &format!("[slack]\nca_file = \"{}\"\n", cert.display())))
        .unwrap();
    let (code, said) = examine(&site, &["--integration", "default"]);
    assert_eq!(code, 0, "{said}");
}

/// A certificate for this machine that nobody signed but itself.
fn certificate(dir: &Path) -> (std::path::PathBuf, std::path::PathBuf) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned(), "localhost".to_owned()]).unwrap();
    let (cert, key) = (dir.join("cert.pem"), dir.join("key.pem"));
    fs::write(&cert, made.cert.pem()).unwrap();
    fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    (cert, key)
}

#[test]
fn signs_are_ascii_where_the_locale_is_and_json_is_whole() {
    let sandbox = Sandbox::start(&[]);
    let site = token_site(&sandbox, "");
    let done = site.run(&["doctor"]);
    assert!(text(&done.stdout).is_ascii(), "{}", text(&done.stdout));
    assert!(text(&done.stdout).starts_with("ok configuration"));
    let done = site.run(&["doctor", "--json"]);
    let said: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!((&said["ok"], &said["steps"][0]["mark"]), (&json!(true), &json!("ok")), "{said}");
}

/// Slack opens connections for the token of such an app, too; only the listener knows that nobody is served.
#[test]
fn an_app_whose_socket_mode_is_off_is_told_by_doctor_and_check_with_the_same_remedy() {
    let sandbox = Sandbox::start(&[]);
    let site = token_site(&sandbox, "app_token = \"xapp-sandbox-0000000000\"\n");
    sandbox.tell("state", &json!({"app": {"socket_mode": false}}));
    let listener = site.listen();
    let mut told = (0, String::new());
    wait::until("doctor sees it", || {
        told = examine(&site, &["--integration", "default"]);
        told.1.contains("Socket Mode is switched off in the app")
    });
    let (code, said) = told;
    assert_eq!(code, 77, "{said}");
    let line = said.lines().find(|line| line.contains("socket mode")).unwrap();
    assert!(line.starts_with("✗ [default] socket mode  Slack opens connections for the app token, but"), "{line}");
    assert!(said.contains("→ api.slack.com/apps, Socket Mode: switch it on; then: systemctl reload ackbell"), "{said}");
    drop(listener);
}

#[test]
fn a_configuration_as_the_package_brings_it_delivers_nothing_and_doctor_says_so() {
    let site = Site::new("[slack]\nenabled = false\n");
    let (code, said) = examine(&site, &[]);
    assert_eq!(code, 78, "{said}");
    let found = "no integration is enabled: nothing can be delivered, every notification waits";
    let remedy = "sudo ackbell setup; or give [slack] webhook_url or bot_token, and remove enabled = false";
    assert_said(&said, "✗", "integration", found, remedy);
}

/// The channels that no route names, and pictures, which need more than a message does.
#[test]
fn the_channels_of_the_switch_the_summary_and_of_pictures_are_looked_at() {
    let sandbox = Sandbox::start(&[]);
    let channels = json!([{"id": "C0AWAY0001", "name": "away", "member": false}]);
    sandbox.tell("state", &json!({"channels": channels}));
    let more = "[deadman]\nchannel = \"#nowhere\"\n[report]\nchannel = \"#away\"\n";
    let site = token_site(&sandbox, more);
    let (_, said) = examine(&site, &[]);
    let found = "no such channel, or a private one that @ackbell isn't in";
    let remedy = "in that channel type /invite @ackbell; and write a private channel's id (C...)";
    assert_said(&said, "✗", "[default] #nowhere", found, remedy);
    assert_said(&said, "✓", "[default] #away", "public; @ackbell isn't in it and doesn't need to be", "");
    let site = token_site(&sandbox, "[report]\nchannel = \"#away\"\n[curve]\npicture = true\n");
    let found = "public; @ackbell isn't in it: its threads get no pictures of curves";
    let (_, said) = examine(&site, &[]);
    assert_said(&said, "!", "[default] #away", found, "in #away type /invite @ackbell");
}

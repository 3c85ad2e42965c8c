//! `ackbell setup` as a person meets it: in a real terminal, beside a real core.

use crate::harness::nagios::Nagios;
use crate::harness::process::{ACKBELL, text};
use crate::harness::sandbox::{Sandbox, TOKEN};
use crate::harness::site::Site;
use crate::harness::wait;
use crate::screen::Screen;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// A machine with a core that doesn't run, and a directory for what setup writes.
struct Machine {
    sandbox: Sandbox,
    home: TempDir,
}

impl Machine {
    fn new() -> Self {
        let machine = Self { sandbox: Sandbox::start(&["--burst", "99"]), home: tempfile::tempdir().unwrap() };
        let main = "cfg_dir=conf.d\ncommand_file=rw/nagios.cmd\ncheck_external_commands=0\nnagios_user=nagios\n\
            illegal_object_name_chars=`~!$%^&*|'\"<>?,()=\nillegal_macro_output_chars=`~$&|'\"<>\n";
        fs::write(machine.path("naemon.cfg"), main).unwrap();
        fs::create_dir(machine.path("conf.d")).unwrap();
        machine
    }

    fn path(&self, inside: &str) -> PathBuf {
        self.home.path().join(inside)
    }

    fn line(&self, more: &str) -> String {
        let home = self.home.path().display();
        format!(
            "{ACKBELL} --config {home}/etc/ackbell.toml setup --main-config {home}/naemon.cfg --state-dir {home}/state \
             --api-url {}/api/ {more}",
            self.sandbox.url
        )
    }

    /// In a terminal.
    fn screen(&self, more: &str) -> Screen {
        Screen::run(&self.line(more))
    }

    /// Without one.
    fn run(&self, more: &str) -> Output {
        Command::new("sh").args(["-c", &self.line(more)]).env_clear().env("PATH", "/usr/bin:/bin").output().unwrap()
    }

    fn file(&self, name: &str, content: &str) -> String {
        fs::write(self.path(name), content).unwrap();
        self.path(name).display().to_string()
    }

    fn written(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.path("etc"))
            .into_iter()
            .flatten()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn check(&self) -> Output {
        Command::new(ACKBELL)
            .arg("--config")
            .arg(self.path("etc/ackbell.toml"))
            .args(["config", "check"])
            .env_clear()
            .output()
            .unwrap()
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
#[ignore = "needs tmux and root: tests/run"]
fn the_app_way_with_its_mistakes() {
    let machine = Machine::new();
    let screen = machine.screen("");
    screen.sees("Core: Naemon").sees("set check_external_commands=1").answers("Which [2]", "");
    screen.answers("Bot token", "xapp-a").sees("✗ that is an app-level token; put it into app_token");
    machine.sandbox.tell(
        "state",
        &serde_json::json!({"app": {"socket_mode": true}, "tokens": {"xoxb-dead": {"error": "token_revoked"}, "xapp-a": {"app_level": true}}}),
    );
    screen.answers("Bot token", "xoxb-dead");
    screen.sees("✗ Slack says token_revoked; install the app to the workspace again, and copy the new token");
    screen.answers("Bot token", TOKEN).sees("✓ bot token: ");
    screen.answers("App-level token", "xapp-a").sees("✓ app-level token: opens Socket Mode");
    screen.answers("Default channel", "no-such-channel").sees("✗ there is no public channel #no-such-channel");
    screen.answers("Default channel", "").sees("✓ #ops (C");
    screen.answers("Post a test message [Y/n]", "").sees("✓ Slack has the test message");
    screen.answers("Post a button, too", "y").sees("Click it in #ops");
    let button = machine.sandbox.wait_for_messages(2).pop().unwrap();
    machine.sandbox.click(&button, "setup_test", &serde_json::json!({}));
    screen.sees("✓ the click of alice came in");
    screen.answers("Write it [Y/n]", "").sees("✓ written").sees("exit 0.").sees(" echo ");
    assert!(!screen.seen().contains(TOKEN), "a secret showed:\n{}", screen.seen());
    assert_eq!(machine.written(), ["ackbell.toml", "app-token", "bot-token"]);
    let group = fs::metadata(machine.path("state")).unwrap().gid();
    for name in machine.written() {
        let path = machine.path("etc").join(name);
        let metadata = fs::metadata(&path).unwrap();
        assert_eq!((mode(&path), metadata.uid(), metadata.gid()), (0o640, 0, group), "{}", path.display());
    }
    assert_ne!(group, 0, "the state belongs to the core's user");
    assert!(machine.path("conf.d/ackbell.cfg").exists());
    let check = machine.check();
    assert!(check.status.success(), "{}", text(&check.stderr));
    let texts = machine.sandbox.texts();
    assert!(texts[0].starts_with("ackbell is connected: ") && texts[1..] == ["A click reached ackbell."], "{texts:?}");
    machine.sandbox.assert_respected();
}

#[test]
#[ignore = "needs tmux and root: tests/run"]
fn again_it_keeps_what_is_kept_and_a_backup_of_what_changes() {
    let machine = Machine::new();
    let token = machine.file("token", TOKEN);
    let done = machine.run(&format!("--yes --bot-token-file {token} --channel ops"));
    assert_eq!(done.status.code(), Some(0), "{}{}", text(&done.stdout), text(&done.stderr));
    let config = machine.path("etc/ackbell.toml");
    let first = fs::read_to_string(&config).unwrap();
    let mine = format!("{first}\n[[route]] # mine\nto = \"#ops\"\n");
    fs::write(&config, &mine).unwrap();
    let screen = machine.screen("");
    screen.sees("ackbell.toml: an app with a bot token, channel #ops. What you don't change stays.");
    screen.answers("Which [2]", "").answers("Bot token (xoxb-...), not echoed [keep", "");
    screen.answers("App-level token", "").answers("Signing secret", "").answers("Default channel [#ops]", "#general");
    screen.answers("Post a test message", "n").sees("channel = \"#general\"").answers("Write it", "").sees("exit 0.");
    let now = fs::read_to_string(&config).unwrap();
    assert_eq!(now, mine.replace("\nchannel = \"#ops\"    ", "\nchannel = \"#general\""));
    let backup = machine.written().into_iter().find(|name| name.starts_with("ackbell.toml.")).unwrap();
    assert_eq!(fs::read_to_string(machine.path("etc").join(backup)).unwrap(), mine);
    let done = machine.run("--yes --no-message");
    assert!(text(&done.stdout).contains("✓ the configuration is as it should be"), "{}", text(&done.stdout));
    assert_eq!(machine.written().len(), 3);
}

#[test]
#[ignore = "needs tmux and root: tests/run"]
fn ctrl_c_at_any_question_leaves_nothing() {
    let machine = Machine::new();
    let hook = machine.sandbox.webhook("B0000001");
    let questions = [
        ("Which [2]", "1"),
        ("Webhook's address", hook.as_str()),
        ("Signing secret", ""),
        ("Post a test message", "n"),
    ];
    for stop in 0..=questions.len() {
        let screen = machine.screen("");
        for (question, answer) in &questions[..stop] {
            screen.answers(question, answer);
        }
        let last = questions.get(stop).map_or("Write it [Y/n]", |(question, _)| question);
        screen.sees(last);
        // Given before the question stands there whole, it would count all the same.
        screen.press("C-c");
        screen.sees("stopped; nothing was written").sees("exit 130.").sees(" echo ");
        assert_eq!(machine.written(), [""; 0], "at {last}");
        assert!(!machine.path("state").exists() && !machine.path("conf.d/ackbell.cfg").exists());
    }
    assert_eq!(machine.sandbox.texts(), [""; 0]);
}

#[test]
#[ignore = "needs root: tests/run"]
fn a_dry_run_shows_all_and_writes_nothing() {
    let machine = Machine::new();
    let hook = machine.file("hook", &machine.sandbox.webhook("B0000001"));
    let done = machine.run(&format!("--yes --dry-run --webhook-url-file {hook}"));
    let said = text(&done.stdout);
    assert_eq!(done.status.code(), Some(0), "{said}{}", text(&done.stderr));
    for wanted in [
        "etc/webhook-url  (0640, root:nagios)",
        "webhook_url_file = \"webhook-url\"",
        "[core]",
        "conf.d/ackbell.cfg  (0644)",
        "notify-host-by-ackbell",
    ] {
        assert!(said.contains(wanted), "{wanted}: {said}");
    }
    assert!(said.ends_with("Nothing was written (--dry-run).\n") && !said.contains("B0000001"), "{said}");
    assert_eq!((machine.written(), machine.sandbox.texts()), (vec![], vec![]));
}

#[test]
fn without_a_terminal_it_says_what_it_needs() {
    let machine = Machine::new();
    let said = |more: &str| {
        let done = machine.run(more);
        (done.status.code(), text(&done.stderr))
    };
    let wanted =
        "ackbell: setup asks questions: run it in a terminal, or with --yes and flags (see `ackbell setup --help`)\n";
    assert_eq!(said("</dev/null"), (Some(64), wanted.to_owned()));
    let (code, complaint) = said("--yes");
    assert_eq!(code, Some(64));
    assert!(complaint.contains("--yes needs a way into Slack: --webhook-url-file FILE"), "{complaint}");
    let gone = machine.file("gone", &format!("{}/services/T0SANDBOX/nothing", machine.sandbox.url));
    let (code, complaint) = said(&format!("--yes --webhook-url-file {gone}"));
    assert_eq!(code, Some(69), "{complaint}");
    assert_eq!(
        complaint,
        "ackbell: the test message: Slack says 404 no_service; the webhook was removed or never existed: copy its address again; \
         nothing was written\n"
    );
    assert_eq!(machine.written(), [""; 0]);
    fs::create_dir(machine.path("etc")).unwrap();
    fs::write(machine.path("etc/ackbell.toml"), "[slack\n").unwrap();
    let (code, complaint) = said("--yes");
    assert_eq!(code, Some(78));
    assert!(complaint.contains("repair it, or move it away: mv "), "{complaint}");
}

#[test]
#[ignore = "needs nagios4, tmux and root: tests/run"]
fn from_nothing_to_the_card_of_a_real_core() {
    let sandbox = Sandbox::start(&["--burst", "99"]);
    let site = Site::new("");
    let core = Nagios::without_ackbell(&site);
    let root = core.path("").display().to_string();
    let root = root.trim_end_matches('/');
    let ackbell = format!("{root}/ackbell --config {root}/etc/ackbell.toml");
    let screen = Screen::run(&format!("{ackbell} setup --main-config {root}/nagios.cfg --state-dir {root}/state"));
    screen.sees("Core: Nagios").answers("Which [2]", "1").answers("Webhook's address", &sandbox.webhook("B0000001"));
    screen.answers("Signing secret", "").answers("Post a test message", "").answers("Write it", "");
    screen
        .sees("the core verified it; without the check of ackbell itself, as it has no host localhost")
        .sees("exit 0.");
    assert_eq!(sandbox.wait_for_messages(1).len(), 1);

    let core = core.tell_slack();
    core.set("Disk", 2, "DISK CRITICAL - 2% free");
    let is_it = |message: &serde_json::Value| message["text"].as_str().unwrap().starts_with("CRITICAL: Disk on Web 01");
    let card = wait::until("the card", || sandbox.messages().into_iter().find(is_it));
    assert_eq!(card["text"], "CRITICAL: Disk on Web 01 · DISK CRITICAL - 2% free");
    sandbox.assert_respected();

    // A foreign file in our place, and a core that is broken already, are left alone.
    let theirs = core.path("conf.d/theirs.cfg");
    fs::write(&theirs, "# theirs\n").unwrap();
    let site = Site::new("");
    let hook = site.dir.path().join("hook");
    fs::write(&hook, sandbox.webhook("B0000001")).unwrap();
    let setup = |more: &str| {
        let line = format!(
            "{ackbell} setup --yes --no-message --main-config {root}/nagios.cfg --webhook-url-file {} {more}",
            hook.display()
        );
        let done = Command::new("sh").args(["-c", &line]).env_clear().env("PATH", "/usr/bin:/bin").output().unwrap();
        format!("{}{}", text(&done.stdout), text(&done.stderr))
    };
    let said = setup(&format!("--definitions {}", theirs.display()));
    assert!(said.contains("conf.d/theirs.cfg isn't ackbell's: name another file with --definitions"), "{said}");
    fs::remove_file(core.path("conf.d/ackbell.cfg")).unwrap();
    fs::write(&theirs, "define contact {\n contact_name slack\n}\n").unwrap();
    let said = setup("");
    assert!(
        said.contains("! the core's own configuration has errors already:\nError: ")
            && said.contains("repair it, then: ackbell commands nagios"),
        "{said}"
    );
    assert!(!core.path("conf.d/ackbell.cfg").exists());
}

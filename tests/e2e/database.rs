//! The outbox in PostgreSQL, by the real program.

use crate::harness::on_call::Way;
use crate::harness::postgres::Postgres;
use crate::harness::process::text;
use crate::harness::proxy::{self, Proxy};
use crate::harness::sandbox::Sandbox;
use crate::harness::site::Site;
use crate::harness::wait;
use serde_json::Value;
use std::fs;
use std::time::{Duration, Instant};

/// A database with an outbox, made by its owner, with the printed rights given to the role for daily work: its configuration.
pub(crate) fn made(server: &Postgres, name: &str) -> String {
    server.create(name);
    let site = Site::new(&format!("[database]\nurl = \"{}\"\n", server.url(name, name)));
    let done = site.run(&["database", "init", "--url", &server.url("postgres", name)]);
    assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
    let printed = text(&done.stdout);
    let label = format!("{name} at 127.0.0.1:{}", server.port);
    assert!(printed.starts_with(&format!("made the outbox in {label}\n")), "{printed}");
    assert!(printed.contains(&format!("GRANT USAGE ON SCHEMA public TO {name};")), "{printed}");
    // As it is printed, comment and all.
    server.sql(name, printed.split_once('\n').unwrap().1);
    let again = site.run(&["database", "init", "--url", &server.url("postgres", name)]);
    assert!(text(&again.stdout).starts_with(&format!("the outbox in {label} is up to date\n")));
    format!("[database]\nurl = \"{}\"\n", server.url(name, name))
}

#[test]
#[ignore = "needs postgresql, nagios4 and root: tests/run"]
fn a_click_is_an_acknowledgement_that_the_core_holds() {
    let config = made(Postgres::shared(), "story");
    crate::acknowledge::acknowledged_in_one_tap(Way::Http, &config);
}

#[test]
#[ignore = "needs postgresql: tests/run"]
fn an_outbox_moves_with_its_open_card() {
    let server = Postgres::shared();
    let config = made(server, "moves");
    let to = server.url("moves", "moves");
    let sandbox = Sandbox::start(&["--burst", "99"]);
    let site = Site::with_token(&sandbox, "");
    let listener = site.listen();
    site.service("PROBLEM", "web01", "Disk", "2", "3% free");
    site.service("PROBLEM", "web02", "Load", "1", "high");
    let heads = sandbox.wait_for_messages(2);
    let refused = site.run(&["database", "copy", "--to", &to]);
    assert_eq!(refused.status.code(), Some(75));
    assert!(text(&refused.stderr).contains("stop it first: systemctl stop ackbell"), "{}", text(&refused.stderr));
    assert_eq!(listener.stop(), Some(0));
    // The answer to its COMMIT is lost: it looks whether all is there, as a second copy would send everything twice.
    let proxy = Proxy::start(server.port);
    proxy.set(proxy::Way::LoseCommitAnswer);
    let through = to.replace(&server.port.to_string(), &proxy.port.to_string());
    let copied = site.run(&["database", "copy", "--to", &through]);
    assert_eq!(copied.status.code(), Some(0), "{}", text(&copied.stderr));
    assert_eq!(proxy.way(), proxy::Way::Pass, "its COMMIT came by");
    let said = text(&copied.stdout);
    for line in ["2  notification", "2  post", "rows of", "Next: write [database] into the configuration"] {
        assert!(said.contains(line), "{said}");
    }
    assert!(said.contains(&format!("The file is now {}", site.state("ackbell.db.copied-1").display())), "{said}");
    let again = site.run(&["database", "copy", "--to", &to]);
    assert_eq!(again.status.code(), Some(73));
    assert!(text(&again.stderr).contains("has no outbox to copy"), "{}", text(&again.stderr));
    // Without [database] nothing of it is sent a second time.
    let listener = site.listen();
    site.service("PROBLEM", "web03", "Ping", "2", "lost");
    sandbox.wait_for_messages(3);
    assert_eq!(listener.stop(), Some(0));
    let again = site.run(&["database", "copy", "--to", &to]);
    assert_eq!(again.status.code(), Some(77));
    assert!(text(&again.stderr).contains("isn't empty: there are rows in notification"), "{}", text(&again.stderr));

    site.configure(&(crate::harness::sandbox::by_token(&sandbox.url) + &config));
    fs::rename(site.state("ackbell.db"), site.state("other.db")).unwrap();
    let listener = site.listen();
    site.service("RECOVERY", "web01", "Disk", "0", "fine");
    let card = wait::until("the recovery on the same card", || {
        let messages = sandbox.messages();
        messages.into_iter().find(|m| m["ts"] == heads[0]["ts"] && m["text"].as_str().unwrap().starts_with("RECOVERED"))
    });
    assert!(card["text"].as_str().unwrap().contains("Disk on web01"), "{card}");
    wait::until("nothing waits", || site.queue()["waiting"] == 0);
    site.assert_all_delivered();
    assert!(!site.state("ackbell.db").exists(), "nothing is written beside it");
    for (verb, said) in [
        (vec!["audit", "--verify"], ""),
        (vec!["history", "web01/Disk"], "CRITICAL"),
        (vec!["report"], "Disk"),
        (vec!["queue", "subscriptions"], ""),
        (vec!["doctor"], "outbox"),
        (vec!["config", "show"], "moves at 127.0.0.1"),
    ] {
        let done = site.run(&verb);
        assert!(text(&done.stdout).contains(said), "{verb:?}: {}{}", text(&done.stdout), text(&done.stderr));
        assert!(!text(&done.stderr).contains("panicked"), "{verb:?}: {}", text(&done.stderr));
    }
    let checked = site.run(&["check"]);
    assert!(text(&checked.stdout).starts_with("ACKBELL OK"), "{}", text(&checked.stdout));
    assert_eq!(listener.stop(), Some(0));
    // Without a listener `notify` delivers by itself.
    site.service("RECOVERY", "web02", "Load", "0", "fine");
    let texts = sandbox.texts();
    assert!(texts.iter().any(|text| text.starts_with("RECOVERED, OK: Load on web02")), "{texts:?}");
    assert_eq!(server.sql("moves", "SELECT COUNT(*) FROM post WHERE open = 1"), "0");
    sandbox.assert_respected();
}

/// The database is away, comes back, and nothing was lost. `notify` is as quick as ever.
#[test]
#[ignore = "needs postgresql: tests/run"]
fn what_is_notified_while_the_database_is_away_is_delivered_afterwards() {
    let server = Postgres::shared();
    let config = made(server, "away");
    let sandbox = Sandbox::start(&["--burst", "99"]);
    let site = Site::with_token(&sandbox, &config);
    let listener = site.listen();
    site.service("PROBLEM", "web01", "Disk", "2", "3% free");
    sandbox.wait_for_messages(1);
    server.sql("away", "ALTER DATABASE away CONNECTION LIMIT 0");
    let cut =
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'away' AND pid <> pg_backend_pid()";
    server.sql("postgres", cut);
    let began = Instant::now();
    site.service("PROBLEM", "web02", "Disk", "2", "3% free");
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    wait::until("the log says so", || {
        let log = site.log();
        if log.contains("the database away at 127.0.0.1") { Ok(()) } else { Err(log) }
    });
    let checked = site.run(&["check"]);
    assert_eq!(checked.status.code(), Some(2), "{}", text(&checked.stdout));
    assert!(text(&checked.stdout).contains("too many connections"), "{}", text(&checked.stdout));
    assert_eq!(sandbox.messages().len(), 1);
    server.sql("postgres", "ALTER DATABASE away CONNECTION LIMIT -1");
    sandbox.wait_for_messages(2);
    assert_eq!(listener.stop(), Some(0));

    // Nobody listens, and nobody answers: it is kept, within the time that `notify` has.
    let dead = config.replace(&server.port.to_string(), "9");
    site.configure(&(crate::harness::sandbox::by_token(&sandbox.url) + &dead));
    let began = Instant::now();
    site.service("RECOVERY", "web01", "Disk", "0", "fine");
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert_eq!(site.spooled("new"), 1);
    site.configure(&(crate::harness::sandbox::by_token(&sandbox.url) + &config));
    let flushed = site.run(&["queue", "flush"]);
    assert_eq!(flushed.status.code(), Some(0), "{}", text(&flushed.stderr));
    let recovered = |message: &Value| message["text"].as_str().unwrap().starts_with("RECOVERED, OK: Disk on web01");
    assert!(sandbox.messages().iter().any(recovered), "{:?}", sandbox.texts());
    sandbox.assert_respected();
}

#[test]
fn what_is_wrong_with_the_configuration_is_said() {
    let site = Site::new(
        "[slack]\nwebhook_url = \"https://hooks.slack.com/services/T0/B0/x\"\n[database]\nurl = \"postgres://ackbell:s3cret@db/ackbell\"\n",
    );
    let checked = site.run(&["config", "check"]);
    assert_eq!(checked.status.code(), Some(78));
    let said = text(&checked.stdout) + &text(&checked.stderr);
    assert!(
        said.contains("url: it has a password in it") && said.contains("password_file = \"db-password\""),
        "{said}"
    );
    assert!(!said.contains("s3cret"), "{said}");
    site.configure("[database]\nurl = \"postgres://ackbell@db.example.com/ackbell?sslmode=disable\"\n[slack]\nwebhook_url = \"https://hooks.slack.com/services/T0/B0/x\"\n");
    let warned = site.run(&["config", "check"]);
    let said = text(&warned.stdout) + &text(&warned.stderr);
    assert!(said.contains("[database] sends everything unencrypted"), "{said}");
    for verb in [["init", "--url", "mysql://db/x"], ["copy", "--to", "postgres://db"]] {
        let done = site.run(&[&["database"], &verb[..]].concat());
        assert_eq!(done.status.code(), Some(64));
        assert!(text(&done.stderr).contains("the database's URL: "), "{}", text(&done.stderr));
    }
    site.configure("[slack]\nwebhook_url = \"https://hooks.slack.com/services/T0/B0/x\"\n");
    let nothing = site.run(&["database", "init"]);
    assert_eq!(nothing.status.code(), Some(64));
    assert!(text(&nothing.stderr).contains("no database is given"), "{}", text(&nothing.stderr));
}

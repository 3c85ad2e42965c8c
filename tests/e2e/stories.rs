//! What happens on an ordinary evening.

use crate::harness::process::{Running, signal, text};
use crate::harness::sandbox::{Sandbox, TOKEN, by_token};
use crate::harness::site::Site;
use crate::harness::wait;
use serde_json::{Value, json};
use std::fs;
use std::time::{Duration, Instant};

#[test]
fn a_problem_and_its_recovery_arrive_without_a_listener() {
    let sandbox = Sandbox::start(&[]);
    let site = Site::with_webhook(&sandbox);
    site.service("PROBLEM", "web01", "Disk", "2", "DISK CRITICAL - 3% free");
    site.service("RECOVERY", "web01", "Disk", "0", "DISK OK - 42% free");
    let texts = sandbox.texts();
    assert_eq!(texts[0], "CRITICAL: Disk on web01 · DISK CRITICAL - 3% free");
    assert!(texts[1].starts_with("RECOVERED, OK: Disk on web01 · was CRITICAL for "), "{texts:?}");
    assert!(texts[1].ends_with(" s · DISK OK - 42% free") && texts.len() == 2, "{texts:?}");
    assert!(sandbox.messages()[1].to_string().contains("recovers the problem of <!date^"), "it can't be edited");
    site.assert_all_delivered();
    sandbox.assert_respected();
}

#[test]
fn a_listener_delivers_by_token_at_once_and_stops_cleanly() {
    let sandbox = Sandbox::start(&[]);
    let site = Site::with_token(&sandbox, "");
    let listener = site.listen();
    let started = Instant::now();
    site.service("PROBLEM", "web01", "Disk", "2", "DISK CRITICAL");
    let messages = sandbox.wait_for_messages(1);
    assert!(started.elapsed() < Duration::from_millis(1500), "the hint wakes it: {:?}", started.elapsed());
    assert_eq!(messages[0]["channel_name"], "ops");
    assert_eq!(messages[0]["attachments"][0]["color"], "#d0021b");
    assert_eq!(listener.stop(), Some(0));
    assert!(site.log().contains("stopped"), "{}", site.log());
    sandbox.assert_respected();
}

/// Groups, variables, the contact's groups and e-mail stand on no shipped command line: routes match on them all the same, with
/// a listener and without one, and what an older definition passes wins.
#[test]
fn routes_match_on_what_the_cores_objects_say() {
    let sandbox = Sandbox::start(&["--burst", "99"]);
    let site = Site::with_token(
        &sandbox,
        "[core]\nobjects_file = \"objects.cache\"\n[storm]\nthreshold = 99\n\
         [[route]]\nmatch = { hostgroup = \"linux\", servicegroup = \"shop\", contact_group = \"ops\", var = { slackchannel = \"*dba\" } }\n\
         to = [\"#db-alerts\", \"contact\"]\n",
    );
    fs::write(site.dir.path().join("objects.cache"), include_str!("../samples/nagios-4.4.6-objects.cache")).unwrap();
    let notify = |service: &str, more: &[&str]| {
        let line =
            ["notify", "--hostname", "db01", "--servicedesc", service, "--servicestate", "2", "--contact", "alice"];
        assert_eq!(site.run(&[&line[..], more].concat()).status.code(), Some(0));
    };
    notify("MySQL", &["--output", "one"]);
    let _listener = site.listen();
    notify("MySQL", &["--output", "two", "--servicegroups", "none", "--hostalias", "mine"]);
    notify("Other", &["--output", "three"]);
    let messages = sandbox.wait_for_messages(4);
    let went = |output: &str| {
        let of = messages.iter().filter(|message| message["text"].as_str().unwrap().ends_with(output));
        let mut places: Vec<&str> = of.filter_map(|message| message["channel_name"].as_str()).collect();
        places.sort_unstable();
        places
    };
    assert_eq!(went("one").len(), 2, "{messages:?}");
    assert!(went("one").contains(&"db-alerts") && went("three") == ["ops"] && went("two") == ["ops"], "{messages:?}");
    site.assert_all_delivered();
}

/// A downtime's author stands in the core's state, which is written some seconds later. Until then the notification waits, and
/// what comes about the same object behind it; nothing else does, and not for long.
#[test]
#[ignore = "slow: tests/run"]
fn a_notification_waits_a_moment_for_its_author_and_holds_up_nothing_else() {
    let sandbox = Sandbox::start(&["--burst", "99"]);
    let site = Site::with_webhook(&sandbox);
    let slack = format!("[slack]\nwebhook_url = \"{}\"\n", sandbox.webhook("B0000001"));
    site.configure(&format!(
        "{slack}[core]\nstatus_file = \"status.dat\"\nlog_file = \"none\"\nmain_config = \"none\"\n"
    ));
    let now = || i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_secs()).unwrap();
    let state = |more: &str| {
        let hosts: String = ["web01", "db01"].map(|host| format!("hoststatus {{\n\thost_name={host}\n\t}}\n")).concat();
        let new = site.dir.path().join("status.new");
        fs::write(&new, format!("info {{\n\tcreated={}\n\t}}\n{hosts}{more}", now())).unwrap();
        fs::rename(new, site.dir.path().join("status.dat")).unwrap();
    };
    let downtime = |host: &str| {
        let line = ["notify", "--notificationtype", "DOWNTIMESTART", "--hostname", host, "--hoststate", "DOWN"];
        assert_eq!(site.run(&line).status.code(), Some(0));
    };
    let problem = |host: &str| site.run(&["notify", "--hostname", host, "--hoststate", "DOWN", "--output", "no ping"]);
    let _listener = site.listen();
    state("");
    let began = now();
    downtime("db01");
    problem("other");
    let texts =
        || sandbox.wait_for_messages(1).iter().map(|m| m["text"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    assert!(texts()[0].starts_with("DOWN: other") && texts().len() == 1, "{:?}", texts());
    let who = "author=eve\n\tcomment=it's up";
    state(&format!(
        "hostdowntime {{\n\thost_name=db01\n\tstart_time={began}\n\tend_time={}\n\t{who}\n\t}}\n",
        began + 60
    ));
    let told = sandbox.wait_for_messages(2)[1].to_string();
    assert!(told.contains("scheduled by eve") && told.contains("it's up"), "{told}");
    // A core that never says it is waited for in vain, and for a few seconds only; nothing of the object comes before.
    state("");
    let started = Instant::now();
    downtime("web01");
    problem("web01");
    let told = sandbox.wait_for_messages(3)[2].to_string();
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    assert!(told.contains("DOWNTIME STARTED") && texts()[2].starts_with("DOWN: web01"), "{told}");
    site.assert_all_delivered();
    sandbox.assert_respected();
}

#[expect(clippy::too_many_lines, reason = "three command lines in full")]
#[test]
fn openitcockpits_command_lines_work_unchanged_and_uuids_become_names() {
    let sandbox = Sandbox::start(&[]);
    let site = Site::new("");
    let objects = "define host {\n\thost_name\tc36b8048-93ce-4385-ac19-ab5c90574b77\n\tdisplay_name\tWeb 01\n\t}\n\
        define service {\n\thost_name\tc36b8048-93ce-4385-ac19-ab5c90574b77\n\tservice_description\t74f14950-a58f-4f18-b6c3-5cfa9dffef4e\n\
        \tdisplay_name\tDisk /\n\t}\n";
    fs::write(site.dir.path().join("objects.cache"), objects).unwrap();
    site.configure(&format!(
        "[slack]\nwebhook_url = \"{}\"\n[core]\nkind = \"openitcockpit\"\nobjects_file = \"objects.cache\"\n",
        sandbox.webhook("B0000001")
    ));
    let (host, service) = ("c36b8048-93ce-4385-ac19-ab5c90574b77", "74f14950-a58f-4f18-b6c3-5cfa9dffef4e");
    for arguments in [
        &[
            "notify",
            "--type",
            "Host",
            "--notificationtype",
            "PROBLEM",
            "--hostname",
            host,
            "--hostaddress",
            "192.0.2.1",
            "--hoststate",
            "1",
            "--output",
            "no ping",
        ][..],
        &[
            "notify",
            "--type",
            "Service",
            "--notificationtype",
            "PROBLEM",
            "--hostname",
            host,
            "--hostaddress",
            "192.0.2.1",
            "--hoststate",
            "1",
            "--servicedesc",
            service,
            "--servicestate",
            "2",
            "--output",
            "full",
        ],
        &[
            "notify",
            "--type",
            "Service",
            "--notificationtype",
            "ACKNOWLEDGEMENT",
            "--hostuuid",
            host,
            "--serviceuuid",
            service,
            "--state",
            "2",
            "--output",
            "full",
            "--ackauthor",
            "Alice",
            "--ackcomment",
            "on it",
        ],
    ] {
        assert_eq!(site.run(arguments).status.code(), Some(0));
    }
    assert_eq!(
        sandbox.texts(),
        [
            "DOWN: Web 01 · no ping",
            "CRITICAL: Disk / on Web 01 · probably because of Web 01 · full",
            "ACKNOWLEDGED, CRITICAL: Disk / on Web 01 · acknowledged by Alice · on it · full",
        ]
    );
    sandbox.assert_respected();
}

#[test]
fn ten_contacts_show_once_but_a_second_failure_is_news() {
    let sandbox = Sandbox::start(&["--burst", "9"]);
    let site = Site::with_webhook(&sandbox);
    let notify = |more: &[&str]| {
        let mut arguments = vec!["notify", "--hostname", "web01", "--servicedesc", "Disk", "--output", "x"];
        arguments.extend(more);
        assert_eq!(site.run(&arguments).status.code(), Some(0));
    };
    // With the core's ids.
    for contact in ["a", "b", "c"] {
        notify(&["--servicestate", "2", "--contact", contact, "--notification-id", "7", "--problem-id", "3"]);
    }
    // As openITCOCKPIT calls it: neither contact nor ids.
    for _ in 0..3 {
        notify(&["--notificationtype", "RECOVERY", "--servicestate", "0"]);
    }
    for _ in 0..2 {
        notify(&["--servicestate", "2"]);
    }
    for _ in 0..2 {
        notify(&["--notificationtype", "RECOVERY", "--servicestate", "0"]);
    }
    let states: Vec<String> = sandbox.texts().iter().map(|text| text.split(':').next().unwrap().to_owned()).collect();
    assert_eq!(states, ["CRITICAL", "RECOVERED, OK", "CRITICAL", "RECOVERED, OK"]);
    site.assert_all_delivered();
}

#[test]
#[ignore = "slow: tests/run"]
fn every_type_is_carried_and_unknown_ones_too() {
    let sandbox = Sandbox::start(&["--burst", "99"]);
    let webhook = sandbox.webhook("B0000001");
    let site = Site::new(&format!("[slack]\nwebhook_url = \"{webhook}\"\n[storm]\nthreshold = 99\n"));
    let listener = site.listen();
    for kind in [
        "PROBLEM",
        "RECOVERY",
        "ACKNOWLEDGEMENT",
        "FLAPPINGSTART",
        "FLAPPINGSTOP",
        "FLAPPINGDISABLED",
        "DOWNTIMESTART",
        "DOWNTIMEEND",
        "DOWNTIMECANCELLED",
        "CUSTOM",
        "SOMETHINGNEW",
    ] {
        site.service(kind, "web01", &format!("S{kind}"), "7", "out");
    }
    let messages = sandbox.wait_for_messages(11);
    assert!(
        messages.iter().any(|m| m["text"] == "SOMETHINGNEW, 7: SSOMETHINGNEW on web01 · out"),
        "{}",
        json!(messages)
    );
    drop(listener);
    sandbox.assert_respected();
}

#[test]
fn the_environments_macros_are_read_and_arguments_win() {
    let sandbox = Sandbox::start(&[]);
    let site = Site::with_webhook(&sandbox);
    let mut command = site.command(&["notify", "--from-env", "--output", "from the argument"]);
    command.envs([
        ("NAGIOS_NOTIFICATIONTYPE", "PROBLEM"),
        ("NAGIOS_HOSTNAME", "web01"),
        ("NAGIOS_SERVICEDESC", "Disk"),
        ("NAGIOS_SERVICESTATE", "CRITICAL"),
        ("NAGIOS_SERVICEOUTPUT", "from the environment"),
        ("NAGIOS__SERVICETEAM", "dba"),
        ("NAGIOS_LONGSERVICEOUTPUT", "a \"b\" `c` $d\\nsecond"),
        ("HOSTNAME", "the-container"),
    ]);
    assert_eq!(command.status().unwrap().code(), Some(0));
    let messages = sandbox.messages();
    assert_eq!(messages[0]["text"], "CRITICAL: Disk on web01 · from the argument");
    assert!(messages[0].to_string().contains("a \\\"b\\\" `c` $d\\nsecond"), "{}", messages[0]);
}

#[test]
fn routes_lead_to_their_channels_and_people() {
    let sandbox = Sandbox::start(&[]);
    let routes = "[[route]]\nmatch = { host = \"db*\" }\nto = [\"#db-alerts\", \"@alice@example.com\"]\nmention = [\"@oncall\"]\n\
        [[route]]\nmatch = { host = \"nobody*\" }\nto = \"@nobody@example.com\"\n";
    let site = Site::with_token(&sandbox, routes);
    site.service("PROBLEM", "db01", "MySQL", "2", "gone");
    site.service("PROBLEM", "nobody1", "X", "2", "y");
    let messages = sandbox.messages();
    let to: Vec<&str> = messages.iter().map(|m| m["channel"].as_str().unwrap()).collect();
    assert_eq!(messages.len(), 3, "{to:?}");
    let db = messages.iter().find(|m| m["channel_name"] == "db-alerts").unwrap();
    assert!(db["blocks"][0]["text"]["text"].as_str().unwrap().ends_with("<!subteam^S0ONCALL01>"), "{db}");
    let fallback = messages.iter().find(|m| m["channel_name"] == "ops").unwrap().to_string();
    assert!(fallback.contains("meant for nobody@example.com; nobody in this workspace has that address"), "{fallback}");
    site.assert_all_delivered();
    sandbox.assert_respected();
}

#[test]
fn a_private_channel_without_the_bot_falls_back_with_the_remedy() {
    let sandbox = Sandbox::start(&[]);
    let site = Site::with_token(&sandbox, "[[route]]\nmatch = { host = \"s*\" }\nto = \"#secret\"\n");
    // For two contacts: it shows once in the other place, too.
    for _ in 0..2 {
        site.service("PROBLEM", "s1", "X", "2", "y");
    }
    let messages = sandbox.messages();
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0]["channel_name"], "ops");
    assert!(messages[0].to_string().contains("type /invite and the app's name there"), "{}", messages[0]);
}

#[test]
fn a_refused_token_stops_everything_and_a_new_one_delivers_it() {
    let sandbox = Sandbox::start(&[]);
    sandbox.tell("state", &json!({"tokens": {"xoxb-old": {"error": "token_revoked"}}}));
    let site = Site::new("");
    let config = |token: &str| by_token(&sandbox.url).replace(TOKEN, token);
    site.configure(&config("xoxb-old"));
    let _listener = site.listen();
    for i in 0..3 {
        site.service("PROBLEM", "web01", &format!("S{i}"), "2", "x");
    }
    wait::until("the refusal", || site.log().contains("token_revoked"));
    wait::until("all three to wait", || site.queue()["waiting"] == 3);
    let queue = site.queue();
    assert_eq!(queue["deliveries"][0]["attempts"], 0, "a refused token burns no attempt: {queue}");
    // Rotated in the file: no restart, no signal.
    site.configure(&config(TOKEN));
    sandbox.wait_for_messages(3);
    site.assert_all_delivered();
    sandbox.assert_respected();
}

#[test]
fn a_broken_configuration_is_refused_at_reload_and_loses_nothing() {
    let sandbox = Sandbox::start(&[]);
    let site = Site::with_webhook(&sandbox);
    let listener = site.listen();
    let good = fs::read_to_string(site.config()).unwrap();
    fs::write(site.config(), "state_dir = \"state\"\n[slack\nbroken").unwrap();
    signal(listener.0.id(), "HUP");
    wait::until("the refusal", || site.log().contains("configuration refused"));
    site.service("PROBLEM", "web01", "Disk", "2", "still delivered");
    sandbox.wait_for_messages(1);
    fs::write(site.config(), good).unwrap();
    wait::until("the reload", || site.log().contains("configuration reloaded"));
}

#[test]
fn blocks_that_slack_refuses_are_sent_once_as_plain_text() {
    let sandbox = Sandbox::start(&[]);
    sandbox.tell("faults", &json!({"faults": [{"kind": "status", "status": 400, "body": "invalid_blocks", "times": 1, "method": "webhook"}]}));
    let site = Site::with_webhook(&sandbox);
    site.service("PROBLEM", "web01", "Disk", "2", "DISK CRITICAL");
    let messages = sandbox.messages();
    assert_eq!(messages.len(), 1);
    assert!(messages[0]["blocks"].as_array().is_none_or(Vec::is_empty), "{}", messages[0]);
    assert!(messages[0]["text"].as_str().unwrap().starts_with("CRITICAL: Disk on web01 · DISK CRITICAL"));
}

#[test]
fn the_queue_shows_retries_and_drops() {
    let sandbox = Sandbox::start(&[]);
    let site = Site::with_token(&sandbox, "[[route]]\nto = \"#old\"\nmatch = { host = \"o*\" }\n");
    // The archived channel falls back to one that is gone too: dead.
    sandbox
        .tell("state", &json!({"channels": [{"id": "C0OPS00001", "name": "ops", "archived": true, "member": true}]}));
    site.service("PROBLEM", "old1", "X", "2", "y");
    let queue = site.queue();
    assert_eq!((&queue["dead"], &queue["waiting"]), (&json!(1), &json!(0)), "{queue}");
    let dead = queue["deliveries"].as_array().unwrap().iter().find(|row| row["state"] == "dead").unwrap();
    assert_eq!(dead["reason"], "is_archived");
    let id = dead["id"].to_string();
    assert!(text(&site.run(&["queue", "list"]).stdout).contains("0 waiting, 1 dead, 0 in the spool"));
    assert!(text(&site.run(&["queue", "show", &id]).stdout).contains("\"name\": \"old1\""));
    sandbox
        .tell("state", &json!({"channels": [{"id": "C0OPS00001", "name": "ops", "archived": false, "member": true}]}));
    assert_eq!(text(&site.run(&["queue", "retry", &id]).stdout), "messages that are tried again: 1\n");
    assert_eq!(text(&site.run(&["queue", "flush"]).stdout), "no messages are waiting\n");
    assert_eq!(sandbox.messages().len(), 1);
    let gone = site.run(&["queue", "drop", &id]);
    assert_eq!(gone.status.code(), Some(64));
    assert_eq!(
        text(&gone.stderr),
        format!("ackbell: no waiting or dead message has the number {id}; see `ackbell queue list`\n")
    );
}

#[test]
fn compatible_receivers_get_attachments_they_show() {
    for (path, flavor) in
        [("hooks/abc", "mattermost"), ("rocketchat/hooks/abc", "rocketchat"), ("api/webhooks/1/abc/slack", "discord")]
    {
        let sandbox = Sandbox::start(&[]);
        let site = Site::new(&format!("[slack]\nwebhook_url = \"{}/{path}\"\nflavor = \"{flavor}\"\n", sandbox.url));
        site.service("PROBLEM", "web01", "Disk", "2", "DISK @channel <!channel>");
        let messages = sandbox.messages();
        assert_eq!(messages.len(), 1, "{flavor}: {}", site.queue());
        assert_eq!(messages[0]["attachments"][0]["title"], "CRITICAL: Disk on web01", "{flavor}");
        sandbox.assert_respected();
    }
}

#[test]
fn a_second_listener_waits_its_turn_and_a_killed_one_is_replaced() {
    let sandbox = Sandbox::start(&[]);
    let site = Site::with_webhook(&sandbox);
    let mut first = site.listen();
    let log = fs::OpenOptions::new().append(true).open(site.dir.path().join("log")).unwrap();
    let second = Running(site.command(&["listen"]).stderr(log).spawn().unwrap());
    first.0.kill().unwrap();
    first.0.wait().unwrap();
    wait::until("the second", || site.log().matches("listening").count() == 2);
    site.service("PROBLEM", "web01", "Disk", "2", "x");
    sandbox.wait_for_messages(1);
    assert_eq!(second.stop(), Some(0));
}

#[test]
fn spool_files_of_this_format_are_read_and_newer_ones_kept() {
    let sandbox = Sandbox::start(&[]);
    let site = Site::with_webhook(&sandbox);
    fs::create_dir_all(site.state("spool/new")).unwrap();
    fs::create_dir_all(site.state("spool/bad")).unwrap();
    // As version 0.1.0 wrote it, with a field this one doesn't know.
    let v1 = json!({"ackbell": 1, "received": 1_795_234_312_000_i64, "future": true, "notification": {
        "kind": "PROBLEM", "host": {"name": "web01"}, "service": {"name": "Disk", "state": "CRITICAL", "new": 1},
        "time": 1_795_234_312, "output": "old file"}});
    let mut newer: Value = v1.clone();
    newer["ackbell"] = json!(2);
    fs::write(site.state("spool/new/01795234312000000000.1.aa"), v1.to_string()).unwrap();
    fs::write(site.state("spool/new/01795234312000000001.1.bb"), newer.to_string()).unwrap();
    fs::write(site.state("spool/new/01795234312000000002.1.cc"), "garbage").unwrap();
    let flushed = site.run(&["queue", "flush"]);
    assert_eq!(sandbox.texts(), ["CRITICAL: Disk on web01 · old file"], "{}", text(&flushed.stderr));
    assert_eq!(site.queue()["bad_spool_files"], json!(["01795234312000000001.1.bb", "01795234312000000002.1.cc"]));
    assert!(text(&flushed.stderr).contains("written by a newer ackbell (format 2"), "{}", text(&flushed.stderr));
}

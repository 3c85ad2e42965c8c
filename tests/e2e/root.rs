//! Root is never lent: on what belongs to somebody else, root becomes that user first, and nothing they planted there
//! makes anybody with more rights than theirs touch a file for them.

use crate::harness::process::{ACKBELL, text};
use crate::harness::sandbox::{Sandbox, TOKEN, by_token};
use crate::harness::site::Site;
use crate::harness::wait;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Debian's `nobody` and `nogroup`.
const NOBODY: u32 = 65534;
const NOTIFY: [&str; 7] = ["notify", "--hostname", "web01", "--hoststate", "1", "--output", "x"];
const NOWHERE: &str = "[slack]\nwebhook_url = \"http://127.0.0.1:1/services/x\"\n[outbox]\ntime_budget = \"600ms\"\n";

/// A site whose state is somebody else's, as the core's user's is; root's is the rest.
fn site_of(user: u32, group: u32, config: &str) -> Site {
    let site = Site::new(config);
    fs::create_dir_all(site.state("")).unwrap();
    chown(site.state(""), Some(user), Some(group)).unwrap();
    // The user reads the configuration, as the packages have it.
    chown(site.config(), Some(0), Some(group)).unwrap();
    fs::set_permissions(site.dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    site
}

/// The program as that user.
fn as_user(site: &Site, (user, group): (u32, u32), arguments: &[&str]) -> Output {
    let mut command = Command::new(program(site));
    command.arg("--config").arg(site.config()).args(arguments).env_clear().uid(user).gid(group).output().unwrap()
}

/// Where others may run it, too.
fn program(site: &Site) -> PathBuf {
    let program = site.dir.path().join("ackbell");
    if !program.exists() {
        // By another process: what a test beside this one forks would hold the file open for writing, and nobody runs it.
        assert!(Command::new("cp").arg(ACKBELL).arg(&program).status().unwrap().success());
    }
    program
}

fn number(option: &str, name: &str) -> u32 {
    text(&Command::new("id").args([option, name]).output().unwrap().stdout).trim().parse().unwrap()
}

#[test]
#[ignore = "needs root: tests/run"]
fn a_listener_that_root_starts_is_the_owners_with_all_their_groups_in_every_thread() {
    let sandbox = Sandbox::start(&[]);
    // Whoever is in a second group: the command file's, as a rule.
    assert!(Command::new("usermod").args(["-aG", "www-data", "nagios"]).status().unwrap().success());
    let (user, group, second) = (number("-u", "nagios"), number("-g", "nagios"), number("-g", "www-data"));
    let slack = by_token(&sandbox.url);
    let site = site_of(user, group, &slack);
    let listener = site.listen();
    let mut threads = 0;
    for task in fs::read_dir(format!("/proc/{}/task", listener.0.id())).unwrap().flatten() {
        let status = fs::read_to_string(task.path().join("status")).unwrap();
        let line = |name: &str| -> Vec<String> {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.split_whitespace().map(str::to_owned).collect()
        };
        assert_eq!(line("Uid:"), [user; 4].map(|id| id.to_string()), "{status}");
        assert_eq!(line("Gid:"), [group; 4].map(|id| id.to_string()));
        let groups = line("Groups:");
        assert!(groups.contains(&second.to_string()) && !groups.contains(&"0".to_owned()), "{groups:?}");
        for capabilities in ["CapPrm:", "CapEff:", "CapAmb:"] {
            assert_eq!(line(capabilities), ["0000000000000000"]);
        }
        threads += 1;
    }
    assert!(threads > 1);
    // What the core runs wakes it, and a look by root finds it well.
    assert_eq!(as_user(&site, (user, group), &NOTIFY).status.code(), Some(0));
    sandbox.wait_for_messages(1);
    let checked = site.run(&["check"]);
    assert_eq!(checked.status.code(), Some(0), "{}", text(&checked.stdout));
    assert_eq!(listener.stop(), Some(0));
    assert_all_belong_to(&site, user);
}

#[track_caller]
fn assert_all_belong_to(site: &Site, user: u32) {
    let listed = text(&Command::new("find").arg(site.state("")).output().unwrap().stdout);
    for path in listed.lines() {
        assert_eq!(fs::symlink_metadata(path).unwrap().uid(), user, "{path}");
    }
}

/// Every verb that has to do with the state.
const VERBS: [&[&str]; 12] = [
    &NOTIFY,
    &["queue", "list"],
    &["queue", "flush"],
    &["queue", "retry"],
    &["check"],
    &["doctor"],
    &["audit"],
    &["audit", "--verify"],
    &["config", "show"],
    &["preview"],
    &["manifest"],
    &["listen"],
];

/// Runs them all as root; a listener for a moment.
fn run_all(site: &Site) {
    for verb in VERBS {
        let mut command = Command::new("timeout");
        command.args(["--signal=TERM", if verb == ["listen"] { "1" } else { "30" }, ACKBELL, "--config"]);
        let done = command.arg(site.config()).args(verb).env_clear().env("PATH", "/usr/bin:/bin").output().unwrap();
        assert_ne!(done.status.code(), Some(124).filter(|_| verb != ["listen"]), "{verb:?} hangs");
        assert!(!text(&done.stderr).contains("panicked"), "{verb:?}: {}", text(&done.stderr));
    }
}

/// What can be planted, by its place in the state directory.
const PLACES: [&str; 14] = [
    "deliver.lock",
    "spool",
    "spool/new",
    "spool/tmp",
    "spool/bad",
    "installs",
    "installs/lock",
    "installs/default.json",
    "ackbell.db",
    "ackbell.db-wal",
    "ackbell.db-shm",
    "listener.json",
    "listener.json.new",
    "wake",
];

#[test]
#[ignore = "needs root: tests/run"]
fn nothing_planted_in_the_state_makes_root_touch_a_file_for_its_owner() {
    for place in PLACES {
        for kind in ["link", "dangling", "directory", "fifo", "hard"] {
            // Switched off: what nobody takes would be tried for minutes by `queue flush`.
            let more = "enabled = false\nclient_id = \"1.2\"\nclient_secret = \"abc\"\n";
            let site = site_of(NOBODY, NOBODY, &NOWHERE.replace("[outbox]", &format!("{more}[outbox]")));
            let roots = site.dir.path().join("roots");
            fs::create_dir(&roots).unwrap();
            let (secret, missing) = (roots.join("secret"), roots.join("missing"));
            fs::write(&secret, "root's own").unwrap();
            fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
            fs::set_permissions(&roots, fs::Permissions::from_mode(0o755)).unwrap();
            let planted = site.state(place);
            fs::create_dir_all(planted.parent().unwrap()).unwrap();
            match kind {
                "link" => symlink(&secret, &planted).unwrap(),
                "dangling" => symlink(&missing, &planted).unwrap(),
                "directory" => symlink(&roots, &planted).unwrap(),
                "hard" => fs::hard_link(&secret, &planted).unwrap(),
                _ => assert!(Command::new("mkfifo").arg(&planted).status().unwrap().success()),
            }
            // All of it the user's, links too; but not what a hard link is another name of.
            let chown =
                format!("chown -h 65534:65534 $(find {} ! -samefile {})", site.state("").display(), secret.display());
            assert!(Command::new("sh").args(["-c", &chown]).status().unwrap().success());
            run_all(&site);
            let now = fs::symlink_metadata(&secret).unwrap();
            let seen = (now.uid(), now.gid(), now.mode() & 0o7777, fs::read_to_string(&secret).unwrap());
            assert_eq!(seen, (0, 0, 0o600, "root's own".to_owned()), "{kind} at {place}");
            let names: Vec<_> = fs::read_dir(&roots).unwrap().flatten().map(|file| file.file_name()).collect();
            assert_eq!(names, ["secret"], "{kind} at {place}");
        }
    }
}

#[test]
#[ignore = "needs root: tests/run"]
fn links_of_another_user_arent_followed_and_those_of_root_are() {
    // As with a user of its own for the listener: the core's user writes the state directory, too.
    let site = site_of(0, NOBODY, NOWHERE);
    fs::set_permissions(site.state(""), fs::Permissions::from_mode(0o777)).unwrap();
    let elsewhere = site.dir.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    let victim = elsewhere.join("victim");
    fs::write(&victim, "root's own").unwrap();
    let plant = |place: &str, owner: u32| {
        let _ = fs::remove_file(site.state(place));
        symlink(if place == "spool" { &elsewhere } else { &victim }, site.state(place)).unwrap();
        std::os::unix::fs::lchown(site.state(place), Some(owner), Some(owner)).unwrap();
    };
    plant("spool", NOBODY);
    let done = site.run(&NOTIFY);
    assert_eq!(done.status.code(), Some(73));
    let said = "\"spool\" is a symbolic link, and links of the state directory's owner aren't followed; remove it";
    assert!(text(&done.stderr).contains(said), "{}", text(&done.stderr));
    plant("spool", 0);
    assert_eq!(site.run(&NOTIFY).status.code(), Some(0), "the administrator's link is meant");
    assert!(elsewhere.join("new").is_dir());
    for (place, verb) in [("deliver.lock", "flush"), ("ackbell.db", "list"), ("ackbell.db", "flush")] {
        for file in ["deliver.lock", "ackbell.db", "ackbell.db-wal", "ackbell.db-shm"] {
            let _ = fs::remove_file(site.state(file));
        }
        plant(place, NOBODY);
        let done = site.run(&["queue", verb]);
        assert_eq!(done.status.code(), Some(73), "{place}: {}", text(&done.stdout));
        assert!(text(&done.stderr).contains(&format!("\"{place}\" is a symbolic link")), "{}", text(&done.stderr));
        fs::remove_file(site.state(place)).unwrap();
        fs::hard_link(&victim, site.state(place)).unwrap();
        let done = site.run(&["queue", verb]);
        assert_eq!(done.status.code(), Some(73), "{place}: {}", text(&done.stdout));
        assert!(text(&done.stderr).contains("has a second name (a hard link)"), "{}", text(&done.stderr));
        fs::remove_file(site.state(place)).unwrap();
    }
    assert_eq!(fs::read_to_string(victim).unwrap(), "root's own");
}

#[test]
#[ignore = "needs root: tests/run"]
fn what_another_users_configuration_names_is_never_read_by_root() {
    let sandbox = Sandbox::start(&[]);
    let secret = tempfile::NamedTempFile::new().unwrap();
    fs::write(secret.path(), "xoxb-of-root-0000000000").unwrap();
    let slack = format!(
        "[slack]\nbot_token_file = \"{}\"\napi_url = \"{}/api/\"\nchannel = \"#ops\"\n",
        secret.path().display(),
        sandbox.url
    );
    // The state is root's, or isn't there; only the configuration is theirs, or they may write it.
    for (has_state, owner, mode) in [(false, NOBODY, 0o640), (true, NOBODY, 0o640), (true, 0, 0o660)] {
        let site = Site::new(&slack);
        if has_state {
            fs::create_dir(site.state("")).unwrap();
        }
        fs::set_permissions(site.dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        chown(site.config(), Some(owner), Some(NOBODY)).unwrap();
        fs::set_permissions(site.config(), fs::Permissions::from_mode(mode)).unwrap();
        for verb in [&["doctor"][..], &["queue", "flush"], &["setup", "--yes", "--channel", "#ops"], &NOTIFY] {
            let done = site.run(verb);
            assert_ne!(done.status.code(), Some(0).filter(|_| verb != NOTIFY), "{verb:?}: {}", text(&done.stdout));
            assert!(!text(&done.stderr).contains("xoxb-of-root"), "{}", text(&done.stderr));
        }
        let sent = sandbox.get("requests").to_string();
        assert!(!sent.contains("xoxb-of-root"), "{sent}");
    }
}

#[test]
#[ignore = "needs root: tests/run"]
fn what_only_root_may_read_is_read_before() {
    let sandbox = Sandbox::start(&[]);
    let site = site_of(
        NOBODY,
        NOBODY,
        &format!("[slack]\nbot_token_file = \"token\"\napi_url = \"{}/api/\"\nchannel = \"#ops\"\n", sandbox.url),
    );
    let token = site.dir.path().join("token");
    fs::write(&token, TOKEN).unwrap();
    for file in [&token, &site.config()] {
        fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
        chown(file, Some(0), Some(0)).unwrap();
    }
    // It does what the core's own would do: it keeps what it can't deliver, where it belongs.
    let done = site.run(&NOTIFY);
    assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
    assert_eq!((site.spooled("new"), sandbox.messages().len()), (1, 0), "{}", text(&done.stderr));
    let done = site.run(&["queue", "flush"]);
    assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
    assert_eq!(sandbox.messages().len(), 1);
    let done = site.run(&["doctor"]);
    assert!(text(&done.stdout).contains("writable for nobody"), "{}", text(&done.stdout));
    assert_all_belong_to(&site, NOBODY);
}

#[test]
#[ignore = "needs root: tests/run"]
fn no_process_of_the_same_user_reads_a_listeners_memory() {
    let sandbox = Sandbox::start(&[]);
    let slack = by_token(&sandbox.url);
    let site = site_of(NOBODY, NOBODY, &slack);
    let log = fs::File::create(site.dir.path().join("log")).unwrap();
    let mut command = Command::new(program(&site));
    command.arg("--config").arg(site.config()).arg("listen").env_clear().uid(NOBODY).gid(NOBODY).stderr(log);
    let listener = crate::harness::process::Running(command.spawn().unwrap());
    wait::until("the listener", || site.log().contains("listening"));
    let pid = listener.0.id();
    let own =
        Command::new("sleep").arg("60").uid(NOBODY).gid(NOBODY).spawn().map(crate::harness::process::Running).unwrap();
    let reads = |pid: u32, file: &str| {
        let read = format!("exec 3</proc/{pid}/{file}");
        Command::new("sh").args(["-c", &read]).uid(NOBODY).gid(NOBODY).output().unwrap().status.success()
    };
    for file in ["mem", "environ", "maps"] {
        assert!(!reads(pid, file), "/proc/{pid}/{file} can be read by others of its user");
    }
    assert!(reads(own.0.id(), "environ"), "another process of that user shows that the look is right");
    assert!(Path::new(&format!("/proc/{pid}")).exists());
    assert!(!fs::symlink_metadata(site.state("wake")).unwrap().file_type().is_symlink());
    assert!(fs::symlink_metadata(site.state("wake")).unwrap().file_type().is_socket());
}

#[test]
#[ignore = "needs nagios4 and root: tests/run"]
fn setup_lets_the_core_judge_as_its_own_user_and_puts_no_foreign_file_back() {
    let site = Site::new("");
    let core = crate::harness::nagios::Nagios::without_ackbell(&site);
    let root = core.path("").display().to_string();
    let own = tempfile::tempdir().unwrap();
    let hook = own.path().join("hook");
    fs::write(&hook, "https://hooks.slack.com/services/T000/B000/secret").unwrap();
    let trace = own.path().join("trace");
    let setup = |more: &[&str]| {
        let mut command = Command::new("strace");
        command.args(["-f", "-qq", "-o"]).arg(&trace).args(["-e", "trace=execve,setuid,setgid", ACKBELL, "--config"]);
        command.arg(own.path().join("ackbell.toml")).args(["setup", "--yes", "--no-message", "--webhook-url-file"]);
        command.arg(&hook).arg("--main-config").arg(format!("{}/nagios.cfg", root.trim_end_matches('/'))).args(more);
        command.arg("--state-dir").arg(own.path().join("state"));
        let done = command.env_clear().env("PATH", "/usr/bin:/bin:/usr/sbin").output().unwrap();
        format!("{}{}", text(&done.stdout), text(&done.stderr))
    };
    let said = setup(&["--dry-run"]);
    let calls = fs::read_to_string(&trace).unwrap();
    let started = calls.lines().find(|line| line.contains("execve(\"/usr/sbin/nagios4\"")).expect(&said);
    let pid = started.split_whitespace().next().unwrap();
    let before: Vec<&str> =
        calls.lines().take_while(|line| *line != started).filter(|line| line.starts_with(pid)).collect();
    let became = format!("setuid({}) ", number("-u", "nagios"));
    assert!(before.iter().any(|line| line.contains(became.trim())), "{before:?}");
    assert!(before.iter().any(|line| line.contains(&format!("setgid({})", number("-g", "nagios")))), "{before:?}");

    // A file of root's in the place of ours, by the core's user: it is neither read, told nor put back.
    let secret = own.path().join("secret");
    fs::write(&secret, "# ackbell, of root alone\n").unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    let ours = core.path("conf.d/ackbell.cfg");
    let _ = fs::remove_file(&ours);
    symlink(&secret, &ours).unwrap();
    let said = setup(&[]);
    assert!(!said.contains("of root alone"), "{said}");
    let there = fs::symlink_metadata(&ours).unwrap();
    assert!(there.file_type().is_symlink() || !fs::read_to_string(&ours).unwrap().contains("of root alone"), "{said}");
    assert_eq!(fs::metadata(&secret).unwrap().mode() & 0o7777, 0o600);
    assert_eq!(fs::read_to_string(&secret).unwrap(), "# ackbell, of root alone\n");
}

/// A site without a state directory, as root's first `sudo ackbell notify` meets it.
fn fresh_site(sandbox: &Sandbox, more: &str, group: u32) -> Site {
    let site = Site::new(&format!("{}{more}", by_token(&sandbox.url)));
    let _ = fs::remove_dir_all(site.state(""));
    chown(site.config(), Some(0), Some(group)).unwrap();
    fs::set_permissions(site.config(), fs::Permissions::from_mode(0o640)).unwrap();
    fs::set_permissions(site.dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    site
}

#[test]
#[ignore = "needs root: tests/run"]
fn a_state_directory_that_root_makes_is_the_cores() {
    let sandbox = Sandbox::start(&["--burst", "99"]);
    let (user, group) = (number("-u", "nagios"), number("-g", "nagios"));
    let site = fresh_site(&sandbox, "[core]\nkind = \"nagios\"\nmain_config = \"nagios.cfg\"\n", group);
    let main_config = site.dir.path().join("nagios.cfg");
    fs::write(&main_config, "nagios_user=nagios\nnagios_group=nagios\n").unwrap();
    let first = site.run(&NOTIFY);
    assert!(first.status.success(), "{}", text(&first.stderr));
    assert_all_belong_to(&site, user);
    let next = as_user(&site, (user, group), &NOTIFY);
    assert!(next.status.success(), "{}", text(&next.stderr));
    // As it was before: made by root, so that the core's notifications can't be stored.
    fs::remove_dir_all(site.state("")).unwrap();
    fs::DirBuilder::new().recursive(true).create(site.state("spool/new")).unwrap();
    fs::set_permissions(site.state(""), fs::Permissions::from_mode(0o750)).unwrap();
    let shown = site.state("").display().to_string();
    let shown = shown.trim_end_matches('/');
    let checked = site.run(&["check"]);
    let said = text(&checked.stdout);
    assert_eq!(checked.status.code(), Some(2), "{said}");
    let found = "belongs to root, and the core runs as nagios: its notifications can't be stored";
    assert!(said.contains(found) && said.contains(&format!("sudo chown -R nagios:nagios {shown}")), "{said}");
    let examined = site.run(&["doctor"]);
    assert!(text(&examined.stdout).contains(found), "{}", text(&examined.stdout));
    // The remedy as it is said.
    assert!(Command::new("chown").args(["-R", "nagios:nagios", shown]).status().unwrap().success());
    assert!(!text(&site.run(&["check"]).stdout).contains(found));
}

#[test]
#[ignore = "needs root: tests/run"]
fn where_nobody_says_whose_the_state_is_root_makes_none_for_others_and_posts_all_the_same() {
    let sandbox = Sandbox::start(&["--burst", "99"]);
    let site = fresh_site(&sandbox, "", number("-g", "nagios"));
    let refused = site.run(&NOTIFY);
    let said = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(73), "{said}");
    let shown = site.state("").display().to_string();
    assert!(
        said.contains(&format!("install -d -m 0750 -o nagios -g nagios {}", shown.trim_end_matches('/'))),
        "{said}"
    );
    assert!(said.contains("not stored, but posted directly to 1 destination(s)"), "{said}");
    assert!(!site.state("").exists());
    assert_eq!(sandbox.messages().len(), 1);
    // Everything is root's, as in a container.
    chown(site.config(), Some(0), Some(0)).unwrap();
    assert!(site.run(&NOTIFY).status.success());
    assert_eq!(fs::metadata(site.state("")).unwrap().uid(), 0);
    assert_eq!(sandbox.messages().len(), 2);
}

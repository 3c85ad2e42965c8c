//! Every command of the README and of the pages that it links is run, on a machine that has `/etc/ackbell` and the rest in a directory of the test's.

use crate::harness::on_call::{OnCall, Way};
use crate::harness::process::{ACKBELL, script, text};
use crate::harness::sandbox::Sandbox;
use crate::harness::site::Site;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// The README, and the pages that it links. The directories are made first, as the packages do.
const PAGES: [&str; 5] = ["docs/install.md", "README.md", "docs/slack.md", "docs/cores.md", "docs/operate.md"];

fn blocks() -> Vec<String> {
    PAGES.into_iter().flat_map(|page| blocks_of(page, "sh")).collect()
}

/// What stands in a page in this language, without the indentation of a list.
fn blocks_of(page: &str, language: &str) -> Vec<String> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(page)).unwrap();
    let start = format!("```{language}\n");
    let blocks = text.split(&start).skip(1).map(|rest| rest.split("```").next().unwrap().to_owned());
    blocks
        .map(|block| block.lines().map(|line| line.strip_prefix("   ").unwrap_or(line).to_owned() + "\n").collect())
        .collect()
}

#[test]
#[ignore = "needs root: tests/run"]
fn every_command_of_the_readme_works_in_its_order() {
    let sandbox = Sandbox::start(&["--burst", "99"]);
    let home = tempfile::tempdir().unwrap();
    let root = home.path().to_str().unwrap();
    // `sudo ackbell` becomes the owner of the state, who must get there.
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).unwrap();
    for directory in ["bin", "etc", "var/lib", "etc/nagios4/conf.d"] {
        fs::create_dir_all(home.path().join(directory)).unwrap();
    }
    script(&home.path().join("bin/sudo"), "#!/bin/sh\nexec \"$@\"\n");
    script(&home.path().join("bin/ackbell"), &format!("#!/bin/sh\nexec {ACKBELL} \"$@\"\n"));
    // Building is what made this test; here the result is only put in its place.
    script(
        &home.path().join("bin/cargo"),
        &format!("#!/bin/sh\nmkdir -p target/release && cp {ACKBELL} target/release/\n"),
    );
    // What the packages do is packaging/test's; here only the files are found.
    for tool in ["apt", "systemctl", "systemd-tmpfiles", "systemd-sysusers"] {
        script(&home.path().join("bin").join(tool), "#!/bin/sh\nexit 0\n");
    }
    fs::create_dir_all(home.path().join("share/ackbell")).unwrap();
    let cores = concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/cores");
    std::os::unix::fs::symlink(cores, home.path().join("share/ackbell/cores")).unwrap();
    // Debian's own objects stay out of it: only ours are to be verified.
    script(
        &home.path().join("bin/nagios4"),
        "#!/bin/sh\ngrep -q notify-service-by-ackbell \"${2%/*}/conf.d/ackbell.cfg\"\n",
    );
    for directory in ["contrib", "packaging"] {
        let there = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
        std::os::unix::fs::symlink(there, home.path().join(directory)).unwrap();
    }
    let mut commands = 0;
    for block in blocks() {
        if ["contrib/try\n", "tests/run\n"].contains(&block.as_str()) {
            continue; // the first has a test of its own; the second runs this one
        }
        let local = block
            .replace("/usr/bin/", &format!("{root}/bin/"))
            .replace("/usr/share/", &format!("{root}/share/"))
            .replace("/etc/", &format!("{root}/etc/"))
            .replace("/var/lib/", &format!("{root}/var/lib/"))
            .replace("https://hooks.slack.com/services/T000/B000/secret", &sandbox.webhook("B0000001"))
            .replace("<<'TOML'\n", &format!("<<'TOML'\nstate_dir = \"{root}/var/lib/ackbell\"\n"));
        let path = format!("{root}/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        let done = Command::new("bash")
            .args(["-euxc", &local])
            .current_dir(home.path())
            .env("PATH", path)
            .env("ACKBELL_CONFIG", format!("{root}/etc/ackbell/ackbell.toml"))
            .output()
            .unwrap();
        assert!(done.status.success(), "{local}\n{}{}", text(&done.stdout), text(&done.stderr));
        commands += text(&done.stderr).lines().filter(|line| line.starts_with("+ ")).count();
    }
    assert!(commands >= 15, "{commands}");
    assert_eq!(sandbox.texts(), ["DOWN: web01 · no ping"]);
}

#[test]
#[ignore = "needs curl: tests/run"]
fn the_first_command_shows_the_main_job() {
    let root = env!("CARGO_MANIFEST_DIR");
    let fake = tempfile::tempdir().unwrap();
    // The tree as a stranger has it, with a build that is there already.
    let copy = Command::new("sh")
        .args(["-c", &format!("cd {root} && cp -r contrib {0}/ && mkdir -p {0}/target/release {0}/bin && cp {ACKBELL} {0}/target/release/ackbell", fake.path().display())])
        .status()
        .unwrap();
    assert!(copy.success());
    script(&fake.path().join("bin/cargo"), "#!/bin/sh\nexit 0\n");
    let path = format!("{}/bin:/usr/bin:/bin", fake.path().display());
    let done = Command::new("contrib/try").current_dir(fake.path()).env("PATH", path).output().unwrap();
    let said = text(&done.stdout);
    assert!(done.status.success(), "{said}{}", text(&done.stderr));
    assert!(
        said.contains("0 waiting, 0 dead, 0 in the spool") && said.contains("🔴 CRITICAL: Disk on web01"),
        "{said}"
    );
    assert!(
        said.contains("CRITICAL: Disk on web01 · DISK CRITICAL - free space: / 1043 MB (3%)"),
        "what the stand-in got: {said}"
    );
}

/// docs/relay.md alone, from nothing to a notification: every command of the page as it stands there, with what a person does
/// between them.
#[test]
#[ignore = "needs root: tests/run"]
fn the_page_about_relays_sets_one_up_in_less_than_three_minutes() {
    let mut night = OnCall::prepare(Way::Http, "500");
    let started = Instant::now();
    let machine = tempfile::tempdir().unwrap();
    let there = machine.path().display().to_string();
    fs::set_permissions(machine.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::create_dir(machine.path().join("bin")).unwrap();
    fs::write(machine.path().join("nagios.cfg"), "command_file=core.cmd\nstatus_file=status.dat\n").unwrap();
    script(&machine.path().join("bin/sudo"), "#!/bin/sh\nexec \"$@\"\n");
    script(&machine.path().join("bin/systemctl"), "#!/bin/sh\nexit 0\n");
    // This machine's own core stays out of it.
    let own = format!(
        "#!/bin/sh\n[ \"$1\" != setup ] || set -- \"$@\" --main-config {there}/nagios.cfg --definitions - --state-dir {there}/state\n\
         exec {ACKBELL} \"$@\"\n"
    );
    script(&machine.path().join("bin/ackbell"), &own);
    let address = fs::read_to_string(night.site.config()).unwrap();
    let address = address.lines().find_map(|line| line.strip_prefix("http = ")).unwrap().trim_matches('"').to_owned();
    let run = |block: &str| {
        let block = block.replace("https://mon.example.com:9277", &format!("http://{address}"));
        let path = format!("{there}/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        let mut command = Command::new("bash");
        command.args(["-eux", "-c", &block]).current_dir(machine.path()).env("PATH", path);
        command.env("ACKBELL_CONFIG", machine.path().join("ackbell.toml")).output().unwrap()
    };
    let pages = blocks_of("docs/relay.md", "sh");
    let [token, setup, doctor] = &pages[..] else { panic!("{pages:?}") };
    let printed = run(token);
    assert!(printed.status.success(), "{}", text(&printed.stderr));
    let token = text(&printed.stdout).lines().find(|line| line.len() == 64).unwrap().to_owned();
    for file in [night.site.dir.path().join("branch.token"), machine.path().join("branch.token")] {
        fs::write(&file, &token).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    }
    // The page's tables for the centre; its certificate is this machine's loopback here.
    let tables = blocks_of("docs/relay.md", "toml").remove(0);
    night.begin(&tables[tables.find("[cores.branch]").unwrap()..]);
    let done = run(setup);
    assert!(done.status.success(), "{}{}", text(&done.stdout), text(&done.stderr));
    // There is no core behind these paths, so the doctor isn't content; of the centre it is.
    let steps = text(&run(doctor).stdout);
    assert!(steps.contains("takes this relay's token"), "{steps}");
    let site = Site { dir: machine };
    let _relay = site.listen();
    site.service("PROBLEM", "web01", "Disk", "CRITICAL", "it broke");
    night.expect("CRITICAL: Disk on web01");
    let took = started.elapsed();
    println!("from docs/relay.md to a notification: {took:?}");
    assert!(took < Duration::from_secs(180), "{took:?}");
}

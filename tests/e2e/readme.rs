//! Every command of the README and of the pages that it links is run, on a machine that has `/etc/ackbell` and the rest in a directory of the test's.

use crate::harness::process::{ACKBELL, script, text};
use crate::harness::sandbox::Sandbox;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

/// The README, and the pages that it links. The directories are made first, as the packages do.
const PAGES: [&str; 5] = ["docs/install.md", "README.md", "docs/slack.md", "docs/cores.md", "docs/operate.md"];

fn blocks() -> Vec<String> {
    let blocks_of = |page: &str| {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(page)).unwrap();
        let starts = text.split("```sh\n").skip(1);
        starts.map(|rest| rest.split("```").next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    PAGES.into_iter().flat_map(blocks_of).collect()
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

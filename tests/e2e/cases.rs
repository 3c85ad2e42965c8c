//! Command lines that cores really run, and what people must read of each.

use crate::harness::process::text;
use crate::harness::site::Site;

/// What `notify --dry-run` shows, and what it complains of.
fn shown(site: &Site, arguments: &[&str]) -> (Option<i32>, String, String) {
    let done = site.run(&[&["notify", "--dry-run"], arguments].concat());
    (done.status.code(), text(&done.stdout), text(&done.stderr))
}

const DISK: [&str; 6] = ["--hostname", "web01", "--servicedesc", "Disk", "--servicestate", "2"];

#[test]
fn what_a_plugin_and_a_person_wrote_is_shown_as_they_wrote_it() {
    let site = Site::new("[slack]\nwebhook_url = \"http://127.0.0.1:1/services/x\"\n");
    for (more, parts) in [
        (
            &["--notificationtype", "ACKNOWLEDGEMENT", "--author", "a", "--comment", r"\\fs1\new"][..],
            &[r"\\fs1\new"][..],
        ),
        (&["--output", r"C:\nagios\tmp \\nas01\new"], &[r"C:\nagios\tmp \\nas01\new"]),
        (
            &["--perfdata", r"C:\ Used Space=75.48Gb;90;95;0;100 D:\ Used Space=5GB;6;7;0;10 Memory usage=50%;80;90"],
            &[r"  C:\ Used Space 75.48 GiB", r"  D:\ Used Space 5 GiB", "  Memory usage 50 %"],
        ),
        (
            &["--perfdata", "time=0,012888s;0,5;1,0;0,000000;10,000000 /=210GB;549GB;618GB;0GB;687GB"],
            &["  time 12.89 ms  (warn 500 ms, crit 1 s)", "▓▓▓░░░░░░░  / 210 GiB  (warn 549 GiB, crit 618 GiB)"],
        ),
        (&["--output", "\u{1b}[1;31mCRITICAL\u{1b}[0m: 3 vulns"], &["│ CRITICAL: 3 vulns │"]),
        (&["--notes-url", "/wiki/disk"], &["Notes: /wiki/disk"]),
        (
            &[
                "--action-url",
                "https://g.example.com/pnp4nagios/graph?host=web01&srv=Disk' class='tips' rel='https://g.example.com/popup?host=web01'",
            ],
            &["https://g.example.com/pnp4nagios/graph?host=web01&srv=Disk\n"],
        ),
        (&["--long-output", r"D:\\new\nthree", "--output", "x"], &["D:\\new", "three"]),
    ] {
        let (code, said, complaint) = shown(&site, &[&DISK[..], more].concat());
        assert_eq!((code, complaint.as_str()), (Some(0), ""), "{more:?}");
        for part in parts {
            assert!(said.contains(part), "{part:?} is missing\n{said}");
        }
    }
}

#[test]
fn a_relative_address_is_the_cores() {
    let site = Site::new(
        "[slack]\nwebhook_url = \"http://127.0.0.1:1/services/x\"\n[core]\nurl = \"https://mon.example.com/nagios4\"\n",
    );
    let (_, said, _) = shown(&site, &[&DISK[..], &["--notes-url", "/wiki/disk?h=web01"]].concat());
    assert!(said.contains("https://mon.example.com/wiki/disk?h=web01"), "{said}");
}

#[test]
fn openitcockpits_own_command_lines_are_taken_without_a_word() {
    let site = Site::new("[slack]\nwebhook_url = \"http://127.0.0.1:1/services/x\"\n");
    let service = "-q -t Service --no-emoji --notificationtype ACKNOWLEDGEMENT --hostname web01 --hostoutput PING \
        --contactmail a@example.com --contactalias Bob --servicedesc Disk --servicestate CRITICAL --serviceoutput FULL \
        --serviceackauthor alice --serviceackcomment busy --format both --servicelongoutput more";
    let (code, said, complaint) = shown(&site, &service.split_whitespace().collect::<Vec<_>>());
    assert_eq!((code, complaint.as_str()), (Some(0), ""));
    for part in ["ACKNOWLEDGED, CRITICAL: Disk on web01", "acknowledged by alice", "❝ busy", "│ FULL", "│ more"] {
        assert!(said.contains(part), "{part:?} is missing\n{said}");
    }
    assert!(!said.contains("PING"), "the host's output is the host's\n{said}");
    let host =
        "-t Host --notificationtype PROBLEM --hostname web01 --hoststate DOWN --hostoutput PING --hostackauthor bob";
    let (code, said, complaint) = shown(&site, &host.split_whitespace().collect::<Vec<_>>());
    assert_eq!((code, complaint.as_str()), (Some(0), ""));
    assert!(said.contains("DOWN: web01") && said.contains("│ PING"), "{said}");
    let mattermost =
        "--type Host --notificationtype PROBLEM --hostuuid web01 --state 1 --output x --user-id 7 --proxy 1";
    assert_eq!(shown(&site, &mattermost.split_whitespace().collect::<Vec<_>>()).2, "");
}

#[test]
fn a_type_alone_is_nothing_to_notify() {
    let site = Site::new("[slack]\nwebhook_url = \"http://127.0.0.1:1/services/x\"\n");
    let done = site.run(&["notify", "--type", "Host"]);
    assert_eq!(done.status.code(), Some(64), "{}", text(&done.stderr));
    assert_eq!(site.spooled("new"), 0);
}

#[test]
fn names_that_look_alike_are_two_objects_all_the_way() {
    let site = Site::new("");
    for name in ["a\u{200b}b", "ab", "سرویس\u{200c}ها", "Portal 👩\u{200d}💻"] {
        site.service("PROBLEM", "web01", name, "2", "x");
    }
    let mut kept: Vec<String> = std::fs::read_dir(site.state("spool/new"))
        .unwrap()
        .map(|file| {
            let entry: serde_json::Value =
                serde_json::from_slice(&std::fs::read(file.unwrap().path()).unwrap()).unwrap();
            entry["notification"]["service"]["name"].as_str().unwrap().to_owned()
        })
        .collect();
    kept.sort();
    let mut expected = ["a\u{200b}b", "ab", "سرویس\u{200c}ها", "Portal 👩\u{200d}💻"].map(str::to_owned);
    expected.sort();
    assert_eq!(kept, expected);
}

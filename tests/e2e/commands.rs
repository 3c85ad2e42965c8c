//! What `ackbell commands` prints, judged by the real cores and a real shell.

use crate::harness::process::{ACKBELL, script, text};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Command;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn printed(core: &str, more: &[&str]) -> String {
    let done = Command::new(ACKBELL).args(["commands", core]).args(more).output().unwrap();
    assert!(done.status.success(), "{}", text(&done.stderr));
    text(&done.stdout)
}

#[test]
fn contrib_has_what_is_printed() {
    for (core, file) in [
        ("nagios", "nagios/ackbell.cfg"),
        ("naemon", "naemon/ackbell.cfg"),
        ("icinga2", "icinga2/ackbell.conf"),
        ("openitcockpit", "openitcockpit/ackbell.txt"),
        ("checkmk", "checkmk/ackbell"),
        ("centreon", "centreon/ackbell.txt"),
    ] {
        let kept = fs::read_to_string(format!("{ROOT}/contrib/{file}")).unwrap();
        assert_eq!(printed(core, &[]), kept, "{file}");
        let elsewhere = printed(core, &["--binary", "/opt/ackbell-1.0/bin/ackbell"]);
        assert!(
            !elsewhere.contains("/usr/bin/ackbell") && elsewhere.contains("/opt/ackbell-1.0/bin/ackbell"),
            "{core}"
        );
        assert!(kept.replace("\", \"", " ").contains("/usr/bin/ackbell check"), "{core} has the check");
    }
    let odd = Command::new(ACKBELL).args(["commands", "nagios", "--binary", "/x y'"]).output().unwrap();
    assert_eq!(odd.status.code(), Some(64));
    assert!(
        text(&odd.stderr).contains("must be a whole path of letters, digits and / . _ - +"),
        "{}",
        text(&odd.stderr)
    );
}

#[test]
fn the_readme_prints_a_line_at_its_real_length() {
    let readme = fs::read_to_string(format!("{ROOT}/docs/cores.md")).unwrap();
    let joined: String = readme.split(" \\\n").map(str::trim_start).collect::<Vec<_>>().join(" ");
    let printed = printed("nagios", &[]);
    let lines = printed.lines().filter_map(|line| Some(line[line.find("/usr/bin/ackbell notify")?..].trim()));
    let lines: Vec<&str> = lines.filter(|line| line.contains("--notificationtype")).collect();
    let said = format!("{} characters (a host's has {})", lines[1].len(), lines[0].len());
    assert!(joined.contains(lines[1]) && readme.contains(&said), "{said}\n{}", lines[1]);
}

#[test]
#[ignore = "needs nagios4 and root: tests/run"]
fn a_real_nagios_takes_them() {
    for core in ["nagios", "naemon"] {
        let directory = tempfile::Builder::new().prefix("ackbell-commands").tempdir_in("/tmp").unwrap();
        let root = directory.path().display().to_string();
        for inside in ["tmp", "results", "rw"] {
            fs::create_dir(directory.path().join(inside)).unwrap();
        }
        let printed = printed(core, &[]);
        let timeperiod = "define timeperiod {\n timeperiod_name 24x7\n alias always\n monday 00:00-24:00\n}\n";
        let host = "define command {\n command_name ping\n command_line /bin/true\n}\ndefine host {\n host_name localhost\n \
            check_command ping\n max_check_attempts 1\n check_period 24x7\n notification_period 24x7\n contacts slack\n}\n";
        fs::write(directory.path().join("objects.cfg"), format!("{printed}\n{timeperiod}{host}")).unwrap();
        let main = format!(
            "log_file={root}/nagios.log\ncfg_file={root}/objects.cfg\ncommand_file={root}/rw/nagios.cmd\n\
             temp_path={root}/tmp\ncheck_result_path={root}/results\nlock_file={root}/pid\nquery_socket={root}/rw/qh\n\
             object_cache_file={root}/objects.cache\nstatus_file={root}/status.dat\nillegal_macro_output_chars=`~$&|'\"<>\n"
        );
        fs::write(directory.path().join("nagios.cfg"), main).unwrap();
        own(&root);
        let done = Command::new("nagios4").arg("-v").arg(directory.path().join("nagios.cfg")).output().unwrap();
        let said = text(&done.stdout);
        let is_clean = said.contains("Total Warnings: 0") && said.contains("Total Errors:   0");
        assert!(done.status.success() && is_clean, "{core}: {said}");
        assert!(said.contains("Checked 1 services"), "{core}: {said}");
    }
}

#[test]
#[ignore = "needs icinga2 and root: tests/run"]
fn a_real_icinga2_takes_them() {
    let directory = tempfile::Builder::new().prefix("ackbell-commands").tempdir_in("/tmp").unwrap();
    let root = directory.path().display().to_string();
    let before = "const NodeName = \"mon01\"\nconst ZoneName = NodeName\ninclude <itl>\n\
        object Host NodeName { check_command = \"dummy\" }\n\
        object Service \"Disk\" { host_name = NodeName, check_command = \"dummy\" }\n";
    fs::write(directory.path().join("icinga2.conf"), format!("{before}{}", printed("icinga2", &[]))).unwrap();
    let mut command = Command::new("icinga2");
    command.args(["daemon", "-C", "-c", &format!("{root}/icinga2.conf")]);
    for (name, inside) in
        [("DataDir", "data"), ("LogDir", "log"), ("CacheDir", "cache"), ("SpoolDir", "spool"), ("InitRunDir", "run")]
    {
        fs::create_dir(directory.path().join(inside)).unwrap();
        command.arg("-D").arg(format!("{name}={root}/{inside}"));
    }
    own(&root);
    let done = command.output().unwrap();
    let said = text(&done.stdout) + &text(&done.stderr);
    assert!(done.status.success(), "{said}");
    // Host, Disk and the check of ackbell are told of.
    assert!(said.contains("Instantiated 3 Notifications."), "{said}");
    assert!(said.contains("Instantiated 2 Services."), "{said}");
}

/// The cores run as this user.
fn own(root: &str) {
    assert!(Command::new("chown").args(["-R", "nagios:nagios", root]).status().unwrap().success());
    assert!(Command::new("chmod").args(["0755", root]).status().unwrap().success());
}

#[test]
fn checkmks_site_is_the_core_where_the_configuration_has_it() {
    let directory = tempfile::tempdir().unwrap();
    let core = |configuration: &str, site: &str| {
        fs::write(directory.path().join("none.toml"), configuration).unwrap();
        let told = run_checkmk(
            directory.path(),
            &[
                ("NOTIFY_WHAT", "HOST"),
                ("NOTIFY_HOSTNAME", "web01"),
                ("NOTIFY_HOSTSTATE", "DOWN"),
                ("NOTIFY_OMD_SITE", site),
            ],
        );
        told["notification"]["core"].as_str().unwrap_or_default().to_owned()
    };
    for line in ["[cores.paris]", " [ cores.paris]", "[cores.\"paris\"]"] {
        let expected = if line.contains("[ ") { "" } else { "paris" };
        assert_eq!(core(&format!("[slack]\n{line}\nkind = \"checkmk\"\n"), "paris"), expected, "{line}");
    }
    // A site's own listener knows one core, without a name.
    assert_eq!(core("[core]\nkind = \"checkmk\"\n#[cores.paris]\n", "paris"), "");
    assert_eq!(core("[cores.paris2]\n", "paris"), "");
    assert_eq!(core("[cores.paris]\n", ""), "");
}

#[test]
fn the_cores_of_another_program_are_printed() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("sites.mk");
    fs::write(&file, "sites.update({'paris': {'socket': ('tcp', {'address': ('192.0.2.7', 6557)})}})\n").unwrap();
    let run = || Command::new(ACKBELL).args(["commands", "cores"]).arg(&file).output().unwrap();
    let done = run();
    assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
    let printed = text(&done.stdout);
    assert!(printed.ends_with("[cores.paris]\nkind = \"checkmk\"\nlivestatus = \"192.0.2.7:6557\"\n"), "{printed}");
    fs::write(&file, "sites.update({\n'paris': {'socket': read()}})\n").unwrap();
    let done = run();
    let said = text(&done.stderr);
    assert_eq!(done.status.code(), Some(64));
    assert!(said.contains("sites.mk: line 2: a plain value is missing, at \"read()}})\""), "{said}");
    fs::remove_file(&file).unwrap();
    let done = run();
    assert!(text(&done.stderr).contains("sites.mk: No such file"), "{}", text(&done.stderr));
    let neither = Command::new(ACKBELL).arg("commands").output().unwrap();
    assert_eq!(neither.status.code(), Some(64));
    assert!(text(&neither.stderr).contains("<CORE>"), "{}", text(&neither.stderr));
}

/// The notification that `notify` keeps when Checkmk runs the method with these variables.
fn run_checkmk(directory: &Path, variables: &[(&str, &str)]) -> Value {
    let method = directory.join("method");
    script(&method, &printed("checkmk", &["--binary", ACKBELL]));
    let mut command = Command::new("sh");
    command.arg(&method).env_clear().env("PATH", "/usr/bin:/bin").env("ACKBELL_STATE_DIR", directory.join("state"));
    let done =
        command.envs(variables.iter().copied()).env("ACKBELL_CONFIG", directory.join("none.toml")).output().unwrap();
    assert!(done.status.success(), "{}", text(&done.stderr));
    let mut spooled = fs::read_dir(directory.join("state/spool/new")).unwrap().flatten();
    let file = spooled.next().unwrap().path();
    let told = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    fs::remove_file(file).unwrap();
    told
}

#[test]
fn checkmks_variables_arrive_whole() {
    let directory = tempfile::tempdir().unwrap();
    let hostile = "it's \"full\" `touch pwned` $(touch pwned) $HOME ; & | * --to=#x \\";
    let told = run_checkmk(
        directory.path(),
        &[
            ("NOTIFY_WHAT", "SERVICE"),
            ("NOTIFY_NOTIFICATIONTYPE", "PROBLEM"),
            ("NOTIFY_HOSTNAME", "--to=#elsewhere"),
            ("NOTIFY_HOSTADDRESS", "192.0.2.10"),
            ("NOTIFY_HOSTSTATE", "UP"),
            ("NOTIFY_SERVICEDESC", "Disk 'C:\\'"),
            ("NOTIFY_SERVICESTATE", "CRITICAL"),
            ("NOTIFY_SERVICEOUTPUT", hostile),
            ("NOTIFY_LONGSERVICEOUTPUT", "one\\ntwo"),
            ("NOTIFY_SERVICEPROBLEMID", "137"),
            ("NOTIFY_CONTACTNAME", "alice"),
            ("NOTIFY_CONTACTEMAIL", "alice@example.com"),
            ("NOTIFY_OMD_SITE", "prod"),
            ("NOTIFY_MICROTIME", "1795240000123456"),
        ],
    );
    let said = told.to_string();
    for part in [
        "--to=#elsewhere",
        "Disk 'C:\\\\'",
        "137",
        "alice@example.com",
        "192.0.2.10",
        "\"site\":\"prod\"",
        "\"time\":1795240000,",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(said.contains(&serde_json::to_string(hostile).unwrap()), "{said}");
    assert!(!Path::new("pwned").exists() && !directory.path().join("pwned").exists());
    let told = run_checkmk(
        directory.path(),
        &[
            ("NOTIFY_WHAT", "HOST"),
            ("NOTIFY_NOTIFICATIONTYPE", "ACKNOWLEDGEMENT"),
            ("NOTIFY_HOSTNAME", "web01"),
            ("NOTIFY_HOSTSTATE", "DOWN"),
            ("NOTIFY_HOSTOUTPUT", "no ping"),
            ("NOTIFY_SERVICEOUTPUT", "not this"),
            ("NOTIFY_NOTIFICATIONAUTHOR", "bob"),
            ("NOTIFY_NOTIFICATIONCOMMENT", "on it"),
        ],
    );
    let said = told.to_string();
    assert!(said.contains("no ping") && said.contains("on it") && said.contains("bob"), "{said}");
    assert!(!said.contains("not this"), "{said}");
}

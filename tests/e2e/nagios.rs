//! A real nagios4 runs the real binary, by the definitions that we ship.

use crate::harness::nagios::Nagios;
use crate::harness::on_call::OnCall;
use crate::harness::sandbox::{Sandbox, TOKEN};
use crate::harness::wait;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// What a plugin may print. Three backticks, a call for everybody, shell, a tab; and a backslash at the end.
const HOSTILE: &str = "it's \"full\" `id` $HOME ; & <!channel> ```x C:\\";

/// An evening with the core: what each thing that happens looks like in Slack.
fn evening(night: &OnCall<Nagios>, hostile: &str) {
    let core = &night.core;
    core.set("Disk", 2, format!("{HOSTILE}\nsecond line|/=97%;80;90"));
    let disk = night.expect("CRITICAL: Disk on Web 01");
    assert_eq!(disk["text"], format!("CRITICAL: Disk on Web 01 · {hostile}"));
    assert!(disk.to_string().contains("second line") && disk.to_string().contains("97 %"), "{disk}");
    core.order("ACKNOWLEDGE_SVC_PROBLEM;web01;Disk;2;1;0;Carol;looking; really");
    night.expect("ACKNOWLEDGED, CRITICAL: Disk on Web 01 · acknowledged by Carol · looking; really");
    core.order("SEND_CUSTOM_SVC_NOTIFICATION;web01;Disk;0;Carol;hands off");
    night.expect("MESSAGE, CRITICAL: Disk on Web 01 · sent by hand by Carol · hands off");
    core.set("Disk", 0, "fine again");
    let recovered = night.expect("RECOVERED, OK: Disk on Web 01");
    assert!(recovered["text"].as_str().unwrap().ends_with(" · fine again"), "{recovered}");

    core.set("Load", 1, b"bad \xff\xfe bytes \xc3\xa4");
    night.expect("WARNING: Load on Web 01 · bad");
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    core.order(&format!("SCHEDULE_SVC_DOWNTIME;web01;Load;{now};{};1;0;3600;Carol;upgrade", now + 3600));
    night.expect("DOWNTIME STARTED: Load on Web 01");

    core.set("Big", 3, format!("{}\n{}", "x".repeat(4000), "long line\n".repeat(6000)));
    let big = night.expect("UNKNOWN: Big on Web 01");
    assert!(big.to_string().contains("more characters"), "said to be cut");

    core.order("PROCESS_HOST_CHECK_RESULT;web01;1;no ping");
    night.expect("DOWN: Web 01 · no ping");
    core.order("PROCESS_HOST_CHECK_RESULT;web01;0;ping");
    night.expect("RECOVERED, UP: Web 01");
}

fn flapping(night: &OnCall<Nagios>) {
    let mut turn = 0;
    wait::trying(Duration::from_millis(500), "it to flap", || {
        turn += 1;
        night.core.order(&format!("PROCESS_SERVICE_CHECK_RESULT;web01;Flap;{};turn {turn}", turn % 2 * 2));
        night.core.set("Flap", turn % 2 * 2, format!("turn {turn}"));
        let texts = night.sandbox.texts();
        if texts.iter().any(|text| text.starts_with("FLAPPING: Flap on Web 01")) {
            Ok(())
        } else {
            Err(format!("{texts:?}"))
        }
    });
}

/// Two contacts, and nothing shows twice.
fn assert_once(sandbox: &Sandbox) {
    let texts: Vec<_> = sandbox.messages().iter().map(|m| (m["text"].to_string(), m["thread_ts"].is_null())).collect();
    for text in &texts {
        assert_eq!(texts.iter().filter(|other| *other == text).count(), 1, "{text:?}");
    }
    sandbox.assert_respected();
}

fn with_rights(path: &Path) {
    let done = Command::new("chmod").args(["-R", "a+rX"]).arg(path).status().unwrap();
    assert!(done.success());
}

#[test]
#[ignore = "needs nagios4 and root: tests/run"]
fn a_real_core_over_http_by_arguments() {
    let sandbox = Sandbox::start(&["--burst", "200"]);
    let slack =
        format!("[slack]\nwebhook_url = \"{}\"\n[core]\nmain_config = \"nagios.cfg\"\n", sandbox.webhook("B0000001"));
    let night = OnCall::of(sandbox, slack).beside(|site| Nagios::start(site, "ackbell", false));
    // What the core deletes by itself is gone, and it makes colons of semicolons; all else survives the shell.
    evening(&night, "its full id HOME :  !channel x C:\\");
    flapping(&night);
    assert_once(&night.sandbox);
    assert!(!night.core.log().contains("exited with return code"), "{}", night.core.log());
}

#[test]
#[ignore = "needs nagios4 and root: tests/run"]
fn a_real_core_over_tls_with_a_private_ca_by_environment() {
    let directory = tempfile::tempdir().unwrap();
    let (cert, key) = crate::answers::certificate(directory.path());
    with_rights(directory.path());
    let sandbox =
        Sandbox::start(&["--burst", "200", "--tls-cert", cert.to_str().unwrap(), "--tls-key", key.to_str().unwrap()]);
    let url = sandbox.url.replace("127.0.0.1", "localhost");
    let slack = format!(
        "[slack]\nbot_token = \"{}\"\napi_url = \"{url}/api/\"\nchannel = \"#ops\"\nca_file = \"{}\"\n",
        TOKEN,
        cert.display()
    );
    let night = OnCall::of(sandbox, slack).beside(|site| Nagios::start(site, "ackbell-env", true));
    // Whole, but for the semicolon; escaped for Slack.
    evening(&night, "it's \"full\" `id` $HOME : &amp; &lt;!channel&gt; ```x C:\\");
    assert_once(&night.sandbox);
    assert!(!night.core.log().contains("exited with return code"), "{}", night.core.log());
}

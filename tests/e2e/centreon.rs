//! Clicks that reach a Centreon Engine through its command file and are read back from its status file. The engine is played
//! after its source (`xsddefault_save_status_data`, `cmd_acknowledge_problem`): no real one could be run.

use crate::harness::on_call::{Card, OnCall, Way};
use crate::harness::process::text;
use crate::harness::wait;
use rustix::fs::{CWD, Mode, mkfifoat};
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Seek, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// One service in trouble, and what the engine was told.
#[derive(Default)]
struct Held {
    commands: Vec<String>,
    is_acknowledged: bool,
    /// As they stand in the file: number of the host, author, text, time.
    comments: Vec<(u32, String, String, u64)>,
    /// The objects have no numbers: nobody's web page wrote them.
    is_by_hand: bool,
}

struct Centreon(Arc<Mutex<Held>>);

fn now() -> u64 {
    std::time::UNIX_EPOCH.elapsed().unwrap().as_secs()
}

impl Centreon {
    fn start(directory: &Path) -> Self {
        let held = Arc::new(Mutex::new(Held::default()));
        let fifo = directory.join("centengine.cmd");
        mkfifoat(CWD, &fifo, Mode::from_raw_mode(0o660)).unwrap();
        let read = OpenOptions::new().read(true).write(true).open(&fifo).unwrap();
        let reader = Arc::clone(&held);
        std::thread::spawn(move || {
            for line in BufReader::new(read).lines() {
                reader.lock().unwrap().take(&line.unwrap());
            }
        });
        let status = File::create(directory.join("status.dat")).unwrap();
        let writer = Arc::clone(&held);
        std::thread::spawn(move || {
            loop {
                let written = writer.lock().unwrap().status();
                write_over(&status, &written);
                // Its `status_update_interval`.
                std::thread::sleep(Duration::from_millis(700));
            }
        });
        Self(held)
    }

    fn with<T>(&self, look: impl FnOnce(&mut Held) -> T) -> T {
        look(&mut self.0.lock().unwrap())
    }
}

/// The engine keeps the file open, empties it, and fills it; slowly here, between two blocks.
fn write_over(mut file: &File, text: &str) {
    file.set_len(0).unwrap();
    file.rewind().unwrap();
    let (first, rest) = text.split_at(text.find("servicestatus").unwrap());
    for part in [first, rest] {
        std::thread::sleep(Duration::from_millis(30));
        file.write_all(part.as_bytes()).unwrap();
    }
}

impl Held {
    fn take(&mut self, line: &str) {
        self.commands.push(line.to_owned());
        let command: Vec<&str> = line.split_once("] ").unwrap().1.splitn(8, ';').collect();
        match command.as_slice() {
            ["ACKNOWLEDGE_SVC_PROBLEM", "web01", "Disk", _, _, _, author, comment] => {
                self.is_acknowledged = true;
                self.comments.push((12, (*author).to_owned(), (*comment).to_owned(), now()));
            }
            ["REMOVE_SVC_ACKNOWLEDGEMENT", "web01", "Disk"] => {
                self.is_acknowledged = false;
                self.comments.retain(|(host, ..)| *host != 12);
            }
            _ => {}
        }
    }

    fn status(&self) -> String {
        let variable = |text: &'static str| if self.is_by_hand { "" } else { text };
        let acknowledged = u8::from(self.is_acknowledged);
        let mut file = format!(
            "info {{\n\tcreated={}\n\t}}\n\nprogramstatus {{\n\tnagios_pid=7\n\tenable_notifications=1\n\t}}\n\n\
             hoststatus {{\n\thost_name=web01\n\tcurrent_state=0\n{}\t}}\n\nservicestatus {{\n\thost_name=web01\n\
             \tservice_description=Disk\n\thas_been_checked=1\n\tcurrent_state=2\n\tstate_type=1\n\
             \tnotifications_enabled=1\n\tproblem_has_been_acknowledged={acknowledged}\n\
             \tacknowledgement_type={}\n\tlast_check={}\n{}\t}}\n\n",
            now(),
            variable("\t_HOST_ID=0;12\n"),
            acknowledged * 2,
            now() - 5,
            variable("\t_SERVICE_ID=0;34\n"),
        );
        for (host, author, comment, time) in &self.comments {
            file += &format!(
                "servicecomment {{\n\thost_id={host}\n\tservice_id=34\n\tentry_type=4\n\tcomment_id=1\n\tsource=0\n\
                 \tpersistent=0\n\tentry_time={time}\n\texpires=0\n\texpire_time=0\n\tauthor={author}\n\
                 \tcomment_data={comment}\n\t}}\n\n"
            );
        }
        file
    }
}

fn begin() -> OnCall<Centreon> {
    let mut night = OnCall::prepare(Way::SocketMode, "500").beside(|site| Centreon::start(site.dir.path()));
    let main =
        "command_file=centengine.cmd\nstatus_file=status.dat\ncheck_external_commands=1\nstatus_update_interval=1\n";
    std::fs::write(night.site.dir.path().join("centengine.cfg"), main).unwrap();
    night.begin(
        "[core]\nkind = \"centreon\"\nmain_config = \"centengine.cfg\"\nurl = \"https://mon.example.com/centreon\"\n",
    );
    night
}

fn problem(night: &OnCall<Centreon>) -> Card {
    let arguments = ["notify", "--notificationtype", "PROBLEM", "--hostname", "web01 ", "--servicedesc", "Disk "];
    let more = ["--servicestate", "CRITICAL", "--problem-id", "3", "--var", "host_id=12", "--var", "service_id=34"];
    let done = night.site.run(&[&arguments[..], &more].concat());
    assert!(done.status.success(), "{}", text(&done.stderr));
    night.expect("CRITICAL: Disk on web01")
}

#[test]
fn a_click_reaches_a_centreon_and_is_read_back_by_number() {
    let night = begin();
    let card = problem(&night);
    assert!(card.to_string().contains("https://mon.example.com/centreon/monitoring/resources?details="), "{card}");
    // The same service's acknowledgement on another host is nobody's business here.
    night.core.with(|held| held.comments.push((13, "bob".to_owned(), "mine".to_owned(), now())));
    card.click("acknowledge");
    let card = card.becomes("ACKNOWLEDGED, CRITICAL: Disk on web01 · acknowledged by alice (Slack U0ALICE001)");
    let commands = night.core.with(|held| held.commands.clone());
    assert!(commands[0].contains("] ACKNOWLEDGE_SVC_PROBLEM;web01;Disk;2;1;0;"), "{commands:?}");
    card.click("unacknowledge");
    night.expect("ACKNOWLEDGEMENT REMOVED, CRITICAL: Disk on web01");
    wait::until("the removal", || night.core.with(|held| held.commands.len() == 2));
    night.sandbox.assert_respected();
}

#[test]
fn without_numbers_our_own_words_are_the_proof() {
    let night = begin();
    night.core.with(|held| held.is_by_hand = true);
    let card = problem(&night);
    card.click("acknowledge");
    card.becomes("ACKNOWLEDGED, CRITICAL: Disk on web01 · acknowledged by alice (Slack U0ALICE001)");
    night.sandbox.assert_respected();
}

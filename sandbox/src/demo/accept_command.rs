//! External commands, as a core reads them: <https://assets.nagios.com/downloads/nagioscore/docs/externalcmds/>. Written
//! without a look at what writes them.

use super::fake_core::{Comment, Core, Downtime, Occasion};

impl Core {
    /// Carries out one line of the command file, and logs what a core logs.
    pub(super) fn obey(&mut self, line: &str, now: i64) {
        let Some((_, text)) = line.strip_prefix('[').and_then(|rest| rest.split_once("] ")) else {
            return;
        };
        let (name, rest) = text.split_once(';').unwrap_or((text, ""));
        let done = match name {
            "DEL_SVC_DOWNTIME" | "DEL_HOST_DOWNTIME" => self.cancel_downtime(rest, now),
            "SCHEDULE_HOST_SVC_DOWNTIME" => {
                let host = rest.split(';').next().unwrap_or_default();
                let services: Vec<usize> = (0..self.objects.len())
                    .filter(|&at| self.objects[at].host == host && self.objects[at].service.is_some())
                    .collect();
                let fields: Vec<&str> = rest.splitn(8, ';').skip(1).collect();
                services.into_iter().try_for_each(|at| self.downtime(at, &fields, now))
            }
            _ => return self.obey_one(name, rest, text, now),
        };
        self.log(now, &format!("EXTERNAL COMMAND: {text}"));
        if done.is_none() {
            self.log(now, &format!("Error: External command failed -> {text}"));
        }
    }

    /// A command about one host or service: its name says which of the two.
    fn obey_one(&mut self, name: &str, rest: &str, text: &str, now: i64) {
        let is_service = name.contains("_SVC_");
        let plain = name.replace("_SVC_", "_").replace("_HOST_", "_");
        // The last field takes the rest: a comment may hold semicolons.
        let fields = match plain.as_str() {
            "ACKNOWLEDGE_PROBLEM" => 5,
            "SCHEDULE_DOWNTIME" => 7,
            "ADD_COMMENT" => 3,
            "SCHEDULE_FORCED_CHECK" => 1,
            "REMOVE_ACKNOWLEDGEMENT" | "DISABLE_NOTIFICATIONS" | "ENABLE_NOTIFICATIONS" => 0,
            _ => return self.log(now, &format!("Warning: Unrecognized external command -> {text}")),
        };
        self.log(now, &format!("EXTERNAL COMMAND: {text}"));
        let names = if is_service { 2 } else { 1 };
        let mut fields = rest.splitn(names + fields, ';');
        let host = fields.next().unwrap_or_default();
        let service = if is_service { fields.next() } else { None };
        let fields: Vec<&str> = fields.collect();
        let done = self.find(host, service).and_then(|at| match plain.as_str() {
            "ACKNOWLEDGE_PROBLEM" => self.acknowledge(at, &fields, now),
            "SCHEDULE_DOWNTIME" => self.downtime(at, &fields, now),
            "ADD_COMMENT" => {
                let [persistent, author, comment] = fields[..] else { return None };
                self.comment(at, 1, persistent != "0", (author, comment), now)
            }
            "REMOVE_ACKNOWLEDGEMENT" => {
                self.objects[at].forget_acknowledgement();
                Some(())
            }
            "SCHEDULE_FORCED_CHECK" => {
                let wanted: i64 = fields.first()?.parse().ok()?;
                self.objects[at].last_check = now.max(wanted.min(now + 60));
                Some(())
            }
            _ => {
                self.objects[at].notifications_enabled = plain == "ENABLE_NOTIFICATIONS";
                Some(())
            }
        });
        if done.is_none() {
            self.log(now, &format!("Error: External command failed -> {text}"));
        }
    }

    /// `sticky;notify;persistent;author;comment`. What is well can't be acknowledged; no core says so.
    fn acknowledge(&mut self, at: usize, fields: &[&str], now: i64) -> Option<()> {
        let [sticky, notify, persistent, author, comment] = *fields else { return None };
        if self.objects[at].now.code == 0 {
            return Some(());
        }
        self.objects[at].forget_acknowledgement();
        self.comment(at, 4, persistent != "0", (author, comment), now)?;
        self.objects[at].acknowledged = if sticky == "2" { 2 } else { 1 };
        if notify != "0" {
            self.notify(at, Occasion::Acknowledgement, author, comment, now);
        }
        Some(())
    }

    fn comment(&mut self, at: usize, kind: u8, persistent: bool, remark: (&str, &str), now: i64) -> Option<()> {
        let (author, text) = remark;
        if text.is_empty() {
            return None;
        }
        let id = self.number();
        let (author, text) = (author.to_owned(), text.to_owned());
        self.objects[at].comments.push(Comment { id, entry_type: kind, persistent, time: now, author, text });
        Some(())
    }

    /// `start;end;fixed;trigger;duration;author;comment`
    fn downtime(&mut self, at: usize, fields: &[&str], now: i64) -> Option<()> {
        let [start, end, fixed, _, duration, author, comment] = *fields else { return None };
        let downtime = Downtime {
            id: self.number(),
            entered: now,
            start: start.parse().ok()?,
            end: end.parse().ok()?,
            fixed: fixed != "0",
            duration: duration.parse().ok()?,
            since: None,
            author: author.to_owned(),
            text: comment.to_owned(),
        };
        // Wholly in the past: accepted, and without effect.
        if downtime.end > now {
            self.objects[at].downtimes.push(downtime);
            self.tick(now);
        }
        Some(())
    }

    fn cancel_downtime(&mut self, id: &str, now: i64) -> Option<()> {
        let id: u32 = id.trim().parse().ok()?;
        let mut objects = self.objects.iter().enumerate();
        let (at, downtime) = objects
            .find_map(|(at, object)| Some((at, object.downtimes.iter().position(|downtime| downtime.id == id)?)))?;
        self.end_downtime(at, downtime, Occasion::DowntimeCancelled, now);
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::files;

    const NOW: i64 = 1_800_000_000;

    /// The core after these commands, with a full disk; and what it told whom.
    fn after(commands: &[&str]) -> (Core, Vec<Vec<String>>, String) {
        let mut core = Core::new(NOW);
        let at = core.find("files01", Some("Disk /srv")).unwrap();
        core.check(at, core.objects[at].bad[0], NOW);
        for command in commands {
            core.obey(&format!("[{NOW}] {command}"), NOW + 1);
        }
        let (sent, log) = (core.take_notifications(), core.take_log().join("\n"));
        (core, sent, log)
    }

    #[test]
    fn what_it_holds_is_read_from_its_status_file_like_a_real_cores() {
        let (core, sent, _) = after(&["ACKNOWLEDGE_SVC_PROBLEM;files01;Disk /srv;2;1;0;alice;on it; really"]);
        let text = files::status(&core, NOW + 2);
        let has = |kind: &str, lines: &[&str]| {
            let begins = format!("{kind} {{");
            let mut blocks = text.split("}\n").filter(|block| block.lines().any(|line| line == begins));
            blocks.any(|block| lines.iter().all(|wanted| block.lines().any(|line| line.trim() == *wanted)))
        };
        let (created, time) = (format!("created={}", NOW + 2), format!("entry_time={}", NOW + 1));
        let object = ["host_name=files01", "service_description=Disk /srv"];
        assert!(has("info", &[&created]), "{text}");
        let state =
            ["current_state=1", "current_problem_id=1", "problem_has_been_acknowledged=1", "acknowledgement_type=2"];
        assert!(has("servicestatus", &[object, [state[0], state[1]], [state[2], state[3]]].concat()), "{text}");
        let comment = ["entry_type=4", "author=alice", "comment_data=on it; really", &time];
        assert!(has("servicecomment", &[&object[..], &comment].concat()), "{text}");
        let kinds: Vec<&str> = sent.iter().map(|fields| fields[1].as_str()).collect();
        assert_eq!(kinds, ["--notificationtype=PROBLEM", "--notificationtype=ACKNOWLEDGEMENT"]);
    }

    #[test]
    fn a_downtime_mutes_and_ends_with_a_word() {
        let (end, later) = (NOW + 60, NOW + 61);
        let rest = format!("{NOW};{end};1;0;60;bob;new disk");
        let (mut core, sent, _) = after(&[
            &format!("SCHEDULE_HOST_SVC_DOWNTIME;files01;{rest}"),
            &format!("SCHEDULE_HOST_DOWNTIME;files01;{rest}"),
            "DEL_HOST_DOWNTIME;3",
        ]);
        let at = core.find("files01", Some("Disk /srv")).unwrap();
        assert_eq!((core.objects[at].downtime_depth(), sent.len()), (1, 5), "{sent:?}");
        assert_eq!(sent[4][1], "--notificationtype=DOWNTIMECANCELLED");
        core.check(at, core.objects[at].bad[1], NOW + 2);
        assert!(core.take_notifications().is_empty(), "muted");
        core.tick(later);
        let ended = core.take_notifications();
        assert!(
            ended.iter().all(|fields| fields[1] == "--notificationtype=DOWNTIMEEND") && ended.len() == 2,
            "{ended:?}"
        );
    }

    #[test]
    fn what_it_cannot_do_is_in_its_log() {
        let (_, sent, log) = after(&[
            "ACKNOWLEDGE_SVC_PROBLEM;files01;Nope;2;1;0;alice;x",
            "ACKNOWLEDGE_SVC_PROBLEM;files01;Disk /srv;2;1;0;alice;",
            "DEL_SVC_DOWNTIME;99",
            "RESTART_PROGRAM",
        ]);
        assert_eq!(log.matches("Error: External command failed -> ").count(), 3, "{log}");
        assert!(log.contains("Warning: Unrecognized external command -> RESTART_PROGRAM"), "{log}");
        assert_eq!(sent.len(), 1);
    }
}

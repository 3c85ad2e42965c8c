//! External commands, as a core reads them: <https://assets.nagios.com/downloads/nagioscore/docs/externalcmds/>. Written
//! without a look at what writes them.

use super::core::{Comment, Core, Downtime, Occasion};

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
        let mut words = rest.splitn(names + fields, ';');
        let host = words.next().unwrap_or_default();
        let service = if is_service { words.next() } else { None };
        let words: Vec<&str> = words.collect();
        let done = self.find(host, service).and_then(|at| match plain.as_str() {
            "ACKNOWLEDGE_PROBLEM" => self.acknowledge(at, &words, now),
            "SCHEDULE_DOWNTIME" => self.downtime(at, &words, now),
            "ADD_COMMENT" => {
                let [persistent, author, comment] = words[..] else { return None };
                self.comment(at, 1, persistent != "0", (author, comment), now)
            }
            "REMOVE_ACKNOWLEDGEMENT" => {
                self.objects[at].forget_acknowledgement();
                Some(())
            }
            "SCHEDULE_FORCED_CHECK" => {
                let wanted: i64 = words.first()?.parse().ok()?;
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
    fn acknowledge(&mut self, at: usize, words: &[&str], now: i64) -> Option<()> {
        let [sticky, notify, persistent, author, comment] = *words else { return None };
        if self.objects[at].now.code == 0 {
            return Some(());
        }
        self.objects[at].forget_acknowledgement();
        self.comment(at, 4, persistent != "0", (author, comment), now)?;
        self.objects[at].acknowledged = if sticky == "2" { 2 } else { 1 };
        if notify != "0" {
            self.tell(at, Occasion::Acknowledgement, author, comment, now);
        }
        Some(())
    }

    fn comment(&mut self, at: usize, kind: u8, persistent: bool, said: (&str, &str), now: i64) -> Option<()> {
        let (author, text) = said;
        if text.is_empty() {
            return None;
        }
        let id = self.number();
        let (author, text) = (author.to_owned(), text.to_owned());
        self.objects[at].comments.push(Comment { id, entry_type: kind, persistent, time: now, author, text });
        Some(())
    }

    /// `start;end;fixed;trigger;duration;author;comment`
    fn downtime(&mut self, at: usize, words: &[&str], now: i64) -> Option<()> {
        let [start, end, fixed, _, duration, author, comment] = *words else { return None };
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
        let mut places = self.objects.iter().enumerate();
        let (at, downtime) = places
            .find_map(|(at, object)| Some((at, object.downtimes.iter().position(|downtime| downtime.id == id)?)))?;
        self.end_downtime(at, downtime, Occasion::DowntimeCancelled, now);
        Some(())
    }
}

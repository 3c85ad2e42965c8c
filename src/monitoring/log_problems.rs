//! The problems that a log tells of: from its events to one [`PastProblem`] for each that was notified and ended.
//!
//! A problem is what the card of it would have been: it begins with the first notification and ends with the recovery. One
//! whose beginning lies before the first line isn't known well enough and is left out; so is one that nobody was notified
//! of, and one that goes on at the log's end. So the same log gives the same problems, in whatever pieces it is read.

use super::log_events::{LogEntry, LogEvent, LogObject, StateSource};
use crate::model::notification::{clean_line, exact_name};
use crate::model::object::Object;
use crate::model::past_problem::{Answer, Ending, PastProblem, Worst};
use std::collections::HashMap;

/// The line of a notification and that of the change that caused it are within so many seconds.
const SAME_CAUSE_SECONDS: i64 = 5;
/// The runs for several contacts are within so many seconds.
const SAME_NOTIFICATION_SECONDS: i64 = 10;

/// The problems that go on at some line of a log.
#[derive(Debug, Default)]
pub(crate) struct LogProblems {
    /// The core's name.
    core: String,
    open: HashMap<String, OpenProblem>,
    key: String,
    /// Problems that ended and of which nobody was notified.
    pub(crate) unnotified: u64,
}

#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "four independent facts of a log")]
struct OpenProblem {
    /// The first line about it.
    first_line_at: i64,
    /// Its change from well to bad was in the log.
    has_start: bool,
    is_bad: bool,
    is_flapping: bool,
    has_flapped: bool,
    /// Its first notification.
    began: Option<i64>,
    notified: u32,
    worst: Worst,
    /// By the last line about it.
    state: Worst,
    /// The last notification that counted: when, for whom, and of which state.
    counted: Option<(i64, String, String)>,
    answer: Option<Answer>,
}

/// A command's name, and whether it acknowledges a service; the fields between the object and the author.
const ACKNOWLEDGEMENTS: [(&str, bool, usize); 4] = [
    ("ACKNOWLEDGE_SVC_PROBLEM", true, 3),
    ("ACKNOWLEDGE_HOST_PROBLEM", false, 3),
    ("ACKNOWLEDGE_SVC_PROBLEM_EXPIRE", true, 4),
    ("ACKNOWLEDGE_HOST_PROBLEM_EXPIRE", false, 4),
];

impl LogProblems {
    pub(crate) fn new(core: &str) -> Self {
        Self { core: core.to_owned(), ..Self::default() }
    }

    /// How many problems go on.
    pub(crate) fn open(&self) -> usize {
        self.open.values().filter(|open| open.notified > 0).count()
    }

    /// Takes one event into account; a problem that ended by it.
    pub(crate) fn take(&mut self, event: &LogEvent<'_>) -> Option<(Object, PastProblem)> {
        let at = event.at;
        match &event.entry {
            LogEntry::State { object, state, source, .. } => {
                if matches!(*state, "OK" | "UP" | "PENDING") {
                    return self.well(*object, at, *source);
                }
                self.bad(*object, at, state, *source);
            }
            LogEntry::Notification { contact, object, kind, state, author_and_comment, .. } => match *kind {
                "PROBLEM" => self.notified(*object, at, (contact, state), false),
                "FLAPPINGSTART" => self.notified(*object, at, (contact, state), true),
                "RECOVERY" => return self.close(*object, at, Ending::Recovered),
                "ACKNOWLEDGEMENT" => {
                    let (author, comment) = author_and_comment.unwrap_or_default();
                    self.answered(*object, at, author, comment);
                }
                _ => {}
            },
            LogEntry::Command { name, arguments } => self.command(name, arguments, at),
            LogEntry::Flapping { object, has_started } => return self.flapping(*object, at, *has_started),
            LogEntry::Downtime { .. } => {}
        }
        None
    }

    /// The object's open problem. One that began later than this line is of a log that was read twice, or the clock went
    /// back: it will be found again.
    fn known(&mut self, object: LogObject<'_>, at: i64) -> Option<&mut OpenProblem> {
        self.key.clear();
        self.key.extend([object.host, "\u{1f}", object.service]);
        if self.open.get(&self.key).is_some_and(|open| open.first_line_at > at) {
            self.open.remove(&self.key);
        }
        self.open.get_mut(&self.key)
    }

    fn begin(&mut self, at: i64, has_start: bool) -> &mut OpenProblem {
        self.open.entry(self.key.clone()).or_insert(OpenProblem {
            first_line_at: at,
            has_start,
            is_bad: true,
            is_flapping: false,
            has_flapped: false,
            began: None,
            notified: 0,
            worst: Worst::NotKnown,
            state: Worst::NotKnown,
            counted: None,
            answer: None,
        })
    }

    fn bad(&mut self, object: LogObject<'_>, at: i64, state: &str, source: StateSource) {
        let open = match self.known(object, at) {
            Some(open) => {
                // Nagios writes the notification first, Naemon the change.
                let is_cause = source == StateSource::Alert && at - open.first_line_at <= SAME_CAUSE_SECONDS;
                open.has_start |= is_cause;
                open.is_bad = true;
                open
            }
            None => self.begin(at, source == StateSource::Alert),
        };
        open.state = Worst::from_state(state);
    }

    fn well(&mut self, object: LogObject<'_>, at: i64, source: StateSource) -> Option<(Object, PastProblem)> {
        let open = self.known(object, at)?;
        open.is_bad = false;
        let ending = if source == StateSource::Alert { Ending::Recovered } else { Ending::Unseen };
        if open.is_flapping { None } else { self.close(object, at, ending) }
    }

    fn notified(&mut self, object: LogObject<'_>, at: i64, (contact, state): (&str, &str), flaps: bool) {
        let open = match self.known(object, at) {
            Some(open) => open,
            None => self.begin(at, flaps),
        };
        open.is_bad = !matches!(state, "OK" | "UP");
        (open.is_flapping, open.has_flapped) = (open.is_flapping || flaps, open.has_flapped || flaps);
        open.began.get_or_insert(at);
        if !matches!(state, "OK" | "UP") {
            // Of a service that flaps Icinga 2 doesn't say it.
            open.worst = open.worst.max(if state.is_empty() { open.state } else { Worst::from_state(state) });
        }
        let is_for_another = open
            .counted
            .as_ref()
            .is_some_and(|(then, first, of)| at - then <= SAME_NOTIFICATION_SECONDS && first != contact && of == state);
        if !is_for_another {
            open.notified = open.notified.saturating_add(1);
            open.counted = Some((at, contact.to_owned(), state.to_owned()));
        }
    }

    fn answered(&mut self, object: LogObject<'_>, at: i64, author: &str, comment: &str) {
        let text = |text: &str| Some(clean_line(text)).filter(|text| !text.is_empty());
        if let Some(open) = self.known(object, at).filter(|open| open.answer.is_none() && open.notified > 0) {
            open.answer = Some(Answer { at, by: text(author), remark: text(comment) });
        }
    }

    fn command(&mut self, name: &str, arguments: &str, at: i64) {
        let Some((_, is_service, between)) = ACKNOWLEDGEMENTS.iter().find(|(known, ..)| *known == name) else { return };
        let Some((host, rest)) = arguments.split_once(';') else { return };
        let (service, rest) = if *is_service { rest.split_once(';').unwrap_or_default() } else { ("", rest) };
        let mut fields = rest.splitn(between + 2, ';').skip(*between);
        let (author, comment) = (fields.next().unwrap_or_default(), fields.next().unwrap_or_default());
        // A core refuses one without an author or a comment.
        if !author.is_empty() && !comment.is_empty() {
            self.answered(LogObject { host, service }, at, author, comment);
        }
    }

    fn flapping(&mut self, object: LogObject<'_>, at: i64, has_started: bool) -> Option<(Object, PastProblem)> {
        let open = self.known(object, at)?;
        open.is_flapping = has_started;
        let is_over = !has_started && !open.is_bad;
        if is_over { self.close(object, at, Ending::Recovered) } else { None }
    }

    fn close(&mut self, object: LogObject<'_>, at: i64, ending: Ending) -> Option<(Object, PastProblem)> {
        self.known(object, at)?;
        let open = self.open.remove(&self.key)?;
        if open.notified == 0 {
            self.unnotified += u64::from(open.has_start);
            return None;
        }
        let began = open.began.filter(|_| open.has_start)?;
        let past = PastProblem {
            began,
            ended: at,
            worst: open.worst,
            notified: open.notified,
            has_flapped: open.has_flapped,
            ending,
            answer: open.answer,
            destination: None,
        };
        let service = Some(exact_name(object.service)).filter(|service| !service.is_empty());
        Some((Object { core: self.core.clone(), host: exact_name(object.host), service }, past))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitoring::log_events::event;

    /// The problems of a log, as text.
    fn problems(log: &str) -> Vec<String> {
        let mut problems = LogProblems::new("");
        log.lines()
            .filter_map(|line| problems.take(&event(line)?))
            .map(|(object, past)| {
                let answer = past.answer.map(|answer| {
                    format!(" {}@{}:{}", answer.by.unwrap_or_default(), answer.at, answer.remark.unwrap_or_default())
                });
                let (worst, unseen) = (past.worst.name(), past.ending == Ending::Unseen);
                let PastProblem { began, ended, notified, .. } = past;
                format!("{object} {began}-{ended} {worst} x{notified} {unseen}{}", answer.unwrap_or_default())
            })
            .collect()
    }

    const ALERT: &str = "[100] SERVICE ALERT: web01;Disk;CRITICAL;HARD;3;full\n";
    const NOTIFIED: &str = "[100] SERVICE NOTIFICATION: bob;web01;Disk;CRITICAL;cmd;full\n";
    const SOFT: &str = "[60] SERVICE ALERT: web01;Disk;WARNING;SOFT;1;full\n";
    const OK: &str = "[400] SERVICE ALERT: web01;Disk;OK;HARD;3;fine\n";
    const RECOVERY: &str = "[400] SERVICE NOTIFICATION: bob;web01;Disk;OK;cmd;fine\n";

    #[test]
    fn both_orders_of_lines_give_one_problem() {
        let expected = ["Disk on web01 100-400 CRITICAL x1 false"];
        for parts in [[NOTIFIED, ALERT, RECOVERY, OK], [ALERT, NOTIFIED, OK, RECOVERY], [SOFT, ALERT, NOTIFIED, OK]] {
            assert_eq!(problems(&parts.concat()), expected, "{parts:?}");
        }
    }

    #[test]
    fn a_notification_for_several_contacts_counts_once_and_a_reminder_again() {
        let other = NOTIFIED.replace("bob", "eve");
        let reminders = [NOTIFIED, &other].concat().replace("[100]", "[200]");
        let log = [NOTIFIED, &other, ALERT, &reminders, OK].concat();
        assert_eq!(problems(&log), ["Disk on web01 100-400 CRITICAL x2 false"]);
    }

    #[test]
    fn the_first_acknowledgement_is_the_answer() {
        let command = "[160] EXTERNAL COMMAND: ACKNOWLEDGE_SVC_PROBLEM;web01;Disk;2;1;1;alice;restarted; twice\n";
        let refused = "[150] EXTERNAL COMMAND: ACKNOWLEDGE_SVC_PROBLEM;web01;Disk;2;1;1;eve;\n";
        let echo = "[161] SERVICE NOTIFICATION: bob;web01;Disk;ACKNOWLEDGEMENT (CRITICAL);cmd;full;alice;restarted\n";
        let expected = "Disk on web01 100-400 CRITICAL x1 false alice@160:restarted; twice";
        assert_eq!(problems(&[ALERT, NOTIFIED, refused, command, echo, OK].concat()), [expected]);
        let expected = "Disk on web01 100-400 CRITICAL x1 false alice@161:restarted";
        assert_eq!(problems(&[ALERT, NOTIFIED, echo, OK].concat()), [expected]);
    }

    #[test]
    fn what_is_not_known_whole_is_left_out() {
        assert_eq!(problems(&[NOTIFIED, OK].concat()), [""; 0], "its beginning isn't in the log");
        let current = "[50] CURRENT SERVICE STATE: web01;Disk;CRITICAL;HARD;3;full\n";
        assert_eq!(problems(&[current, NOTIFIED, OK].concat()), [""; 0], "it began before the log");
        assert_eq!(problems(&[ALERT, OK].concat()), [""; 0], "nobody was notified");
        assert_eq!(problems(&[ALERT, NOTIFIED].concat()), [""; 0], "it goes on");
        let later = "[900] CURRENT SERVICE STATE: web01;Disk;OK;HARD;1;fine\n";
        assert_eq!(problems(&[ALERT, NOTIFIED, later].concat()), ["Disk on web01 100-900 CRITICAL x1 true"]);
    }

    #[test]
    fn the_same_log_twice_gives_the_same_problems() {
        let log = [ALERT, NOTIFIED, OK, &ALERT.replace("100", "500"), &NOTIFIED.replace("100", "500")].concat();
        let (once, twice) = (problems(&log), problems(&log.repeat(2)));
        assert_eq!((once.len(), twice[..1] == once[..], twice.len()), (1, true, 2), "{twice:?}");
        assert_eq!(twice[0], twice[1]);
    }

    /// Counted by hand in the sample of a real core: `grep -c "NOTIFICATION: alice;web01;Disk;"` and so on.
    #[test]
    fn a_real_cores_log_has_the_problems_that_grep_finds() {
        let found = problems(include_str!("../../tests/samples/nagios-4.4.6-nagios.log"));
        let expected = [
            "Disk on web01 1795234314-1795234458 CRITICAL x36 false",
            "HTTP on web01 1795234314-1795234458 CRITICAL x12 false alice@1795234359:Ack via Slack: with; semicolons \"q\" | p",
            "web01 1795234459-1795234468 DOWN x2 false carol@1795234461:on it",
        ];
        assert_eq!(found, expected);
    }

    /// Icinga 2's, likewise.
    #[test]
    fn an_icinga_2s_compat_log_has_the_problems_that_grep_finds() {
        let found = problems(include_str!("../../tests/samples/icinga2-2.13.6-compat.log"));
        let expected = [
            "Disk on web01 1795731436-1795731442 CRITICAL x2 false @1795731438:",
            "Flap on web01 1795731442-1795731443 CRITICAL x1 false",
            "Flap on web01 1795731443-1795731443 CRITICAL x1 false",
            "web02 1795731447-1795731454 DOWN x1 false",
            "Flap on web01 1795731444-1795731455 CRITICAL x1 false",
            "web01 1795731458-1795731459 DOWN x1 false",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn what_flaps_is_one_problem_until_it_is_calm() {
        let flaps = "[150] SERVICE FLAPPING ALERT: web01;Disk;STARTED; x\n\
                     [150] SERVICE NOTIFICATION: bob;web01;Disk;FLAPPINGSTART (CRITICAL);cmd;full\n\
                     [160] SERVICE ALERT: web01;Disk;OK;HARD;3;fine\n[170] SERVICE ALERT: web01;Disk;CRITICAL;HARD;3;x\n\
                     [180] SERVICE ALERT: web01;Disk;OK;HARD;3;fine\n";
        let calm = "[300] SERVICE FLAPPING ALERT: web01;Disk;STOPPED; x\n";
        assert_eq!(problems(&[ALERT, NOTIFIED, flaps, calm].concat()), ["Disk on web01 100-300 CRITICAL x2 false"]);
    }
}

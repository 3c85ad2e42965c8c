//! The demo's monitoring core: what it holds, and whom it tells. Without files, processes and clock; `now` in Unix
//! seconds. It behaves as Nagios does: <https://assets.nagios.com/downloads/nagioscore/docs/nagioscore/4/en/notifications.html>.

use super::hosts::{BEHIND_THE_SWITCH, Finding, HOSTS, PARTS, PING_OK};
use std::mem::take;

/// Every so often an object is checked.
const CHECK_SECONDS: i64 = 60;

/// A comment; `entry_type` as in the status file: 1 a person's, 2 a downtime's, 4 an acknowledgement's.
#[derive(Debug, Clone)]
pub(super) struct Comment {
    pub(super) id: u32,
    pub(super) entry_type: u8,
    pub(super) persistent: bool,
    pub(super) time: i64,
    pub(super) author: String,
    pub(super) text: String,
}

#[derive(Debug, Clone)]
pub(super) struct Downtime {
    pub(super) id: u32,
    pub(super) entered: i64,
    pub(super) start: i64,
    pub(super) end: i64,
    pub(super) fixed: bool,
    /// Seconds; counts when it isn't fixed.
    pub(super) duration: i64,
    /// When it began to hold.
    pub(super) since: Option<i64>,
    pub(super) author: String,
    pub(super) text: String,
}

impl Downtime {
    /// When it is over, as far as is known.
    fn over_at(&self) -> i64 {
        if self.fixed { self.end } else { self.since.map_or(self.end, |since| since + self.duration) }
    }
}

/// A host (without a service) or a service, and its state.
#[derive(Debug)]
pub(super) struct Object {
    pub(super) host: String,
    pub(super) service: Option<String>,
    pub(super) alias: &'static str,
    pub(super) address: &'static str,
    pub(super) fine: Finding,
    pub(super) bad: &'static [Finding],
    pub(super) now: Finding,
    pub(super) since: i64,
    pub(super) last_check: i64,
    /// 0 none, 1 normal, 2 sticky.
    pub(super) acknowledged: u8,
    pub(super) problem_id: u32,
    pub(super) last_problem_id: u32,
    /// Of the current problem.
    pub(super) notifications: u32,
    pub(super) notifications_enabled: bool,
    pub(super) comments: Vec<Comment>,
    pub(super) downtimes: Vec<Downtime>,
}

impl Object {
    /// As the log and the page name it.
    pub(super) fn label(&self) -> String {
        self.service.as_ref().map_or_else(|| self.host.clone(), |service| format!("{};{service}", self.host))
    }

    pub(super) fn state(&self) -> &'static str {
        match (&self.service, self.now.code) {
            (None, 0) => "UP",
            (None, _) => "DOWN",
            (Some(_), 0) => "OK",
            (Some(_), 1) => "WARNING",
            (Some(_), 2) => "CRITICAL",
            (Some(_), _) => "UNKNOWN",
        }
    }

    pub(super) fn downtime_depth(&self) -> usize {
        self.downtimes.iter().filter(|downtime| downtime.since.is_some()).count()
    }

    pub(super) fn next_check(&self) -> i64 {
        self.last_check + CHECK_SECONDS
    }

    /// Also what is written about it: an acknowledgement's comment goes with it, unless it is to stay.
    pub(super) fn forget_acknowledgement(&mut self) {
        self.acknowledged = 0;
        self.comments.retain(|comment| comment.entry_type != 4 || comment.persistent);
    }
}

/// Why somebody is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Occasion {
    Problem,
    Recovery,
    Acknowledgement,
    DowntimeStart,
    DowntimeEnd,
    DowntimeCancelled,
}

impl Occasion {
    fn name(self) -> &'static str {
        match self {
            Self::Problem => "PROBLEM",
            Self::Recovery => "RECOVERY",
            Self::Acknowledgement => "ACKNOWLEDGEMENT",
            Self::DowntimeStart => "DOWNTIMESTART",
            Self::DowntimeEnd => "DOWNTIMEEND",
            Self::DowntimeCancelled => "DOWNTIMECANCELLED",
        }
    }

    fn is_of_downtime(self) -> bool {
        matches!(self, Self::DowntimeStart | Self::DowntimeEnd | Self::DowntimeCancelled)
    }
}

#[derive(Debug)]
pub(super) struct Core {
    pub(super) objects: Vec<Object>,
    pub(super) started: i64,
    /// The last number given to anything.
    numbers: u32,
    problems: u32,
    notifications: u32,
    log: Vec<String>,
    sent: Vec<Vec<String>>,
}

impl Core {
    /// With all hosts and services, and all of them well.
    pub(super) fn new(now: i64) -> Self {
        let mut core = Self {
            objects: Vec::new(),
            started: now,
            numbers: 0,
            problems: 0,
            notifications: 0,
            log: vec![format!("[{now}] ackbell demo core starting...")],
            sent: Vec::new(),
        };
        for host in &HOSTS {
            let own = PARTS.iter().find(|part| part.host == host.name && part.service.is_empty());
            core.add(host.name, None, own.map_or(PING_OK, |part| part.fine), own.map_or(&[][..], |part| part.bad));
            let behind = BEHIND_THE_SWITCH.iter().filter(|part| host.name.starts_with(part.host));
            for part in PARTS.iter().filter(|part| part.host == host.name && !part.service.is_empty()).chain(behind) {
                core.add(host.name, Some(part.service), part.fine, part.bad);
            }
        }
        core
    }

    fn add(&mut self, host: &str, service: Option<&str>, fine: Finding, bad: &'static [Finding]) {
        let known_host = HOSTS.iter().find(|known| known.name == host);
        self.objects.push(Object {
            host: host.to_owned(),
            service: service.map(str::to_owned),
            alias: known_host.map_or("", |host| host.alias),
            address: known_host.map_or("", |host| host.address),
            fine,
            bad,
            now: fine,
            since: self.started,
            last_check: self.started,
            acknowledged: 0,
            problem_id: 0,
            last_problem_id: 0,
            notifications: 0,
            notifications_enabled: true,
            comments: Vec::new(),
            downtimes: Vec::new(),
        });
    }

    pub(super) fn find(&self, host: &str, service: Option<&str>) -> Option<usize> {
        self.objects.iter().position(|object| object.host == host && object.service.as_deref() == service)
    }

    /// A number nothing else has.
    pub(super) fn number(&mut self) -> u32 {
        self.numbers += 1;
        self.numbers
    }

    /// What was logged since the last call, a line each.
    pub(super) fn take_log(&mut self) -> Vec<String> {
        take(&mut self.log)
    }

    /// The arguments of each `ackbell notify` that is due since the last call.
    pub(super) fn take_notifications(&mut self) -> Vec<Vec<String>> {
        take(&mut self.sent)
    }

    pub(super) fn log(&mut self, now: i64, text: &str) {
        self.log.push(format!("[{now}] {text}"));
    }

    /// A plugin came back with this.
    pub(super) fn check(&mut self, at: usize, finding: Finding, now: i64) {
        let object = &mut self.objects[at];
        object.last_check = now;
        let before = std::mem::replace(&mut object.now, finding);
        if before.code == finding.code {
            return;
        }
        object.since = now;
        let was_notified = object.notifications > 0;
        if finding.code == 0 {
            object.last_problem_id = take(&mut object.problem_id);
            object.forget_acknowledgement();
        } else if before.code == 0 {
            self.problems += 1;
            object.problem_id = self.problems;
            object.notifications = 0;
        } else if object.acknowledged == 1 {
            // Only a sticky one outlives a change from bad to worse.
            object.forget_acknowledgement();
        }
        let kind = if object.service.is_some() { "SERVICE" } else { "HOST" };
        let text = format!("{kind} ALERT: {};{};HARD;1;{}", object.label(), object.state(), finding.output);
        let object = &self.objects[at];
        match finding.code {
            0 if was_notified => self.notify(at, Occasion::Recovery, "", "", now),
            0 => {}
            _ if object.acknowledged == 0 => self.notify(at, Occasion::Problem, "", "", now),
            _ => {}
        }
        if finding.code == 0 {
            self.objects[at].notifications = 0;
        }
        self.log(now, &text);
    }

    /// Notifies the contacts, unless notifications are off or the object is in a downtime.
    pub(super) fn notify(&mut self, at: usize, occasion: Occasion, author: &str, comment: &str, now: i64) {
        let object = &mut self.objects[at];
        let is_muted = object.downtime_depth() > 0 && !occasion.is_of_downtime();
        if !object.notifications_enabled || is_muted {
            return;
        }
        self.notifications += 1;
        if occasion == Occasion::Problem {
            object.notifications += 1;
        }
        let object = &self.objects[at];
        let (kind, name) = (if object.service.is_some() { "SERVICE" } else { "HOST" }, occasion.name());
        let what = if occasion == Occasion::Problem || occasion == Occasion::Recovery {
            object.state().to_owned()
        } else {
            format!("{name} ({})", object.state())
        };
        let (label, output) = (object.label(), object.now.output);
        let sent = arguments(object, name, self.notifications, author, comment, now);
        self.log(
            now,
            &format!("{kind} NOTIFICATION: ops;{label};{what};notify-by-ackbell;{output};{author};{comment}"),
        );
        self.sent.push(sent);
    }

    /// What time brings: checks, downtimes that begin and end.
    pub(super) fn tick(&mut self, now: i64) {
        for at in 0..self.objects.len() {
            let object = &mut self.objects[at];
            if object.next_check() <= now {
                object.last_check = now;
            }
            let is_bad = object.now.code != 0;
            let due = |d: &Downtime| d.since.is_none() && (d.start..d.end).contains(&now) && (d.fixed || is_bad);
            while let Some(downtime) = self.objects[at].downtimes.iter().position(due) {
                let downtime = &mut self.objects[at].downtimes[downtime];
                downtime.since = Some(now);
                let (author, text) = (downtime.author.clone(), downtime.text.clone());
                self.notify(at, Occasion::DowntimeStart, &author, &text, now);
            }
            while let Some(over) = self.objects[at].downtimes.iter().position(|downtime| downtime.over_at() <= now) {
                self.end_downtime(at, over, Occasion::DowntimeEnd, now);
            }
        }
    }

    pub(super) fn end_downtime(&mut self, at: usize, downtime: usize, occasion: Occasion, now: i64) {
        let gone = self.objects[at].downtimes.remove(downtime);
        if gone.since.is_some() {
            self.notify(at, occasion, &gone.author, &gone.text, now);
        }
    }
}

/// As a command definition of a core gives them.
fn arguments(object: &Object, name: &str, id: u32, author: &str, comment: &str, now: i64) -> Vec<String> {
    let service = object.service.as_deref();
    let code = object.now.code.to_string();
    let pairs = [
        ("type", if service.is_some() { "Service" } else { "Host" }),
        ("notificationtype", name),
        ("hostname", &object.host),
        ("hostalias", object.alias),
        ("hostaddress", object.address),
        (if service.is_some() { "servicestate" } else { "hoststate" }, &code),
        ("servicedesc", service.unwrap_or_default()),
        ("output", object.now.output),
        ("perfdata", object.now.perfdata),
        ("author", author),
        ("comment", comment),
        ("contact", "ops"),
        ("contact-email", "ops@example.com"),
    ];
    let numbers = [
        ("notification-number", i64::from(object.notifications)),
        ("notification-id", i64::from(id)),
        ("problem-id", i64::from(object.problem_id)),
        ("last-problem-id", i64::from(object.last_problem_id)),
        ("attempt", 1),
        ("max-attempts", 1),
        ("duration", now - object.since),
        ("last-state-change", object.since),
        ("time", now),
    ];
    let texts = pairs.iter().map(|(key, value)| format!("--{key}={value}"));
    texts.chain(numbers.iter().map(|(key, value)| format!("--{key}={value}"))).collect()
}

//! What happens in the demo: by itself, and when the page's buttons are pressed.

use super::fake_core::{Core, Object};
use super::hosts::{ESCALATED, PARTS, PING_DOWN, SWITCH};

/// Seconds after the start when the filling disk is full, and when the mail queue is empty again.
const WORSE_AT: i64 = 90;
const RECOVERS_AT: i64 = 180;

/// What a button of the page makes happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Problem,
    Worse,
    Unanswered,
    Storm,
    Recover,
    StopCore,
    StartCore,
}

impl Action {
    pub(super) const ALL: [Self; 7] =
        [Self::Problem, Self::Worse, Self::Unanswered, Self::Storm, Self::Recover, Self::StopCore, Self::StartCore];

    pub(super) fn id(self) -> &'static str {
        match self {
            Self::Problem => "problem",
            Self::Worse => "worse",
            Self::Unanswered => "unanswered",
            Self::Storm => "storm",
            Self::Recover => "recover",
            Self::StopCore => "stop-core",
            Self::StartCore => "start-core",
        }
    }

    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Problem => "A new problem",
            Self::Worse => "A problem gets worse",
            Self::Unanswered => "Nobody answers",
            Self::Storm => "The switch dies",
            Self::Recover => "Everything recovers",
            Self::StopCore => "Stop the core",
            Self::StartCore => "Start the core",
        }
    }

    /// Whether there is something to do; a core that is stopped checks nothing.
    pub(super) fn makes_sense(self, core: &Core, is_running: bool) -> bool {
        let any = |wanted: fn(&Object) -> bool| core.objects.iter().any(wanted);
        match self {
            Self::StartCore => !is_running,
            Self::StopCore => is_running,
            Self::Problem => is_running && any(may_break),
            Self::Worse => is_running && any(may_worsen),
            Self::Unanswered => is_running && any(|object| is_escalated(object) && object.now.code == 0),
            Self::Storm => is_running && any(|object| is_of_storm(object) && object.now.code == 0),
            Self::Recover => is_running && any(|object| object.now.code != 0),
        }
    }
}

/// How far the story is.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Scenario {
    is_worse: bool,
    is_better: bool,
}

impl Scenario {
    /// Three things broke.
    pub(super) fn begin(core: &mut Core, now: i64) {
        for (host, service) in [("files01", Some("Disk /srv")), ("mail01", Some("Mail queue")), ("db02", None)] {
            step(core, host, service, now);
        }
    }

    /// Goes on by itself.
    pub(super) fn tick(&mut self, core: &mut Core, now: i64) {
        let age = now - core.started;
        if age >= WORSE_AT && !std::mem::replace(&mut self.is_worse, true) {
            let disk = core.find("files01", Some("Disk /srv"));
            if disk.is_some_and(|at| may_worsen(&core.objects[at])) {
                step(core, "files01", Some("Disk /srv"), now);
            }
        }
        if age >= RECOVERS_AT
            && !std::mem::replace(&mut self.is_better, true)
            && let Some(at) = core.find("mail01", Some("Mail queue"))
        {
            core.check(at, core.objects[at].fine, now);
        }
    }
}

/// A button was pressed. Stopping and starting the core isn't the core's own doing.
pub(super) fn perform(core: &mut Core, action: Action, now: i64) {
    match action {
        Action::Problem => {
            let next =
                PARTS.iter().filter_map(|part| core.find(part.host, Some(part.service).filter(|s| !s.is_empty())));
            if let Some(at) = next.into_iter().find(|&at| may_break(&core.objects[at])) {
                core.check(at, core.objects[at].bad[0], now);
            }
        }
        Action::Worse => {
            if let Some(Object { host, service, .. }) = core.objects.iter().find(|object| may_worsen(object)) {
                let (host, service) = (host.clone(), service.clone());
                step(core, &host, service.as_deref(), now);
            }
        }
        Action::Unanswered => {
            if let Some(at) = core.find(ESCALATED.0, Some(ESCALATED.1)) {
                core.check(at, core.objects[at].bad[0], now);
            }
        }
        Action::Storm => {
            for at in 0..core.objects.len() {
                if is_of_storm(&core.objects[at]) {
                    let finding = core.objects[at].bad.first().copied().unwrap_or(PING_DOWN);
                    core.check(at, finding, now);
                }
            }
        }
        Action::Recover => {
            for at in 0..core.objects.len() {
                core.check(at, core.objects[at].fine, now);
            }
        }
        Action::StopCore | Action::StartCore => {}
    }
}

/// From well to bad, or from bad to worse.
fn step(core: &mut Core, host: &str, service: Option<&str>, now: i64) {
    let Some(at) = core.find(host, service) else { return };
    let object = &core.objects[at];
    let next = object.bad.iter().position(|finding| *finding == object.now).map_or(0, |bad| bad + 1);
    if let Some(finding) = object.bad.get(next).copied() {
        core.check(at, finding, now);
    }
}

/// The service with steps.
fn is_escalated(object: &Object) -> bool {
    (object.host.as_str(), object.service.as_deref()) == (ESCALATED.0, Some(ESCALATED.1))
}

/// The switch and the services behind it.
fn is_of_storm(object: &Object) -> bool {
    object.host == SWITCH || (object.host.starts_with("app") && object.service.is_some())
}

fn may_break(object: &Object) -> bool {
    object.now.code == 0 && !object.bad.is_empty() && !is_of_storm(object)
}

fn may_worsen(object: &Object) -> bool {
    object.now.code != 0 && object.bad.last().is_some_and(|worst| *worst != object.now) && !is_of_storm(object)
}

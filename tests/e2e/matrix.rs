//! Every promise about a core, on a real core of each version and by each door it has: what people do in Slack through the
//! real listener, and what the core itself holds then. `tests/cores` runs all of it and prints the table of
//! docs/proof/cores.md.

mod icinga2;
mod nagios;

use crate::harness::on_call::{Card, OnCall, Way};
use crate::harness::process::text;
use crate::harness::site::Site;
use crate::harness::wait;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// What people really name their services; each is a service of the host `web01`, as far as the core takes such names.
const NAMES: &str = include_str!("../samples/names.txt");
/// So many services are clicked at once: 35 of them at least can be acted on by every door.
const CLICKS: usize = 37;
/// What a person may write: the field separator, what shells and cores know, a line break, what is beyond U+FFFF.
const COMMENT: &str = "it's; \"really\" `id` $(id) C:\\new\\ | <b> & ~ 🔥 عברית\nsecond line";

/// What the core says of one object.
#[derive(Debug, Clone, Default)]
struct Held {
    acknowledged: bool,
    /// Of the newest acknowledgement.
    author: String,
    comment: String,
    /// Author, comment, and whether it is fixed.
    downtimes: Vec<(String, String, bool)>,
    notifications: bool,
}

/// A core that a test started, with the hosts `web01` and `web02`.
trait Subject {
    /// Its name and version, for the table.
    fn name(&self) -> String;
    /// The configuration's table.
    fn config(&self) -> String;
    /// A check has found this.
    fn finds(&self, service: Option<&str>, state: u8, output: &str);
    fn held(&self, service: Option<&str>) -> Held;
    /// Somebody in the core's own web interface does this: a line for its command file, without the time.
    fn order(&self, command: &str);
    fn halt(&mut self);
    fn restart(&mut self);
    /// Whether the core takes objects of this name.
    fn takes_name(&self, name: &str) -> bool;
    /// Whether the door says a name with a semicolon.
    fn says_semicolons(&self) -> bool;
    /// Whether it is asked, not told, what its state is: then its word comes at once.
    fn answers_at_once(&self) -> bool;
}

/// One line of the table.
struct Row<S: Subject> {
    door: &'static str,
    night: OnCall<S>,
}

fn names() -> impl Iterator<Item = &'static str> {
    NAMES.lines()
}

fn pad(number: usize) -> String {
    format!("Service {number:02}")
}

/// All services of `web01`: the names, and as many more as are clicked at once.
fn services(takes: impl Fn(&str) -> bool) -> Vec<String> {
    let named: Vec<String> = names().filter(|name| takes(name)).map(str::to_owned).collect();
    let more = (0..CLICKS.saturating_sub(named.len())).map(pad);
    named.iter().cloned().chain(more).collect()
}

impl<S: Subject> Row<S> {
    fn begin(subject: impl FnOnce(&Site) -> S, door: &'static str) -> Self {
        let mut night = OnCall::prepare(Way::SocketMode, "500").beside(subject);
        // A channel takes a message a second: three take three.
        let rest = "[storm]\nthreshold = 999\n[acknowledge]\nexpire = [\"1m\"]\n\
                    [[route]]\nmatch = { service = \"*e*\" }\nto = [\"#db-alerts\"]\n\
                    [[route]]\nmatch = { service = \"*a*\" }\nto = [\"#shared\"]\n";
        night.begin(&format!("{rest}{}", night.core.config()));
        Self { door, night }
    }

    fn seen(&self, step: &str, what: &str) {
        println!("matrix\t{}\t{}\t{step}\t{what}", self.night.core.name(), self.door);
    }

    fn all(&mut self) {
        let until = self.an_acknowledgement_that_ends();
        self.every_type_arrives();
        self.clicks_at_once();
        self.downtimes();
        self.a_check_and_silence();
        self.what_is_refused();
        self.ended(until);
        self.restarted();
        // A host that is down takes its services' notifications with it: so at the end.
        self.a_host_with_its_services();
        self.night.sandbox.assert_respected();
    }

    /// The card of a service in trouble, found by its output.
    #[track_caller]
    fn card(&self, output: &str) -> Card {
        let is_it = |message: &Value| {
            message["thread_ts"].is_null() && message["text"].as_str().is_some_and(|text| text.ends_with(output))
        };
        self.night.card(wait::until(output, || {
            let found = self.night.sandbox.messages().into_iter().find(is_it);
            found.ok_or_else(|| format!("{:?}\n{}", self.night.sandbox.texts(), self.night.site.log()))
        }))
    }

    /// A message, or a line of one that tells of several, starts so.
    #[track_caller]
    fn said(&self, start: &str) {
        let is_there = || self.night.sandbox.texts().iter().any(|t| t.lines().any(|line| line.starts_with(start)));
        wait::until(start, is_there);
    }

    #[track_caller]
    fn holds(&self, service: Option<&str>, what: &str, is_so: impl Fn(&Held) -> bool) -> Held {
        wait::until(&format!("{what} of {service:?}"), || {
            let held = self.night.core.held(service);
            if is_so(&held) { Ok(held) } else { Err(format!("{held:?}\n{}", self.log())) }
        })
    }

    fn log(&self) -> String {
        format!("{:?}\n{}", self.night.sandbox.whispers(), self.night.site.log())
    }

    /// The audit's last word of each act on this service: the step and the detail.
    fn audit(&self, service: &str) -> Vec<(String, String)> {
        let said = text(&self.night.site.run(&["audit", "--json"]).stdout);
        let entries = said.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let own = entries.filter(|entry| entry["object"]["service"] == json!(service));
        own.map(|entry| ["step", "detail"].map(|key| entry[key].as_str().unwrap_or_default().to_owned()).into())
            .collect()
    }

    /// With the nastiest comment, by the form, for a minute.
    fn an_acknowledgement_that_ends(&self) -> Instant {
        self.night.core.finds(Some("Ends"), 2, "out-ends");
        let card = self.card("out-ends");
        let values = json!({"comment": COMMENT, "options": ["sticky"], "expire": "60"});
        card.fill_in("acknowledge_with", None, &values);
        card.becomes("ACKNOWLEDGED, CRITICAL: Ends on Web 01 · acknowledged by alice");
        let held = self.holds(Some("Ends"), "the acknowledgement", |held| held.acknowledged);
        assert!(held.author.starts_with("alice"), "{held:?}");
        assert!(held.comment.contains('🔥') && held.comment.ends_with("second line"), "{held:?}");
        assert!(!held.comment.contains(['\n', ';']) || self.door == "API", "{held:?}");
        self.seen("acknowledge, nastiest comment", &format!("held as `{}`", held.comment.replace('|', "\\|")));
        Instant::now()
    }

    fn ended(&self, since: Instant) {
        self.said("DOWNTIME ENDED: Types on Web 01");
        self.seen(
            "notification types",
            "PROBLEM, CUSTOM, ACKNOWLEDGEMENT, RECOVERY, DOWNTIMESTART, DOWNTIMEEND, FLAPPINGSTART arrive",
        );
        self.holds(Some("Ends"), "the end", |held| !held.acknowledged);
        let text = "ACKNOWLEDGEMENT REMOVED, CRITICAL: Ends on Web 01";
        self.said(text);
        assert!(since.elapsed() >= Duration::from_secs(55), "{:?}", since.elapsed());
        self.seen("expiry", "ended when it was to, the card says so");
    }

    /// Whatever the core notifies of. The end of the downtime is waited for with the acknowledgement's: Icinga 2.13 looks
    /// once a minute.
    fn every_type_arrives(&self) {
        let now = || std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
        self.night.core.finds(Some("Types"), 1, "out-types");
        self.said("WARNING: Types on Web 01 · out-types");
        self.night.core.order("SEND_CUSTOM_SVC_NOTIFICATION;web01;Types;0;Carol;hands off");
        self.said("MESSAGE, WARNING: Types on Web 01");
        self.night.core.order("ACKNOWLEDGE_SVC_PROBLEM;web01;Types;1;1;0;Carol;looking");
        self.said("ACKNOWLEDGED, WARNING: Types on Web 01");
        self.night.core.finds(Some("Types"), 0, "fine");
        self.said("RECOVERED, OK: Types on Web 01");
        let start = now();
        self.night.core.order(&format!("SCHEDULE_SVC_DOWNTIME;web01;Types;{start};{};1;0;6;Carol;short", start + 6));
        self.said("DOWNTIME STARTED: Types on Web 01");
        let mut turns = 0;
        wait::trying(Duration::from_millis(500), "it to flap", || {
            let texts = self.night.sandbox.texts();
            if texts.iter().any(|text| text.contains("FLAPPING")) {
                return Ok(());
            }
            turns += 1;
            self.night.core.finds(Some("Flap"), turns % 2 * 2, "turn");
            Err(format!("{texts:?}"))
        });
        self.night.core.finds(None, 1, "out-host");
        self.said("DOWN: Web 01 · out-host");
        self.night.core.finds(None, 0, "up");
        self.said("RECOVERED, UP: Web 01");
    }

    /// Each name is acted on exactly, or refused with the reason; all at the same moment.
    fn clicks_at_once(&self) {
        let services = services(|name| self.night.core.takes_name(name));
        for (number, service) in services.iter().enumerate() {
            self.night.core.finds(Some(service), 2, &format!("out-{number:02}"));
        }
        let cards: Vec<Card> = (0..services.len()).map(|number| self.card(&format!("out-{number:02}"))).collect();
        let started = Instant::now();
        std::thread::scope(|scope| {
            for card in &cards {
                scope.spawn(|| card.click("acknowledge"));
            }
        });
        let is_sayable = |service: &str| self.night.core.says_semicolons() || !service.contains(';');
        let (sayable, not): (Vec<&String>, Vec<&String>) = services.iter().partition(|service| is_sayable(service));
        let confirmed = || sayable.iter().filter(|s| self.audit(s).iter().any(|(step, _)| step == "confirmed")).count();
        let limit = Duration::from_secs(if self.night.core.answers_at_once() { 5 } else { 15 });
        wait::until("every click to be confirmed", || {
            if confirmed() == sayable.len() {
                return Ok(());
            }
            let audits = sayable.iter().map(|s| self.audit(s));
            let open: Vec<_> = audits.filter(|audit| !audit.iter().any(|(step, _)| step == "confirmed")).collect();
            Err(format!("{open:?}\n{}", self.log()))
        });
        let elapsed = started.elapsed();
        assert!(elapsed < limit * 3, "{elapsed:?}, on a machine that has other things to do");
        for service in &sayable {
            let held = self.holds(Some(service), "the acknowledgement", |held| held.acknowledged);
            assert!(held.author.starts_with("alice") && held.comment == "acknowledged in Slack", "{service}: {held:?}");
        }
        for service in &not {
            let found = self.audit(service);
            assert!(
                found.iter().any(|(step, why)| step == "failed" && why.contains("semicolon")),
                "{service}: {found:?}"
            );
            assert!(!self.night.core.held(Some(service)).acknowledged);
        }
        let named = services.iter().filter(|service| names().any(|name| name == *service)).count();
        let refused =
            if not.is_empty() { String::new() } else { format!(", {} refused: no line can say `;`", not.len()) };
        let (taken, all) = (named - not.len(), names().count());
        self.seen(
            "names",
            &format!("{taken} of the list's {all} acted on exactly{refused}, {} not taken by the core", all - named),
        );
        let what =
            format!("{} clicks at once: all held, all confirmed after {:.1} s", sayable.len(), elapsed.as_secs_f32());
        self.seen("at once", &what);
        let (card, service) = (&cards[0], &services[0]);
        card.becomes("ACKNOWLEDGED");
        card.click("unacknowledge");
        self.holds(Some(service), "no acknowledgement", |held| !held.acknowledged);
        card.becomes("CRITICAL");
        self.seen("removal", "gone from the core, the card says so");
    }

    fn downtimes(&self) {
        for (service, kind, output) in [("Fixed", "fixed", "out-fixed"), ("Flexible", "flexible", "out-flexible")] {
            self.night.core.finds(Some(service), 2, output);
            let card = self.card(output);
            let values = json!({"comment": COMMENT, "length": "1800", "kind": kind});
            card.fill_in("more", Some("downtime"), &values);
            let held = self.holds(Some(service), "the downtime", |held| !held.downtimes.is_empty());
            let (author, comment, is_fixed) = &held.downtimes[0];
            assert!(
                comment.contains('🔥') && author.starts_with("alice") && *is_fixed == (kind == "fixed"),
                "{held:?}"
            );
            self.said(&format!("IN DOWNTIME, CRITICAL: {service} on Web 01"));
            self.seen(&format!("downtime, {kind}"), "held, the card says so");
        }
    }

    fn a_host_with_its_services(&self) {
        self.night.core.finds(None, 1, "out-down");
        let card = self.card("out-down");
        let values = json!({"comment": "power", "length": "1800", "services": ["services"], "kind": "fixed"});
        card.fill_in("more", Some("downtime"), &values);
        let power = |held: &Held| held.downtimes.iter().filter(|(_, comment, _)| comment == "power").count();
        self.holds(None, "the host's downtime", |held| power(held) == 1);
        self.holds(Some("Types"), "the service's downtime", |held| power(held) == 1);
        // One each: a core that takes the host with its services would have two by the time it took the next command.
        card.choose("stop_notifications");
        self.holds(None, "silence", |held| !held.notifications);
        assert_eq!(power(&self.night.core.held(None)), 1, "{:?}", self.night.core.held(None));
        self.seen("downtime, with services", "one for the host, one for each service");
    }

    fn a_check_and_silence(&self) {
        self.night.core.finds(Some("Check"), 2, "out-check");
        let card = self.card("out-check");
        card.choose("recheck");
        self.night.told("Checked: Check on Web 01 is WARNING. checked again");
        self.seen("re-check", "run, its finding is told");
        card.choose("stop_notifications");
        self.holds(Some("Check"), "silence", |held| !held.notifications);
        self.said("NOTIFICATIONS STOPPED, WARNING: Check on Web 01");
        card.choose("resume_notifications");
        self.holds(Some("Check"), "no silence", |held| held.notifications);
        self.seen("stop and resume notifications", "held");
    }

    fn what_is_refused(&self) {
        self.night.site.service("PROBLEM", "nohost", "Disk", "CRITICAL", "out-unknown");
        let card = self.card("out-unknown");
        card.click("acknowledge");
        let is_it =
            |said: &String| said.contains("monitoring core") && (said.contains("nohost") || said.contains("refused"));
        let said = wait::until("the refusal", || self.night.sandbox.whispers().into_iter().find(is_it));
        self.seen("unknown object", &format!("\"{said}\""));
    }

    /// While the core is down a click is told so; once it runs again it still holds what it held, and takes the next.
    fn restarted(&mut self) {
        self.night.core.finds(Some("Stays"), 2, "out-stays");
        let card = self.card("out-stays");
        card.click("acknowledge");
        card.becomes("ACKNOWLEDGED, CRITICAL: Stays on Web 01");
        self.night.core.finds(Some("Later"), 2, "out-later");
        let later = self.card("out-later");
        self.night.core.halt();
        later.click("acknowledge");
        let words = |told: &String| told.contains("isn't running") || told.contains("can't be reached");
        let said = wait::until("the core to be missed", || self.night.sandbox.whispers().into_iter().find(words));
        self.seen("core stopped", &format!("\"{}\"", said.split(';').next().unwrap()));
        self.night.core.restart();
        self.holds(Some("Stays"), "what it held", |held| held.acknowledged);
        self.night.core.finds(Some("Later"), 2, "out-later");
        later.click("acknowledge");
        later.becomes("ACKNOWLEDGED, CRITICAL: Later on Web 01");
        self.holds(Some("Later"), "the next", |held| held.acknowledged);
        self.seen("core restarted", "holds what it held, takes the next");
    }
}

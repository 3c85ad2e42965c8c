//! From a message that was shown to its curve: the value that broke its threshold is looked up, described, and the message
//! edited.
//!
//! Each is a row of the outbox; the row ends in the transaction that has the message edited, so a crash before that does it
//! once more within its minute, and one after it nothing. A source that is slow or dead costs its time limit here, in a
//! thread of its own: no message waits for it, and after some time-outs it is left alone for a while.

mod pictures;

use crate::config::{Config, CurveSources};
use crate::flow::callback::clients::Clients;
use crate::flow::deliver::message_mode;
use crate::model::curve::{Curve, Series};
use crate::model::notification::{Kind, Notification};
use crate::monitoring::curve::{Found, SourceError, Wanted, ask, grafana};
use crate::rules::curve::{Watched, describe, value_of, watched};
use crate::store::{Drawn, Leadership, Store, StoreError, WantedCurve};
use crate::system::clock::{SteadyClock, millis};
use crate::system::environment::Environment;
use log::{info, warn};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The source that gives a picture in place of values.
const GRAFANA: &str = "grafana";
/// The source that is the outbox itself.
const NOTIFICATIONS: &str = "notifications";
/// How far back the notifications' own values go.
const DAY_SECONDS: i64 = 86_400;
/// So many time-outs in a row, and a source is left alone.
const TIMEOUTS_MAX: u32 = 3;
const REST_MS: i64 = 60_000;
/// So many reasons are remembered as logged.
const LOGGED_MAX: usize = 200;

/// The state of the thread.
pub(crate) struct Curves {
    config: Config,
    env: Environment,
    store: Store,
    clock: SteadyClock,
    slow: BTreeMap<&'static str, Slow>,
    clients: Clients,
    /// Why a source has nothing; each reason is logged once.
    logged: BTreeSet<String>,
}

/// A source that doesn't answer.
#[derive(Debug, Clone, Copy, Default)]
struct Slow {
    timeouts: u32,
    /// Unix ms.
    until: i64,
}

impl Curves {
    /// `clock`: the deliverer's, by which the rows were made.
    pub(crate) fn new(
        config: Config,
        env: Environment,
        (store, leadership): (Store, Option<&Leadership>),
        clock: SteadyClock,
    ) -> Self {
        let clients = Clients::leading(Arc::new(config.clone()), env.clone(), (&store, leadership));
        Self { config, env, store, clock, slow: BTreeMap::new(), clients, logged: BTreeSet::new() }
    }

    /// Puts a changed configuration in force.
    pub(crate) fn reconfigure(&mut self, config: Config) {
        self.clients.reconfigure(&Arc::new(config.clone()));
        self.config = config;
        self.slow.clear();
        self.logged.clear();
    }

    /// Whether there is anything to look for.
    pub(crate) fn is_configured(&self) -> bool {
        self.config.curve.is_some()
    }

    /// Does everything that is due; `true`: a message is to be edited. `stop` is asked between two look-ups.
    pub(crate) fn run_due(&mut self, stop: &dyn Fn() -> bool) -> Result<bool, StoreError> {
        self.store.check_file_identity()?;
        let Some(sources) = self.config.curve.clone() else { return Ok(false) };
        let mut is_any_shown = false;
        // What was found for one message is the same for those of other channels.
        let mut known: BTreeMap<String, Option<(Curve, Drawn)>> = BTreeMap::new();
        for wanted in self.store.wanted_curves(self.clock.now_ms())? {
            if stop() || self.clock.now_ms() >= wanted.until {
                break;
            }
            let latest = &wanted.problem.latest;
            let key = format!("{}\t{}\t{}", latest.object_key(), latest.time, latest.perfdata);
            let curve = if let Some(curve) = known.get(&key) {
                curve.clone()
            } else {
                let curve = self.look_up(&sources, latest)?.or_else(|| self.picture_alone(&sources, latest));
                known.insert(key, curve.clone());
                curve
            };
            match curve {
                Some((curve, drawn)) => is_any_shown |= self.show(&wanted, &curve, &drawn)?,
                None => self.store.end_curve(&wanted)?,
            }
        }
        self.upload_pictures(stop)?;
        Ok(is_any_shown)
    }

    fn show(&mut self, wanted: &WantedCurve, curve: &Curve, drawn: &Drawn) -> Result<bool, StoreError> {
        let mode = message_mode(&self.config, &wanted.queue);
        let has_picture = self.config.curve.as_ref().is_some_and(|sources| sources.picture);
        let drawn = Some(drawn).filter(|_| has_picture && mode.is_editable());
        self.store.show_curve(wanted, (curve, drawn), mode, self.clock.now_ms())
    }

    /// The curve of the first source that has one.
    fn look_up(&mut self, sources: &CurveSources, latest: &Notification) -> Result<Option<(Curve, Drawn)>, StoreError> {
        let Some(watched) = watched(&latest.perfdata) else { return Ok(None) };
        let now_ms = self.clock.now_ms();
        let state = latest.state_name().unwrap_or_default();
        let times = (now_ms / 1000, millis(sources.span) / 1000);
        for number in 0.. {
            // A source that rests is passed over by its number: the order stays.
            let Some(name) = name_of(sources, number) else { break };
            if self.slow.get(name).is_some_and(|slow| slow.until > now_ms) {
                continue;
            }
            let Some(found) = ask(sources, number, &wanted(latest, &watched, times), &self.env) else { break };
            self.remember(&found, now_ms);
            if let Ok(series) = found.series
                && let Some(curve) = describe(&watched, &series, times, state)
            {
                return Ok(Some(drawn(curve, series, times, latest)));
            }
        }
        if !sources.notifications {
            return Ok(None);
        }
        let series = notified(&self.store, latest, &watched, now_ms)?;
        let times = (times.0, DAY_SECONDS);
        Ok(describe(&watched, &series, times, state).map(|curve| drawn(curve, series, times, latest)))
    }

    /// Without values, a picture of Grafana's is all that there is.
    fn picture_alone(&self, sources: &CurveSources, latest: &Notification) -> Option<(Curve, Drawn)> {
        sources.grafana.as_ref().filter(|_| sources.picture)?;
        watched(&latest.perfdata)?;
        let (now, length) = (self.clock.now_ms() / 1000, millis(sources.span) / 1000);
        let state = latest.state_name().unwrap_or_default().to_owned();
        let nothing = Curve { at: now, state, bars: String::new(), sentence: String::new() };
        Some(drawn(nothing, Series::default(), (now, length), latest))
    }

    /// Keeps in mind whether a source answers, and logs why it has nothing.
    fn remember(&mut self, found: &Found, now: i64) {
        self.remember_answer(found.source, found.series.as_ref().err(), now);
    }

    fn remember_answer(&mut self, source: &'static str, error: Option<&SourceError>, now: i64) {
        let slow = self.slow.entry(source).or_default();
        slow.timeouts = if error.is_some_and(SourceError::is_slow) { slow.timeouts + 1 } else { 0 };
        if slow.timeouts >= TIMEOUTS_MAX {
            *slow = Slow { timeouts: 0, until: now.saturating_add(REST_MS) };
            warn!("curve source doesn't answer source={source} action=left_alone seconds={}", REST_MS / 1000);
        }
        if let Some(reason) = error.map(ToString::to_string)
            && self.logged.len() < LOGGED_MAX
            && self.logged.insert(format!("{source} {reason}"))
        {
            info!("no curve source={source} reason={reason:?}");
        }
    }
}

/// With what a picture of it shows.
fn drawn(curve: Curve, Series(points): Series, times: (i64, i64), latest: &Notification) -> (Curve, Drawn) {
    let label = latest.object_label();
    let text = if curve.has_text() { format!("{label}: {}", curve.sentence) } else { label };
    let object = (latest.host.name.clone(), latest.service.as_ref().map(|service| service.name.clone()));
    (curve, Drawn { object, perfdata: latest.perfdata.clone(), times, points, text })
}

fn name_of(sources: &CurveSources, number: usize) -> Option<&'static str> {
    let all = [
        sources.rrd.as_ref().map(|_| "rrd"),
        sources.graphite.as_ref().map(|_| "graphite"),
        sources.prometheus.as_ref().map(|_| "prometheus"),
    ];
    all.into_iter().flatten().nth(number)
}

fn wanted<'a>(latest: &'a Notification, watched: &'a Watched, times: (i64, i64)) -> Wanted<'a> {
    of_object((&latest.host.name, latest.service.as_ref().map(|service| service.name.as_str())), watched, times)
}

fn of_object<'a>(
    (host, service): (&'a str, Option<&'a str>),
    watched: &'a Watched,
    (now, length): (i64, i64),
) -> Wanted<'a> {
    Wanted {
        host,
        service,
        label: &watched.label,
        position: watched.position,
        is_counter: watched.is_counter(),
        from: now.saturating_sub(length),
        to: now,
    }
}

/// The values that the object's notifications of a day brought.
fn notified(store: &Store, latest: &Notification, watched: &Watched, now: i64) -> Result<Series, StoreError> {
    let since = now.saturating_sub(DAY_SECONDS * 1000);
    let all = store.notified_perfdata(&latest.object_key(), since)?;
    let values = all.into_iter().filter_map(|(at, perfdata)| Some((at, value_of(&perfdata, &watched.label)?)));
    let series = Series::new(values.collect());
    Ok(if watched.is_counter() { series.into_rates() } else { series })
}

/// What each source has of a notification's value, for `doctor` and `preview`: a sentence, or why it has nothing.
pub(crate) fn explain(
    config: &Config,
    env: &Environment,
    store: Option<&Store>,
    latest: &Notification,
    now: i64,
) -> Vec<(&'static str, Result<String, SourceError>)> {
    let Some(sources) = config.curve.as_ref().filter(|_| latest.kind == Kind::Problem) else { return Vec::new() };
    let Some(watched) = watched(&latest.perfdata) else {
        return vec![("curve", Err("its perfdata doesn't say which value broke a threshold".into()))];
    };
    let times = (now, millis(sources.span) / 1000);
    let sentence = |series: &Series, length: i64| {
        let count = series.0.len();
        match describe(&watched, series, (now, length), "") {
            Some(curve) => Ok(format!("{} {} ({count} values)", curve.bars, curve.sentence)),
            None => Err(format!("too few or too old values of \"{}\" for a curve: {count}", watched.label).into()),
        }
    };
    let mut explained = Vec::new();
    for number in 0.. {
        let Some(found) = ask(sources, number, &wanted(latest, &watched, times), env) else { break };
        explained.push((found.source, found.series.and_then(|series| sentence(&series, times.1))));
    }
    if let Some(source) = sources.grafana.as_ref().filter(|_| sources.picture) {
        let rendered = grafana::render(source, &wanted(latest, &watched, times), env);
        explained.push((GRAFANA, rendered.map(|png| format!("a picture of {} kB", png.len().div_ceil(1000)))));
    }
    if let Some(store) = store.filter(|_| sources.notifications) {
        let series = notified(store, latest, &watched, now.saturating_mul(1000)).map_err(|e| e.to_string().into());
        explained.push((NOTIFICATIONS, series.and_then(|series| sentence(&series, DAY_SECONDS))));
    }
    explained
}

//! The sources of curves: each is asked for the value of the newest notification that has one.

use super::{Step, Trouble};
use crate::config::Config;
use crate::flow::curves;
use crate::model::notification::Kind;
use crate::rules::curve::watched;
use crate::store::Store;
use crate::system::clock;
use crate::system::environment::Environment;

const HOP: &str = "curve";

pub(super) fn sources(config: &Config, env: &Environment) -> Vec<Step> {
    let Some(sources) = &config.curve else { return Vec::new() };
    let mut steps = Vec::new();
    if !config.integrations.iter().any(|integration| integration.enabled && integration.is_bot()) {
        let remedy = "give an integration a bot token: only its messages can be edited";
        steps.push(Step::bad(Trouble::Configuration, HOP, "no message gets a curve: there is no bot token", remedy));
    }
    if let Some(rrd) = &sources.rrd {
        if let Err(e) = std::fs::read_dir(&rrd.directory) {
            let found = format!("{} can't be read: {e}", rrd.directory.display());
            steps.push(Step::bad(
                Trouble::Configuration,
                HOP,
                found,
                "correct rrd in [curve], or let ackbell's user read it",
            ));
        }
        if !rrd.rrdtool.is_file() {
            let found = format!("{} isn't installed", rrd.rrdtool.display());
            steps.push(Step::bad(
                Trouble::Configuration,
                HOP,
                found,
                "apt install rrdtool, or write rrdtool = \"/path\"",
            ));
        }
    }
    let store = Store::open_existing(config.outbox_at()).ok().flatten();
    let newest = store.as_ref().and_then(|store| {
        let has_value = |one: &crate::model::notification::Notification| {
            one.kind == Kind::Problem && watched(&one.perfdata).is_some()
        };
        store.newest_measured(has_value).ok().flatten()
    });
    let Some(newest) = newest else {
        let found = "no problem with a measured value was notified yet: nothing to ask the sources for";
        let remedy = "if problems come without figures, the core doesn't pass perfdata: ackbell commands CORE";
        steps.push(Step::warning(HOP, found, remedy));
        return steps;
    };
    let object = newest.object_label();
    for (source, found) in curves::explain(config, env, store.as_ref(), &newest, clock::wall_ms() / 1000) {
        steps.push(match found {
            Ok(text) => Step::good(HOP, format!("{source}: {object}: {text}")),
            Err(reason) => {
                Step::warning(HOP, format!("{source}: nothing for {object}: {reason}"), remedy(source, &reason))
            }
        });
    }
    steps
}

fn remedy(source: &str, reason: &str) -> &'static str {
    match source {
        "notifications" => "nothing: notifications are few; another source has more",
        "grafana" => {
            "open the address in a browser; Grafana needs its image renderer, and a service account's token that may view the panel"
        }
        _ if reason.contains("another user or password") => "correct user and password_file, or token_file",
        _ if reason.starts_with("no answer within") => "see whether it is overloaded, or a firewall is between",
        _ if reason.contains("series") || reason.contains("nothing under") => {
            "compare target or query in [curve] with the names that the database has"
        }
        "rrd" => "see whether the grapher writes there; names are as PNP4Nagios writes them",
        _ => "correct its url in [curve]",
    }
}

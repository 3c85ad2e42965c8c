//! The nodes that share the outbox: who they are, how each fares, and whether this one has the installations of all.

use super::{Step, Trouble};
use crate::config::Config;
use crate::health::check::gather::nodes;
use crate::health::check::installs::{self, SharedInstall, Sharing, judged as judged_installs};
use crate::health::check::nodes::{judged, namesake};
use crate::health::check::{Level, span};
use crate::state_dir::machine::machine;
use crate::store::{KnownNode, Store};

const HOP: &str = "nodes";

/// A line for each that lives, and what is wrong with them together. A database that can't be read is told elsewhere.
pub(super) fn all(store: &Store, config: &Config) -> Vec<Step> {
    let known = nodes(Some(store));
    let mut steps: Vec<Step> = known.iter().filter(|node| !node.is_gone()).map(step).collect();
    let namesake = namesake(&known, &config.listen.node, &machine(&config.state_dir));
    let wrong = judged(&known).into_iter().chain(namesake).filter(|finding| finding.level > Level::Info);
    steps.extend(wrong.map(|finding| Step::warning(HOP, finding.text, finding.remedy.unwrap_or_default())));
    steps.extend(installs(&installs::look(config, store)));
    steps
}

fn installs(installs: &[SharedInstall]) -> Vec<Step> {
    const HOP: &str = "installation";
    let same = |install: &SharedInstall| {
        let name = &install.integration;
        match install.state {
            Sharing::Same { by_first: true } => Some(format!("\"{name}\" is the same here and in the database")),
            Sharing::Same { by_first: false } => Some(format!(
                "\"{name}\" is still sealed with a later line of key_file; the leader seals it with its first within a minute"
            )),
            _ => None,
        }
    };
    let good = installs.iter().filter_map(same).map(|found| Step::good(HOP, found));
    let wrong = judged_installs(installs).into_iter().map(|finding| {
        let remedy = finding.remedy.unwrap_or_default();
        match finding.level {
            Level::Critical => Step::bad(Trouble::Configuration, HOP, finding.text, remedy),
            _ => Step::warning(HOP, finding.text, remedy),
        }
    });
    good.chain(wrong).collect()
}

fn step(node: &KnownNode) -> Step {
    let beat = &node.beat;
    let does = if node.leads { "delivers" } else { "is ready" };
    let core = |name: &String| if name.is_empty() { "the core".to_owned() } else { format!("\"{name}\"") };
    let reaches = match beat.reaches.iter().map(core).collect::<Vec<_>>().join(", ") {
        cores if cores.is_empty() => "no core".to_owned(),
        cores => cores,
    };
    let (version, ago) = (&beat.version, span(node.age_ms / 1000));
    Step::good(HOP, format!("{} {does}: ackbell {version}, seen {ago} ago, sends commands to {reaches}", beat.name))
}

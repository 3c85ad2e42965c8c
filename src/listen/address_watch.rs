//! Looks now and then whether each address of the cores with several answers. So a spare that died is known before it is
//! needed, and a click doesn't wait for an address that is down.

use crate::config::{Config, Core};
use crate::monitoring::addresses::{has_several, probe_each};
use crate::state_dir::listener_status::{StatusNote, StatusWriter};
use log::{info, warn};
use std::collections::BTreeMap;
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

/// Between two looks; shorter than an address that failed rests.
const INTERVAL: Duration = Duration::from_secs(60);

/// The look under way, and when the last one began.
#[derive(Debug, Default)]
pub(super) struct AddressWatch {
    looked: Option<Instant>,
    look: Option<JoinHandle<()>>,
    /// The cores that were looked at.
    cores: Vec<Core>,
}

impl AddressWatch {
    /// To be called often. A look has a thread of its own: what is down costs it seconds.
    pub(super) fn check(&mut self, config: &Config, status: &StatusWriter) {
        let is_under_way = self.look.as_ref().is_some_and(|look| !look.is_finished());
        let cores = || config.cores.iter().filter(|core| has_several(core));
        let is_same = cores().eq(&self.cores);
        if is_under_way || (is_same && (self.cores.is_empty() || self.looked.is_some_and(|at| at.elapsed() < INTERVAL)))
        {
            return;
        }
        self.cores = cores().cloned().collect();
        self.looked = Some(Instant::now());
        let (cores, status) = (self.cores.clone(), status.clone());
        // Without a thread the next look comes in a minute.
        self.look = Builder::new().name("address-watch".into()).spawn(move || look(&cores, &status)).ok();
    }
}

fn look(cores: &[Core], status: &StatusWriter) {
    let mut found: BTreeMap<String, BTreeMap<String, StatusNote>> = BTreeMap::new();
    for core in cores {
        for address in probe_each(core) {
            if let Err(reason) = address.answers {
                found.entry(core.name.clone()).or_default().insert(address.name, StatusNote::now(reason));
            }
        }
    }
    status.update(|status| {
        for (core, down) in &mut found {
            for (address, failure) in down {
                match status.addresses_down.get(core).and_then(|before| before.get(address)) {
                    // Since when, not since the last look.
                    Some(before) => failure.at = before.at,
                    None => {
                        warn!(
                            "an address of a core is down core={core:?} address={address} reason={:?}",
                            failure.reason
                        );
                    }
                }
            }
        }
        for (core, before) in &status.addresses_down {
            for address in
                before.keys().filter(|&address| !found.get(core).is_some_and(|down| down.contains_key(address)))
            {
                info!("an address of a core is up again, or gone core={core:?} address={address}");
            }
        }
        status.addresses_down = found;
    });
}

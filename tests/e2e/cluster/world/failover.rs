//! The database's machine dies, and its standby takes over: a synchronous one, which has every commit, or one that is 1.5 s
//! behind. Once in a night.

use super::World;
use crate::harness::cluster::Cluster;
use crate::harness::postgres::Postgres;
use crate::harness::process::signal;
use crate::harness::proxy::{Proxy, Way};
use crate::harness::wait;
use serde_json::Value;
use std::sync::Arc;
use std::time::SystemTime;

/// So far the asynchronous one is behind, in seconds.
const LAG: f64 = 1.5;
/// So old may be what is on its way to it when the lag begins.
const ON_ITS_WAY: f64 = 1.0;

/// What there is to fail over to.
pub(super) struct Failover {
    /// `None`: it has taken over.
    standby: Option<Postgres>,
    /// The standby's way to what it follows.
    follows: Proxy,
    is_synchronous: bool,
    /// Of the asynchronous one; seconds since 1970.
    lags_since: Option<f64>,
    /// What was committed between these is forgotten.
    pub(super) forgotten: Option<(f64, f64)>,
}

impl Failover {
    /// A third of the nights has a synchronous standby, a third another one, a third none.
    pub(super) fn of_seed(seed: u64, cluster: &Cluster) -> Option<Self> {
        let is_synchronous = match seed % 3 {
            0 => return None,
            kind => kind == 1,
        };
        let follows = Proxy::start(cluster.postgres.port);
        let standby = Postgres::standby_of(follows.port);
        if is_synchronous {
            // Its own configuration was copied before: when it has taken over, it waits for nobody.
            cluster.sql("ALTER SYSTEM SET synchronous_standby_names = '*'");
            cluster.sql("SELECT pg_reload_conf()");
        }
        let failover = Self { standby: Some(standby), follows, is_synchronous, lags_since: None, forgotten: None };
        wait::until("the standby follows", || failover.is_ready(cluster));
        Some(failover)
    }

    /// Whether the standby has all there is, or soon.
    fn is_ready(&self, cluster: &Cluster) -> bool {
        let state = if self.is_synchronous { "sync" } else { "async" };
        let following = cluster.try_sql(&format!(
            "SELECT COUNT(*) FROM pg_stat_replication WHERE state = 'streaming' AND sync_state = '{state}'
               AND replay_lsn >= pg_current_wal_flush_lsn() - 100000"
        ));
        following.as_deref() == Some("1")
    }
}

impl World {
    /// Goes on with the failover, if there is to be one: whether nothing is left to be done.
    pub(super) fn fail_over(&mut self) -> bool {
        let Some(failover) = self.failover.as_mut().filter(|failover| failover.standby.is_some()) else { return true };
        match failover.lags_since {
            // Neither while the database recovers from a crash: what it had not sent on then is seen by all, and lost.
            None if !failover.is_ready(&self.cluster) => return false,
            None if !failover.is_synchronous => {
                failover.follows.set(Way::Swallow);
                failover.lags_since = Some(now());
                self.note("the standby falls behind");
                return false;
            }
            Some(since) if now() - since < LAG => return false,
            None | Some(_) => {}
        }
        self.take_over();
        true
    }

    fn take_over(&mut self) {
        let failover = self.failover.as_mut().unwrap();
        let standby = failover.standby.take().unwrap();
        signal(self.cluster.postgres.pid, "KILL");
        // Nobody talks to what is left of it, and what was on its way to the standby is gone.
        let passing: Vec<&Proxy> = self.ways.iter().filter(|way| way.way() == Way::Pass).collect();
        for way in &self.ways {
            way.lead_to(standby.port);
        }
        for way in &passing {
            way.set(Way::Refuse);
        }
        failover.follows.set(Way::Reset);
        standby.sql("postgres", "SELECT pg_promote()");
        for way in &passing {
            way.set(Way::Pass);
        }
        failover.forgotten = failover.lags_since.map(|since| (since - ON_ITS_WAY, now()));
        self.cluster.postgres = Arc::new(standby);
        self.note(&format!("the standby has taken over, {}", self.failed_over_to()));
    }

    /// How many of these messages the database has forgotten to be there.
    pub(super) fn forgotten_among(&self, messages: &[Value]) -> usize {
        let Some((from, to)) = self.failover.as_ref().and_then(|failover| failover.forgotten) else { return 0 };
        let times = messages.iter().filter(|message| message["thread_ts"].is_null());
        times.filter_map(|m| m["ts"].as_str()?.parse::<f64>().ok()).filter(|ts| (from..to).contains(ts)).count()
    }

    /// Which kind of standby took over.
    pub(super) fn failed_over_to(&self) -> &'static str {
        match &self.failover {
            None => "none",
            Some(failover) if failover.is_synchronous => "a synchronous one",
            Some(_) => "an asynchronous one",
        }
    }

    /// The database may have forgotten clicks.
    pub(super) fn forgets(&self) -> bool {
        self.failover.as_ref().is_some_and(|failover| failover.forgotten.is_some())
    }
}

fn now() -> f64 {
    SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs_f64()
}

//! The database on a server: whether a failover may lose what was committed, its clock, its connections.

use super::Step;
use crate::store::{ServerFacts, Store};
use crate::system::clock;

const HOP: &str = "database";
/// More is a clock that nobody sets.
const CLOCK_MS_MAX: i64 = 5000;

/// Nothing where the outbox is a file.
pub(super) fn server(store: &Store) -> Vec<Step> {
    match store.server_facts() {
        Ok(Some(facts)) => judge(&facts, clock::wall_ms()),
        Ok(None) => Vec::new(),
        Err(e) => vec![Step::warning(HOP, e.to_string(), "run ackbell doctor again")],
    }
}

fn judge(facts: &ServerFacts, now: i64) -> Vec<Step> {
    let ServerFacts { version, standbys, connections, connections_max, .. } = facts;
    let mut steps = vec![replication(facts)];
    let off = (facts.clock_ms - now).abs();
    if off > CLOCK_MS_MAX {
        let found = format!("its clock and this machine's are {} s apart", off / 1000);
        steps.push(Step::warning(HOP, found, "set both by NTP: times in messages are wrong by as much"));
    }
    let found = format!("PostgreSQL {version}, {connections} of {connections_max} connections in use");
    steps.push(if connections.saturating_mul(10) >= connections_max.saturating_mul(9) {
        Step::warning(HOP, found, format!("raise max_connections; {standbys} standbys and each listener need some"))
    } else {
        Step::good(HOP, found)
    });
    steps
}

fn replication(facts: &ServerFacts) -> Step {
    let waits = matches!(facts.synchronous_commit.as_str(), "on" | "remote_apply" | "remote_write");
    match (facts.is_standby, facts.standbys) {
        (true, _) => Step::warning(HOP, "it is a standby", "[database] url must name the primary"),
        (false, 0) => {
            Step::good(HOP, "it has no standby connected: while it is down, notifications wait in the spools")
        }
        (false, many) if facts.synchronous_names.is_empty() || !waits => {
            let found = format!(
                "standbys connected: {many}, none synchronous: a failover may forget the last clicks, and show the last \
                 messages twice; notifications are offered again"
            );
            let remedy = "synchronous_standby_names = '*' and synchronous_commit = on, or Patroni's synchronous_mode";
            Step::warning(HOP, found, remedy)
        }
        (false, many) => {
            let names = &facts.synchronous_names;
            Step::good(HOP, format!("standbys connected: {many}, synchronous_standby_names = '{names}'"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::doctor::Mark;

    #[test]
    fn a_standby_that_isnt_synchronous_is_said_with_what_it_costs() {
        let facts = ServerFacts {
            version: "15.14".into(),
            is_standby: false,
            standbys: 1,
            synchronous_names: String::new(),
            synchronous_commit: "on".into(),
            clock_ms: 9000,
            connections: 7,
            connections_max: 100,
        };
        let said = |facts: &ServerFacts| judge(facts, 0)[0].clone();
        let step = said(&facts);
        assert_eq!(step.mark, Mark::Warning);
        assert!(step.found.contains("a failover may forget the last clicks"), "{step:?}");
        let synchronous = ServerFacts { synchronous_names: "*".into(), ..facts.clone() };
        assert_eq!(said(&synchronous).mark, Mark::Good);
        assert_eq!(said(&ServerFacts { synchronous_commit: "local".into(), ..synchronous }).mark, Mark::Warning);
        assert_eq!(said(&ServerFacts { standbys: 0, ..facts.clone() }).mark, Mark::Good);
        assert!(judge(&facts, 0).iter().any(|step| step.found.contains("are 9 s apart")));
        let full = ServerFacts { connections: 95, ..facts };
        assert_eq!(judge(&full, 9000).last().unwrap().mark, Mark::Warning);
    }
}

//! An outbox on a server and nobody who listens: each `notify` delivers by itself, and takes the lease for that.

use super::heads;
use crate::harness::cluster::Cluster;
use crate::harness::postgres::Postgres;
use crate::harness::wait;
use crate::senders::spool;
use serde_json::json;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// While one imports nobody else writes, and half a night of notifications is no reason to wait for it.
#[test]
#[ignore = "needs postgresql: tests/run"]
fn a_full_spool_is_imported_in_short_transactions() {
    let cluster = Cluster::prepare(Arc::clone(Postgres::shared()), 1, "");
    cluster.sql("UPDATE lease SET until = CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT) + 15000");
    spool(&cluster.nodes[0].site, (0..120).map(|number| format!("web{number}")));
    // Each takes 10 ms.
    cluster.sql(
        "CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.01); RETURN NEW; END $$;
         CREATE TRIGGER slowly BEFORE INSERT ON notification FOR EACH ROW EXECUTE FUNCTION slowly()",
    );
    cluster.nodes[0].notify("PROBLEM", "web120", "Disk", "CRITICAL", "full");
    let transactions = "SELECT COUNT(*) FROM notification GROUP BY CAST(xmin AS TEXT) ORDER BY 1 DESC";
    assert_eq!(cluster.sql(transactions), "50\n50\n21");
}

/// Whoever delivers looks once more after it gave the lease back: what another `notify` left in the outbox meanwhile relies
/// on that.
#[test]
#[ignore = "needs postgresql: tests/run"]
fn what_came_while_the_lease_was_given_back_is_sent() {
    let cluster = Cluster::prepare(Arc::clone(Postgres::shared()), 2, "");
    // This one finds that somebody delivers, and ends.
    let now = "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)";
    cluster.sql(&format!("UPDATE lease SET holder = 'somebody', token = 5, until = {now} + 15000"));
    cluster.nodes[0].notify("PROBLEM", "web05", "Disk", "CRITICAL", "full");
    assert_eq!(heads(&cluster, "CRITICAL: Disk on web05").len(), 0);
    cluster.sql(
        "CREATE TABLE late AS SELECT * FROM delivery WHERE state = 'waiting';
         DELETE FROM delivery WHERE state = 'waiting';
         UPDATE lease SET until = 0;
         CREATE FUNCTION arrives() RETURNS trigger LANGUAGE plpgsql AS $$
           BEGIN INSERT INTO delivery SELECT * FROM late; DELETE FROM late; RETURN NULL; END $$;
         CREATE TRIGGER arrives AFTER UPDATE ON lease FOR EACH ROW WHEN (NEW.until = 0) EXECUTE FUNCTION arrives()",
    );
    assert_eq!(cluster.sql("SELECT COUNT(*) FROM late"), "1");
    cluster.nodes[1].notify("PROBLEM", "web06", "Disk", "CRITICAL", "full");
    for host in ["web06", "web05"] {
        let heads = heads(&cluster, &format!("CRITICAL: Disk on {host}"));
        assert_eq!(heads.len(), 1, "{host}: {:?}", cluster.sandbox.texts());
    }
}

/// A failover forgets a problem, and before its listener can offer it again a `notify` tells of its end.
#[test]
#[ignore = "needs postgresql: tests/run"]
fn a_problem_that_was_forgotten_comes_behind_its_recovery() {
    let mut cluster = Cluster::prepare(Arc::clone(Postgres::shared()), 1, "");
    cluster.nodes[0].start();
    cluster.wait_for_leader();
    cluster.nodes[0].notify("PROBLEM", "web07", "Disk", "CRITICAL", "full");
    cluster.expect("CRITICAL: Disk on web07");
    cluster.rests();
    cluster.nodes[0].kill();
    cluster.sql("TRUNCATE notification, post, open_problem CASCADE; UPDATE lease SET until = 0");
    cluster.nodes[0].notify("RECOVERY", "web07", "Disk", "OK", "fine");
    assert_eq!(heads(&cluster, "RECOVERED, OK: Disk on web07").len(), 1, "{:?}", cluster.sandbox.texts());
    assert_eq!(cluster.nodes[0].site.spooled("sent"), 2, "the next failover may forget this one, too");
    cluster.nodes[0].start();
    wait::until("the old one", || cluster.sql("SELECT COUNT(*) FROM notification") == "2");
    cluster.rests();
    let counts = ["RECOVERED, OK", "CRITICAL"].map(|text| heads(&cluster, &format!("{text}: Disk on web07")).len());
    assert_eq!(counts, [1, 1], "the card that was forgotten, and that of the end: {:?}", cluster.sandbox.texts());
}

#[test]
#[ignore = "needs postgresql: tests/run"]
fn a_notify_that_slack_keeps_waiting_ends_before_the_core_ends_it() {
    let cluster = Cluster::prepare(Arc::clone(Postgres::shared()), 1, "");
    cluster.sandbox.tell("faults", &json!({"faults": [{"kind": "slow", "delay_ms": 25_000, "times": 1}]}));
    let started = Instant::now();
    cluster.nodes[0].notify("PROBLEM", "web04", "Disk", "CRITICAL", "full");
    println!("figure: a notify that Slack keeps waiting: {:.1?}", started.elapsed());
    assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
}

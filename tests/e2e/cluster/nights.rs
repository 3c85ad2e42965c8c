//! Nights of three listeners, drawn by lot: kills, pauses, stops, cut connections and crashes of the database, under
//! notifications and clicks. Whatever comes together, people see each problem once and each click acts once.
//!
//! `MODEL_SEED=7` plays that seed again, `LONG=1` plays new ones for ten minutes, `MODEL_SECONDS=60` for that long. What happens
//! when depends on the machine, so a seed repeats the steps, not the instants; a broken night prints both.

use super::world::World;
use crate::harness::process::is_long;
use crate::model::number;
use std::time::{Duration, Instant};

#[test]
#[ignore = "needs postgresql: tests/run"]
fn three_listeners_hold_the_promises_of_one() {
    let seconds = number("MODEL_SECONDS").or_else(|| is_long().then_some(600)).map(Duration::from_secs);
    // The test command plays a short one, with a synchronous standby that takes over.
    let length = Duration::from_secs(if seconds.is_some() { 40 } else { 20 });
    let other = || u64::from(std::time::UNIX_EPOCH.elapsed().unwrap().subsec_nanos()) << 16;
    let first = number("MODEL_SEED").unwrap_or_else(|| if seconds.is_some() { other() } else { 1 });
    let started = Instant::now();
    let mut seed = first;
    while seed == first || seconds.is_some_and(|seconds| started.elapsed() < seconds) {
        let mut world = World::new(seed);
        world.play(length);
        match world.judge() {
            Ok(figures) => println!("figure: seed {seed} holds: {figures}"),
            Err(broken) => panic!("MODEL_SEED={seed}: {broken}\n{}\n{}", world.story(), world.logs()),
        }
        seed += 1;
    }
}

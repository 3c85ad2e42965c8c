//! Long stories drawn by lot, played to the real program with a played core: notifications, clicks, Slack's faults,
//! kills, restarts, reloads, clocks that jump. Whatever the order, the promises hold at the end. A story that breaks one
//! is shortened while it still breaks one, and printed.
//!
//! `MODEL_SEED=7` plays that seed's stories again, `MODEL_SECONDS=600` plays for that long, with other seeds each time.

pub(crate) mod step;
mod world;

use std::time::{Duration, Instant};
use step::{Lot, Step};
use world::PlayedStory;

const STEPS: usize = 40;
/// How many stories are played side by side; a seed is that many. The test command plays one seed: half a minute, nearly
/// all of it waiting.
const SIDE: u64 = 6;
/// How long a broken story is shortened.
const SHRINK: Duration = Duration::from_secs(300);

/// The promise that this story breaks.
fn broken(story: &[Step]) -> Option<String> {
    let played = std::panic::catch_unwind(|| {
        let mut played = PlayedStory::new();
        for step in story {
            played.play(*step);
        }
        played.judge()
    });
    match played {
        Ok(judgement) => judgement.err(),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            Some(text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default())
        }
    }
}

/// Leaves out ever smaller pieces, as long as it stays broken.
fn shortened(mut story: Vec<Step>, mut why: String) -> (Vec<Step>, String) {
    let started = Instant::now();
    let mut piece = story.len() / 2;
    while piece > 0 && started.elapsed() < SHRINK {
        let mut at = 0;
        while at < story.len() && started.elapsed() < SHRINK {
            let mut shorter = story.clone();
            shorter.drain(at..(at + piece).min(story.len()));
            match broken(&shorter) {
                Some(reason) => (story, why) = (shorter, reason),
                None => at += piece,
            }
        }
        piece /= 2;
    }
    (story, why)
}

pub(crate) fn number(name: &str) -> Option<u64> {
    #[expect(clippy::disallowed_methods, reason = "how a person asks a test for more")]
    let given = std::env::var(name).ok()?;
    Some(given.parse().unwrap_or_else(|_| panic!("{name}: {given} is no number")))
}

#[test]
#[ignore = "needs faketime: tests/run"]
fn whatever_happens_in_whatever_order_the_promises_hold() {
    let seconds = number("MODEL_SECONDS").map(Duration::from_secs);
    // The test command plays the same stories each time; whoever has more time wants others.
    let other = || u64::from(std::time::UNIX_EPOCH.elapsed().unwrap().subsec_nanos()) << 16;
    let first = number("MODEL_SEED").unwrap_or_else(|| if seconds.is_some() { other() } else { 1 });
    let started = Instant::now();
    let mut seed = first;
    while seconds.map_or(seed == first, |seconds| started.elapsed() < seconds) {
        let stories: Vec<Vec<Step>> = (0..SIDE).map(|part| Lot(seed * SIDE + part).story(STEPS)).collect();
        let broken: Vec<(Vec<Step>, String)> = std::thread::scope(|scope| {
            let running: Vec<_> =
                stories.into_iter().map(|story| scope.spawn(move || broken(&story).map(|why| (story, why)))).collect();
            running.into_iter().filter_map(|thread| thread.join().unwrap()).collect()
        });
        if let Some((story, why)) = broken.into_iter().next() {
            println!("seed {seed} breaks a promise, {} steps: {why}\nit is being shortened", story.len());
            let (story, why) = shortened(story, why);
            let told: Vec<String> = story.iter().enumerate().map(|(n, step)| format!("{:>3}. {step}", n + 1)).collect();
            panic!("MODEL_SEED={seed}: {why}\nThe story:\n{}", told.join("\n"));
        }
        seed += 1;
    }
    println!("seeds {first} to {} hold, {SIDE} stories of {STEPS} steps each, in {:?}", seed - 1, started.elapsed());
}

//! Two cores that check one object each by itself: down, late, or of different opinion. There is one card a problem, and no
//! recovery is shown before its time.

use super::*;
use std::collections::VecDeque;

const SILENCE_MS: i64 = 5 * 60 * 1000;

#[derive(Debug, Clone, Copy)]
enum Step {
    /// A core's check finds it bad or well; it tells what is new to it.
    Finds(usize, bool),
    /// It reminds of what is still bad.
    Reminds(usize),
    /// It is down, and neither checks nor tells; or up again, with what it knew.
    Up(usize, bool),
    /// It is cut off, and what it tells comes later; or back.
    Reached(usize, bool),
    Minutes(i64),
}

fn step() -> impl Strategy<Value = Step> {
    let core = || 0..2_usize;
    prop_oneof![
        6 => (core(), any::<bool>()).prop_map(|(core, bad)| Step::Finds(core, bad)),
        1 => core().prop_map(Step::Reminds),
        1 => (core(), prop::bool::weighted(0.7)).prop_map(|(core, up)| Step::Up(core, up)),
        2 => (core(), prop::bool::weighted(0.6)).prop_map(|(core, reached)| Step::Reached(core, reached)),
        3 => (1..8_i64).prop_map(Step::Minutes),
    ]
}

#[derive(Debug, Clone)]
struct Core {
    is_bad: bool,
    is_up: bool,
    is_reached: bool,
    problem: u32,
    /// Bad or well, the problem's id, and when it was told.
    untold: VecDeque<(bool, u32, i64)>,
}

/// What people should see, by the rule alone.
#[derive(Debug, Default)]
struct Rule {
    cards: usize,
    /// By core: what it said of the problem on the last card, and its id.
    said: [Option<(bool, u32)>; 2],
    is_open: bool,
    recovered: i64,
    /// When the silence is long enough, and the time of the recovery that waits for that.
    counts: Option<(i64, i64)>,
}

impl Rule {
    fn tick(&mut self, now: i64) {
        if let Some((_, recovered)) = self.counts.take_if(|(until, _)| *until <= now) {
            (self.is_open, self.recovered) = (false, recovered);
        }
    }

    fn heard(&mut self, core: usize, (is_bad, problem, time): (bool, u32, i64), now: i64) {
        let other_is_bad = matches!(self.said[1 - core], Some((true, _)));
        match (is_bad, self.is_open, self.said[core]) {
            (true, true, _) => self.said[core] = Some((true, problem)),
            (true, false, Some((true, known))) if known == problem => self.is_open = true,
            (true, false, None) if self.cards > 0 && time <= self.recovered => {
                (self.is_open, self.said[core]) = (true, Some((true, problem)));
            }
            (true, false, _) => {
                let mut said = [None; 2];
                said[core] = Some((true, problem));
                *self = Self { cards: self.cards + 1, said, is_open: true, ..Self::default() };
            }
            (false, true, Some((true, _))) => {
                self.said[core] = Some((false, problem));
                if other_is_bad {
                    self.counts = Some((now + SILENCE_MS, time));
                } else {
                    (self.is_open, self.recovered) = (false, time);
                }
            }
            (false, _, said) => self.said[core] = said.map(|_| (false, problem)),
        }
        let said = self.said.iter().flatten();
        let is_disputed = said.clone().any(|(bad, _)| *bad) && said.clone().any(|(bad, _)| !bad);
        self.counts = self.counts.filter(|_| self.is_open && is_disputed).map(|(_, time)| (now + SILENCE_MS, time));
    }
}

struct Pair {
    evening: Evening,
    cores: [Core; 2],
    rule: Rule,
    words: u32,
}

impl Pair {
    fn begin() -> Self {
        let core = Core { is_bad: false, is_up: true, is_reached: true, problem: 0, untold: VecDeque::new() };
        let mut evening = Evening::with("[core]\nredundant = true\n");
        // The rule here looks at the clock before the program does: at the end of a silence that may be one too early.
        evening.deliverer.as_mut().unwrap().0.clock.stop();
        Self { evening, cores: [core.clone(), core], rule: Rule::default(), words: 0 }
    }

    fn now(&self) -> i64 {
        self.evening.deliverer.as_ref().unwrap().0.now_ms()
    }

    fn takes(&mut self, step: Step) {
        let now = self.now() / 1000;
        match step {
            Step::Finds(core, is_bad) => {
                let core = &mut self.cores[core];
                if core.is_up && core.is_bad != is_bad {
                    core.problem += u32::from(is_bad);
                    core.is_bad = is_bad;
                    core.untold.push_back((is_bad, core.problem, now));
                }
            }
            Step::Reminds(core) => {
                let core = &mut self.cores[core];
                if core.is_up && core.is_bad {
                    core.untold.push_back((true, core.problem, now));
                }
            }
            Step::Up(core, is_up) => self.cores[core].is_up = is_up,
            Step::Reached(core, is_reached) => self.cores[core].is_reached = is_reached,
            Step::Minutes(minutes) => {
                for _ in 0..minutes {
                    self.evening.deliverer.as_mut().unwrap().0.clock.skip(Duration::from_secs(60));
                    self.settle();
                }
            }
        }
        for core in 0..2 {
            while self.cores[core].is_reached
                && let Some(word) = self.cores[core].untold.pop_front()
            {
                self.tell(core, word);
            }
        }
    }

    fn tell(&mut self, core: usize, word: (bool, u32, i64)) {
        self.words += 1;
        let (is_bad, problem, time) = word;
        let mut fields = Fields::default();
        let (kind, state) = if is_bad { ("PROBLEM", "2") } else { ("RECOVERY", "0") };
        // Each counts for itself: the second one's ids are others.
        let id = (problem as usize + 100 * core).to_string();
        for (name, value) in [
            ("hostname", "h"),
            ("servicedesc", "S"),
            ("notificationtype", kind),
            ("servicestate", state),
            ("problem-id", if is_bad { &id } else { "0" }),
            ("notification-id", &self.words.to_string()),
        ] {
            fields.put(name, value);
        }
        let notification = fields.into_notification(time).with_origin(["one", "two"][core]);
        let entry = Entry { received: time * 1000, incoming: Incoming::Notification(notification) };
        Spool::new(&self.evening.config.state_dir).put(&entry).unwrap();
        let now = self.now();
        self.rule.tick(now);
        self.rule.heard(core, word, now);
        self.settle();
    }

    /// Everything that waits is sent; what people see is what they should.
    fn settle(&mut self) {
        let now = self.now();
        self.rule.tick(now);
        let (deliverer, _) = self.evening.deliverer.as_mut().unwrap();
        for _ in 0..50 {
            deliverer.drain().unwrap();
            if deliverer.round(None, &|| false).unwrap().next.is_none() {
                break;
            }
            deliverer.clock.skip(Duration::from_secs(2));
            let now = deliverer.now_ms();
            self.rule.tick(now);
        }
        assert!(deliverer.store.queues().unwrap().is_empty(), "something still waits");
        let heads = self.evening.heads();
        let texts: Vec<&str> = heads.iter().map(|head| head["text"].as_str().unwrap()).collect();
        assert_eq!(texts.len(), self.rule.cards, "one card a problem: {texts:?} {:?}", self.rule);
        if let Some(last) = texts.last() {
            assert_eq!(last.starts_with("RECOVERED"), !self.rule.is_open, "{texts:?} {:?}", self.rule);
        }
    }
}

/// Five hundred take a minute and a half: `LONG=1`.
fn cases() -> u32 {
    #[expect(clippy::disallowed_methods, reason = "a person at a terminal asks for it")]
    if std::env::var("LONG").is_ok() { 500 } else { 120 }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), max_shrink_iters: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn two_cores_that_disagree_have_one_card_a_problem_and_no_early_recovery(steps in prop::collection::vec(step(), 1..25)) {
        let mut pair = Pair::begin();
        for step in &steps {
            pair.takes(*step);
        }
    }
}

/// The late words of one that was cut off: the end of its problem before, and a new one, from before the other's recovery.
#[test]
fn a_late_end_of_an_earlier_problem_makes_no_second_card_of_this_one() {
    use Step::{Finds, Minutes, Reached};
    let mut pair = Pair::begin();
    let earlier = [Finds(0, true), Reached(0, false), Finds(0, false), Finds(0, true)];
    let others = [Finds(1, true), Finds(1, false), Minutes(6), Finds(1, true), Finds(1, false)];
    for step in earlier.into_iter().chain(others).chain([Reached(0, true)]) {
        pair.takes(step);
    }
    assert_eq!(pair.rule.cards, 2);
}

//! What can happen, and how it is drawn by lot.

use std::fmt;

/// How many services there are; each is told in a channel of its own, as a channel takes a message a second.
pub(super) const SERVICES: usize = 4;
/// What Slack and the network do wrong: each answers or breaks at once.
const FAULTS: [&str; 9] =
    ["500", "503", "429", "reset", "close_early", "close_before", "garbage", "empty200", "ok_then_reset"];

/// Where the machine's clock jumps to, in seconds from the true time: within what Slack's signatures allow, and beyond.
const JUMPS: [i64; 6] = [-86_400, -30, 30, 3_600, 86_400, 366 * 86_400];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// A check finds this state; the core tells it, if it is news.
    Check {
        service: usize,
        state: u8,
    },
    /// The same, and `notify` is killed after so many microseconds.
    CheckKilled {
        service: usize,
        state: u8,
        after_us: u64,
    },
    /// Somebody clicks Acknowledge on the service's newest card.
    Click {
        service: usize,
    },
    /// The next so many answers of Slack are like this.
    Fault {
        kind: &'static str,
        times: u64,
    },
    /// kill -9
    Kill,
    /// SIGTERM
    Stop,
    Start,
    Reload {
        broken: bool,
    },
    Core {
        paused: bool,
    },
    /// The machine's clock, the core's too, is now so many seconds ahead; Slack's stays.
    Clock {
        ahead: i64,
    },
    Wait {
        ms: u64,
    },
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |state: u8| ["OK", "WARNING", "CRITICAL"][usize::from(state)];
        match *self {
            Self::Check { service, state } => write!(f, "S{service} is {}", name(state)),
            Self::CheckKilled { service, state, after_us } => {
                write!(f, "S{service} is {}; notify is killed after {after_us} µs", name(state))
            }
            Self::Click { service } => write!(f, "somebody acknowledges S{service}"),
            Self::Fault { kind, times } => write!(f, "Slack's next {times} answers: {kind}"),
            Self::Kill => f.write_str("the listener is killed"),
            Self::Stop => f.write_str("the listener is stopped"),
            Self::Start => f.write_str("a listener starts, unless one runs"),
            Self::Reload { broken: true } => f.write_str("a broken configuration is loaded"),
            Self::Reload { broken: false } => f.write_str("a good configuration is loaded"),
            Self::Core { paused: true } => f.write_str("the core hangs"),
            Self::Core { paused: false } => f.write_str("the core goes on"),
            Self::Clock { ahead } => write!(f, "the clock jumps to {ahead:+} s"),
            Self::Wait { ms } => write!(f, "{ms} ms pass"),
        }
    }
}

/// splitmix64: the same seed, the same story.
pub(crate) struct Lot(pub(crate) u64);

impl Lot {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap()
    }

    fn step(&mut self) -> Step {
        let service = self.below(SERVICES);
        let state = [0, 0, 1, 2, 2][self.below(5)];
        match self.below(21) {
            0..=6 => Step::Check { service, state },
            7..=8 => Step::CheckKilled { service, state, after_us: 500 * self.next().rem_euclid(40) },
            9..=11 => Step::Click { service },
            12..=13 => Step::Fault { kind: FAULTS[self.below(FAULTS.len())], times: 1 + self.next() % 3 },
            14 => Step::Kill,
            15 => [Step::Stop, Step::Start][self.below(2)],
            16 => Step::Start,
            17 => Step::Reload { broken: self.below(2) == 0 },
            18 => Step::Core { paused: self.below(3) == 0 },
            19 => Step::Clock { ahead: if self.below(2) == 0 { 0 } else { JUMPS[self.below(JUMPS.len())] } },
            _ => Step::Wait { ms: [10, 100, 600, 1500][self.below(4)] },
        }
    }

    pub(super) fn story(&mut self, length: usize) -> Vec<Step> {
        (0..length).map(|_| self.step()).collect()
    }
}

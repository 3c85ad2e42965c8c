//! When the steps of an escalation are told: from the time when people could first see a problem.
//!
//! Pure. Times are Unix milliseconds.

use crate::config::EscalationStep;
use std::time::Duration;

/// One telling of one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct StepTime {
    /// So long after people could first see the problem.
    pub(crate) offset: i64,
    /// The step, counted from 0.
    pub(crate) step: usize,
}

/// All tellings of these steps after the one that was told last, in order. `told`: its offset; negative for none.
pub(crate) fn step_times(steps: &[&EscalationStep], notified: i64) -> Vec<StepTime> {
    let mut all: Vec<StepTime> = Vec::new();
    for (number, step) in steps.iter().enumerate() {
        let pause = step.repeat.map_or(0, millis);
        let times = if step.repeat.is_some() { step.times } else { 1 };
        let offsets = (0..i64::from(times)).map(|time| millis(step.after).saturating_add(pause.saturating_mul(time)));
        all.extend(offsets.filter(|offset| *offset > notified).map(|offset| StepTime { offset, step: number }));
    }
    all.sort_unstable();
    all
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Matcher;

    fn step(after: u64, repeat: Option<u64>, times: u32) -> EscalationStep {
        let (after, repeat) = (Duration::from_secs(after), repeat.map(Duration::from_secs));
        let (to, mention) = (Vec::new(), Vec::new());
        EscalationStep { line: 1, matches: Matcher::default(), after, to, mention, repeat, times }
    }

    #[test]
    fn steps_are_told_in_order_each_as_often_as_it_says() {
        let (first, second) = (step(600, Some(900), 3), step(1800, None, 1));
        let notified =
            |after| step_times(&[&first, &second], after).iter().map(|t| (t.offset / 1000, t.step)).collect::<Vec<_>>();
        assert_eq!(notified(-1), [(600, 0), (1500, 0), (1800, 1), (2400, 0)]);
        assert_eq!(notified(600_000), [(1500, 0), (1800, 1), (2400, 0)]);
        assert_eq!(notified(2_400_000), []);
    }
}

//! The last hours of a value as text, as a card shows them.

use crate::system::order;
use serde::{Deserialize, Serialize};

/// The curve of the value that broke its threshold. It is kept with the problem, so that later edits show it, too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Curve {
    /// The newest value's time, in Unix seconds.
    pub(crate) at: i64,
    /// The problem's state then: another one wants another curve.
    pub(crate) state: String,
    /// `load1 ▁▁▂▃▅┊▇▇`; empty, as the sentence, where the thread has a picture alone.
    pub(crate) bars: String,
    /// Range, threshold, pace.
    pub(crate) sentence: String,
}

impl Curve {
    /// Whether the message itself shows anything of it.
    pub(crate) fn has_text(&self) -> bool {
        !self.bars.is_empty()
    }
}

/// The values that a source has, oldest first, without gaps and what isn't a number. Times are Unix seconds.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Series(pub(crate) Vec<(i64, f64)>);

impl Series {
    /// In order, each time once.
    pub(crate) fn new(mut points: Vec<(i64, f64)>) -> Self {
        points.retain(|(_, value)| value.is_finite());
        order::by_key(&mut points, |(at, _)| *at);
        points.dedup_by_key(|(at, _)| *at);
        Self(points)
    }

    /// Of a counter, how fast it grows, by the second. Where it wraps or begins anew there is a gap.
    #[must_use]
    pub(crate) fn into_rates(self) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "seconds of a day")]
        let rate = |pair: &[(i64, f64)]| (pair[1].0, (pair[1].1 - pair[0].1) / (pair[1].0 - pair[0].0) as f64);
        Self(self.0.windows(2).map(rate).filter(|(_, rate)| *rate >= 0.0).collect())
    }

    /// The usual time between two values.
    pub(crate) fn step(&self) -> i64 {
        let mut steps: Vec<i64> = self.0.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
        steps.sort_unstable();
        steps.get(steps.len() / 2).copied().unwrap_or(1).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::Series;

    #[test]
    fn points_come_in_order_and_without_what_is_no_number() {
        let series = Series::new(vec![(120, 3.0), (0, 1.0), (60, f64::NAN), (120, 9.0), (180, f64::INFINITY)]);
        assert_eq!(series.0, [(0, 1.0), (120, 3.0)]);
    }

    #[test]
    fn a_counter_that_wraps_leaves_a_gap() {
        let series = Series::new(vec![(0, 4_294_967_000.0), (60, 4_294_967_240.0), (120, 100.0), (180, 700.0)]);
        assert_eq!(series.into_rates().0, [(60, 4.0), (180, 10.0)]);
    }
}

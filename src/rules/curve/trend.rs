//! Where a value goes at its pace: said only when a straight line fits its last hours.

use super::{Limit, Watched};
use crate::model::curve::Series;
use crate::model::time_text::span;

/// Fewer values fit a line by chance.
const POINTS_MIN: usize = 12;
/// How much of the change the line must explain: the coefficient of determination.
const FIT_MIN: f64 = 0.97;
/// The slopes of both halves differ by no more than this factor: neither a bend nor a step is a pace.
const HALVES_FACTOR: f64 = 2.0;
/// No gap is longer than so many usual steps.
const GAP_STEPS_MAX: i64 = 4;
/// A line is followed no further than so many times its own length.
const AHEAD_MAX: f64 = 4.0;
/// Sooner than this it is over before anybody reads it.
const AHEAD_MIN_SECONDS: f64 = 60.0;

/// A straight line through values.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Line {
    /// By the second.
    slope: f64,
    /// Its value at the last time.
    end: f64,
    fit: f64,
    seconds: f64,
}

/// `Full in 3 h at this pace.`; nothing where no line fits, or where it leads nowhere soon.
pub(super) fn sentence(watched: &Watched, series: &Series) -> Option<String> {
    if watched.is_counter() {
        return None;
    }
    let points = &series.0;
    let parts = [1, 2, 4].map(|part| &points[points.len() - points.len() / part..]);
    let line = parts.into_iter().find_map(|part| straight(part, series.step()))?;
    targets(watched, line).into_iter().find_map(|(target, what)| {
        let seconds = (target - line.end) / line.slope;
        let most = line.seconds * AHEAD_MAX;
        #[expect(clippy::cast_possible_truncation, reason = "some days at most")]
        let shown = |seconds: f64| rounded(seconds.round() as i64);
        (AHEAD_MIN_SECONDS..=most).contains(&seconds).then(|| format!("{what} in {} at this pace.", shown(seconds)))
    })
}

/// Where the line may lead, the nearest first, each with its words.
fn targets(watched: &Watched, line: Line) -> Vec<(f64, String)> {
    let mut targets = Vec::new();
    let is_rising = line.slope > 0.0;
    let is_filled = watched.unit == "%" || watched.unit.to_ascii_lowercase().ends_with('b');
    if let Some(Limit { value, is_upper, critical, .. }) = watched.limit {
        let is_broken = if is_upper { line.end > value } else { line.end < value };
        if is_upper != is_rising && is_broken {
            let side = if is_upper { "Below" } else { "Above" };
            targets.push((value, format!("{side} {} again", watched.shown(value))));
        }
        if is_upper == is_rising
            && let Some(critical) = critical
        {
            targets.push((critical, format!("Critical ({})", watched.shown(critical))));
        }
    }
    let top = watched.max.or((watched.unit == "%").then_some(100.0));
    if is_rising && let Some(top) = top {
        let what = if is_filled { "Full".to_owned() } else { format!("At its maximum ({})", watched.shown(top)) };
        targets.push((top, what));
    }
    let lower = watched.limit.is_some_and(|limit| !limit.is_upper);
    if !is_rising
        && lower
        && let Some(bottom) = watched.min.or(is_filled.then_some(0.0))
    {
        targets.push((bottom, format!("At {}", watched.shown(bottom))));
    }
    targets
}

/// The line through these values, if they lie on one.
fn straight(points: &[(i64, f64)], step: i64) -> Option<Line> {
    let has_gap = points.windows(2).any(|pair| pair[1].0 - pair[0].0 > step * GAP_STEPS_MAX);
    if points.len() < POINTS_MIN || has_gap {
        return None;
    }
    let line = fit(points)?;
    let (before, after) = points.split_at(points.len() / 2);
    let halves = [fit(before)?.slope / line.slope, fit(after)?.slope / line.slope];
    let is_even = halves.iter().all(|half| (1.0 / HALVES_FACTOR..=HALVES_FACTOR).contains(half));
    (line.fit >= FIT_MIN && is_even).then_some(line)
}

/// The least squares; `None` where nothing changes.
fn fit(points: &[(i64, f64)]) -> Option<Line> {
    let origin = points.last()?.0;
    #[expect(clippy::cast_precision_loss, reason = "seconds of some days")]
    let points: Vec<(f64, f64)> = points.iter().map(|(at, value)| ((at - origin) as f64, *value)).collect();
    #[expect(clippy::cast_precision_loss, reason = "some thousand values")]
    let count = points.len() as f64;
    let (mean_x, mean_y) = points.iter().fold((0.0, 0.0), |sum, (x, y)| (sum.0 + x / count, sum.1 + y / count));
    let [mut xx, mut xy, mut yy] = [0.0; 3];
    for (x, y) in &points {
        let (x, y) = (x - mean_x, y - mean_y);
        (xx, xy, yy) = (xx + x * x, xy + x * y, yy + y * y);
    }
    let (slope, fit) = (xy / xx, xy * xy / (xx * yy));
    let is_usable = xx > 0.0 && slope != 0.0 && fit.is_finite();
    is_usable.then_some(Line { slope, end: mean_y - slope * mean_x, fit, seconds: -points[0].0 })
}

/// A length of time, no more exact than a line through some hours is.
pub(super) fn rounded(seconds: i64) -> String {
    let unit = match seconds {
        ..3600 => 60,
        3600..10_800 => 600,
        _ => 3600,
    };
    span(((seconds.max(0) + unit / 2) / unit * unit).unsigned_abs())
}

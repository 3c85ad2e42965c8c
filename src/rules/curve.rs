//! The curve of a value: which value broke its threshold, and what its last hours look like as text.
//!
//! Pure. Everything that is said follows from the values alone; where they don't say it, nothing is.

pub(crate) mod picture;
mod trend;

use crate::model::curve::{Curve, Series};
use crate::model::notification::Kind;
use crate::model::problem::Problem;
use crate::rules::render::perfdata::{Measurement, Range, human, measurements};

/// Cells of the bars: they fit on a phone in one line.
const CELLS: usize = 24;
/// Below, a curve would be a guess.
const POINTS_MIN: usize = 4;
/// Five that stand on one line in every font.
const BARS: [char; 5] = ['▁', '▂', '▃', '▅', '▇'];
/// Nothing was measured.
const GAP: char = '·';
/// From here on the threshold is broken.
const MARK: char = '┊';
/// A problem that is notified once more after so long gets a new one.
const AGE_MAX_SECONDS: i64 = 1800;
const LABEL_CHARS_MAX: usize = 40;

/// The value whose curve is shown.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Watched {
    /// As the plugin wrote it.
    pub(crate) label: String,
    /// Its number among the plugin's measurements, from 1 on.
    pub(crate) position: usize,
    pub(crate) unit: String,
    pub(crate) limit: Option<Limit>,
    pub(crate) min: Option<f64>,
    pub(crate) max: Option<f64>,
}

/// The end of a threshold that the value went over.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Limit {
    pub(crate) value: f64,
    pub(crate) is_upper: bool,
    /// It is the critical one; else a critical one may lie further on.
    pub(crate) is_critical: bool,
    pub(crate) critical: Option<f64>,
}

/// The measurement that broke its threshold: the first beyond the critical one, else beyond the warning one; the only one
/// also without any. `None`: it can't be known.
pub(crate) fn watched(perfdata: &str) -> Option<Watched> {
    let all = measurements(perfdata);
    let broken = |range: fn(&Measurement) -> Option<Range>| {
        all.iter().position(|one| range(one).is_some_and(|range| range.is_broken_by(one.value)))
    };
    let (at, limit) = match (broken(|one| one.crit), broken(|one| one.warn)) {
        (Some(at), _) => (at, all[at].crit.and_then(|range| limit(range, all[at].value, true, None))),
        (None, Some(at)) => (at, all[at].warn.and_then(|range| limit(range, all[at].value, false, all[at].crit))),
        (None, None) if all.len() == 1 => (0, None),
        (None, None) => return None,
    };
    let one = all.into_iter().nth(at)?;
    // A counter's threshold is about its whole, its curve about its pace.
    let limit = limit.filter(|_| one.unit != "c");
    Some(Watched { label: one.label, position: at + 1, unit: one.unit, limit, min: one.min, max: one.max })
}

/// The value of a label in other perfdata of the same plugin.
pub(crate) fn value_of(perfdata: &str, label: &str) -> Option<f64> {
    measurements(perfdata).into_iter().find(|one| one.label == label).map(|one| one.value)
}

/// Whether a problem that was just shown wants a curve: it is new, or in another state, or its curve is old. `now` in Unix
/// seconds.
pub(crate) fn is_wanted(problem: &Problem, now: i64) -> bool {
    let latest = &problem.latest;
    let is_new = problem.curve.as_ref().is_none_or(|curve| {
        Some(curve.state.as_str()) != latest.state_name() || now.saturating_sub(curve.at) > AGE_MAX_SECONDS
    });
    problem.is_bad && latest.kind == Kind::Problem && is_new && watched(&latest.perfdata).is_some()
}

/// The end that the value went over; of a forbidden range (`@`) there is none.
fn limit(range: Range, value: f64, is_critical: bool, critical: Option<Range>) -> Option<Limit> {
    if range.is_inside {
        return None;
    }
    let is_upper = value > range.high;
    let end = |range: Range| if is_upper { range.high } else { range.low };
    let further = critical.filter(|range| !range.is_inside).map(end).filter(|end| end.is_finite());
    Some(Limit { value: end(range), is_upper, is_critical, critical: further })
}

impl Limit {
    fn is_broken_by(self, value: f64) -> bool {
        if self.is_upper { value > self.value } else { value < self.value }
    }
}

impl Watched {
    /// It only grows; its curve is how fast.
    pub(crate) fn is_counter(&self) -> bool {
        self.unit == "c"
    }

    /// A value for people.
    pub(crate) fn shown(&self, value: f64) -> String {
        if self.is_counter() { format!("{} per s", human(value, "")) } else { human(value, &self.unit) }
    }
}

/// The curve as text; `None`: too few values for one. `hours`: how far back it goes, in seconds.
pub(crate) fn describe(watched: &Watched, series: &Series, (now, length): (i64, i64), state: &str) -> Option<Curve> {
    let from = now.saturating_sub(length);
    let points: Vec<(i64, f64)> = series.0.iter().copied().filter(|(at, _)| (from..=now).contains(at)).collect();
    let series = Series(points);
    let points = &series.0;
    let ((first, _), (last, _)) = (points.first()?, points.last()?);
    // What ended long ago says nothing of now.
    if points.len() < POINTS_MIN || now - last > (length / 4).max(series.step() * 3) {
        return None;
    }
    let broken_since = broken_since(watched, points);
    let label: String = watched.label.chars().take(LABEL_CHARS_MAX).collect();
    let mut sentences = vec![range(watched, points, last - first)];
    sentences.extend(broken_since.map(|since| beyond(watched, since, (*first, *last))));
    sentences.extend(trend::sentence(watched, &series));
    let mark = broken_since.filter(|since| since > first);
    Some(Curve {
        at: *last,
        state: state.to_owned(),
        bars: format!("{label} {}", bars(&series, mark)),
        sentence: sentences.join(" "),
    })
}

/// `Last 6 h: from 61 % to 93 %, highest 97 %.`
fn range(watched: &Watched, points: &[(i64, f64)], length: i64) -> String {
    let (first, last) = (points[0].1, points[points.len() - 1].1);
    let low = points.iter().map(|(_, value)| *value).fold(f64::INFINITY, f64::min);
    let high = points.iter().map(|(_, value)| *value).fold(f64::NEG_INFINITY, f64::max);
    let much = (high - low) / 10.0;
    let [first_text, last_text] = [first, last].map(|value| watched.shown(value));
    let mut text = format!("Last {}: ", trend::rounded(length));
    if first_text == last_text {
        text.push_str(&last_text);
    } else {
        text.push_str(&format!("from {first_text} to {last_text}"));
    }
    for (value, is_beyond, name) in
        [(high, high > first.max(last) + much, "highest"), (low, low < first.min(last) - much, "lowest")]
    {
        let shown = watched.shown(value);
        if is_beyond && shown != first_text && shown != last_text {
            text.push_str(&format!(", {name} {shown}"));
        }
    }
    text + "."
}

/// `Above 90 % (crit) for 40 min, from ┊ on.`
fn beyond(watched: &Watched, since: i64, (first, last): (i64, i64)) -> String {
    let Some(limit) = watched.limit else { return String::new() };
    let side = if limit.is_upper { "Above" } else { "Below" };
    let name = if limit.is_critical { "crit" } else { "warn" };
    let value = watched.shown(limit.value);
    let length = trend::rounded(last - since);
    if since > first {
        format!("{side} {value} ({name}) for {length}, from {MARK} on.")
    } else {
        format!("{side} {value} ({name}) all the time.")
    }
}

/// The time of the first value of those at the end that all break the threshold.
fn broken_since(watched: &Watched, points: &[(i64, f64)]) -> Option<i64> {
    let limit = watched.limit?;
    points.iter().rev().take_while(|(_, value)| limit.is_broken_by(*value)).last().map(|(at, _)| *at)
}

/// The mean of each cell's values as a bar; a cell without a value shows the one before, or a gap.
fn bars(series: &Series, mark: Option<i64>) -> String {
    let points = &series.0;
    let (Some((first, _)), Some((last, _))) = (points.first(), points.last()) else { return String::new() };
    let (first, length) = (*first, (last - first).max(1));
    let cells = CELLS.min(points.len());
    let cell_of = |at: i64| {
        let cells = i64::try_from(cells).unwrap_or(1);
        usize::try_from((at - first).saturating_mul(cells) / (length + 1)).unwrap_or(0).min(points.len() - 1)
    };
    let mut means: Vec<(f64, f64)> = vec![(0.0, 0.0); cells];
    for (at, value) in points {
        let cell = &mut means[cell_of(*at)];
        *cell = (cell.0 + value, cell.1 + 1.0);
    }
    let means: Vec<Option<f64>> = means.iter().map(|(sum, count)| (*count > 0.0).then(|| sum / count)).collect();
    let low = means.iter().flatten().copied().fold(f64::INFINITY, f64::min);
    let high = means.iter().flatten().copied().fold(f64::NEG_INFINITY, f64::max);
    let mark = mark.map(cell_of);
    let mut text = String::new();
    for (number, mean) in means.iter().enumerate() {
        if mark == Some(number) {
            text.push(MARK);
        }
        text.push(mean.map_or(GAP, |mean| bar(mean, low, high)));
    }
    text
}

fn bar(value: f64, low: f64, high: f64) -> char {
    // A value that doesn't change is neither low nor high.
    if high - low <= high.abs() * 1e-9 {
        return BARS[2];
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=4")]
    let level = ((value - low) / (high - low) * 4.0).round().clamp(0.0, 4.0) as usize;
    BARS[level]
}

#[cfg(test)]
mod tests;

//! A curve as a picture: a PNG that is read on a phone, on light and on dark.
//!
//! Slack shows a picture of 1200 pixels on a phone at a third of its size, so that letters and lines are big. It has a
//! background of its own, as Slack's is either. A library for drawing would be 0.28 MB of the program, for lines and squares.

use super::Watched;
use super::trend::rounded;
use crate::model::curve::Series;
use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};
use font8x8::{BASIC_FONTS, LATIN_FONTS, UnicodeFonts};
use std::io::Write;

const WIDTH: u16 = 1200;
const HEIGHT: u16 = 560;
const LEFT: f32 = 40.0;
const RIGHT: f32 = 1160.0;
const TOP: f32 = 130.0;
const BOTTOM: f32 = 460.0;
/// Pixels of one dot of a letter, which has 8 by 8.
const TITLE: f32 = 5.0;
const SMALL: f32 = 4.0;
/// Lengths of a dash and of the pause behind it.
const DASH: (f32, f32) = (18.0, 12.0);
/// A longer pause between two values is a gap.
const GAP_STEPS: i64 = 4;
/// More values than pixels say nothing more.
const POINTS_MAX: usize = 1100;
const LABEL_CHARS_MAX: usize = 16;

type Rgb = [u8; 3];
const BACKGROUND: Rgb = [0x22, 0x26, 0x2e];
const FRAME: Rgb = [0x4a, 0x50, 0x5c];
const TEXT: Rgb = [0xe6, 0xe9, 0xee];
const LINE: Rgb = [0x5f, 0xb3, 0xf5];
const BROKEN: Rgb = [0xff, 0x6b, 0x5e];

/// The PNG; `None`: too few values for a picture.
pub(crate) fn picture(watched: &Watched, series: &Series, (now, length): (i64, i64)) -> Option<Vec<u8>> {
    let from = now.saturating_sub(length);
    let points: Vec<(i64, f64)> = series.0.iter().copied().filter(|(at, _)| (from..=now).contains(at)).collect();
    let points = thinned(points);
    if points.len() < super::POINTS_MIN {
        return None;
    }
    let scale = Scale::new(watched, &points);
    let mut canvas = Canvas::new();
    for y in [TOP, BOTTOM] {
        canvas.line((LEFT, y), (RIGHT, y), FRAME, 2.0);
    }
    let step = Series(points.clone()).step();
    for pair in points.windows(2).filter(|pair| pair[1].0 - pair[0].0 <= step * GAP_STEPS) {
        let is_broken = watched.limit.is_some_and(|limit| limit.is_broken_by(pair[1].1));
        canvas.line(scale.at(pair[0]), scale.at(pair[1]), if is_broken { BROKEN } else { LINE }, 6.0);
    }
    label(&mut canvas, watched, &points, &scale);
    encoded(&canvas)
}

/// Title, threshold, and the ends of both axes.
fn label(canvas: &mut Canvas, watched: &Watched, points: &[(i64, f64)], scale: &Scale) {
    let last = points[points.len() - 1];
    let name: String = watched.label.chars().take(LABEL_CHARS_MAX).collect();
    canvas.text(&format!("{name} {}", watched.shown(last.1)), (LEFT, 28.0), TITLE, TEXT);
    canvas.text(&watched.shown(scale.high), (LEFT, TOP - 40.0), SMALL, TEXT);
    canvas.text(&watched.shown(scale.low), (LEFT, BOTTOM + 14.0), SMALL, TEXT);
    let back = format!("-{}", rounded(last.0 - points[0].0));
    canvas.text(&back, (LEFT, BOTTOM + 60.0), SMALL, TEXT);
    canvas.text_before("now", (RIGHT, BOTTOM + 60.0), SMALL, TEXT);
    if let Some(limit) = watched.limit.filter(|limit| (scale.low..=scale.high).contains(&limit.value)) {
        let (_, y) = scale.at((last.0, limit.value));
        canvas.dashes(y, BROKEN, 3.0);
        let text = format!("{} {}", if limit.is_critical { "crit" } else { "warn" }, watched.shown(limit.value));
        canvas.text_before(&text, (RIGHT, TOP - 40.0), SMALL, BROKEN);
    }
}

/// From times and values to pixels.
struct Scale {
    from: i64,
    to: i64,
    low: f64,
    high: f64,
}

impl Scale {
    fn new(watched: &Watched, points: &[(i64, f64)]) -> Self {
        let values = || points.iter().map(|(_, value)| *value);
        let (low, high) = (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
        let height = high - low;
        // A threshold far away would flatten the curve.
        let limit =
            watched.limit.map(|limit| limit.value).filter(|limit| *limit >= low - height && *limit <= high + height);
        let (low, high) = limit.map_or((low, high), |limit| (low.min(limit), high.max(limit)));
        let (low, high) = if high > low { (low, high) } else { (low - 1.0, high + 1.0) };
        Self { from: points[0].0, to: points[points.len() - 1].0, low, high }
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "pixels")]
    fn at(&self, (at, value): (i64, f64)) -> (f32, f32) {
        let across = (at - self.from) as f32 / (self.to - self.from).max(1) as f32;
        let up = ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0) as f32;
        (LEFT + across * (RIGHT - LEFT), BOTTOM - up * (BOTTOM - TOP))
    }
}

fn thinned(points: Vec<(i64, f64)>) -> Vec<(i64, f64)> {
    let every = points.len().div_ceil(POINTS_MAX).max(1);
    let last = points.last().copied();
    let mut thin: Vec<(i64, f64)> = points.into_iter().step_by(every).collect();
    thin.extend(last.filter(|last| thin.last() != Some(last)));
    thin
}

/// Its rows from above, each with its pixels from the left.
struct Canvas(Vec<Rgb>);

impl Canvas {
    fn new() -> Self {
        Self(vec![BACKGROUND; usize::from(WIDTH) * usize::from(HEIGHT)])
    }

    /// A line with round ends: a pixel has of the colour what is nearer to it than half the width, with soft edges.
    fn line(&mut self, (x0, y0): (f32, f32), (x1, y1): (f32, f32), colour: Rgb, width: f32) {
        let edge = width / 2.0 + 0.5;
        let (across, down) = (x1 - x0, y1 - y0);
        let length = across * across + down * down;
        for y in pixels(y0.min(y1) - edge, y0.max(y1) + edge, HEIGHT) {
            for x in pixels(x0.min(x1) - edge, x0.max(x1) + edge, WIDTH) {
                let (right, below) = (f32::from(x) + 0.5 - x0, f32::from(y) + 0.5 - y0);
                let along = ((right * across + below * down) / length.max(f32::EPSILON)).clamp(0.0, 1.0);
                let (aside, below) = (right - along * across, below - along * down);
                // Not `hypot`: the C library's is newer than the oldest system that the packages are for.
                let distance = (aside * aside + below * below).sqrt();
                self.mix((x, y), colour, (edge - distance).clamp(0.0, 1.0));
            }
        }
    }

    /// From the left to the right.
    fn dashes(&mut self, y: f32, colour: Rgb, width: f32) {
        let mut left = LEFT;
        while left < RIGHT {
            self.line((left, y), ((left + DASH.0).min(RIGHT), y), colour, width);
            left += DASH.0 + DASH.1;
        }
    }

    /// Letters beginning there; what the font doesn't have is `?`.
    fn text(&mut self, text: &str, (x, y): (f32, f32), dot: f32, colour: Rgb) {
        let mut left = x;
        for c in text.chars() {
            let glyph = BASIC_FONTS.get(c).or_else(|| LATIN_FONTS.get(c)).or_else(|| BASIC_FONTS.get('?'));
            let mut top = y;
            for row in glyph.unwrap_or_default() {
                for column in (0..8_u8).filter(|column| row >> column & 1 == 1) {
                    self.square((left + f32::from(column) * dot, top), dot, colour);
                }
                top += dot;
            }
            left += 8.0 * dot;
        }
    }

    fn square(&mut self, (left, top): (f32, f32), size: f32, colour: Rgb) {
        for y in pixels(top, top + size, HEIGHT) {
            for x in pixels(left, left + size, WIDTH) {
                self.mix((x, y), colour, 1.0);
            }
        }
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between two colours")]
    fn mix(&mut self, (x, y): (u16, u16), colour: Rgb, part: f32) {
        if let Some(pixel) = self.0.get_mut(usize::from(y) * usize::from(WIDTH) + usize::from(x)) {
            for (old, new) in pixel.iter_mut().zip(colour) {
                *old = (f32::from(*old) + (f32::from(new) - f32::from(*old)) * part).round() as u8;
            }
        }
    }

    /// Letters that end there.
    fn text_before(&mut self, text: &str, (x, y): (f32, f32), dot: f32, colour: Rgb) {
        let width = text.chars().fold(0.0, |width, _| width + 8.0 * dot);
        self.text(text, (x - width, y), dot, colour);
    }
}

/// Those from one edge to the other, and no further than there is canvas.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast of a number stays within its type")]
fn pixels(from: f32, to: f32, end: u16) -> std::ops::Range<u16> {
    from.floor() as u16..(to.ceil() as u16).min(end)
}

/// As PNG (<https://www.w3.org/TR/png-3/>): one image of 8 bits a colour, compressed in one piece. The `png` crate would bring
/// a second compressor.
fn encoded(canvas: &Canvas) -> Option<Vec<u8>> {
    let mut deflated = ZlibEncoder::new(Vec::new(), Compression::default());
    for row in canvas.0.chunks_exact(usize::from(WIDTH)) {
        deflated.write_all(&[0]).ok()?;
        deflated.write_all(row.as_flattened()).ok()?;
    }
    let mut header = [u32::from(WIDTH).to_be_bytes(), u32::from(HEIGHT).to_be_bytes()].concat();
    header.extend([8, 2, 0, 0, 0]);
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    for (name, data) in [(b"IHDR", header), (b"IDAT", deflated.finish().ok()?), (b"IEND", Vec::new())] {
        let mut sum = Crc::new();
        sum.update(name);
        sum.update(&data);
        png.extend(u32::try_from(data.len()).ok()?.to_be_bytes());
        png.extend(name);
        png.extend(data);
        png.extend(sum.sum().to_be_bytes());
    }
    Some(png)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::curve::watched;

    #[test]
    fn a_picture_is_a_png_of_a_phones_width() {
        let series =
            Series::new((0..360).map(|n| (n * 60, 60.0 + f64::from(i32::try_from(n).unwrap()) / 10.0)).collect());
        let watched = watched("used=96%;80;90").unwrap();
        let png = picture(&watched, &series, (21_600, 21_600)).unwrap();
        assert!(png.starts_with(b"\x89PNG\r\n\x1a\n") && png.len() < 100_000, "{}", png.len());
        assert_eq!(png[16..24], [u32::from(WIDTH).to_be_bytes(), u32::from(HEIGHT).to_be_bytes()].concat());
        if let Some(file) = std::env::var_os("ACKBELL_PICTURE") {
            std::fs::write(file, &png).unwrap();
        }
        assert_eq!(picture(&watched, &Series::default(), (0, 21_600)), None);
        let flat = Series::new((0..9).map(|n| (n, 5.0)).collect());
        assert!(picture(&watched, &flat, (9, 9)).is_some());
        let huge = Series::new((0..9).map(|n| (n, if n % 2 == 0 { f64::MAX } else { f64::MIN })).collect());
        assert!(picture(&watched, &huge, (9, 9)).is_some(), "no value makes it panic");
    }
}

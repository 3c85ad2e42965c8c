//! A curve as a picture: a PNG that is read on a phone, on light and on dark.
//!
//! Slack shows a picture of 1200 pixels on a phone at a third of its size, so that letters and lines are big. It has a
//! background of its own, as Slack's is either.

use super::Watched;
use super::trend::rounded;
use crate::model::curve::Series;
use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};
use font8x8::{BASIC_FONTS, LATIN_FONTS, UnicodeFonts};
use std::io::Write;
use tiny_skia::{Color, Paint, PathBuilder, Pixmap, Rect, Stroke, StrokeDash, Transform};

const WIDTH: u32 = 1200;
const HEIGHT: u32 = 560;
const LEFT: f32 = 40.0;
const RIGHT: f32 = 1160.0;
const TOP: f32 = 130.0;
const BOTTOM: f32 = 460.0;
/// Pixels of one dot of a letter, which has 8 by 8.
const TITLE: f32 = 5.0;
const SMALL: f32 = 4.0;
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
    let mut canvas = Canvas(Pixmap::new(WIDTH, HEIGHT)?);
    canvas.0.fill(Color::from_rgba8(BACKGROUND[0], BACKGROUND[1], BACKGROUND[2], 255));
    for y in [TOP, BOTTOM] {
        canvas.line(&[(LEFT, y), (RIGHT, y)], FRAME, 2.0, false);
    }
    let step = Series(points.clone()).step();
    for pair in points.windows(2).filter(|pair| pair[1].0 - pair[0].0 <= step * GAP_STEPS) {
        let is_broken = watched.limit.is_some_and(|limit| limit.is_broken_by(pair[1].1));
        let ends = [scale.at(pair[0]), scale.at(pair[1])];
        canvas.line(&ends, if is_broken { BROKEN } else { LINE }, 6.0, false);
    }
    label(&mut canvas, watched, &points, &scale);
    encoded(&canvas.0)
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
        canvas.line(&[(LEFT, y), (RIGHT, y)], BROKEN, 3.0, true);
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

struct Canvas(Pixmap);

impl Canvas {
    fn line(&mut self, points: &[(f32, f32)], colour: Rgb, width: f32, is_dashed: bool) {
        let mut builder = PathBuilder::new();
        for (number, (x, y)) in points.iter().enumerate() {
            if number == 0 { builder.move_to(*x, *y) } else { builder.line_to(*x, *y) }
        }
        let dash = if is_dashed { StrokeDash::new(vec![18.0, 12.0], 0.0) } else { None };
        let stroke = Stroke { width, dash, line_cap: tiny_skia::LineCap::Round, ..Stroke::default() };
        if let Some(path) = builder.finish() {
            self.0.stroke_path(&path, &paint(colour), &stroke, Transform::identity(), None);
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
                    if let Some(rect) = Rect::from_xywh(left + f32::from(column) * dot, top, dot, dot) {
                        self.0.fill_rect(rect, &paint(colour), Transform::identity(), None);
                    }
                }
                top += dot;
            }
            left += 8.0 * dot;
        }
    }

    /// Letters that end there.
    fn text_before(&mut self, text: &str, (x, y): (f32, f32), dot: f32, colour: Rgb) {
        let width = text.chars().fold(0.0, |width, _| width + 8.0 * dot);
        self.text(text, (x - width, y), dot, colour);
    }
}

fn paint(colour: Rgb) -> Paint<'static> {
    let mut paint = Paint::default();
    paint.set_color_rgba8(colour[0], colour[1], colour[2], 255);
    paint.anti_alias = true;
    paint
}

/// As PNG (<https://www.w3.org/TR/png-3/>): one image of 8 bits a colour, compressed in one piece. The `png` crate would bring
/// a second compressor.
fn encoded(pixmap: &Pixmap) -> Option<Vec<u8>> {
    let mut deflated = ZlibEncoder::new(Vec::new(), Compression::default());
    for row in pixmap.data().chunks_exact(4 * usize::try_from(WIDTH).ok()?) {
        deflated.write_all(&[0]).ok()?;
        // Nothing shines through: the fourth byte says so and is left out.
        let rgb: Vec<u8> = row.chunks_exact(4).flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect();
        deflated.write_all(&rgb).ok()?;
    }
    let mut header = [WIDTH.to_be_bytes(), HEIGHT.to_be_bytes()].concat();
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
        assert_eq!(png[16..24], [WIDTH.to_be_bytes(), HEIGHT.to_be_bytes()].concat());
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

//! Performance data (<https://www.monitoring-plugins.org/doc/guidelines.html#AEN197>) as lines people can read.

use crate::model::time_text::span;

/// Cells of a bar.
const CELLS: usize = 10;
/// A longer label is cut, and ends with `…`.
const LABEL_CHARS_MAX: usize = 40;

/// One measurement, ready to be shown.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Metric {
    pub(crate) label: String,
    /// `72 %`, `1.2 GiB`
    pub(crate) value: String,
    /// As it was measured, in the plugin's own unit.
    pub(crate) number: f64,
    /// How full it is, against maximum or the critical threshold: 0 to 1.
    pub(crate) level: Option<f64>,
    /// `warn 80 %, crit 90 %`
    pub(crate) limits: String,
}

impl Metric {
    /// `▓▓▓▓▓▓▓░░░`, where a level is known.
    pub(crate) fn bar(&self) -> Option<String> {
        let level = self.level?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=10")]
        let full = (level.clamp(0.0, 1.0) * 10.0).round() as usize;
        Some("▓".repeat(full) + &"░".repeat(CELLS - full))
    }

    /// The whole line.
    pub(crate) fn line(&self) -> String {
        let bar = self.bar().map_or_else(String::new, |bar| format!("{bar}  "));
        let limits = if self.limits.is_empty() { String::new() } else { format!("  ({})", self.limits) };
        format!("{bar}{} {}{limits}", self.label, self.value)
    }
}

/// One measurement as numbers, to be compared.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Measurement {
    /// As the plugin wrote it.
    pub(crate) label: String,
    pub(crate) unit: String,
    pub(crate) value: f64,
    pub(crate) warn: Option<Range>,
    pub(crate) crit: Option<Range>,
    pub(crate) min: Option<f64>,
    pub(crate) max: Option<f64>,
}

/// A threshold: which values raise an alert (<https://www.monitoring-plugins.org/doc/guidelines.html#THRESHOLDFORMAT>).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Range {
    /// Infinite where there is no such end.
    pub(crate) low: f64,
    pub(crate) high: f64,
    /// `@`: the values inside of it raise an alert, else those outside.
    pub(crate) is_inside: bool,
}

impl Range {
    fn parse(text: &str) -> Option<Self> {
        let (is_inside, ends) = text.strip_prefix('@').map_or((false, text), |ends| (true, ends));
        let (low, high) = ends.split_once(':').unwrap_or(("", ends));
        let end = |text: &str, none: f64| if text.is_empty() { Some(none) } else { text.parse::<f64>().ok() };
        let low = if low == "~" { f64::NEG_INFINITY } else { end(low, 0.0)? };
        let high = end(high, f64::INFINITY)?;
        (!text.is_empty() && low <= high).then_some(Self { low, high, is_inside })
    }

    pub(crate) fn is_broken_by(self, value: f64) -> bool {
        (self.low <= value && value <= self.high) == self.is_inside
    }
}

/// The measurements as numbers; what isn't one is passed over.
pub(crate) fn measurements(perfdata: &str) -> Vec<Measurement> {
    entries(perfdata).into_iter().filter_map(|(label, entry)| measurement(label, &entry)).collect()
}

fn measurement(label: String, entry: &str) -> Option<Measurement> {
    let mut parts = entry.split(';');
    let (value, unit) = measured(parts.next()?)?;
    let mut bound = || plain_bound(parts.next().unwrap_or_default(), &unit);
    let (warn, crit) = (Range::parse(&bound()), Range::parse(&bound()));
    let number = |text: String| text.parse::<f64>().ok().filter(|value| value.is_finite());
    let (min, max) = (number(bound()), number(bound()));
    Some(Measurement { label, unit, value, warn, crit, min, max })
}

/// Reads `'label'=value[UOM];warn;crit;min;max` entries; what isn't one is passed over.
pub(super) fn parse(perfdata: &str) -> Vec<Metric> {
    entries(perfdata).iter().filter_map(|(label, entry)| metric(label, entry)).collect()
}

/// The labels, each with what stands behind its `=`.
///
/// Nagios deletes the quotes before anybody sees them, so that `'C:\ Used Space'=5GB` arrives as `C:\ Used Space=5GB`: words
/// without `=` belong to the next label.
fn entries(perfdata: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = perfdata.trim();
    while !rest.is_empty() {
        let (label, after) = label(rest);
        let Some(after) = after.strip_prefix('=').filter(|_| !label.is_empty()) else {
            rest = after.split_once(char::is_whitespace).map_or("", |(_, next)| next).trim_start();
            continue;
        };
        let (entry, next) = after.split_once(char::is_whitespace).unwrap_or((after, ""));
        rest = next.trim_start();
        found.push((label, entry.to_owned()));
    }
    found
}

/// The label, unquoted (a doubled quote is one), and what follows it.
fn label(text: &str) -> (String, &str) {
    let Some(inside) = text.strip_prefix('\'') else {
        return unquoted(text);
    };
    let mut label = String::new();
    let mut rest = inside;
    while let Some(quote) = rest.find('\'') {
        label.push_str(&rest[..quote]);
        rest = &rest[quote + 1..];
        match rest.strip_prefix('\'') {
            Some(after) => {
                label.push('\'');
                rest = after;
            }
            None => return (label, rest),
        }
    }
    // A core deletes single quotes: then nothing closes it.
    (String::new(), text.split_at(text.len()).1)
}

/// A label without quotes: all up to `=`. Words with a `;` aren't names but leftovers of a plugin: only what follows the
/// last of them counts.
fn unquoted(text: &str) -> (String, &str) {
    let end = text.find('=').unwrap_or(text.len());
    let tokens = text[..end].split_whitespace();
    let label: Vec<&str> = tokens.rev().take_while(|token| !token.contains([';', '\''])).collect();
    (label.into_iter().rev().collect::<Vec<_>>().join(" "), &text[end..])
}

fn metric(label: &str, entry: &str) -> Option<Metric> {
    let mut parts = entry.split(';');
    let (value, unit) = measured(parts.next()?)?;
    let mut bound = || plain_bound(parts.next().unwrap_or_default(), &unit);
    let (warn, crit) = (bound(), bound());
    let number = |text: String| text.parse::<f64>().ok();
    let (min, max) = (number(bound()), number(bound()));
    let top = max.or(if unit == "%" { Some(100.0) } else { None }).or_else(|| upper(&crit)).or_else(|| upper(&warn));
    let bottom = min.unwrap_or(0.0);
    let level = top.filter(|top| *top > bottom).map(|top| (value - bottom) / (top - bottom));
    let limit = |name: &str, range: &str| (!range.is_empty()).then(|| format!("{name} {}", threshold(range, &unit)));
    let limits: Vec<String> = [limit("warn", &warn), limit("crit", &crit)].into_iter().flatten().collect();
    Some(Metric {
        label: shortened(label),
        value: human(value, &unit),
        number: value,
        level,
        limits: limits.join(", "),
    })
}

/// A number and its unit; some locales write a decimal comma.
fn measured(text: &str) -> Option<(f64, String)> {
    let text = text.replace(',', ".");
    let digits = text.find(|c: char| !(c.is_ascii_digit() || "+-.eE".contains(c))).unwrap_or(text.len());
    let value = text[..digits].parse().ok().filter(|value: &f64| value.is_finite())?;
    Some((value, text[digits..].to_owned()))
}

/// A threshold, minimum or maximum with decimal points, and without the value's unit where it repeats it. A bound in
/// another unit stays as it stands: nothing can be compared with it.
fn plain_bound(text: &str, unit: &str) -> String {
    let plain = text.replace(',', ".");
    let without = |part: &str| match measured(part) {
        Some((_, own)) if !own.is_empty() && own.eq_ignore_ascii_case(unit) => {
            part[..part.len() - own.len()].to_owned()
        }
        Some(_) | None => part.to_owned(),
    };
    plain.split(':').map(without).collect::<Vec<_>>().join(":")
}

/// At most [`LABEL_CHARS_MAX`] characters, and whether it was cut.
fn shortened(label: &str) -> String {
    if label.chars().count() <= LABEL_CHARS_MAX {
        return label.to_owned();
    }
    label.chars().take(LABEL_CHARS_MAX - 1).chain(['…']).collect()
}

/// The upper end of a range such as `80`, `10:20`, `@5:`.
fn upper(range: &str) -> Option<f64> {
    range.trim_start_matches('@').rsplit(':').next()?.parse().ok()
}

/// A plain threshold in the value's unit; a range as it stands.
fn threshold(range: &str, unit: &str) -> String {
    range.parse::<f64>().map_or_else(|_| range.to_owned(), |value| human(value, unit))
}

/// A value with its unit, in a size people read.
pub(crate) fn human(value: f64, unit: &str) -> String {
    const BYTES: [(&str, i32); 6] = [("B", 0), ("KB", 1), ("MB", 2), ("GB", 3), ("TB", 4), ("PB", 5)];
    if let Some((_, power)) = BYTES.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit)) {
        let mut size = value * 1024_f64.powi(*power);
        let mut names = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"].into_iter();
        let mut name = names.next().unwrap_or("B");
        for next in names {
            if size.abs() < 1024.0 {
                break;
            }
            size /= 1024.0;
            name = next;
        }
        return format!("{} {name}", number(size));
    }
    match unit {
        "s" if value >= 120.0 => {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at least 120; saturates")]
            let seconds = value as u64;
            span(seconds)
        }
        "s" if value.abs() < 1.0 => format!("{} ms", number(value * 1000.0)),
        "" => number(value),
        "c" => format!("{} in all", number(value)),
        other => format!("{} {}", number(value), other.chars().take(12).collect::<String>()),
    }
}

/// At most two decimals, none that say nothing.
fn number(value: f64) -> String {
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" || text.len() > 20 { format!("{value:e}").replace("-0e0", "0") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(perfdata: &str) -> Vec<String> {
        parse(perfdata).iter().map(Metric::line).collect()
    }

    #[test]
    fn plugins_metrics_become_lines() {
        assert_eq!(
            lines("/=28512MB;30000;33000;0;36000 load1=0.420;5.000;10.000;0;"),
            ["▓▓▓▓▓▓▓▓░░  / 27.84 GiB  (warn 29.3 GiB, crit 32.23 GiB)", "░░░░░░░░░░  load1 0.42  (warn 5, crit 10)",]
        );
        assert_eq!(
            lines("rta=0.0213s 'pl'=72%;80;90 uptime=90000s"),
            ["rta 21.3 ms", "▓▓▓▓▓▓▓░░░  pl 72 %  (warn 80 %, crit 90 %)", "uptime 1 d 1 h",]
        );
        assert_eq!(lines("'it''s odd'=1c;@5:10;~:20"), ["▓░░░░░░░░░  it's odd 1 in all  (warn @5:10, crit ~:20)"]);
    }

    #[test]
    fn labels_whose_quotes_the_core_deleted_are_whole() {
        let limit = lines(r"C:\ Used Space=75.48Gb;90;95;0;100 D:\ Used Space=5GB;6;7;0;10 Memory usage=50%;80;90");
        let labels: Vec<&str> = limit.iter().map(|line| line.trim_start_matches(['▓', '░', ' '])).collect();
        assert_eq!(
            labels,
            [
                r"C:\ Used Space 75.48 GiB  (warn 90 GiB, crit 95 GiB)",
                r"D:\ Used Space 5 GiB  (warn 6 GiB, crit 7 GiB)",
                "Memory usage 50 %  (warn 80 %, crit 90 %)",
            ]
        );
    }

    #[test]
    fn bounds_with_units_and_decimal_commas_are_numbers() {
        assert_eq!(
            lines("time=0,012888s;0,5;1,0;0,000000;10,000000 /=210GB;549GB;618GB;0GB;687GB"),
            lines("time=0.012888s;0.5;1.0;0.000000;10.000000 /=210GB;549;618;0;687")
        );
        assert_eq!(lines("/=5GB;6000MB;7"), lines("/=5GB;6000MB;7;;"), "another unit says nothing here");
        assert_eq!(lines("t=5C;10C:20C"), ["t 5 C  (warn 10:20)"].map(|line| format!("▓▓▓░░░░░░░  {line}")));
    }

    #[test]
    fn a_label_that_is_cut_says_so() {
        let metric = &parse(&format!("{}=1", "x".repeat(41)))[0];
        assert_eq!(metric.label, format!("{}…", "x".repeat(39)));
        assert_eq!(parse(&format!("{}=1", "x".repeat(40)))[0].label, "x".repeat(40));
    }

    #[test]
    fn garbage_is_passed_over() {
        assert_eq!(lines("x y=U z= =3 'open=4 a=1"), [] as [String; 0]);
        assert_eq!(lines("y=U ok=1"), ["ok 1"]);
        assert_eq!(lines("n=NaN i=inf e=1e400 h=1e30").len(), 1);
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "([a-z' =;:.%@0-9~-]|\\PC){0,80}") {
            for metric in parse(&text) {
                let _ = metric.line();
            }
        }
    }
}

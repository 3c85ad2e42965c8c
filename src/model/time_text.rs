//! Lengths and points of time as people read them.

use jiff::Timestamp;

/// `42 s`, `5 min`, `3 h 20 min`, `2 d 4 h`
pub(crate) fn span(seconds: u64) -> String {
    let two = |big: u64, unit: &str, small: u64, small_unit: &str| {
        if small == 0 { format!("{big} {unit}") } else { format!("{big} {unit} {small} {small_unit}") }
    };
    match seconds {
        s @ 0..120 => format!("{s} s"),
        s @ 120..3600 => format!("{} min", s / 60),
        s @ 3600..86_400 => two(s / 3600, "h", s % 3600 / 60, "min"),
        s => two(s / 86_400, "d", s % 86_400 / 3600, "h"),
    }
}

/// How a length of time is written in its largest unit alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// `42 s`, `7 min`, `3 h`, `2 d`
    Spaced,
    /// `42s`, `7m`, `3h`, `2d`: for columns of a table.
    Compact,
}

/// A length in its largest unit; a negative one counts as none.
pub(crate) fn short_span(seconds: i64, unit: Unit) -> String {
    let (number, name) = match seconds.max(0) {
        s @ 0..120 => (s, "s"),
        s @ 120..7200 => (s / 60, "min"),
        s @ 7200..172_800 => (s / 3600, "h"),
        s => (s / 86_400, "d"),
    };
    match unit {
        Unit::Spaced => format!("{number} {name}"),
        Unit::Compact => format!("{number}{}", &name[..1]),
    }
}

/// The date and time of Unix seconds in UTC, for fallbacks: `2026-11-21 06:53:12 UTC`.
pub(crate) fn utc(unix: i64) -> String {
    let known = unix.clamp(Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
    Timestamp::from_second(known).unwrap_or_default().strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_well() {
        assert_eq!(
            [0, 119, 120, 3599, 3600, 12_000, 90_000].map(span),
            ["0 s", "119 s", "2 min", "59 min", "1 h", "3 h 20 min", "1 d 1 h"]
        );
    }

    #[test]
    fn a_short_span_is_in_its_largest_unit() {
        let spaced = |seconds| short_span(seconds, Unit::Spaced);
        assert_eq!([-5, 119, 120, 7199, 7200, 172_800].map(spaced), ["0 s", "119 s", "2 min", "119 min", "2 h", "2 d"]);
        assert_eq!([42, 420, 10_800].map(|seconds| short_span(seconds, Unit::Compact)), ["42s", "7m", "3h"]);
    }

    #[test]
    fn dates_are_gregorian() {
        assert_eq!(utc(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(utc(951_782_400), "2000-02-29 00:00:00 UTC");
        assert_eq!(utc(1_795_234_312), "2026-11-21 04:11:52 UTC");
        assert_eq!(utc(-1), "1969-12-31 23:59:59 UTC");
        assert!(utc(i64::MAX).starts_with("9999-12-") && utc(i64::MIN).starts_with("-9999-01-"), "nothing panics");
    }
}

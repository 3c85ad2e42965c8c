use super::*;
use proptest::prelude::*;

const HOUR: i64 = 3600;

fn line(count: i64, step: i64, value: impl Fn(f64) -> f64) -> Series {
    #[expect(clippy::cast_precision_loss, reason = "small")]
    let at = |n: i64| (n * step, value((n * step) as f64 / 3600.0));
    Series::new((0..count).map(at).collect())
}

fn sentence(perfdata: &str, series: &Series) -> String {
    let now = series.0.last().unwrap().0;
    describe(&watched(perfdata).unwrap(), series, (now, 6 * HOUR), "CRITICAL").unwrap().sentence
}

#[test]
fn the_value_that_broke_its_threshold_is_found() {
    let found = |perfdata: &str| watched(perfdata).map(|found| (found.label, found.position));
    let some = |label: &str, position| Some((label.to_owned(), position));
    assert_eq!(found("load1=1;5;10 load5=12;5;10 load15=6;5;10"), some("load5", 2), "critical before warning");
    assert_eq!(found("/=10MB;20;30;0;100 /var=25MB;20;30;0;100"), some("/var", 2));
    assert_eq!(found("free=5%;10:;2:"), some("free", 1), "below a lower end");
    assert_eq!(found("time=0.3s"), some("time", 1), "the only one");
    assert_eq!(found("a=1 b=2"), None, "nobody knows which");
    assert_eq!(found("a=U;1;2 b=5;~:4"), some("b", 1), "what isn't a number is passed over");
    assert_eq!(found(""), None);
    let limit = watched("used=85%;80;90").unwrap().limit.unwrap();
    assert_eq!((limit.value, limit.is_critical, limit.critical), (80.0, false, Some(90.0)));
}

#[test]
fn bars_show_where_the_threshold_broke() {
    let series = line(73, 300, |hours| 70.0 + 5.0 * hours);
    let watched = watched("used=100%;80;90;0;120").unwrap();
    let curve = describe(&watched, &series, (6 * HOUR, 6 * HOUR), "CRITICAL").unwrap();
    assert_eq!(curve.bars, "used ▁▁▁▂▂▂▂▂▂▃▃▃▃▃▃▅┊▅▅▅▅▅▇▇▇");
    assert_eq!(
        curve.sentence,
        "Last 6 h: from 70 % to 100 %. Above 90 % (crit) for 2 h, from ┊ on. Full in 4 h at this pace."
    );
    assert_eq!(curve.at, 6 * HOUR);
}

#[test]
fn gaps_and_too_few_values_are_shown_as_such() {
    let mut points = line(73, 300, |hours| hours).0;
    points.retain(|(at, _)| !(2 * HOUR..4 * HOUR).contains(at));
    let curve = describe(&watched("x=6").unwrap(), &Series(points), (6 * HOUR, 6 * HOUR), "").unwrap();
    assert!(curve.bars.contains("·······"), "{}", curve.bars);
    let few = line(3, 300, |hours| hours);
    assert_eq!(describe(&watched("x=6").unwrap(), &few, (700, 6 * HOUR), ""), None);
    let old = line(30, 60, |hours| hours);
    assert_eq!(describe(&watched("x=6").unwrap(), &old, (5 * HOUR, 6 * HOUR), ""), None, "it ended hours ago");
    let flat = describe(&watched("x=6").unwrap(), &line(30, 60, |_| 6.0), (1740, 6 * HOUR), "").unwrap();
    assert_eq!(flat.bars, format!("x {}", "▃".repeat(24)));
    assert_eq!(flat.sentence, "Last 29 min: 6.");
}

#[test]
fn a_pace_is_named_toward_each_end() {
    let up = line(73, 300, |hours| 80.0 + 2.0 * hours);
    assert!(
        sentence("used=92%;70;90", &up).ends_with("Full in 4 h at this pace."),
        "{}",
        sentence("used=92%;70;90", &up)
    );
    let warn = sentence("used=92%;90;95", &up);
    assert!(warn.ends_with("Critical (95 %) in 1 h 30 min at this pace."), "{warn}");
    let down = line(73, 300, |hours| 98.0 - 0.5 * hours);
    let again = sentence("used=95%;80;90", &down);
    assert!(again.ends_with("Below 90 % again in 10 h at this pace."), "{again}");
    let free = sentence("free=4GB;20:;10:", &line(73, 300, |hours| 16.0 - 2.0 * hours));
    assert!(free.contains("Below 10 GiB (crit) for 3 h") && free.ends_with("At 0 B in 2 h at this pace."), "{free}");
    let load = sentence("load=12;5;10", &line(73, 300, |hours| 2.0 * hours));
    assert!(!load.contains("pace"), "a load is never full: {load}");
    let far = sentence("used=92%;70;90", &line(73, 300, |hours| 91.0 + 0.05 * hours));
    assert!(!far.contains("pace"), "a line is not followed for a week: {far}");
}

#[test]
fn steps_and_bends_have_no_pace() {
    for value in [
        |hours: f64| if hours < 3.0 { 40.0 } else { 95.0 },
        |hours: f64| 100.0 - 60.0 * (-hours).exp(),
        |hours: f64| 50.0 + 45.0 * (hours * 6.0).sin(),
        |_: f64| 95.0,
        |hours: f64| 50.0 + 4.0 * hours + 15.0 * (hours * 9.0).sin(),
    ] {
        let text = sentence("used=95%;80;90", &line(73, 300, value));
        assert!(!text.contains("pace"), "{text}");
    }
}

#[test]
fn a_counter_shows_its_pace_and_no_threshold() {
    let watched = watched("errors=9000c;100;200").unwrap();
    let series = line(40, 60, |hours| 36_000.0 * hours).into_rates();
    let curve = describe(&watched, &series, (39 * 60, HOUR), "CRITICAL").unwrap();
    assert_eq!(curve.sentence, "Last 38 min: 10 per s.");
}

proptest! {
    #[test]
    fn noise_has_no_pace(values in prop::collection::vec(0.0..100.0_f64, 12..200), step in 10_i64..600) {
        let points = values.iter().zip(0_i64..).map(|(value, n)| (n * step, *value)).collect();
        let watched = watched("used=95%;80;90").unwrap();
        prop_assert_eq!(trend::sentence(&watched, &Series::new(points)), None);
    }

    #[test]
    fn a_line_with_some_noise_is_right_within_a_tenth(
        noise in prop::collection::vec(-0.3..0.3_f64, 73),
        slope in 3.0..8.0_f64,
    ) {
        let points: Vec<(i64, f64)> = noise.iter().zip(0_i64..).map(|(noise, n)| {
            #[expect(clippy::cast_precision_loss, reason = "small")]
            let hours = (n * 300) as f64 / 3600.0;
            (n * 300, 40.0 + slope * hours + noise)
        }).collect();
        let watched = watched("used=95%;30;35").unwrap();
        let text = trend::sentence(&watched, &Series::new(points)).unwrap();
        let hours = (100.0 - (40.0 + slope * 6.0)) / slope;
        let shown = text.trim_start_matches("Full in ").trim_end_matches(" at this pace.");
        let number = |unit: &str| shown.split(' ').collect::<Vec<_>>().windows(2)
            .find(|pair| pair[1] == unit).map_or(0.0, |pair| pair[0].parse::<f64>().unwrap());
        let said = number("d") * 24.0 + number("h") + number("min") / 60.0;
        prop_assert!((said - hours).abs() < 0.6 + hours * 0.1, "{} for {} h", text, hours);
    }

    #[test]
    fn no_values_make_it_panic(
        points in prop::collection::vec((any::<i32>(), any::<f64>()), 0..40),
        perfdata in "[a-z]{1,3}=[0-9.]{1,4}(%|c|s|MB)?;[0-9:@~]{0,4};[0-9:@~]{0,4};;",
        now in any::<i32>(),
    ) {
        let series = Series::new(points.into_iter().map(|(at, value)| (i64::from(at), value)).collect());
        if let Some(watched) = watched(&perfdata) {
            let _ = describe(&watched, &series.clone().into_rates(), (i64::from(now), 21_600), "");
            let _ = describe(&watched, &series, (i64::from(now), i64::from(i32::MAX)), "");
        }
    }
}

//! Values from the files of a grapher.

use super::{HOUR, notify, now};
use crate::harness::on_call::{OnCall, Way};
use crate::harness::process::text;
use crate::harness::wait;
use std::fs;
use std::path::Path;
use std::process::Command;

pub(super) fn rrdtool(arguments: &[&str]) -> String {
    let done = Command::new("rrdtool").args(arguments).env("LC_ALL", "C").output().unwrap();
    assert!(done.status.success(), "{}", text(&done.stderr));
    text(&done.stdout)
}

/// An RRD as `PNP4Nagios` makes it, with a value for each minute of the last hours.
pub(super) fn make_rrd(directory: &Path, file: &str, hours: i64, value: impl Fn(i64) -> String) {
    let host = directory.join("web01");
    fs::create_dir_all(&host).unwrap();
    let path = host.join(file).display().to_string();
    let start = (now() - hours * HOUR) / 60 * 60;
    let begin = (start - 60).to_string();
    rrdtool(&[
        "create",
        &path,
        "--start",
        &begin,
        "--step",
        "60",
        "DS:1:GAUGE:8460:U:U",
        "DS:2:GAUGE:8460:U:U",
        "RRA:AVERAGE:0.5:1:2880",
        "RRA:AVERAGE:0.5:5:2880",
        "RRA:MAX:0.5:1:2880",
    ]);
    let mut at = start;
    let updates: Vec<String> = std::iter::from_fn(|| {
        at += 60;
        (at <= now()).then(|| format!("{at}:{}:7", value(at - start)))
    })
    .collect();
    for part in updates.chunks(500) {
        let mut line = vec!["update", path.as_str()];
        line.extend(part.iter().map(String::as_str));
        rrdtool(&line);
    }
}

/// What awk finds in what `rrdtool fetch` prints is what the explanation says.
#[test]
#[ignore = "needs rrdtool: tests/run"]
fn the_values_are_those_of_rrdtool_fetch() {
    let night = OnCall::prepare(Way::Http, "500");
    let perfdata = night.site.dir.path().join("perfdata");
    // A saw with a gap, an unknown and a spike.
    make_rrd(&perfdata, "Load.rrd", 7, |seconds| match seconds / 60 {
        100..160 | 200 => "U".to_owned(),
        300 => "99.5".to_owned(),
        minute => (minute % 17).to_string(),
    });
    night.configure(&format!("[curve]\nrrd = \"{}\"\nnotifications = false\n", perfdata.display()));
    let explained = || {
        night.run(&[
            "preview",
            "--explain",
            "--hostname",
            "web01",
            "--servicedesc",
            "Load",
            "--servicestate",
            "2",
            "--notificationtype",
            "PROBLEM",
            "--perfdata",
            "load1=20;5;10",
        ])
    };
    let file = perfdata.join("web01/Load.rrd").display().to_string();
    // The two may see two minutes.
    wait::until("the same minute", || {
        let (from, to) = (now() - 6 * HOUR, now());
        let output = explained();
        let raw = rrdtool(&["fetch", &file, "AVERAGE", "--start", &from.to_string(), "--end", &to.to_string()]);
        let values: Vec<f64> = raw
            .lines()
            .skip(2)
            .filter(|line| line.split(':').next().unwrap().trim().parse::<i64>().unwrap() <= to)
            .filter_map(|line| line.split_whitespace().nth(1).unwrap().parse().ok())
            .filter(|value: &f64| value.is_finite())
            .collect();
        let plain = |value: f64| format!("{value:.2}").trim_end_matches('0').trim_end_matches('.').to_owned();
        let high = values.iter().copied().fold(f64::MIN, f64::max);
        let wanted = [
            format!("from {} to {}", plain(values[0]), plain(values[values.len() - 1])),
            format!("highest {}", plain(high)),
            format!("({} values)", values.len()),
        ];
        let is_same = wanted.iter().all(|part| output.contains(part));
        if is_same { Ok(()) } else { Err(format!("{wanted:?}\n{output}")) }
    });
    assert!(explained().contains('·') || explained().contains("values"), "{}", explained());
}

#[test]
fn an_rrd_that_isnt_there_or_isnt_one_is_named() {
    let mut night = OnCall::prepare(Way::Http, "500");
    let perfdata = night.site.dir.path().join("perfdata");
    fs::create_dir_all(perfdata.join("web01")).unwrap();
    let rrdtool = night.site.dir.path().join("rrdtool");
    night.begin(&format!(
        "[curve]\nnotifications = false\nrrd = \"{}\"\nrrdtool = \"{}\"\n",
        perfdata.display(),
        rrdtool.display()
    ));
    notify(&night.site, "Load", "load1=12;5;10", &[]);
    night.expect("CRITICAL: Load on web01");
    let doctor = || text(&night.site.run(&["doctor"]).stdout);
    let file = perfdata.join("web01/Load.rrd");
    assert!(doctor().contains("Load.rrd: No such file"), "{}", doctor());
    fs::write(&file, "a diary").unwrap();
    assert!(doctor().contains("Load.rrd isn't an RRD"), "{}", doctor());
    fs::remove_file(&file).unwrap();
    assert!(Command::new("mkfifo").arg(&file).status().unwrap().success());
    assert!(doctor().contains("Load.rrd: it isn't a file"), "{}", doctor());
    fs::remove_file(&file).unwrap();
    fs::write(&file, b"RRD\x000003\0 cut off").unwrap();
    assert!(doctor().contains("rrdtool isn't installed") && doctor().contains("apt install rrdtool"), "{}", doctor());
    fs::write(&rrdtool, "#!/bin/sh\necho 'ERROR: reading header: it is being written' >&2\nexit 1\n").unwrap();
    assert!(Command::new("chmod").arg("755").arg(&rrdtool).status().unwrap().success());
    assert!(doctor().contains("rrdtool: reading header: it is being written"), "{}", doctor());
    night.rests();
    night.sandbox.assert_respected();
}

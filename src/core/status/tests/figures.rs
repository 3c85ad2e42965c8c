//! What reading back a large file costs; `benches/readback` runs it.

use super::*;

#[test]
#[expect(clippy::print_stdout, reason = "figures are printed")]
fn figures_of_reading_back() {
    use std::io::Write;
    let sample = String::from_utf8_lossy(NAGIOS).into_owned();
    let start = sample.find("servicestatus {").unwrap();
    let block = &sample[start..][..sample[start..].find("\t}\n").unwrap() + 4];
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("status.dat");
    let mut file = std::io::BufWriter::new(File::create(&path).unwrap());
    file.write_all(&sample.as_bytes()[..start]).unwrap();
    for i in 0..100_000 {
        let long = "long_plugin_output=some more lines of a plugin's output that nobody reads here, ever again";
        let block = block.replace("db01", &format!("host{:05}", i / 10)).replace("MySQL", &format!("Service {i}"));
        file.write_all(block.replace("long_plugin_output=", long).as_bytes()).unwrap();
    }
    file.into_inner().unwrap().sync_all().unwrap();
    let bytes = path.metadata().unwrap().len();
    let wanted: Vec<Object> =
        (0..200).map(|i| object(&format!("host{:05}", i * 50), Some(&format!("Service {}", i * 500)))).collect();
    let mut best = std::time::Duration::MAX;
    for _ in 0..5 {
        let started = std::time::Instant::now();
        let snapshot = read_file(&path, &wanted).unwrap();
        best = best.min(started.elapsed());
        assert_eq!(snapshot.states.len(), 200);
    }
    let memory = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = memory.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    println!("status.dat of {bytes} bytes, 100,000 services, 200 wanted: {best:?}, {}", peak.replace('\t', " "));
}

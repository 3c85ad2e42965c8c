//! The cost of reading back a large file; `benches/all --only readback` prints it.

use super::*;

/// The floor is reading the file and nothing else.
#[test]
#[expect(clippy::print_stdout, reason = "figures are printed")]
fn figures_of_reading_back() {
    use std::io::Write;
    let sample = String::from_utf8_lossy(NAGIOS).into_owned();
    let start = sample.find("servicestatus {").unwrap();
    let block = &sample[start..][..sample[start..].find("\t}\n").unwrap() + 4];
    let long = "long_plugin_output=some more lines of a plugin's output that nobody reads here, ever again";
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("status.dat");
    for services in [1000, 10_000, 100_000] {
        let mut file = std::io::BufWriter::new(File::create(&path).unwrap());
        file.write_all(&sample.as_bytes()[..start]).unwrap();
        for i in 0..services {
            let block = block.replace("db01", &format!("host{:05}", i / 10)).replace("MySQL", &format!("Service {i}"));
            file.write_all(block.replace("long_plugin_output=", long).as_bytes()).unwrap();
        }
        file.into_inner().unwrap().sync_all().unwrap();
        let every = services / 200;
        let wanted = |i| object(&format!("host{:05}", i * every / 10), Some(&format!("Service {}", i * every)));
        let wanted: Vec<Object> = (0..200).map(wanted).collect();
        let best = |work: &dyn Fn()| {
            let once = |_| {
                let started = std::time::Instant::now();
                work();
                started.elapsed()
            };
            (0..5).map(once).min().unwrap()
        };
        let floor = best(&|| {
            std::io::copy(&mut File::open(&path).unwrap(), &mut std::io::sink()).unwrap();
        });
        let took = best(&|| assert_eq!(read_file(&path, &wanted).unwrap().states.len(), 200));
        let memory = std::fs::read_to_string("/proc/self/status").unwrap();
        let peak = memory.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap().trim();
        let megabytes = path.metadata().unwrap().len() / 1_000_000;
        println!(
            "figure: status.dat of {services} services, {megabytes} MB, 200 wanted; {took:.1?}, {peak}; {:.1} x reading the file",
            took.as_secs_f64() / floor.as_secs_f64()
        );
    }
}

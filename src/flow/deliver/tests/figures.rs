//! What the steps of a delivery cost; `benches/all --only flow` prints it.

use super::*;

/// Nanoseconds of the calling thread's work, as the median of some rounds.
fn median(rounds: usize, mut work: impl FnMut()) -> Duration {
    let mut times: Vec<Duration> = (0..rounds)
        .map(|_| {
            let started = std::time::Instant::now();
            work();
            started.elapsed()
        })
        .collect();
    times.sort();
    times[rounds / 2]
}

/// The floor of a drain is reading and removing as many files.
#[test]
#[expect(clippy::print_stdout, reason = "figures are printed")]
fn figures_of_the_flow() {
    const COUNT: u32 = 10_000;
    let mut evening = Evening::begin();
    let spool = Spool::new(&evening.config.state_dir);
    let fill = || {
        for i in 0..COUNT {
            let mut fields = Fields::default();
            let host = format!("host-{i}");
            for (name, value) in [("hostname", host.as_str()), ("servicedesc", "Disk"), ("servicestate", "2")] {
                fields.put(name, value);
            }
            fields.put("output", "DISK CRITICAL - free space: / 1043 MB (3% inode=94%)");
            let incoming = Incoming::Notification(fields.into_notification(i64::from(i)));
            spool.put(&Entry { received: 1, incoming }).unwrap();
        }
    };
    fill();
    let floor = std::time::Instant::now();
    for id in spool.oldest(COUNT as usize).unwrap() {
        spool.read(&id).unwrap();
        spool.remove(&id).unwrap();
    }
    let floor = floor.elapsed();
    fill();
    let (deliverer, _) = evening.deliverer.as_mut().unwrap();
    let started = std::time::Instant::now();
    assert_eq!(deliverer.drain().unwrap(), COUNT as usize);
    let drained = started.elapsed();
    println!(
        "figure: draining {COUNT} files into the outbox; {:.0} a second; {:.1} x reading and removing them",
        f64::from(COUNT) / drained.as_secs_f64(),
        drained.as_secs_f64() / floor.as_secs_f64()
    );
    let queue = deliverer.store.queues().unwrap().remove(0);
    deliverer.config.storm.threshold = u32::MAX;
    let decide = |deliverer: &mut Deliverer| {
        let look = deliverer.look(std::slice::from_ref(&queue)).unwrap().remove(0);
        assert!(deliverer.plan(&queue, look).unwrap().is_some());
    };
    let plan = median(21, || decide(deliverer));
    println!("figure: deciding what is next with {COUNT} waiting; {plan:.1?}");
    deliverer.config.storm.threshold = 5;
    let storm = median(1, || decide(deliverer));
    let plan = median(21, || decide(deliverer));
    println!("figure: making them one digest, then deciding; {storm:.1?}, {plan:.1?}");
    let (_, notification) = crate::rules::render::samples().remove(0);
    let problem = crate::model::problem::Problem::begin(&notification);
    let (config, text) = (&evening.config, notification.output.clone());
    let floor = median(2001, || assert!(json!({ "text": text }).to_string().len() > 9));
    let card = median(2001, || {
        let facts = crate::rules::render::RenderContext::bare(&config.message, None, 0);
        let card = crate::rules::render::problem_card(&problem, &facts);
        assert!(crate::slack::blocks::message(&card).to_string().len() > 99);
    });
    println!(
        "figure: rendering one card; {card:.1?}; {:.0} x its output as JSON",
        card.as_secs_f64() / floor.as_secs_f64()
    );
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    println!("figure: memory of all that at its peak, stand-in included; {}", peak.split_once(':').unwrap().1.trim());
}

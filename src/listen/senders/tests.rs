use super::*;
use crate::state_dir::delivery_lock::DeliveryLock;
use crate::state_dir::spool::Spool;
use crate::system::environment::Environment;
use std::sync::atomic::AtomicUsize;

/// A configuration with these integrations, in a directory of its own, and a deliverer that has the lock.
fn open(names: &[&str]) -> (tempfile::TempDir, Config, Deliverer, DeliveryLock) {
    let directory = tempfile::tempdir().unwrap();
    let config = configured(&directory, names, "");
    Spool::new(&config.state_dir).prepare().unwrap();
    let lock = DeliveryLock::try_take(&config.state_dir).unwrap().unwrap();
    let deliverer = Deliverer::open(config.clone(), Environment::default(), PATIENCE_LONG, &lock).unwrap();
    (directory, config, deliverer, lock)
}

fn configured(directory: &tempfile::TempDir, names: &[&str], more: &str) -> Config {
    let path = directory.path().join("ackbell.toml");
    let one = |name: &&str| format!("[integrations.{name}]\nbot_token = \"xoxb-1\"\nchannel = \"#ops\"\n");
    let text = format!("state_dir = \"state\"\n{}{more}", names.iter().map(one).collect::<String>());
    std::fs::write(&path, text).unwrap();
    crate::config::load(Some(&path), &Environment::default()).unwrap().0
}

fn running(senders: &Senders) -> Vec<String> {
    let is_running = |sender: &&Sender| matches!(sender.state, State::Running(_));
    senders.threads.iter().filter(is_running).map(|sender| Vec::from_iter(sender.names.clone()).join(" ")).collect()
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_thread_that_panics_is_started_again_and_the_others_go_on() {
    static STARTS: AtomicUsize = AtomicUsize::new(0);
    fn work(deliverer: Deliverer, orders: &Orders, bell: &Bell) -> Result<(), DeliverError> {
        let is_first = STARTS.fetch_add(1, Ordering::Relaxed) == 0;
        assert!(!is_first, "a bug");
        send(deliverer, orders, bell)
    }
    let (_directory, config, mut deliverer, _lock) = open(&["one", "two"]);
    let mut senders = Senders::doing(&config, work);
    senders.check(&mut deliverer).unwrap();
    until("the panic to be noticed", || {
        senders.check(&mut deliverer).unwrap();
        senders.interrupted().is_some()
    });
    assert_eq!(running(&senders).len(), 1);
    assert!(senders.are_alive() && senders.interrupted().unwrap().reason.contains("bug"));
    let resting = senders.threads.iter_mut().find(|sender| !matches!(sender.state, State::Running(_))).unwrap();
    resting.state = State::Resting(StatusNote::now("rested"), Instant::now());
    senders.check(&mut deliverer).unwrap();
    assert_eq!((running(&senders).len(), senders.interrupted()), (2, None));
}

#[test]
fn an_interruption_counts_from_its_beginning_however_often_the_thread_is_started_again() {
    fn work(_: Deliverer, _: &Orders, _: &Bell) -> Result<(), DeliverError> {
        std::panic::resume_unwind(Box::new("a bug"));
    }
    let (_directory, config, mut deliverer, _lock) = open(&["one"]);
    let mut senders = Senders::doing(&config, work);
    let mut ended = |senders: &mut Senders| {
        until("the end to be noticed", || {
            senders.check(&mut deliverer).unwrap();
            senders.interrupted().is_some()
        });
        senders.interrupted().unwrap().at
    };
    assert!(ended(&mut senders) > 1000);
    senders.failing.values_mut().for_each(|(since, _)| *since = 1000);
    senders.threads[0].state = State::Resting(StatusNote::now("rested"), Instant::now());
    assert_eq!(ended(&mut senders), 1000);
}

#[test]
fn a_reload_starts_and_ends_threads_and_no_integration_ever_has_two() {
    static ENDS: AtomicBool = AtomicBool::new(false);
    /// It ends only when it is let, as in the middle of a message.
    fn work(deliverer: Deliverer, orders: &Orders, bell: &Bell) -> Result<(), DeliverError> {
        send(deliverer, orders, bell)?;
        until("to be let", || ENDS.load(Ordering::Relaxed));
        Ok(())
    }
    let (directory, config, mut deliverer, _lock) = open(&["one", "two"]);
    let mut senders = Senders::doing(&config, work);
    senders.check(&mut deliverer).unwrap();
    assert_eq!(running(&senders), ["one", "two"]);

    let fewer = configured(&directory, &["one", "three"], "");
    senders.reconfigure(&fewer);
    senders.check(&mut deliverer).unwrap();
    assert_eq!(running(&senders), ["one", "two", "three"], "it finishes its message");

    senders.reconfigure(&config);
    senders.check(&mut deliverer).unwrap();
    assert_eq!(running(&senders), ["one", "two", "three"], "the one that ends isn't doubled");
    ENDS.store(true, Ordering::Relaxed);
    until("the ended to go and the wanted to come", || {
        senders.check(&mut deliverer).unwrap();
        let told = senders.threads.iter().any(|sender| sender.orders.end.load(Ordering::Relaxed));
        !told && running(&senders) == ["one", "two"]
    });
}

#[test]
fn a_disabled_integration_has_no_thread_and_many_share_sixteen() {
    let (directory, ..) = open(&["one"]);
    let more = "[integrations.off]\nenabled = false\nbot_token = \"xoxb-1\"\n";
    assert_eq!(groups(&configured(&directory, &["one"], more)).len(), 1);
    let names: Vec<String> = (0..40).map(|number| format!("i{number}")).collect();
    let many = groups(&configured(&directory, &names.iter().map(String::as_str).collect::<Vec<_>>(), ""));
    assert_eq!((many.len(), many.iter().map(BTreeSet::len).sum::<usize>()), (THREADS_MAX, 40));
}

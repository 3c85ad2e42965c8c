//! What only a server can do to us: tables that others made, roles, connections that break, answers that get lost.

use super::*;
use crate::store::outbox::Imported;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Instant;

const PATIENCE: Duration = Duration::from_millis(800);

pub(super) fn made(schema: &str) -> (Database, Store) {
    let database = both::database(schema);
    let (store, made) = Store::init(&database).unwrap();
    assert_eq!(made, Made::New);
    (database, store)
}

pub(super) fn opened(database: &Database) -> Result<Store, StoreError> {
    Store::open(OutboxAt::Database(database), PATIENCE).map(|(store, _)| store)
}

pub(super) fn texts(store: &Store, sql: &str) -> Vec<String> {
    let mut statement = store.db.prepare(sql).unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
}

pub(super) fn keep(store: &Store, name: &str) -> Result<usize, StoreError> {
    store.db.execute("INSERT INTO still (object, since) VALUES (?1, 1)", [name])
}

pub(super) fn kept(store: &Store) -> Vec<String> {
    texts(store, "SELECT object FROM still ORDER BY object")
}

/// Between a store and the server: passes, or swallows what the server answers (after the next COMMIT, or at once), or hangs up.
struct Proxy {
    port: u16,
    mode: Arc<AtomicU8>,
}

const PASS: u8 = 0;
const SWALLOW: u8 = 1;
const SWALLOW_AFTER_COMMIT: u8 = 2;
const HANG_UP: u8 = 3;

impl Proxy {
    fn start(to: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (port, mode) = (listener.local_addr().unwrap().port(), Arc::new(AtomicU8::new(PASS)));
        let shared = Arc::clone(&mode);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let server = TcpStream::connect(("127.0.0.1", to)).unwrap();
                let ends = (client.try_clone().unwrap(), server.try_clone().unwrap());
                let (up, down) = (Arc::clone(&shared), Arc::clone(&shared));
                std::thread::spawn(move || pump(client, server, &up, true));
                std::thread::spawn(move || pump(ends.1, ends.0, &down, false));
            }
        });
        Self { port, mode }
    }

    fn set(&self, mode: u8) {
        self.mode.store(mode, Ordering::SeqCst);
    }
}

fn pump(mut from: TcpStream, mut to: TcpStream, mode: &AtomicU8, is_question: bool) {
    let mut bytes = vec![0; 65536];
    loop {
        let Ok(count) = from.read(&mut bytes) else { return };
        if count == 0 || mode.load(Ordering::SeqCst) == HANG_UP {
            let _ = (to.shutdown(std::net::Shutdown::Both), from.shutdown(std::net::Shutdown::Both));
            return;
        }
        let says_commit = bytes[..count].windows(7).any(|word| word == b"COMMIT\0");
        if is_question && says_commit {
            let _ = mode.compare_exchange(SWALLOW_AFTER_COMMIT, SWALLOW, Ordering::SeqCst, Ordering::SeqCst);
        }
        if !is_question && mode.load(Ordering::SeqCst) == SWALLOW {
            continue;
        }
        if to.write_all(&bytes[..count]).is_err() {
            return;
        }
    }
}

fn behind(proxy: &Proxy, database: &Database) -> Store {
    let schema = database.postgres.get_options().unwrap().rsplit('=').next().unwrap().to_owned();
    opened(&both::at_port(proxy.port, &schema)).unwrap()
}

#[test]
#[ignore = "needs postgresql: tests/run"]
fn an_answer_that_never_comes_is_an_error_in_time_and_the_next_use_works() {
    let (database, _) = made("late");
    let proxy = Proxy::start(both::port());
    let store = behind(&proxy, &database);
    keep(&store, "a").unwrap();
    proxy.set(SWALLOW);
    for attempt in [keep(&store, "b").err(), store.summary().err()] {
        let (began, error) = (Instant::now(), attempt.unwrap());
        assert!(matches!(&error, StoreError::Away(text) if text.contains("gave no answer within 0.8 s")), "{error}");
        assert!(began.elapsed() < Duration::from_secs(2));
    }
    proxy.set(PASS);
    keep(&store, "c").unwrap();
    assert_eq!(kept(&store), ["a", "c"]);
}

#[test]
#[ignore = "needs postgresql: tests/run"]
fn a_commit_without_an_answer_is_neither_done_nor_undone() {
    let (database, other) = made("unknown");
    let proxy = Proxy::start(both::port());
    let store = behind(&proxy, &database);
    kept(&store);
    proxy.set(SWALLOW_AFTER_COMMIT);
    let error = keep(&store, "a").unwrap_err();
    assert!(matches!(&error, StoreError::Unknown(_)), "{error}");
    assert_eq!(kept(&other), ["a"], "here it was kept");
    proxy.set(PASS);
    assert_eq!(kept(&store), ["a"]);
}

#[test]
#[ignore = "needs postgresql: tests/run"]
fn a_click_without_an_answer_may_have_been_kept() {
    let (database, other) = made("lone");
    let proxy = Proxy::start(both::port());
    let mut store = behind(&proxy, &database);
    store.keep_requests(&[request("a")], 0).unwrap();
    proxy.set(SWALLOW);
    let error = store.keep_requests(&[request("b")], 0).unwrap_err();
    assert!(matches!(&error, StoreError::Unknown(_)), "here it was kept: {error}");
    let keys = || texts(&other, "SELECT key FROM action_request ORDER BY key");
    assert_eq!(keys(), ["a", "b"]);
    // Where nothing was sent that is known, and the person is told that nothing was done.
    let error = store.keep_requests(&[request("c")], 0).unwrap_err();
    assert!(matches!(&error, StoreError::Away(_)), "{error}");
    proxy.set(PASS);
    store.keep_requests(&[request("d")], 0).unwrap();
    proxy.set(HANG_UP);
    assert!(store.keep_requests(&[request("e")], 0).is_err());
    proxy.set(PASS);
    assert_eq!(keys(), ["a", "b", "d"]);
}

#[test]
#[ignore = "needs postgresql: tests/run"]
fn what_was_committed_before_is_seen_whatever_isolation_is_the_default() {
    let (mut database, other) = made("isolation");
    let options = format!("{} -cdefault_transaction_isolation=serializable", database.postgres.get_options().unwrap());
    database.postgres.options(options);
    let store = opened(&database).unwrap();
    assert_eq!(kept(&store), [""; 0]);
    let transaction = other.db.write().unwrap();
    keep(&other, "a").unwrap();
    let thread = std::thread::spawn(move || {
        let transaction = store.db.write().unwrap();
        let kept = kept(&store);
        transaction.commit().map(|()| kept)
    });
    std::thread::sleep(Duration::from_millis(200));
    transaction.commit().unwrap();
    assert_eq!(thread.join().unwrap().unwrap(), ["a"]);
}

#[test]
#[ignore = "needs postgresql: tests/run"]
fn a_connection_that_was_cut_is_made_anew_but_never_within_a_transaction() {
    let (database, other) = made("cut");
    let store = opened(&database).unwrap();
    let cut = |store: &Store| {
        let pid: i64 = store.db.query_row("SELECT CAST(pg_backend_pid() AS BIGINT)", [], |row| row.get(0)).unwrap();
        let sql = "SELECT pg_terminate_backend(CAST(CAST(?1 AS BIGINT) AS INTEGER))";
        other.db.query_row(sql, [pid], |_| Ok(())).unwrap();
        std::thread::sleep(Duration::from_millis(100));
    };
    keep(&store, "a").unwrap();
    cut(&store);
    assert_eq!(kept(&store), ["a"], "a read");
    cut(&store);
    keep(&store, "b").unwrap();
    let transaction = store.db.write().unwrap();
    keep(&store, "c").unwrap();
    cut(&store);
    assert!(matches!(keep(&store, "d"), Err(StoreError::Away(_))), "half a transaction");
    assert!(matches!(keep(&store, "e"), Err(StoreError::Away(_))));
    assert!(transaction.commit().is_err());
    keep(&store, "f").unwrap();
    let transaction = store.db.write().unwrap();
    keep(&store, "g").unwrap();
    cut(&store);
    let Connection::Postgres(link) = &store.db else { panic!("a server") };
    link.pause();
    assert!(matches!(keep(&store, "h"), Err(StoreError::Away(_))), "not by itself on another one");
    assert!(transaction.commit().is_err());
    assert_eq!(kept(&store), ["a", "b", "f"]);
}

#[test]
#[ignore = "needs postgresql: tests/run"]
fn a_statement_that_failed_undoes_its_whole_transaction() {
    let (_, store) = made("failed");
    let transaction = store.db.write().unwrap();
    keep(&store, "a").unwrap();
    let error = store.db.execute("INSERT INTO still (object, since) VALUES ('b', NULL)", []).unwrap_err();
    assert!(matches!(&error, StoreError::Postgres { code, .. } if code == "23502"), "{error}");
    assert!(transaction.commit().is_err(), "COMMIT alone would answer that all is well");
    assert_eq!(kept(&store), [""; 0]);
}

#[test]
#[ignore = "needs postgresql: tests/run"]
fn one_writes_at_a_time_and_who_stops_in_the_middle_holds_the_others_for_a_second() {
    let (database, store) = made("lock");
    let holder = Store::open(OutboxAt::Database(&database), Duration::from_secs(30)).unwrap().0;
    let mut short = opened(&database).unwrap();
    let (leadership, _) = short.take_lease("a", 0).unwrap().unwrap();
    let (tell, told) = std::sync::mpsc::channel();
    let (go_on, stopped) = std::sync::mpsc::channel::<()>();
    let thread = std::thread::spawn(move || {
        let transaction = holder.db.write().unwrap();
        keep(&holder, "a").unwrap();
        tell.send("at work").unwrap();
        holder.db.query_row("SELECT CAST(pg_sleep(2) AS TEXT)", [], |_| Ok(())).unwrap();
        tell.send("stopped").unwrap();
        let _ = stopped.recv();
        transaction.commit()
    });
    told.recv().unwrap();
    let connections = short.connections();
    let error = keep(&short, "b").unwrap_err();
    assert!(error.to_string().contains("another listener has been writing"), "{error}");
    let _ = kept(&short);
    assert_eq!(short.connections(), connections, "it would take a new one for a failover");
    // Whatever can't wait doesn't: a click, the lease, a sign of life, and the look for old rows that finds none.
    assert_eq!(short.keep_requests(&[request("click")], 0).unwrap(), 1);
    assert!(short.renew_lease(&leadership).unwrap());
    short.beat(&NodeBeat::of("a", String::new(), Vec::new(), String::new())).unwrap();
    short.purge_requests(0, 0).unwrap();
    short.end_lease(&leadership).unwrap();
    assert_eq!(told.recv().unwrap(), "stopped");
    let began = Instant::now();
    while keep(&store, "c").is_err() {
        assert!(began.elapsed() < Duration::from_secs(10));
    }
    go_on.send(()).unwrap();
    assert!(matches!(thread.join().unwrap(), Err(StoreError::Away(_) | StoreError::Unknown(_))));
    assert_eq!(kept(&store), ["c"]);
}

#[test]
#[ignore = "needs postgresql: tests/run"]
fn a_value_that_no_parameter_takes_is_an_error_at_once() {
    let (_, store) = made("values");
    for error in [
        store.db.execute("INSERT INTO still (object, since) VALUES (?1, 1)", [5_i64]).unwrap_err(),
        store.db.query_row("SELECT since FROM still WHERE object = ?1", ["a", "b"], |_| Ok(())).unwrap_err(),
    ] {
        assert!(!error.is_passing(), "it would be tried for ever: {error}");
    }
    let error = store.db.execute("INSERT INTO still (object, since) VALUES ('a', ?1)", ["x"]).unwrap_err().to_string();
    assert!(error.ends_with("parameter 1: a value of another type than int8"), "{error}");
    keep(&store, "a").unwrap();
}

#[test]
#[ignore = "needs postgresql: tests/run"]
fn a_pooler_that_mixes_statements_is_told_with_the_remedy() {
    let (_, store) = made("pooler");
    let error = store.db.execute("EXECUTE of_another_session", []).unwrap_err();
    assert!(
        matches!(&error, StoreError::Away(text) if text.contains("PgBouncer needs pool_mode = session")),
        "{error}"
    );
}

#[test]
#[ignore = "needs postgresql: tests/run"]
fn a_name_that_no_index_takes_holds_up_nothing() {
    let (_, mut store) = made("long");
    let directory = tempfile::tempdir().unwrap();
    let spool = Spool::new(directory.path());
    // Noise: a text that packs well gets in.
    let mut state = 7_u64;
    let noise: String = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b'!' + u8::try_from((state >> 33) % 90).unwrap())
    })
    .take(6000)
    .collect();
    let hosts = ["first", noise.as_str(), "last"];
    let batch = hosts.map(|host| new_entry(&spool, 0, &of_host(host, "PROBLEM", "1"), waiting(EDITABLE)));
    let imported = store.import(&batch, QUIET, 0).unwrap();
    assert!(
        matches!(&imported[..], [Imported::New, Imported::Refused(why), Imported::New] if why.contains("54000")),
        "{imported:?}"
    );
    let again = store.import(&batch, QUIET, 0).unwrap();
    assert!(matches!(&again[..], [Imported::Known, Imported::Refused(_), Imported::Known]), "{again:?}");
    assert_eq!(texts(&store, "SELECT host FROM post ORDER BY id"), ["first", "last"]);
}

#[test]
#[ignore = "needs postgresql: tests/run"]
fn two_that_count_up_at_once_lose_nothing() {
    let (database, store) = made("counting");
    keep(&store, "n").unwrap();
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let own = Store::open(OutboxAt::Database(&database), Duration::from_secs(30)).unwrap().0;
            std::thread::spawn(move || {
                for _ in 0..50 {
                    let transaction = own.db.write().unwrap();
                    let read = "SELECT since FROM still WHERE object = 'n'";
                    let count: i64 = transaction.query_row(read, [], |row| row.get(0)).unwrap();
                    transaction.execute("UPDATE still SET since = ?1 WHERE object = 'n'", [count + 1]).unwrap();
                    transaction.commit().unwrap();
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    let count: i64 = store.db.query_row("SELECT since FROM still", [], |row| row.get(0)).unwrap();
    assert_eq!(count, 201);
}

#[test]
#[ignore = "needs postgresql: tests/run"]
fn an_older_or_newer_outbox_is_used_as_far_as_its_versions_allow() {
    let (database, store) = made("versions");
    assert_eq!(Store::init(&database).unwrap().1, Made::Nothing, "run again it changes nothing");
    let known = schema::known();
    let set = |version: i64, oldest: i64| {
        store.db.execute("UPDATE meta SET version = ?1, oldest = ?2", [version, oldest]).unwrap();
    };
    set(known + 3, known);
    opened(&database).unwrap();
    assert_eq!(Store::init(&database).unwrap().1, Made::Nothing);
    set(known + 3, known + 1);
    for refused in [opened(&database).err(), Store::init(&database).err()] {
        assert!(matches!(refused, Some(StoreError::Newer { found, .. }) if found == known + 3));
    }
    set(known - 1, known - 1);
    let error = opened(&database).unwrap_err().to_string();
    assert!(error.ends_with("is from an older ackbell; run `ackbell database init` as its owner"), "{error}");
    assert_eq!(Store::init(&database).unwrap().1, Made::Updated);
    opened(&database).unwrap();
}

#[test]
#[ignore = "needs postgresql: tests/run"]
fn two_that_make_an_outbox_at_once_make_one() {
    let database = both::database("together");
    let threads: Vec<_> = (0..2)
        .map(|_| {
            let database = database.clone();
            std::thread::spawn(move || Store::init(&database).unwrap().1)
        })
        .collect();
    let made = threads.into_iter().map(|thread| thread.join().unwrap()).filter(|made| *made == Made::New).count();
    assert_eq!(made, 1);
}

#[test]
#[ignore = "needs postgresql: tests/run"]
fn the_role_for_daily_work_needs_the_printed_rights_and_can_do_no_more() {
    let (database, owner) = made("daily");
    owner.db.batch("CREATE ROLE daily LOGIN").unwrap();
    let mut daily = database.clone();
    daily.postgres.user("daily");
    let error = opened(&daily).unwrap_err().to_string();
    assert!(error.contains("run `ackbell database init` as its owner"), "{error}");
    for grant in owner.grants("daily").unwrap() {
        owner.db.batch(&grant).unwrap();
    }
    let mut store = opened(&daily).unwrap();
    let directory = tempfile::tempdir().unwrap();
    add(&directory, &mut store, &[of_host("a", "PROBLEM", "1")], 0);
    assert_eq!(run(&mut store, 0), ["post"]);
    store.advance_requests(&[], &["{}".to_owned()]).unwrap();
    for forbidden in
        ["CREATE TABLE more (n BIGINT)", "DROP TABLE still", "TRUNCATE still", "UPDATE meta SET oldest = 99"]
    {
        assert!(store.db.batch(forbidden).is_err(), "{forbidden}");
    }
    assert!(store.db.execute("DELETE FROM audit", []).is_err(), "the audit only grows");
    // A table of a later version, too, without another word.
    let steps = [&schema::STEPS[..], &["CREATE TABLE later (n BIGINT)"]].concat();
    assert_eq!(schema::init_with(&owner.db, &steps).unwrap(), Made::Updated);
    store.db.execute("INSERT INTO later (n) VALUES (1)", []).unwrap();
    assert!(store.db.batch("UPDATE meta SET oldest = 99").is_err());
}

/// A change of what is right, and what is said about it.
type Case<'a> = (&'a dyn Fn(&mut Database), &'a str);

#[test]
#[ignore = "needs postgresql: tests/run"]
fn what_is_wrong_with_the_server_is_said_with_its_remedy() {
    let nothing = both::database("nothing");
    let cases: [Case; 4] = [
        (&|_| {}, "it holds no outbox yet: run `ackbell database init` as its owner"),
        (
            &|database| {
                database.postgres.dbname("gone");
            },
            "database \"gone\" does not exist; create it",
        ),
        (
            &|database| {
                database.postgres.user("nobody");
            },
            "[database] password_file must have the role's password",
        ),
        (&|database| database.encrypts = true, "switch on its `ssl`, or write sslmode=disable"),
    ];
    for (change, said) in cases {
        let mut database = nothing.clone();
        change(&mut database);
        let error = opened(&database).unwrap_err();
        assert!(matches!(&error, StoreError::Away(text) if text.contains(said)), "{error}");
    }
    let error = opened(&both::at_port(9, "nothing")).unwrap_err().to_string();
    assert!(error.contains("Connection refused") && error.contains("is the server up"), "{error}");
}

#[test]
#[ignore = "needs postgresql: tests/run"]
fn only_a_server_with_the_right_certificate_is_spoken_to() {
    let (port, ca) = both::encrypted();
    let opened = |host: &str, more: &str| {
        let url = format!("postgres://postgres@{host}:{port}/postgres?sslmode=verify-full{more}");
        let database = crate::config::database_from_url(&url, None, Path::new("/"), &Environment::default()).unwrap();
        Store::init(&database).map(|(store, _)| store)
    };
    let known = format!("&sslrootcert={ca}");
    let store = opened("localhost", &known).unwrap();
    let sql = "SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    assert_eq!(texts(&store, sql), ["TLSv1.3"]);
    for (host, more) in [("localhost", ""), ("127.0.0.1", known.as_str())] {
        let error = opened(host, more).unwrap_err().to_string();
        assert!(error.contains("certificate") && error.contains("sslrootcert=FILE in the URL"), "{host}: {error}");
    }
}

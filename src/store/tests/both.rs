//! The same tests with `PostgreSQL`: one throw-away server for the whole run, and in it a schema for each outbox.

use super::*;
use std::cell::Cell;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;

thread_local! {
    static ON_POSTGRES: Cell<bool> = const { Cell::new(false) };
}

/// Repeats tests of the module on `PostgreSQL`.
macro_rules! on_postgres {
    ($($name:ident),+ $(,)?) => {
        mod on_postgres {
            $(
                #[test]
                #[ignore = "needs postgresql: tests/run"]
                fn $name() {
                    crate::store::tests::both::run(super::$name);
                }
            )+
        }
    };
}
pub(super) use on_postgres;

/// Runs a test whose outboxes are on the server.
pub(super) fn run(test: fn()) {
    ON_POSTGRES.set(true);
    test();
}

/// The outbox of a directory, or the one on the server that stands for it.
pub(super) fn open(directory: &Path) -> Store {
    if !ON_POSTGRES.get() {
        let (store, aside) = Store::open(directory, Duration::from_secs(1)).unwrap();
        assert_eq!(aside, None);
        return store;
    }
    let name = directory.file_name().unwrap().to_str().unwrap().replace('.', "x").to_lowercase();
    let database = database(&name);
    let store = Store::init(&database).unwrap().0;
    drop(store);
    Store::open(OutboxAt::Database(&database), Duration::from_secs(5)).unwrap().0
}

/// A schema of the server, made if it isn't there.
pub(super) fn database(schema: &str) -> Database {
    let database = at_port(port(), schema);
    let server = Arc::new(postgres::Server::new(&database).unwrap());
    let link = postgres::Link::new(server, Duration::from_secs(5)).unwrap();
    link.begin_making().unwrap();
    link.batch(&format!("CREATE SCHEMA IF NOT EXISTS {schema}")).unwrap();
    link.commit().unwrap();
    database
}

/// The schema as it is reached through a port of this machine.
pub(super) fn at_port(port: u16, schema: &str) -> Database {
    let url = format!("postgres://postgres@127.0.0.1:{port}/postgres?options=-csearch_path%3D{schema}");
    crate::config::database_from_url(&url, None, Path::new("/"), &Environment::default()).unwrap()
}

pub(super) fn port() -> u16 {
    server().port
}

/// Takes away what keeps the audit as it is, as somebody with the database in hand does.
pub(super) fn without_trigger(store: &Store, name: &str) {
    match (&store.db, name) {
        (Connection::Sqlite(_), _) => store.db.batch(&format!("DROP TRIGGER {name}")).unwrap(),
        // One trigger does both there.
        (Connection::Postgres(_), "audit_holds") => store.db.batch("DROP TRIGGER audit_stays ON audit").unwrap(),
        (Connection::Postgres(_), _) => {}
    }
}

/// A server with TLS: its port, and the file with its CA.
pub(super) fn encrypted() -> (u16, String) {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    let cluster = CLUSTER.get_or_init(|| start(&["ssl=on"]));
    (cluster.port, format!("{}/ca.pem", cluster.directory))
}

/// The server; it ends when this process has ended, and with it the other end of its input.
struct Cluster {
    port: u16,
    directory: String,
    _process: Child,
    _input: ChildStdin,
}

fn server() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| start(&[]))
}

fn start(settings: &[&str]) -> Cluster {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/postgres-cluster");
    let mut process = Command::new(script).args(settings).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let parts: Vec<&str> = line.split_whitespace().collect();
    let [port, directory, _] = parts[..] else { panic!("the server doesn't start") };
    let (port, directory) = (port.parse().unwrap(), directory.to_owned());
    Cluster { port, directory, _input: process.stdin.take().unwrap(), _process: process }
}

/// Whoever adds a test of the store adds it to the list at its file's end, or says here why it is of one engine.
#[test]
fn every_test_is_in_its_files_list() {
    let of_one_engine = [
        "a_database_of_the_first_version_keeps_what_waits",
        "a_cut_end_shows_by_the_head_kept_elsewhere_and_a_new_database_goes_on_from_the_old_one",
        "two_deliverers_with_pauses_anywhere_leave_each_message_once_and_its_newest_version",
        "whoever_writes_as_the_leader_does_so_only_while_it_leads",
        "a_million_rows_take_less_than_150_megabytes",
    ];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store/tests");
    let files = std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path());
    let mut lists = 0;
    for file in files.chain([folder.with_extension("rs")]) {
        let text = std::fs::read_to_string(&file).unwrap();
        let Some((tests, list)) = text.split_once("\nboth::on_postgres! {") else { continue };
        lists += 1;
        for test in tests.split("#[test]\n").skip(1) {
            let name = test.split_once("fn ").unwrap().1.split('(').next().unwrap();
            assert!(of_one_engine.contains(&name) || list.contains(&format!("    {name},\n")), "{name}");
        }
    }
    assert!(lists >= 7, "{lists}");
}

//! Installations that nodes share: sealed, each for its integration, changed from what is there.

use super::*;
use crate::state_dir::installation::Install;
use crate::system::seal::SealKeys;
use crate::system::secret::Secret;

const OLD: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
const NEW: &str = "ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA=";

fn keys(text: &str) -> SealKeys {
    SealKeys::parse(text).unwrap()
}

fn some(version: i64) -> Install {
    let text = r#"{"bot_token": "xoxb-secret", "team_id": "T1", "installed_at": 1000}"#;
    Install { version, refresh_token: Some(Secret::new("xoxe-secret".into())), ..Install::from_text(text).unwrap() }
}

fn put(store: &Store, integration: &str, install: &Install) {
    store.change_install(&keys(OLD), integration, |_| Some(install.clone())).unwrap();
}

fn found(store: &Store, file: &str, integration: &str) -> Result<Option<Install>, StoreError> {
    Ok(store.install(&keys(file), integration)?.map(|kept| kept.install))
}

#[test]
fn an_installation_is_sealed_and_opens_with_its_key_at_its_place_only() {
    let directory = tempfile::tempdir().unwrap();
    let store = both::open(directory.path());
    assert_eq!(found(&store, OLD, "ops").unwrap(), None);
    put(&store, "ops", &some(1));
    let body = store.db.query_row("SELECT body FROM install", [], |row| row.get::<String>(0)).unwrap();
    assert!(!body.contains("-secret") && !body.contains("team_id"), "{body}");
    assert_eq!(found(&store, OLD, "ops").unwrap(), Some(some(1)));
    // Another key, another integration's row, a row that was changed.
    let is_closed = |found: Result<Option<Install>, StoreError>| matches!(found, Err(StoreError::Sealed(_)));
    assert!(is_closed(found(&store, NEW, "ops")));
    store.db.execute("UPDATE install SET integration = 'other'", []).unwrap();
    assert!(is_closed(found(&store, OLD, "other")) && found(&store, OLD, "ops").unwrap().is_none());
    let (name, kept) = store.installs(&keys(OLD)).unwrap().remove(0);
    assert!(name == "other" && matches!(kept, Err(StoreError::Sealed(_))));
    // Nobody writes over what they can't read.
    assert!(store.change_install(&keys(OLD), "other", |_| Some(some(9))).is_err());
    store.db.execute("UPDATE install SET integration = 'ops'", []).unwrap();
    assert_eq!(found(&store, OLD, "ops").unwrap(), Some(some(1)));
    let error = found(&store, NEW, "ops").unwrap_err().to_string();
    assert!(error.contains("\"ops\"") && error.contains("[database] key_file") && !error.contains("xox"), "{error}");
}

#[test]
fn a_change_is_made_from_what_is_there_and_a_new_key_seals_it_anew() {
    let directory = tempfile::tempdir().unwrap();
    let store = both::open(directory.path());
    put(&store, "ops", &some(3));
    let seen = |store: &Store| {
        store.lead(None);
        store.look_at_lease(0).unwrap().installs
    };
    assert_eq!(seen(&store), 3);
    store.change_install(&keys(OLD), "ops", |known| known.map(|known| known.clone().after(Some(&known)))).unwrap();
    store.change_install(&keys(OLD), "ops", |_| None).unwrap();
    put(&store, "second", &some(1));
    assert_eq!((found(&store, OLD, "ops").unwrap(), seen(&store)), (Some(some(4)), 5));
    let rotated = format!("{NEW}\n{OLD}");
    assert!(!store.install(&keys(&rotated), "ops").unwrap().unwrap().by_first);
    store.change_install(&keys(&rotated), "ops", |known| known).unwrap();
    assert!(store.install(&keys(&rotated), "ops").unwrap().unwrap().by_first);
    assert_eq!((found(&store, NEW, "ops").unwrap(), seen(&store)), (Some(some(4)), 5));
    let all = store.installs(&keys(NEW)).unwrap();
    assert!(all[0].1.is_ok() && all[1].1.is_err(), "each by itself");
}

#[test]
fn a_state_is_used_once_and_forgotten_when_nobody_takes_it_any_more() {
    let directory = tempfile::tempdir().unwrap();
    let store = both::open(directory.path());
    let now = store.database_ms().unwrap();
    let end = now + 60_000;
    assert_eq!(store.use_state("a", end).unwrap(), StateUse::First);
    assert_eq!(store.use_state("a", end).unwrap(), StateUse::Again);
    assert_eq!(store.use_state("b", end).unwrap(), StateUse::First);
    // One whose time is over is forgotten, and for that reason not taken.
    assert_eq!(store.use_state("c", now - 1).unwrap(), StateUse::Again);
    store.db.execute("UPDATE install_state SET until = ?1", [now - 1]).unwrap();
    assert_eq!(store.use_state("d", end).unwrap(), StateUse::First);
    let left = "SELECT COUNT(*) FROM install_state";
    assert_eq!(store.db.query_row(left, [], |row| row.get::<i64>(0)).unwrap(), 1);
}

#[test]
#[ignore = "needs postgresql: tests/run"]
fn whoever_writes_as_the_leader_does_so_only_while_it_leads() {
    let (_, store) = server::made("installing");
    let (first, _) = store.take_lease("a", 0).unwrap().unwrap();
    store.lead(Some(&first));
    put(&store, "ops", &some(1));
    store.end_lease(&first).unwrap();
    let overtaken = store.change_install(&keys(OLD), "ops", |_| Some(some(2)));
    assert!(matches!(overtaken, Err(StoreError::Fenced)), "{overtaken:?}");
    store.lead(None);
    assert_eq!(found(&store, OLD, "ops").unwrap(), Some(some(1)));
}

both::on_postgres! {
    an_installation_is_sealed_and_opens_with_its_key_at_its_place_only,
    a_change_is_made_from_what_is_there_and_a_new_key_seals_it_anew,
    a_state_is_used_once_and_forgotten_when_nobody_takes_it_any_more,
}

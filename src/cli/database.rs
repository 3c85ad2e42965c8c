//! `ackbell database`: the outbox that several listeners share, from its making to the move of what there is.

use super::args::{DatabaseArgs, DatabaseVerb, PasswordFile};
use super::{Exit, Output, load};
use crate::config::{Config, Database, Integration, OutboxAt, database_from_url};
use crate::state_dir::delivery_lock::DeliveryLock;
use crate::store::{Made, Store, StoreError};
use crate::system::environment::Environment;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks whether a copy was kept.
const RETRY: Duration = Duration::from_millis(500);

/// The verb can't do it, and exits so.
struct Failure(Exit, String);

impl From<StoreError> for Failure {
    fn from(e: StoreError) -> Self {
        let exit = match e {
            StoreError::Away(_) | StoreError::Unknown(_) | StoreError::NeedsInit(_) | StoreError::Newer { .. } => {
                Exit::Unavailable
            }
            StoreError::NotEmpty { .. } => Exit::Refused,
            _ => Exit::CantWrite,
        };
        Self(exit, e.to_string())
    }
}

pub(super) fn run(args: &DatabaseArgs, path: Option<&Path>, env: &Environment, out: &mut Output) -> Exit {
    let done = match &args.what {
        // With a URL the configuration may still be to be written.
        DatabaseVerb::Init { url: Some(url), password } => {
            let configured = crate::config::load(path, env).ok().and_then(|(config, _)| config.database);
            named(url, password, env).and_then(|database| init(&database, configured.as_ref(), out))
        }
        DatabaseVerb::Init { url: None, .. } => match load(path, env, out) {
            Err(exit) => return exit,
            Ok(Config { database: Some(database), .. }) => init(&database, Some(&database), out),
            Ok(_) => Err(Failure(
                Exit::Usage,
                "no database is given: write --url postgres://..., or [database] url into the configuration".to_owned(),
            )),
        },
        DatabaseVerb::Copy { to, password } => match load(path, env, out) {
            Err(exit) => return exit,
            Ok(config) => named(to, password, env).and_then(|database| copy(&config, &database, out)),
        },
    };
    match done {
        Ok(()) => Exit::Done,
        Err(Failure(exit, text)) => {
            out.error(&text);
            exit
        }
    }
}

fn named(url: &str, password: &PasswordFile, env: &Environment) -> Result<Database, Failure> {
    let here = std::env::current_dir().unwrap_or_default();
    database_from_url(url, password.password(), &here, env)
        .map_err(|text| Failure(Exit::Usage, format!("the database's URL: {text}")))
}

/// Makes the tables. `daily`: the database as the listeners know it.
fn init(database: &Database, daily: Option<&Database>, out: &mut Output) -> Result<(), Failure> {
    let (store, made) = Store::init(database)?;
    let label = &database.label;
    out.line(&match made {
        Made::New => format!("made the outbox in {label}"),
        Made::Updated => format!("brought the outbox in {label} up to date"),
        Made::Nothing => format!("the outbox in {label} is up to date"),
    });
    let role = daily.map_or(Some("ackbell"), |daily| daily.postgres.get_user());
    let Some(role) = role.filter(|role| Some(*role) != database.postgres.get_user()) else {
        // The owner may do all.
        return Ok(());
    };
    out.line(&format!("\n-- The rights that the role \"{role}\" needs for daily work:"));
    for grant in store.grants(role)? {
        out.line(&grant);
    }
    Ok(())
}

/// By table, in their order.
type Rows = Vec<(String, usize)>;

/// Copies all rows; after an error, too, how many it tried.
fn copy_rows(source: &Store, target: &Database, out: &mut Output) -> Result<Rows, (StoreError, Rows)> {
    let mut rows = Rows::new();
    let count = |table: &str, count: usize| {
        out.progress(&format!("{table}: {count}"));
        match rows.last_mut() {
            Some((last, counted)) if last == table => *counted = count,
            _ => rows.push((table.to_owned(), count)),
        }
    };
    let opened = Store::open(OutboxAt::Database(target), PATIENCE);
    let copied = opened.and_then(|(target, _)| source.copy_to(&target, count).map(drop));
    out.progress("");
    match copied {
        Ok(()) => Ok(rows),
        Err(e) => Err((e, rows)),
    }
}

/// Copies all rows. Where the answer to the COMMIT was lost, it looks whether they are there: a second copy of them would send
/// everything twice.
fn copy_surely(source: &Store, target: &Database, out: &mut Output) -> Result<Rows, Failure> {
    let rows = match copy_rows(source, target, out) {
        Err((StoreError::Unknown(_), rows)) => rows,
        done => return done.map_err(|(e, _)| e.into()),
    };
    let began = Instant::now();
    loop {
        match copy_rows(source, target, out) {
            Err((StoreError::NotEmpty { .. }, _))
                if is_whole(source, target).map_err(|_| unknown(&target.label))? =>
            {
                return Ok(rows);
            }
            Err((e, _)) if e.is_away() && began.elapsed() > PATIENCE => return Err(unknown(&target.label)),
            Err((e, _)) if e.is_away() => sleep(RETRY),
            done => return done.map_err(|(e, _)| e.into()),
        }
    }
}

/// Whether the rows in the target are the source's. It was empty a moment ago, and a copy is kept as a whole or not at all;
/// but another listener may have begun to use it.
fn is_whole(source: &Store, target: &Database) -> Result<bool, StoreError> {
    let target = Store::open(OutboxAt::Database(target), PATIENCE)?.0;
    let (ours, theirs) = (source.summary()?, target.summary()?);
    Ok((ours.waiting, ours.dead, ours.oldest, ours.action_requests)
        == (theirs.waiting, theirs.dead, theirs.oldest, theirs.action_requests))
}

/// The answer to the COMMIT was lost, and the database can't be asked again.
fn unknown(label: &str) -> Failure {
    let text = format!(
        "the database {label} didn't say whether it kept the copy. Run it again when it can be reached; if it says that the \
         database isn't empty, all is there: rename ackbell.db to ackbell.db.copied-1 yourself"
    );
    Failure(Exit::Unavailable, text)
}

fn copy(config: &Config, target: &Database, out: &mut Output) -> Result<(), Failure> {
    let state_dir = &config.state_dir;
    let lock = DeliveryLock::try_take(state_dir)
        .map_err(|e| Failure(Exit::CantWrite, format!("can't use {}: {e}", state_dir.display())))?;
    if lock.is_none() {
        let text = "a listener or another process delivers from this outbox; stop it first: systemctl stop ackbell";
        return Err(Failure(Exit::Later, text.to_owned()));
    }
    let Some(source) = Store::open_existing(state_dir)? else {
        let text = format!("{} has no outbox to copy: ackbell has queued nothing there", state_dir.display());
        return Err(Failure(Exit::CantWrite, text));
    };
    let label = &target.label;
    let copied = copy_surely(&source, target, out)?;
    let all: usize = copied.iter().map(|(_, rows)| rows).sum();
    for (table, rows) in copied.iter().filter(|(_, rows)| *rows > 0) {
        out.line(&format!("{rows:>9}  {table}"));
    }
    out.line(&format!("copied {all} rows of {} into {label}", state_dir.display()));
    let aside = source.put_copied_aside(state_dir)?;
    out.line(&format!("The file is now {}: nothing is sent from it any more.", aside.display()));
    out.line("Next: write [database] into the configuration of every listener, and start them.");
    let is_kept = |own: &&Integration| own.enabled && own.installation().is_some();
    for own in config.integrations.iter().filter(is_kept) {
        out.line(&format!(
            "The installation of \"{}\" isn't copied: with [database] key_file the listener that is started here puts it into the \
             database.",
            own.name
        ));
    }
    Ok(())
}

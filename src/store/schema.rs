//! The schema: a list that only grows. A file's `user_version` says how much of it that has; on a server a row of `meta` does
//! ([`server`]).

mod server;

pub(crate) use server::Made;
#[cfg(test)]
pub(super) use server::{STEPS, init_with};
pub(super) use server::{check_server, init_server};

use super::StoreError;
use super::db::Connection;

/// Each entry brings a database one version further. Never change one that was released; add another.
const VERSIONS: [&str; 15] = [
    "
CREATE TABLE notification (
    seq INTEGER PRIMARY KEY,             -- order of import
    id TEXT NOT NULL UNIQUE,             -- the spool file's name
    received INTEGER NOT NULL,           -- Unix ms
    object TEXT NOT NULL,
    twin TEXT NOT NULL,                  -- equal for the runs for several contacts
    contact TEXT NOT NULL,
    body TEXT NOT NULL                   -- JSON
) STRICT;
CREATE INDEX notification_twin ON notification (twin, seq);
CREATE INDEX notification_object ON notification (object, seq);
CREATE TABLE delivery (
    id INTEGER PRIMARY KEY,
    notification INTEGER NOT NULL REFERENCES notification (seq) ON DELETE CASCADE,
    integration TEXT NOT NULL,
    target TEXT NOT NULL,                -- #name, an id, @e-mail; empty: the webhook's own channel
    object TEXT NOT NULL,
    mentions TEXT NOT NULL,              -- JSON
    since INTEGER NOT NULL,              -- Unix ms; its age counts from here
    state TEXT NOT NULL CHECK (state IN ('waiting', 'delivered', 'merged', 'dead')),
    plain INTEGER NOT NULL DEFAULT 0,    -- 1: Slack refused the blocks
    attempts INTEGER NOT NULL DEFAULT 0,
    due INTEGER NOT NULL DEFAULT 0,      -- Unix ms; not before
    due_set INTEGER NOT NULL DEFAULT 0,  -- when that was decided
    leased INTEGER,                      -- being sent since
    note TEXT,                           -- shown with the message
    reason TEXT,                         -- why it waits, or is dead
    channel TEXT,
    ts TEXT,
    settled INTEGER                      -- Unix ms
) STRICT;
CREATE INDEX delivery_lane ON delivery (integration, target, id) WHERE state = 'waiting';
CREATE INDEX delivery_object ON delivery (integration, target, object, id) WHERE state = 'waiting';
CREATE INDEX delivery_leased ON delivery (id) WHERE leased IS NOT NULL;
CREATE INDEX delivery_notification ON delivery (notification);
CREATE INDEX delivery_dead ON delivery (id) WHERE state = 'dead';
CREATE TABLE hold (                      -- Slack's Retry-After, our pace, outages, refused tokens
    integration TEXT NOT NULL,
    lane TEXT NOT NULL,                  -- channel id or target; '*': the whole integration
    until INTEGER NOT NULL,
    since INTEGER NOT NULL,
    failures INTEGER NOT NULL DEFAULT 0,
    reason TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (integration, lane)
) STRICT, WITHOUT ROWID;
CREATE TABLE channel (                   -- under which id Slack knows a target
    integration TEXT NOT NULL,
    target TEXT NOT NULL,
    id TEXT NOT NULL,
    PRIMARY KEY (integration, target)
) STRICT, WITHOUT ROWID;
CREATE TABLE lookup (                    -- what Slack said about an e-mail or a group's handle
    integration TEXT NOT NULL,
    name TEXT NOT NULL,
    id TEXT,                             -- NULL: nobody
    until INTEGER NOT NULL,
    PRIMARY KEY (integration, name)
) STRICT, WITHOUT ROWID;
",
    "
CREATE TABLE post (                      -- a message of ours, and the problem it stands for
    id INTEGER PRIMARY KEY,
    integration TEXT NOT NULL,
    target TEXT NOT NULL,
    object TEXT NOT NULL,                -- empty: a digest
    open INTEGER NOT NULL DEFAULT 1,     -- more is to be expected of it
    digest INTEGER REFERENCES post (id), -- it has a line there and no message of its own
    problem TEXT NOT NULL DEFAULT '',    -- JSON; empty: a digest
    host TEXT NOT NULL DEFAULT '',
    is_host INTEGER NOT NULL DEFAULT 0,
    rank INTEGER NOT NULL DEFAULT 0,     -- how bad its state is; 0: well
    acknowledged INTEGER NOT NULL DEFAULT 0,
    version INTEGER NOT NULL DEFAULT 1,  -- grows with what is known
    shown INTEGER NOT NULL DEFAULT 0,    -- the version that people see
    edited INTEGER NOT NULL DEFAULT 0,   -- when they got it; Unix ms
    joined INTEGER NOT NULL DEFAULT 0,   -- a digest: when it last took a problem; Unix ms
    channel TEXT,
    ts TEXT,
    plain INTEGER NOT NULL DEFAULT 0,    -- 1: Slack refused the blocks
    attempts INTEGER NOT NULL DEFAULT 0, -- since the last success
    due INTEGER NOT NULL DEFAULT 0,      -- Unix ms; not before
    due_set INTEGER NOT NULL DEFAULT 0,  -- when that was decided
    leased INTEGER,                      -- being sent since
    reason TEXT,                         -- why it waits
    updated INTEGER NOT NULL             -- Unix ms
) STRICT;
CREATE INDEX post_object ON post (integration, target, object, open, id);
CREATE INDEX post_member ON post (digest, open, acknowledged, rank) WHERE digest IS NOT NULL;
CREATE INDEX post_member_host ON post (digest, host, is_host, open) WHERE digest IS NOT NULL;
CREATE INDEX post_leased ON post (id) WHERE leased IS NOT NULL;
CREATE INDEX post_updated ON post (updated);
ALTER TABLE delivery ADD COLUMN post INTEGER REFERENCES post (id);
ALTER TABLE delivery ADD COLUMN digest INTEGER;
ALTER TABLE delivery ADD COLUMN line INTEGER NOT NULL DEFAULT 1;    -- 1: wants words of its own in the thread
ALTER TABLE delivery ADD COLUMN urgency INTEGER NOT NULL DEFAULT 0; -- the greater the sooner
DROP INDEX delivery_leased;
DROP INDEX delivery_lane;
DROP INDEX delivery_object;
ALTER TABLE delivery DROP COLUMN plain;
ALTER TABLE delivery DROP COLUMN due;
ALTER TABLE delivery DROP COLUMN due_set;
ALTER TABLE delivery DROP COLUMN leased;
CREATE INDEX delivery_lane ON delivery (integration, target, digest, object, id) WHERE state = 'waiting';
CREATE INDEX delivery_post ON delivery (post, id);
CREATE INDEX delivery_digest ON delivery (digest, line, urgency, id) WHERE state = 'waiting' AND digest IS NOT NULL;
ALTER TABLE hold ADD COLUMN past TEXT NOT NULL DEFAULT '';          -- why it rested last
ALTER TABLE hold ADD COLUMN past_until INTEGER NOT NULL DEFAULT 0;  -- and until when; Unix ms
",
    "
CREATE TABLE act (                       -- what somebody asked for in Slack
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,            -- the click's own: one that comes twice is one act
    parent INTEGER,                      -- of one of many: the act that asked for all of them
    at INTEGER NOT NULL,                 -- Unix ms
    state TEXT NOT NULL CHECK (state IN ('new', 'sending', 'sent', 'parent', 'done')),
    object TEXT NOT NULL DEFAULT '',
    request TEXT NOT NULL,               -- JSON
    expectation TEXT NOT NULL DEFAULT '',-- JSON, of what was sent to the core
    due INTEGER NOT NULL DEFAULT 0,      -- Unix ms; new: not before; sent: the core is looked at until then
    reply TEXT,                          -- words for the person that were not said yet
    outcome TEXT                         -- of one that is done
) STRICT;
CREATE INDEX act_open ON act (state, due) WHERE state <> 'done';
CREATE INDEX act_reply ON act (id) WHERE reply IS NOT NULL;
CREATE INDEX act_parent ON act (parent) WHERE parent IS NOT NULL;
CREATE INDEX act_object ON act (object) WHERE state <> 'done';
CREATE TABLE audit (                     -- grows only; each row's hash covers the one before
    seq INTEGER PRIMARY KEY,
    entry TEXT NOT NULL,                 -- JSON
    hash TEXT NOT NULL
) STRICT;
CREATE TRIGGER audit_stays BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit only grows'); END;
CREATE TRIGGER audit_holds BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit only grows'); END;
",
    "
CREATE TABLE subscription (              -- a route that a channel gave itself
    id INTEGER PRIMARY KEY,
    integration TEXT NOT NULL,
    channel TEXT NOT NULL,               -- Slack's id
    filter TEXT NOT NULL,                -- as it was written
    user TEXT NOT NULL,                  -- whoever subscribed it: Slack's id
    name TEXT NOT NULL DEFAULT '',
    at INTEGER NOT NULL,                 -- Unix ms
    UNIQUE (integration, channel, filter)
) STRICT;
",
    "
CREATE TABLE home (                      -- who has App Home open
    integration TEXT NOT NULL,
    user TEXT NOT NULL,
    team TEXT,
    opened INTEGER NOT NULL,             -- Unix ms
    PRIMARY KEY (integration, user)
) STRICT, WITHOUT ROWID;
",
    "
CREATE INDEX post_shown ON post (object, open, id);          -- a click names the object, not the place
CREATE INDEX notification_received ON notification (received);
CREATE INDEX act_done ON act (at) WHERE state = 'done';
",
    "
CREATE INDEX act_refused ON act (at) WHERE state = 'done' AND due = -1;
CREATE TABLE refusal (                   -- who was refused lately: a row of the audit an hour, however often they ask
    person TEXT PRIMARY KEY,             -- integration and user
    until INTEGER NOT NULL,              -- the hour's end; Unix ms
    more INTEGER NOT NULL DEFAULT 0,     -- refused since its row
    last TEXT NOT NULL                   -- the last one's entry; JSON
) STRICT, WITHOUT ROWID;
CREATE TABLE audit_start (               -- the last row of the audit that was let go of
    id INTEGER PRIMARY KEY CHECK (id = 1),
    seq INTEGER NOT NULL,
    hash TEXT NOT NULL
) STRICT;
DROP TRIGGER audit_stays;
CREATE TRIGGER audit_stays BEFORE DELETE ON audit
    WHEN OLD.seq > COALESCE((SELECT seq FROM audit_start), 0)
    BEGIN SELECT RAISE(ABORT, 'the audit only grows'); END;
",
    VERSION_8,
    VERSION_9,
    VERSION_10,
    VERSION_11,
    VERSION_12,
    VERSION_13,
    VERSION_14,
    VERSION_15,
];
const VERSION_8: &str = include_str!("schema/version_8.sql");
const VERSION_9: &str = include_str!("schema/version_9.sql");
const VERSION_10: &str = include_str!("schema/version_10.sql");
const VERSION_11: &str = include_str!("schema/version_11.sql");
const VERSION_12: &str = include_str!("schema/version_12.sql");
const VERSION_13: &str = include_str!("schema/version_13.sql");
const VERSION_14: &str = include_str!("schema/version_14.sql");
const VERSION_15: &str = include_str!("schema/version_15.sql");
/// From this version on reasons have their codes.
const WITH_CODES: i64 = 8;

/// The version that this program knows.
pub(super) fn known() -> i64 {
    i64::try_from(VERSIONS.len()).unwrap_or(i64::MAX)
}

/// Brings a file's schema up to date in one transaction: a crash in it leaves the database as it was. Refuses one from the
/// future.
pub(super) fn migrate(db: &Connection) -> Result<(), StoreError> {
    let Connection::Sqlite(file) = db else { return Ok(()) };
    let known = known();
    match user_version(file)? {
        found if found == known => return Ok(()),
        found if found > known || found < 0 => return Err(StoreError::Newer { found, known }),
        _ => {}
    }
    // A table that others refer to is made anew (<https://sqlite.org/lang_altertable.html>, section 7). Within a
    // transaction this can't be switched.
    file.pragma_update(None, "foreign_keys", false)?;
    // Of two processes that open a new database at once, the second finds it done.
    let transaction = db.write()?;
    let found = user_version(file)?;
    for sql in VERSIONS.iter().skip(usize::try_from(found).unwrap_or(0)) {
        file.execute_batch(sql)?;
    }
    if found < WITH_CODES {
        super::pause::fill_codes(&transaction)?;
    }
    super::new_delivery::assign_orphans(&transaction)?;
    file.pragma_update(None, "user_version", known)?;
    transaction.commit()
}

/// Whether a file's schema is the one this program knows.
pub(super) fn check(db: &rusqlite::Connection) -> Result<(), StoreError> {
    let known = known();
    match user_version(db)? {
        found if found == known => Ok(()),
        found if found > known => Err(StoreError::Newer { found, known }),
        _ => Err(StoreError::Older),
    }
}

fn user_version(db: &rusqlite::Connection) -> Result<i64, StoreError> {
    Ok(db.query_row("PRAGMA user_version", [], |row| row.get(0))?)
}

/// The statements of the versions after that one.
#[cfg(test)]
pub(super) fn after(version: usize) -> String {
    VERSIONS[version..].concat()
}

/// A database as the first version made it.
#[cfg(test)]
pub(super) fn first_version(db: &rusqlite::Connection) {
    db.execute_batch(VERSIONS[0]).unwrap();
    db.pragma_update(None, "user_version", 1).unwrap();
}

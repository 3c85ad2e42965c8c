-- The memory: each problem that ended, once, however many messages showed it. Names are kept once.
CREATE TABLE history_object (
    id INTEGER PRIMARY KEY,
    core TEXT NOT NULL,
    host TEXT NOT NULL,
    service TEXT NOT NULL,                     -- empty: the host itself
    UNIQUE (core, host, service)
) STRICT;
CREATE TABLE history_name (                    -- people who answered, destinations
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;
CREATE TABLE history (
    object INTEGER NOT NULL,                   -- of history_object
    began INTEGER NOT NULL,                    -- its first notification; Unix s, as all times here
    ended INTEGER NOT NULL,
    worst INTEGER NOT NULL,                    -- 1 UNKNOWN, 2 UNREACHABLE, 3 WARNING, 4 DOWN, 5 CRITICAL
    notified INTEGER NOT NULL,                 -- how many times; for several contacts once
    flapped INTEGER NOT NULL,                  -- 1: it was notified as flapping
    unseen INTEGER NOT NULL,                   -- 1: no recovery was notified; it ended before
    answered INTEGER,                          -- the first acknowledgement
    person INTEGER,                            -- whose: of history_name
    remark TEXT,                               -- with which comment
    destination INTEGER,                       -- where its first notification went: of history_name
    PRIMARY KEY (object, began)
) STRICT, WITHOUT ROWID;
CREATE INDEX history_ended ON history (ended);
CREATE TABLE open_problem (                    -- a problem that goes on, until its row goes to history
    object INTEGER PRIMARY KEY,                -- of history_object
    service TEXT NOT NULL,
    began INTEGER NOT NULL,
    heard INTEGER NOT NULL,                    -- the last notification of it
    notified INTEGER NOT NULL,
    flapped INTEGER NOT NULL,
    counted TEXT NOT NULL,                     -- the last notification that was counted, and its contact
    counted_contact TEXT NOT NULL,
    answered INTEGER,
    person TEXT,
    remark TEXT,
    destination TEXT,
    problem TEXT NOT NULL                      -- JSON, without texts
) STRICT;
CREATE INDEX open_problem_service ON open_problem (service) WHERE service <> '';
CREATE TABLE verdict (                         -- whether a notification was worth it, by those who were notified
    object INTEGER NOT NULL,                   -- of history_object
    began INTEGER NOT NULL,
    person TEXT NOT NULL,                      -- integration and Slack id: one verdict for each
    noise INTEGER NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (object, began, person)
) STRICT, WITHOUT ROWID;
CREATE TABLE weekly (                          -- when the week's summary is due next; the row moves on as it is enqueued
    id INTEGER PRIMARY KEY CHECK (id = 1),
    due INTEGER NOT NULL,
    schedule TEXT NOT NULL                     -- the configured time it follows
) STRICT;

-- Several listeners that share an outbox (with PostgreSQL alone), and names that no engine takes for a word of its own.
ALTER TABLE subscription RENAME COLUMN user TO person;
ALTER TABLE home RENAME COLUMN user TO person;
CREATE TABLE lease (                           -- who delivers, and until when; the row 'write' is only locked
    name TEXT PRIMARY KEY,
    holder TEXT NOT NULL DEFAULT '',
    token INTEGER NOT NULL DEFAULT 0,          -- a random number, another one for every holder
    until INTEGER NOT NULL DEFAULT 0           -- by the database's clock; Unix ms
) STRICT, WITHOUT ROWID;
INSERT INTO lease (name) VALUES ('deliver'), ('write');
CREATE TABLE node (                            -- the listeners that share the outbox
    name TEXT PRIMARY KEY,
    machine TEXT NOT NULL,                     -- whose name that is: names may be the same by mistake
    version TEXT NOT NULL,                     -- of its program
    schema INTEGER NOT NULL,                   -- the newest that its program knows
    seen INTEGER NOT NULL,                     -- by the database's clock; Unix ms
    reaches TEXT NOT NULL DEFAULT '[]',        -- JSON: the cores that it can send commands to
    config TEXT NOT NULL DEFAULT ''            -- a hash of the part that must be the same on all
) STRICT, WITHOUT ROWID;
ALTER TABLE post ADD COLUMN recorded INTEGER;      -- the claim whose outcome was recorded last
ALTER TABLE digest ADD COLUMN recorded INTEGER;
ALTER TABLE action_request ADD COLUMN owner TEXT NOT NULL DEFAULT ''; -- the node that carries it out
ALTER TABLE action_request ADD COLUMN owned INTEGER NOT NULL DEFAULT 0; -- since when; by the database's clock, Unix ms
CREATE TABLE repair (                              -- a message that Slack has twice, to be deleted
    integration TEXT NOT NULL,
    channel TEXT NOT NULL,
    ts TEXT NOT NULL,
    since INTEGER NOT NULL,                        -- Unix ms
    due INTEGER NOT NULL,                          -- Unix ms; not before
    PRIMARY KEY (integration, channel, ts)
) STRICT, WITHOUT ROWID;
CREATE TABLE slack_wait (                          -- until when Slack wants no call of a method
    integration TEXT NOT NULL,
    method TEXT NOT NULL,
    until INTEGER NOT NULL,                        -- by the database's clock; Unix ms
    PRIMARY KEY (integration, method)
) STRICT, WITHOUT ROWID;
-- The newest neighbours of a problem, without sorting all of them.
DROP INDEX open_problem_service;
CREATE INDEX open_problem_service ON open_problem (service, began) WHERE service <> '';

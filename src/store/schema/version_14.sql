-- Several listeners that share an outbox (with PostgreSQL alone), and names that no engine takes for a word of its own.
ALTER TABLE subscription RENAME COLUMN user TO person;
ALTER TABLE home RENAME COLUMN user TO person;
CREATE TABLE lease (                           -- who delivers, and until when; the row 'write' is only locked
    name TEXT PRIMARY KEY,
    holder TEXT NOT NULL DEFAULT '',
    token INTEGER NOT NULL DEFAULT 0,          -- grows with every holder
    until INTEGER NOT NULL DEFAULT 0           -- by the database's clock; Unix ms
) STRICT, WITHOUT ROWID;
INSERT INTO lease (name) VALUES ('deliver'), ('write');
CREATE TABLE node (                            -- the listeners that share the outbox
    name TEXT PRIMARY KEY,
    version TEXT NOT NULL,                     -- of its program
    schema INTEGER NOT NULL,                   -- the newest that its program knows
    seen INTEGER NOT NULL,                     -- by the database's clock; Unix ms
    beat INTEGER NOT NULL DEFAULT 0,           -- grows with each of its imports
    reaches TEXT NOT NULL DEFAULT '[]',        -- JSON: the cores that it can send commands to
    config TEXT NOT NULL DEFAULT ''            -- a hash of the part that must be the same on all
) STRICT, WITHOUT ROWID;

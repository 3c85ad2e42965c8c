-- What several listeners that share an outbox need.
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

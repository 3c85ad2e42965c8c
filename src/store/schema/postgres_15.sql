-- Installations by a browser: as in version_15.sql.
CREATE TABLE IF NOT EXISTS install (
    integration TEXT COLLATE "C" PRIMARY KEY,
    version BIGINT NOT NULL,                    -- of the installation: grows with each change
    changed BIGINT NOT NULL,                    -- by the database's clock; Unix ms
    body TEXT COLLATE "C" NOT NULL              -- sealed JSON
);
CREATE TABLE IF NOT EXISTS install_state (      -- the states of installations that came back from Slack: each works once
    nonce TEXT COLLATE "C" PRIMARY KEY,
    until BIGINT NOT NULL                       -- remembered until then, by the database's clock; Unix ms
);

-- Installations by a browser, where several listeners share the outbox (with PostgreSQL alone).
CREATE TABLE IF NOT EXISTS install (
    integration TEXT PRIMARY KEY,
    version INTEGER NOT NULL,                  -- of the installation: grows with each change
    changed INTEGER NOT NULL,                  -- by the database's clock; Unix ms
    body TEXT NOT NULL                         -- sealed JSON
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS install_state (     -- the states of installations that came back from Slack: each works once
    nonce TEXT PRIMARY KEY,
    until INTEGER NOT NULL                     -- remembered until then, by the database's clock; Unix ms
) STRICT, WITHOUT ROWID;

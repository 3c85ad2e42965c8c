-- What lies scheduled at Slack, and is sent when nobody replaces it any more.
CREATE TABLE deadman (
    integration TEXT NOT NULL,
    channel TEXT NOT NULL,                     -- as it is configured
    switch TEXT NOT NULL,                      -- JSON
    PRIMARY KEY (integration, channel)
) STRICT, WITHOUT ROWID;
CREATE INDEX post_ts ON post (ts) WHERE ts IS NOT NULL;     -- an emoji names the message alone
CREATE INDEX digest_ts ON digest (ts) WHERE ts IS NOT NULL;

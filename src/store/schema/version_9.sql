-- Several hosts that notify for one core.
ALTER TABLE notification ADD COLUMN origin TEXT NOT NULL DEFAULT ''; -- the host that ran notify
ALTER TABLE post ADD COLUMN recovers INTEGER;  -- when the recovery that waits for the other cores counts; Unix ms
ALTER TABLE post ADD COLUMN recovery INTEGER;  -- that recovery's delivery
CREATE INDEX post_recovers ON post (recovers) WHERE recovers IS NOT NULL;
CREATE TABLE origin (                          -- who notifies for which core
    core TEXT NOT NULL,
    name TEXT NOT NULL,
    heard INTEGER NOT NULL,                    -- Unix ms
    PRIMARY KEY (core, name)
) STRICT, WITHOUT ROWID;

-- Version 10: who answers a problem, and who is told when nobody does.
ALTER TABLE post ADD COLUMN seen INTEGER;                        -- people have seen the problem unanswered since then; Unix ms
ALTER TABLE post ADD COLUMN watched INTEGER NOT NULL DEFAULT 0;  -- 1: its row in escalation was made
ALTER TABLE post ADD COLUMN follows INTEGER NOT NULL DEFAULT 0;  -- 1: brought here by a step; what is heard later comes here too
UPDATE post SET seen = edited WHERE open = 1 AND shown > 0;
CREATE INDEX post_unwatched ON post (id) WHERE watched = 0 AND open = 1 AND rank > 0 AND seen IS NOT NULL;
CREATE INDEX post_follows ON post (object) WHERE follows = 1 AND open = 1;
CREATE TABLE escalation (                -- a problem, or the problems of a digest, that nobody has answered
    subject TEXT PRIMARY KEY,            -- the object's key; of a digest its number after a tab
    digest INTEGER,                      -- the digest's number
    since INTEGER NOT NULL,              -- when people could first see it; Unix ms
    done INTEGER NOT NULL DEFAULT -1,    -- the last step that was done: so long after since; -1: none
    due INTEGER NOT NULL,                -- when to look at it next; Unix ms
    due_set INTEGER NOT NULL             -- when that was decided
) STRICT, WITHOUT ROWID;
CREATE INDEX escalation_due ON escalation (due);
CREATE TABLE setting_in_force (          -- since when a part of the configuration is as it is
    name TEXT PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    since INTEGER NOT NULL               -- Unix ms
) STRICT, WITHOUT ROWID;
CREATE TABLE on_duty (                   -- who is on call, by plan
    name TEXT PRIMARY KEY,
    people TEXT NOT NULL,                -- JSON: e-mail addresses or Slack ids
    is_fallback INTEGER NOT NULL,        -- 1: nobody has a shift
    since INTEGER NOT NULL,              -- Unix seconds
    until INTEGER,
    problem TEXT                         -- what is wrong with the plan
) STRICT, WITHOUT ROWID;
CREATE TABLE still (                     -- an acknowledged problem, whose owner is asked now and then
    object TEXT PRIMARY KEY,
    since INTEGER NOT NULL,              -- acknowledged, or answered last; Unix ms
    asked INTEGER                        -- asked then, and not answered yet
) STRICT, WITHOUT ROWID;
ALTER TABLE digest ADD COLUMN deferred_until INTEGER; -- its problems can wait until then; Unix ms

-- A digest is a message of its own kind, a pause says its scope, and an action request has its name and outcome in columns.
-- Run with foreign keys off, as `post` is made anew while `delivery` refers to it.

CREATE TABLE digest (                    -- one message for many problems
    id INTEGER PRIMARY KEY,
    integration TEXT NOT NULL,
    target TEXT NOT NULL,
    open INTEGER NOT NULL DEFAULT 1,     -- more is to be expected of it
    mentioned TEXT NOT NULL DEFAULT '[]',-- JSON: the people that it mentioned already
    joined INTEGER NOT NULL DEFAULT 0,   -- when it last took a problem; Unix ms
    version INTEGER NOT NULL DEFAULT 1,  -- grows with every change of its problems
    shown INTEGER NOT NULL DEFAULT 0,    -- the version that people see; 0: it isn't posted
    edited INTEGER NOT NULL DEFAULT 0,   -- when they got that version; Unix ms
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
INSERT INTO digest (id, integration, target, open, mentioned, joined, version, shown, edited, channel, ts, plain, attempts,
    due, due_set, leased, reason, updated)
  SELECT id, integration, target, open, CASE problem WHEN '' THEN '[]' ELSE problem END, joined, version, shown, edited,
    channel, ts, plain, attempts, due, due_set, leased, reason, updated
  FROM post WHERE object = '';

CREATE TABLE new_post (                  -- a message about one problem, or a direct message
    id INTEGER PRIMARY KEY,
    integration TEXT NOT NULL,
    target TEXT NOT NULL,
    object TEXT NOT NULL,
    open INTEGER NOT NULL DEFAULT 1,     -- more is to be expected of it
    digest INTEGER REFERENCES digest (id), -- it has a line there and no message of its own
    problem TEXT NOT NULL,               -- JSON; empty: a direct message, which has none
    host TEXT NOT NULL DEFAULT '',
    is_host INTEGER NOT NULL DEFAULT 0,
    rank INTEGER NOT NULL DEFAULT 0,     -- how bad its state is; 0: well
    acknowledged INTEGER NOT NULL DEFAULT 0,
    version INTEGER NOT NULL DEFAULT 1,  -- grows with every change of the problem
    shown INTEGER NOT NULL DEFAULT 0,    -- the version that people see; 0: it isn't posted
    edited INTEGER NOT NULL DEFAULT 0,   -- when they got that version; Unix ms
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
INSERT INTO new_post (id, integration, target, object, open, digest, problem, host, is_host, rank, acknowledged, version,
    shown, edited, channel, ts, plain, attempts, due, due_set, leased, reason, updated)
  SELECT id, integration, target, object, open, digest,
    CASE WHEN json_valid(problem) AND json_type(problem, '$.latest.letter') = 'object' THEN '' ELSE problem END,
    host, is_host, rank, acknowledged, version, shown, edited, channel, ts, plain, attempts, due, due_set, leased, reason,
    updated
  FROM post WHERE object <> '';
DROP TABLE post;
ALTER TABLE new_post RENAME TO post;
CREATE INDEX post_object ON post (integration, target, object, open, id);
CREATE INDEX post_shown ON post (object, open, id);          -- a click names the object, not the destination
CREATE INDEX post_member ON post (digest, open, acknowledged, rank) WHERE digest IS NOT NULL;
CREATE INDEX post_member_host ON post (digest, host, is_host, open) WHERE digest IS NOT NULL;
CREATE INDEX post_leased ON post (id) WHERE leased IS NOT NULL;
CREATE INDEX post_updated ON post (updated);
CREATE INDEX digest_open ON digest (integration, target, id) WHERE open = 1;

CREATE TABLE pause (                     -- Slack's Retry-After, our pace, outages, refused tokens
    integration TEXT NOT NULL,
    scope TEXT NOT NULL CHECK (scope IN ('integration', 'edits', 'channel')),
    channel TEXT NOT NULL DEFAULT '',    -- of the scope 'channel': Slack's id, or the target until the id is known
    until INTEGER NOT NULL,              -- Unix ms
    since INTEGER NOT NULL,              -- Unix ms
    failures INTEGER NOT NULL DEFAULT 0, -- temporary ones in a row
    reason TEXT NOT NULL DEFAULT '',
    code TEXT,                           -- Slack's error code
    past TEXT NOT NULL DEFAULT '',       -- the reason of the last pause that is over
    past_until INTEGER NOT NULL DEFAULT 0, -- and its end; Unix ms
    PRIMARY KEY (integration, scope, channel)
) STRICT, WITHOUT ROWID;
INSERT INTO pause (integration, scope, channel, until, since, failures, reason, past, past_until)
  SELECT integration, CASE lane WHEN '*' THEN 'integration' WHEN '~edits' THEN 'edits' ELSE 'channel' END,
    CASE WHEN lane IN ('*', '~edits') THEN '' ELSE lane END, until, since, failures, reason, past, past_until
  FROM hold;
DROP TABLE hold;

CREATE TABLE action_request (            -- an action that somebody asked for in Slack
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,            -- the click's own: one that comes twice is one request
    parent INTEGER,                      -- the request that was split into this one and others
    at INTEGER NOT NULL,                 -- Unix ms
    state TEXT NOT NULL CHECK (state IN ('new', 'sending', 'sent', 'parent', 'done')),
    name TEXT NOT NULL,                  -- the action's name in rules and in the audit
    object TEXT NOT NULL DEFAULT '',
    request TEXT NOT NULL,               -- JSON
    expectation TEXT NOT NULL DEFAULT '',-- JSON, of a command that was sent to the core
    due INTEGER NOT NULL DEFAULT 0,      -- Unix ms; new: not before; sent: the core is looked at until then
    reply TEXT,                          -- text for the person that wasn't sent yet
    outcome TEXT CHECK (outcome IN ('confirmed', 'refused', 'ended')), -- of one that is done
    detail TEXT                          -- the reason, of one that isn't confirmed
) STRICT;
INSERT INTO action_request (id, key, parent, at, state, name, object, request, expectation, due, reply, outcome, detail)
  SELECT id, key, parent, at, state,
    CASE WHEN json_valid(request) THEN COALESCE(json_extract(request, '$.name'), '') ELSE '' END,
    object, request, expectation, MAX(due, 0), reply,
    CASE WHEN state <> 'done' THEN NULL WHEN due = -1 THEN 'refused' WHEN outcome = 'confirmed' THEN 'confirmed' ELSE 'ended' END,
    CASE outcome WHEN 'confirmed' THEN NULL ELSE outcome END
  FROM act;
DROP TABLE act;
CREATE INDEX action_request_open ON action_request (state, due) WHERE state <> 'done';
CREATE INDEX action_request_reply ON action_request (id) WHERE reply IS NOT NULL;
CREATE INDEX action_request_parent ON action_request (parent) WHERE parent IS NOT NULL;
CREATE INDEX action_request_object ON action_request (object) WHERE state <> 'done';
CREATE INDEX action_request_done ON action_request (at) WHERE state = 'done';
CREATE INDEX action_request_refused ON action_request (at) WHERE outcome = 'refused';

ALTER TABLE delivery ADD COLUMN code TEXT; -- Slack's error code
ALTER TABLE delivery RENAME COLUMN settled TO recorded;
ALTER TABLE delivery RENAME COLUMN note TO annotation;
ALTER TABLE notification RENAME COLUMN twin TO duplicate_key;
DROP INDEX notification_twin;
CREATE INDEX notification_duplicate ON notification (duplicate_key, seq);
DROP INDEX delivery_lane;
CREATE INDEX delivery_queue ON delivery (integration, target, digest, object, id) WHERE state = 'waiting';

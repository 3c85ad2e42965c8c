-- Curves that are to be added to messages: a row for each, until it is added or too late.
CREATE TABLE curve (
    post INTEGER PRIMARY KEY,                  -- the message
    due INTEGER NOT NULL,                      -- not before; Unix ms
    until INTEGER NOT NULL,                    -- not later
    picture TEXT                               -- JSON: the picture to upload, once the text is on its way
) STRICT;
CREATE INDEX curve_due ON curve (due);
ALTER TABLE delivery ADD COLUMN curve INTEGER NOT NULL DEFAULT 0; -- 1: an edit that adds a curve; done at once or not at all
CREATE INDEX delivery_curve ON delivery (since) WHERE curve = 1;

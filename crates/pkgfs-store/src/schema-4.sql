-- Version 4 adds the order in which blobs go when room is wanted, and how far they are checked.

CREATE INDEX blobs_by_use ON blobs (used_secs, used_nanos);

-- How far the background check of blobs is: one row. It goes on after this digest.
CREATE TABLE scrub (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    after       BLOB,
    ended_secs  INTEGER NOT NULL,
    ended_nanos INTEGER NOT NULL
) STRICT;
INSERT INTO scrub VALUES (1, NULL, 0, 0);

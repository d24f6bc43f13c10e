-- Version 2 adds pins: registrations that are kept however long nobody uses them.

CREATE TABLE pins (
    registration INTEGER PRIMARY KEY REFERENCES registrations (id) ON DELETE CASCADE,
    pinned_secs  INTEGER NOT NULL,
    pinned_nanos INTEGER NOT NULL
) STRICT;

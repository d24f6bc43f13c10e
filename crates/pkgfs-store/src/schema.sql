-- Version 1; later versions add to it. docs/format.md says what each column means.

CREATE TABLE registrations (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    name          TEXT    NOT NULL,
    version_dir   TEXT    NOT NULL,
    h4            TEXT    NOT NULL,
    stem          TEXT    NOT NULL,
    handle_key    TEXT    NOT NULL UNIQUE,
    json          TEXT    NOT NULL,
    repository    BLOB    NOT NULL,
    root          BLOB,
    state         INTEGER NOT NULL CHECK (state IN (0, 1, 2)),
    touched_secs  INTEGER NOT NULL,
    touched_nanos INTEGER NOT NULL,
    created_secs  INTEGER NOT NULL,
    created_nanos INTEGER NOT NULL,
    UNIQUE (name, version_dir, h4, stem)
) STRICT;

CREATE TABLE tombstones (
    handle_key TEXT    PRIMARY KEY,
    laid_secs  INTEGER NOT NULL,
    laid_nanos INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The listing itself lies in a table of its own, because SQLite rewrites a whole row
-- when one of its columns changes, and the counts here change with every content.
CREATE TABLE directories (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    registration   INTEGER NOT NULL,
    path           BLOB    NOT NULL,
    source         BLOB    NOT NULL,
    anchor         BLOB    NOT NULL,
    retired        INTEGER NOT NULL CHECK (retired IN (0, 1)),
    files          INTEGER NOT NULL,
    bytes          INTEGER NOT NULL,
    hydrated_files INTEGER NOT NULL DEFAULT 0,
    hydrated_bytes INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX directories_current ON directories (registration, path) WHERE retired = 0;
CREATE INDEX directories_of_registration ON directories (registration);
CREATE INDEX directories_retired ON directories (id) WHERE retired = 1;

CREATE TABLE listings (
    directory INTEGER PRIMARY KEY REFERENCES directories (id) ON DELETE CASCADE,
    listing   BLOB    NOT NULL
) STRICT;

CREATE TABLE blobs (
    digest     BLOB    PRIMARY KEY CHECK (length(digest) = 32),
    size       INTEGER NOT NULL,
    used_secs  INTEGER NOT NULL,
    used_nanos INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE contents (
    directory INTEGER NOT NULL REFERENCES directories (id) ON DELETE CASCADE,
    entry     INTEGER NOT NULL,
    digest    BLOB    NOT NULL REFERENCES blobs (digest),
    PRIMARY KEY (directory, entry)
) STRICT, WITHOUT ROWID;
CREATE INDEX contents_of_blob ON contents (digest);

CREATE TABLE xattrs (
    directory  INTEGER NOT NULL REFERENCES directories (id) ON DELETE CASCADE,
    entry      INTEGER NOT NULL,
    attributes BLOB    NOT NULL,
    PRIMARY KEY (directory, entry)
) STRICT, WITHOUT ROWID;

-- Digests below blobs/ at which a file may lie that no content refers to: one that is
-- being put there, being removed, or adopted and not yet listed. Settled at open.
-- holds counts the adoptions whose listing is still to come.
CREATE TABLE unsettled (
    digest BLOB    PRIMARY KEY CHECK (length(digest) = 32),
    holds  INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- One row, kept by the triggers below, so that no start and no status counts rows.
CREATE TABLE totals (
    id             INTEGER PRIMARY KEY CHECK (id = 1),
    registrations  INTEGER NOT NULL,
    blobs          INTEGER NOT NULL,
    blob_bytes     INTEGER NOT NULL,
    hydrated_files INTEGER NOT NULL,
    hydrated_bytes INTEGER NOT NULL
) STRICT;
INSERT INTO totals VALUES (1, 0, 0, 0, 0, 0);

CREATE TRIGGER registration_added AFTER INSERT ON registrations BEGIN
    UPDATE totals SET registrations = registrations + 1;
END;
CREATE TRIGGER registration_removed AFTER DELETE ON registrations BEGIN
    UPDATE totals SET registrations = registrations - 1;
END;
CREATE TRIGGER blob_added AFTER INSERT ON blobs BEGIN
    UPDATE totals SET blobs = blobs + 1, blob_bytes = blob_bytes + NEW.size;
END;
CREATE TRIGGER blob_removed AFTER DELETE ON blobs BEGIN
    UPDATE totals SET blobs = blobs - 1, blob_bytes = blob_bytes - OLD.size;
END;
CREATE TRIGGER content_added AFTER INSERT ON contents BEGIN
    UPDATE directories SET
        hydrated_files = hydrated_files + 1,
        hydrated_bytes = hydrated_bytes + (SELECT size FROM blobs WHERE digest = NEW.digest)
    WHERE id = NEW.directory;
END;
CREATE TRIGGER content_removed AFTER DELETE ON contents BEGIN
    UPDATE directories SET
        hydrated_files = hydrated_files - 1,
        hydrated_bytes = hydrated_bytes - (SELECT size FROM blobs WHERE digest = OLD.digest)
    WHERE id = OLD.directory;
END;
CREATE TRIGGER directory_changed AFTER UPDATE OF hydrated_files, hydrated_bytes, retired ON directories BEGIN
    UPDATE totals SET
        hydrated_files = hydrated_files
            + NEW.hydrated_files * (1 - NEW.retired) - OLD.hydrated_files * (1 - OLD.retired),
        hydrated_bytes = hydrated_bytes
            + NEW.hydrated_bytes * (1 - NEW.retired) - OLD.hydrated_bytes * (1 - OLD.retired);
END;
CREATE TRIGGER directory_removed AFTER DELETE ON directories WHEN OLD.retired = 0 BEGIN
    UPDATE totals SET
        hydrated_files = hydrated_files - OLD.hydrated_files,
        hydrated_bytes = hydrated_bytes - OLD.hydrated_bytes;
END;

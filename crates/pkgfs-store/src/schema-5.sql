-- Version 5 adds seals: what a damaged page may have changed without SQLite seeing it is not
-- believed. docs/format.md says over what.

ALTER TABLE registrations ADD COLUMN seal INTEGER;
UPDATE registrations SET seal =
    seal(id, name, version_dir, h4, stem, handle_key, json, repository, root, state);
ALTER TABLE listings ADD COLUMN seal INTEGER;
UPDATE listings SET seal = (
    SELECT seal(id, registration, path, source, anchor, listing)
    FROM directories WHERE id = listings.directory);
ALTER TABLE contents ADD COLUMN seal INTEGER;
UPDATE contents SET seal = seal(directory, entry, digest);

-- Version 3 adds profiles: what starts of a variant touched, and in what order.

CREATE TABLE profiles (
    handle_key TEXT    NOT NULL,
    context    TEXT    NOT NULL,
    used_secs  INTEGER NOT NULL,
    used_nanos INTEGER NOT NULL,
    record     BLOB    NOT NULL,
    PRIMARY KEY (handle_key, context)
) STRICT, WITHOUT ROWID;
CREATE INDEX profiles_of_context ON profiles (context);

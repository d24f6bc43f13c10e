-- Version 6 keeps all counts that a status tells: it counted rows of registrations and directories.

ALTER TABLE totals ADD COLUMN copying INTEGER NOT NULL DEFAULT 0;
ALTER TABLE totals ADD COLUMN directories INTEGER NOT NULL DEFAULT 0;
ALTER TABLE totals ADD COLUMN files INTEGER NOT NULL DEFAULT 0;
ALTER TABLE totals ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;
UPDATE totals SET
    copying = (SELECT count(*) FROM registrations WHERE state = 0),
    directories = (SELECT count(*) FROM directories WHERE retired = 0),
    files = (SELECT coalesce(sum(files), 0) FROM directories WHERE retired = 0),
    bytes = (SELECT coalesce(sum(bytes), 0) FROM directories WHERE retired = 0);

CREATE TRIGGER copy_added AFTER INSERT ON registrations WHEN NEW.state = 0 BEGIN
    UPDATE totals SET copying = copying + 1;
END;
CREATE TRIGGER copy_removed AFTER DELETE ON registrations WHEN OLD.state = 0 BEGIN
    UPDATE totals SET copying = copying - 1;
END;
CREATE TRIGGER copy_changed AFTER UPDATE OF state ON registrations BEGIN
    UPDATE totals SET copying = copying + (NEW.state = 0) - (OLD.state = 0);
END;
CREATE TRIGGER current_added AFTER INSERT ON directories WHEN NEW.retired = 0 BEGIN
    UPDATE totals SET
        directories = directories + 1,
        files = files + NEW.files,
        bytes = bytes + NEW.bytes;
END;
CREATE TRIGGER current_removed AFTER DELETE ON directories WHEN OLD.retired = 0 BEGIN
    UPDATE totals SET
        directories = directories - 1,
        files = files - OLD.files,
        bytes = bytes - OLD.bytes;
END;
CREATE TRIGGER current_changed AFTER UPDATE OF files, bytes, retired ON directories BEGIN
    UPDATE totals SET
        directories = directories + OLD.retired - NEW.retired,
        files = files + NEW.files * (1 - NEW.retired) - OLD.files * (1 - OLD.retired),
        bytes = bytes + NEW.bytes * (1 - NEW.retired) - OLD.bytes * (1 - OLD.retired);
END;

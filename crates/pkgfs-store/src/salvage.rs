//! Making a database anew from what is sound in a damaged one.
//!
//! Each table is read row by row. Where that fails, it goes on behind the place, in steps that
//! double; a row whose seal does not match is left out. Blobs are taken over by their names, which
//! only whole files ever get, and are all to be checked from the beginning; files that nothing
//! refers to any more are marked unsettled. The numbers given next are far from all that were given.
//!
//! The new database is complete and durable before the damaged one is moved aside, in which place
//! the last one of its kind stays. Cut short at any instant, it is done again or finished.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    str::FromStr,
};

use pkgfs_manifest::{BlobDigest, Listing, Timestamp};
use rusqlite::{Connection, ErrorCode, OpenFlags, params_from_iter, types::Value};

use crate::{
    StoreError,
    blobs::{self, sync_dir},
    columns::Digest,
    database,
    layout::Layout,
    seals, sys,
};

/// Numbers that are passed over, so that none is given twice though some that were are not known.
const PASSED_OVER: i64 = 1 << 20;
/// Where not even the last number is known: so many for each second since 1970.
const A_SECOND: i64 = 16;
/// The format that brought seals.
const FIRST_SEALED: u64 = 5;
/// Places behind which reading goes on, in one table.
const MOST_GAPS: usize = 1_000;

/// What was made of a damaged database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebuilt {
    /// What was wrong with it.
    pub reason: String,
    /// Registrations that were kept.
    pub registrations: u64,
    /// Rows that could be read and were not sound; nobody knows how many could not be read.
    pub unsound: u64,
    /// Parts of tables could not be read.
    pub gaps: bool,
    /// Where the damaged one lies; nothing if there was none.
    pub aside: Option<PathBuf>,
}

impl fmt::Display for Rebuilt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; it was made anew with {} variants", self.reason, self.registrations)?;
        if self.gaps || self.unsound > 0 {
            f.write_str(", others are registered anew when they are looked up")?;
        }
        match &self.aside {
            Some(aside) => write!(f, "; the damaged one is kept as {}", aside.display()),
            None => Ok(()),
        }
    }
}

/// A table, and how its rows are kept.
struct Table {
    columns: &'static str,
    from: &'static str,
    /// The expression of a row's seal, where it has one.
    seal: Option<&'static str>,
    /// The column by which it is read: a number, but for texts.
    key: &'static str,
    /// Takes the columns in their order.
    insert: &'static str,
}

const REGISTRATIONS: Table = Table {
    columns: "id, name, version_dir, h4, stem, handle_key, json, repository, root, state,
              touched_secs, touched_nanos, created_secs, created_nanos",
    from: "registrations",
    seal: Some(seals::OF_REGISTRATION),
    key: "id",
    insert: "INSERT INTO registrations VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10,
                 ?11, ?12, ?13, ?14, seal(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10))",
};
const PINS: Table = Table {
    columns: "registration, pinned_secs, pinned_nanos",
    from: "pins",
    seal: None,
    key: "registration",
    insert: "INSERT INTO pins VALUES (?1, ?2, ?3)",
};
const TOMBSTONES: Table = Table {
    columns: "handle_key, laid_secs, laid_nanos",
    from: "tombstones",
    seal: None,
    key: "handle_key",
    insert: "INSERT INTO tombstones VALUES (?1, ?2, ?3)",
};
const PROFILES: Table = Table {
    columns: "handle_key, context, used_secs, used_nanos, record",
    from: "profiles",
    seal: None,
    key: "handle_key",
    insert: "INSERT INTO profiles VALUES (?1, ?2, ?3, ?4, ?5)",
};
const DIRECTORIES: Table = Table {
    columns: "id, registration, path, source, anchor, retired, files, bytes, listing",
    from: "directories JOIN listings ON directory = id",
    seal: Some(seals::OF_LISTING),
    key: "id",
    insert: "INSERT INTO directories
                 (id, registration, path, source, anchor, retired, files, bytes)
             SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8
             WHERE EXISTS (SELECT 1 FROM registrations WHERE id = ?2)",
};
const XATTRS: Table = Table {
    columns: "directory, entry, attributes",
    from: "xattrs",
    seal: None,
    key: "directory",
    insert: "INSERT INTO xattrs VALUES (?1, ?2, ?3)",
};
const CONTENTS: Table = Table {
    columns: "directory, entry, digest",
    from: "contents",
    seal: Some(seals::OF_CONTENT),
    key: "directory",
    insert: "INSERT INTO contents VALUES (?1, ?2, ?3, seal(?1, ?2, ?3))",
};

/// Finishes what was cut short while the damaged one was replaced, and drops what was before.
pub(crate) fn finish(layout: &Layout) -> Result<(), StoreError> {
    remove_unfinished(layout)?;
    // It has this name only once it is complete.
    if layout.rebuilt().exists() { replace(layout) } else { Ok(()) }
}

fn remove_unfinished(layout: &Layout) -> Result<(), StoreError> {
    let path = layout.rebuilding();
    remove(&path)?;
    remove(&path.with_extension("sqlite-journal"))
}

/// Makes the database anew. Nobody has it open.
pub(crate) fn rebuild(layout: &Layout, reason: String) -> Result<Rebuilt, StoreError> {
    let (path, there) = (layout.rebuilding(), layout.database().exists());
    remove_unfinished(layout)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let mut new = database::connect(&path, flags)?;
    let sql = |source| StoreError::database(&path, source);
    // Synced as a whole, below.
    new.pragma_update(None, "synchronous", "off").map_err(sql)?;
    new.pragma_update(None, "foreign_keys", true).map_err(sql)?;
    database::migrate(layout.dir(), &path, &mut new)?;
    let aside = there.then(|| layout.damaged());
    let mut rebuilt = Rebuilt { reason, registrations: 0, unsound: 0, gaps: false, aside };
    // Of one that is no database at all nothing can be read.
    let read = OpenFlags::SQLITE_OPEN_READ_WRITE;
    let old = there.then(|| database::connect(&layout.database(), read)).and_then(Result::ok);
    fill(layout, old.as_ref(), &mut new, &mut rebuilt).map_err(sql)?;
    drop((old, new));
    let synced = sys::open_to_sync(&path).and_then(|file| file.sync_all());
    synced.map_err(|error| StoreError::io("sync", &path, error))?;
    moved(&path, &layout.rebuilt())?;
    sync_dir(layout.dir())?;
    replace(layout)?;
    Ok(rebuilt)
}

/// Moves the damaged database aside and the new one in.
fn replace(layout: &Layout) -> Result<(), StoreError> {
    let path = layout.database();
    let aside = layout.damaged();
    moved(&path, &aside)?;
    // One that stayed would be taken for the new database's.
    moved(&layout.wal(), &aside.with_extension("sqlite-wal"))?;
    remove(&layout.shm())?;
    sync_dir(layout.dir())?;
    moved(&layout.rebuilt(), &path)?;
    sync_dir(layout.dir())
}

/// Moves what is there.
fn moved(from: &Path, to: &Path) -> Result<(), StoreError> {
    match fs::rename(from, to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(StoreError::io("move", from, error))
        }
        _ => Ok(()),
    }
}

fn remove(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(StoreError::io("remove", path, error))
        }
        _ => Ok(()),
    }
}

fn fill(
    layout: &Layout,
    old: Option<&Connection>,
    new: &mut Connection,
    rebuilt: &mut Rebuilt,
) -> rusqlite::Result<()> {
    let new = new.transaction()?;
    if let Some(old) = old {
        // Not all damage is looked for otherwise; one that cannot be told is read as it is.
        let _ = old.pragma_update(None, "cell_size_check", true);
        for table in [&REGISTRATIONS, &PINS, &TOMBSTONES, &PROFILES] {
            copy(old, table, rebuilt, |row| keep(&new, table.insert, row))?;
        }
        copy(old, &DIRECTORIES, rebuilt, |row| {
            let (directory, listing) = row.split_at(8);
            let sound = matches!(&listing[0], Value::Blob(bytes) if Listing::decode(bytes).is_ok());
            let sealed = "INSERT INTO listings
                 SELECT id, ?2, seal(id, registration, path, source, anchor, ?2)
                 FROM directories WHERE id = ?1";
            Ok(sound
                && keep(&new, DIRECTORIES.insert, directory)?
                && keep(&new, sealed, &[row[0].clone(), listing[0].clone()])?)
        })?;
        copy(old, &XATTRS, rebuilt, |row| keep(&new, XATTRS.insert, row))?;
        copy(old, &CONTENTS, rebuilt, |row| {
            let Value::Blob(bytes) = &row[2] else { return Ok(false) };
            let Ok(digest) = BlobDigest::try_from(bytes.as_slice()) else { return Ok(false) };
            let file = fs::symlink_metadata(layout.blob(&digest));
            let Some(file) = file.ok().filter(fs::Metadata::is_file) else { return Ok(true) };
            adopt(old, &new, &digest, file.len())?;
            keep(&new, CONTENTS.insert, row)
        })?;
    }
    rebuilt.registrations = new.query_row("SELECT registrations FROM totals", [], |r| r.get(0))?;
    for table in ["registrations", "directories"] {
        pass_over_numbers(table, old, &new)?;
    }
    mark_strays(layout, &new)?;
    new.commit()
}

/// Has `take` keep each row that can be read and is sound; it says whether it did.
fn copy(
    old: &Connection,
    table: &Table,
    rebuilt: &mut Rebuilt,
    mut take: impl FnMut(&[Value]) -> rusqlite::Result<bool>,
) -> rusqlite::Result<()> {
    let Table { columns, from, key, .. } = table;
    let sealed = table.seal.map_or_else(|| "TRUE".to_owned(), |seal| format!("seal IS {seal}"));
    let select = |sound: &str, order: &str| {
        format!("SELECT {columns}, {sound} FROM {from} WHERE {key} > ?1 ORDER BY {key} {order}")
    };
    // Before there were seals all is believed that can be read.
    let is_sealed = database::version(old).is_ok_and(|version| version >= FIRST_SEALED);
    let sound = if is_sealed { sealed.as_str() } else { "TRUE" };
    let texts = matches!(*key, "handle_key");
    let mut after = if texts { Value::Text(String::new()) } else { Value::Integer(i64::MIN) };
    let (mut step, mut order) = (1_i64, "");
    for _ in 0..MOST_GAPS {
        let mut last = None;
        let mut failed = None;
        let read = old.prepare(&select(sound, order)).and_then(|mut statement| {
            let width = statement.column_count();
            let mut rows = statement.query([&after])?;
            while let Some(row) = rows.next()? {
                let values: rusqlite::Result<Vec<Value>> = (0..width).map(|n| row.get(n)).collect();
                // A text that is none.
                let Ok(mut values) = values else {
                    rebuilt.unsound += 1;
                    continue;
                };
                last = Some(values[0].clone());
                let sound = values.pop() == Some(Value::Integer(1));
                match if sound { take(&values) } else { Ok(false) } {
                    Ok(true) => {}
                    Ok(false) => rebuilt.unsound += 1,
                    Err(error) => {
                        failed = Some(error);
                        break;
                    }
                }
            }
            Ok(())
        });
        if let Some(failed) = failed {
            return Err(failed);
        }
        if read.is_ok() {
            return Ok(());
        }
        rebuilt.gaps = true;
        match (after, last) {
            // Once more from the other end.
            (text @ Value::Text(_), _) if order.is_empty() => (after, order) = (text, "DESC"),
            (Value::Integer(from), last) => {
                let reached = match last {
                    Some(Value::Integer(last)) if last > from => {
                        step = 1;
                        last
                    }
                    // Numbers begin at 1.
                    _ => from.max(0),
                };
                let Some(next) = reached.checked_add(step) else { return Ok(()) };
                step = step.saturating_mul(2);
                after = Value::Integer(next);
            }
            _ => return Ok(()),
        }
    }
    Ok(())
}

/// Whether the row was taken: what contradicts rows that are there is not.
fn keep(new: &Connection, insert: &str, row: &[Value]) -> rusqlite::Result<bool> {
    match new.prepare_cached(insert)?.execute(params_from_iter(row)) {
        Ok(_) => Ok(true),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// Names a blob whose file is there, with the time of its last use if that can be read.
fn adopt(
    old: &Connection,
    new: &Connection,
    digest: &BlobDigest,
    size: u64,
) -> rusqlite::Result<()> {
    let there =
        new.prepare_cached("SELECT 1 FROM blobs WHERE digest = ?1")?.exists([Digest(*digest)])?;
    if there {
        return Ok(());
    }
    let used = old.prepare_cached("SELECT used_secs, used_nanos FROM blobs WHERE digest = ?1");
    let used = used.and_then(|mut used| {
        used.query_row([Digest(*digest)], |row| {
            Ok(Timestamp { secs: row.get(0)?, nanos: row.get(1)? })
        })
    });
    blobs::insert(new, digest, size, used.unwrap_or_else(|_| Timestamp::now()))
}

/// Has the numbers of a table go on far behind all that were given.
fn pass_over_numbers(
    table: &str,
    old: Option<&Connection>,
    new: &Connection,
) -> rusqlite::Result<()> {
    let sql = "SELECT seq FROM sqlite_sequence WHERE name = ?1";
    let given = |connection: &Connection| connection.query_row(sql, [table], |row| row.get(0)).ok();
    let known: Option<i64> = old.and_then(given);
    let unknown = || Timestamp::now().secs.saturating_mul(A_SECOND);
    let kept: i64 = given(new).unwrap_or(0);
    // One that no store ever reaches is as wrong as what it stands beside.
    let known = known.filter(|given| (0..=i64::from(u32::MAX) * A_SECOND).contains(given));
    let next = known.unwrap_or_else(unknown).max(kept).saturating_add(PASSED_OVER);
    new.execute("DELETE FROM sqlite_sequence WHERE name = ?1", [table])?;
    new.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?1, ?2)", (table, next))?;
    Ok(())
}

/// Marks what lies below `blobs/` and no row names, for the next opening to remove.
fn mark_strays(layout: &Layout, new: &Connection) -> rusqlite::Result<()> {
    let names = |dir: &Path| {
        let entries = fs::read_dir(dir).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect::<Vec<_>>()
    };
    let files = names(&layout.blobs()).into_iter().flat_map(|fan| names(&fan));
    let digests = files.filter_map(|file| BlobDigest::from_str(file.file_name()?.to_str()?).ok());
    let mut known = new.prepare("SELECT 1 FROM blobs WHERE digest = ?1")?;
    for digest in digests {
        if !known.exists([Digest(digest)])? {
            blobs::mark(new, [&digest])?;
        }
    }
    Ok(())
}

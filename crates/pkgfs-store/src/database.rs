//! The connections to the database, and the one way to use them.
//!
//! One connection writes, behind a mutex; a few read, so that in write-ahead mode no
//! reader waits for a writer. Commits are not synced by SQLite. What must be durable
//! syncs the write-ahead log itself after the writer's mutex is released: the log is
//! append-only, so this makes the transaction and all before it durable, callers at
//! the same time share it, and nobody waits for the disk to get at the mutex.
//!
//! Where damage shows, the database is made anew from what is sound ([`salvage`](crate::salvage)),
//! and what was asked of it is done once more: whoever asked does not notice.
//!
//! Invariant: after every transaction the totals in memory are those in the database.

mod mending;

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicI32, AtomicUsize, Ordering},
    },
    time::Duration,
};

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

use crate::{
    Rebuilt, StoreError, blobs::sync_dir, layout::Layout, salvage, seals, sys, usage::Totals,
};
use mending::{Hearer, told};

/// What makes each version of the schema of the one before, the first of nothing.
const STEPS: [&str; 6] = [
    include_str!("schema.sql"),
    include_str!("schema-2.sql"),
    include_str!("schema-3.sql"),
    include_str!("schema-4.sql"),
    include_str!("schema-5.sql"),
    include_str!("schema-6.sql"),
];

/// Version of the schema, in `PRAGMA user_version`.
pub(crate) const VERSION: u64 = STEPS.len() as u64;

/// Marks the file as ours for `file(1)` and the like: "pkgf".
const APPLICATION_ID: u32 = 0x706b_6766;

const READERS: usize = 4;

/// Past this many pages the committing thread copies back what is left: 16 MiB. The
/// log begins anew only when all of it is copied, and while others keep committing the
/// caretaker is never quite done.
const BACKSTOP_PAGES: i32 = 4_096;

/// Past this many pages the caretaker is asked to copy the log back: 4 MiB.
const CHECKPOINT_PAGES: i32 = 1_024;

/// A panic cannot leave these halfway: a transaction that unwinds is rolled back.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The open database.
pub(crate) struct Database {
    layout: Layout,
    path: PathBuf,
    writer: Mutex<Connection>,
    readers: Vec<Mutex<Connection>>,
    next: AtomicUsize,
    /// What the log is synced through; nothing while the database is made anew, since some systems
    /// do not give a name to another file while the one that had it is open.
    wal: Mutex<Option<Arc<File>>>,
    totals: Mutex<Totals>,
    /// Length of the log after the last commit.
    log_pages: Arc<AtomicI32>,
    log_is_long: Arc<dyn Fn() + Send + Sync>,
    /// Held by whoever has a connection of their own.
    elsewhere: Arc<Mutex<()>>,
    /// Each time that it was made anew since it was opened.
    rebuilt: Mutex<Vec<Rebuilt>>,
    hearer: OnceLock<Hearer>,
}

/// What an open database is used through.
struct Connections {
    writer: Connection,
    readers: Vec<Connection>,
    wal: File,
    totals: Totals,
}

impl Database {
    /// Opens the database, making it if it is new (`known` is the version it should at least
    /// have), and anew if it is damaged. `log_is_long` is called, on the writing thread, when a
    /// checkpoint is due, and `elsewhere` held by who does it.
    pub(crate) fn open(
        layout: &Layout,
        known: Option<u64>,
        elsewhere: Arc<Mutex<()>>,
        log_is_long: impl Fn() + Send + Sync + 'static,
    ) -> Result<Self, StoreError> {
        salvage::finish(layout)?;
        let path = layout.database();
        let log_pages = Arc::new(AtomicI32::new(0));
        let log_is_long: Arc<dyn Fn() + Send + Sync> = Arc::new(log_is_long);
        let mut rebuilt = Vec::new();
        let missing = || StoreError::Damaged { path: path.clone(), reason: "it is missing".into() };
        let opened = match known {
            Some(_) if !path.exists() => Err(missing()),
            known => connections(layout, known, &log_pages, &log_is_long),
        };
        let opened = match opened {
            Err(StoreError::Damaged { reason, .. }) => {
                rebuilt.push(told(salvage::rebuild(layout, reason)?, &path));
                connections(layout, known, &log_pages, &log_is_long)
            }
            other => other,
        }?;
        Ok(Self {
            layout: layout.clone(),
            path,
            writer: Mutex::new(opened.writer),
            readers: opened.readers.into_iter().map(Mutex::new).collect(),
            next: AtomicUsize::new(0),
            wal: Mutex::new(Some(Arc::new(opened.wal))),
            totals: Mutex::new(opened.totals),
            log_pages,
            log_is_long,
            elsewhere,
            rebuilt: Mutex::new(rebuilt),
            hearer: OnceLock::new(),
        })
    }

    /// Runs `work` in one transaction. It is visible when this returns and survives
    /// the death of the process, but not yet that of the machine.
    pub(crate) fn write<T>(
        &self,
        mut work: impl FnMut(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        self.mending(|| self.write_once(&mut work))
    }

    fn write_once<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let mut writer = lock(&self.writer);
        let run = || {
            let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let outcome = work(&transaction)?;
            let totals = Totals::read(&transaction)?;
            transaction.commit()?;
            *lock(&self.totals) = totals;
            Ok(outcome)
        };
        let outcome = run().map_err(|source| StoreError::database(&self.path, source))?;
        if self.log_pages.load(Ordering::Relaxed) >= BACKSTOP_PAGES {
            // The transaction stands, whatever comes of this.
            if let Err(error) = checkpoint(&self.path, &writer) {
                tracing::warn!("{error}");
            }
        }
        Ok(outcome)
    }

    /// Makes durable all that was written so far.
    pub(crate) fn sync(&self) -> Result<(), StoreError> {
        let wal = lock(&self.wal).clone();
        // It is missing where making the database anew has failed.
        let synced = wal.ok_or(io::ErrorKind::NotFound.into()).and_then(|wal| wal.sync_data());
        synced.map_err(|e| StoreError::io("sync", &self.layout.wal(), e))
    }

    /// Runs `work` on a connection that reads.
    pub(crate) fn read<T>(
        &self,
        work: impl Fn(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        self.mending(|| {
            let free = self.readers.iter().find_map(|reader| reader.try_lock().ok());
            let reader = free.unwrap_or_else(|| {
                let next = self.next.fetch_add(1, Ordering::Relaxed);
                lock(&self.readers[next % self.readers.len()])
            });
            work(&reader).map_err(|source| StoreError::database(&self.path, source))
        })
    }

    /// The totals as of the last transaction.
    pub(crate) fn totals(&self) -> Totals {
        *lock(&self.totals)
    }
}

/// Opens all connections; `known` is the version it should at least have.
fn connections(
    layout: &Layout,
    known: Option<u64>,
    log_pages: &Arc<AtomicI32>,
    log_is_long: &Arc<dyn Fn() + Send + Sync>,
) -> Result<Connections, StoreError> {
    let path = layout.database();
    let sql = |source| StoreError::database(&path, source);
    let mut writer =
        connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
    writer.pragma_update(None, "journal_mode", "wal").map_err(sql)?;
    writer.pragma_update(None, "synchronous", "normal").map_err(sql)?;
    writer.pragma_update(None, "foreign_keys", true).map_err(sql)?;
    let found = version(&writer).map_err(sql)?;
    if known.is_some_and(|known| found < known) {
        // The stamp is written after the database, so this is not where a store was left.
        let reason = wrong_version(found);
        return Err(StoreError::Damaged { path, reason });
    }
    migrate(layout.dir(), &path, &mut writer)?;
    check_schema(&path, &writer)?;
    let (noted, bell) = (Arc::clone(log_pages), Arc::clone(log_is_long));
    writer
        .wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, pages: i32| {
            noted.store(pages, Ordering::Relaxed);
            if pages >= CHECKPOINT_PAGES {
                bell();
            }
            Ok(())
        }))
        .map_err(sql)?;
    let totals = Totals::read(&writer).map_err(sql)?;
    let wal_path = layout.wal();
    let wal = sys::open_to_sync(&wal_path).map_err(|e| StoreError::io("open", &wal_path, e))?;
    // The log was made anew, and must not lose its name with the power.
    sync_dir(layout.dir())?;
    let readers = (0..READERS)
        .map(|_| connect(&path, OpenFlags::SQLITE_OPEN_READ_ONLY))
        .collect::<Result<_, _>>()?;
    Ok(Connections { writer, readers, wal, totals })
}

/// Opens one connection with the settings all of them share.
pub(crate) fn connect(path: &Path, flags: OpenFlags) -> Result<Connection, StoreError> {
    let sql = |source| StoreError::database(path, source);
    let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(sql)?;
    connection.busy_timeout(Duration::from_secs(10)).map_err(sql)?;
    connection.set_prepared_statement_cache_capacity(64);
    seals::teach(&connection).map_err(sql)?;
    #[cfg(test)]
    let connection = tests::counted(connection);
    Ok(connection)
}

/// Copies back from the log what no reader needs to find there, stopping nobody. When
/// it is at it on another connection, that one goes on.
pub(crate) fn checkpoint(path: &Path, connection: &Connection) -> Result<(), StoreError> {
    connection
        .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
        .map_err(|source| StoreError::database(path, source))
}

/// Refuses a database whose tables, indexes and triggers are not what they should be, letter by
/// letter: a damaged trigger would go on counting, and wrong.
fn check_schema(path: &Path, connection: &Connection) -> Result<(), StoreError> {
    let sql = |source| StoreError::database(path, source);
    let mut model = connect(Path::new(":memory:"), OpenFlags::default())?;
    migrate(path, path, &mut model)?;
    let of = |connection: &Connection| {
        let all = "SELECT group_concat(coalesce(sql, name), ';')
                   FROM (SELECT name, sql FROM sqlite_schema ORDER BY name)";
        connection.query_row(all, [], |row| row.get::<_, String>(0))
    };
    if of(connection).map_err(sql)? == of(&model).map_err(sql)? {
        return Ok(());
    }
    let reason = "its tables are not what they should be".to_owned();
    Err(StoreError::Damaged { path: path.to_owned(), reason })
}

/// What is wrong with a database of a version that it cannot be of.
fn wrong_version(found: u64) -> String {
    format!("it says to be of format {found}")
}

/// The version of the schema.
pub(crate) fn version(connection: &Connection) -> rusqlite::Result<u64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// The format of a database that lies there and is ours, as far as that can be told without
/// opening the store.
pub(crate) fn format_of(path: &Path) -> Option<u64> {
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY).ok()?;
    let id: u32 = connection.pragma_query_value(None, "application_id", |row| row.get(0)).ok()?;
    version(&connection).ok().filter(|version| id == APPLICATION_ID && *version > 0)
}

/// Brings an empty file, or an older version, to the present one, and refuses a newer one.
pub(crate) fn migrate(dir: &Path, path: &Path, writer: &mut Connection) -> Result<(), StoreError> {
    let sql = |source| StoreError::database(path, source);
    let found = version(writer).map_err(sql)?;
    if found > VERSION {
        return Err(StoreError::NewerFormat { path: dir.to_owned(), found, known: VERSION });
    }
    if found < VERSION {
        let mut bring_up = || {
            let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
            for step in STEPS.iter().skip(usize::try_from(found).unwrap_or(usize::MAX)) {
                transaction.execute_batch(step)?;
            }
            transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
            transaction.pragma_update(None, "user_version", VERSION)?;
            transaction.commit()
        };
        bring_up().map_err(sql)?;
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(crate) mod tests {
    use std::{
        panic::AssertUnwindSafe,
        sync::{
            Arc,
            atomic::{AtomicBool, AtomicUsize, Ordering},
        },
        thread,
    };

    use super::{BACKSTOP_PAGES, Database, checkpoint, connect};
    use crate::layout::Layout;
    use rusqlite::{
        Connection, OpenFlags,
        trace::{TraceEvent, TraceEventCodes},
    };

    /// Statements run by all connections of this test process.
    pub(crate) static STATEMENTS: AtomicUsize = AtomicUsize::new(0);

    pub(super) fn counted(mut connection: Connection) -> Connection {
        let count = |_: TraceEvent<'_>| {
            STATEMENTS.fetch_add(1, Ordering::Relaxed);
        };
        connection.trace_v2(TraceEventCodes::SQLITE_TRACE_STMT, Some(count)).unwrap();
        connection
    }

    fn fill(database: &Database) {
        for n in 0..64 {
            let lay =
                format!("INSERT INTO tombstones VALUES ('{n}' || hex(zeroblob(500000)), 1, 2)");
            database.write(|transaction| transaction.execute(&lay, [])).unwrap();
        }
    }

    #[test]
    fn the_log_stays_short_though_no_caretaker_comes() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path().to_owned());
        let database = Database::open(&layout, None, Arc::default(), || {}).unwrap();
        fill(&database);
        let log = layout.wal().metadata().unwrap().len();
        assert!(log < u64::from(BACKSTOP_PAGES.unsigned_abs()) * 4096 * 3 / 2, "{log} bytes");
    }

    /// Once the log was so long that the writer wanted to copy it back, and another
    /// was at it, transactions that had been written were reported as failed.
    #[test]
    fn a_write_succeeds_while_another_copies_the_log_back() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path().to_owned());
        let database = Database::open(&layout, None, Arc::default(), || {}).unwrap();
        let path = layout.database();
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                let other = connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap();
                while !done.load(Ordering::Relaxed) {
                    checkpoint(&path, &other).unwrap();
                }
            });
            let filled = std::panic::catch_unwind(AssertUnwindSafe(|| {
                (0..4).for_each(|_| refill(&database));
            }));
            done.store(true, Ordering::Relaxed);
            filled.unwrap();
        });
    }

    fn refill(database: &Database) {
        fill(database);
        database.write(|transaction| transaction.execute("DELETE FROM tombstones", [])).unwrap();
    }
}

//! Damage that shows while the database is in use: it is made anew under those who use it, and what
//! was asked is done once more.

use std::{path::Path, sync::Arc};

use rusqlite::{Connection, OpenFlags};

use super::{Database, VERSION, check_schema, connect, connections, lock, version, wrong_version};
use crate::{Rebuilt, StoreError, salvage};

/// A disk that damages a database over and over is not to keep us busy for good.
const MOST_REBUILT: usize = 8;

/// Who is told that the database was made anew.
pub(super) type Hearer = Box<dyn Fn(&Rebuilt) + Send + Sync>;

impl Database {
    /// Looks for damage in all of it, and makes it anew if there is any.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        self.mending(|| {
            // Not one of those that others wait for: it reads for as long as there is something.
            let _elsewhere = lock(&self.elsewhere);
            let connection = connect(&self.path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
            let sql = |source| StoreError::database(&self.path, source);
            let found: String =
                connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(sql)?;
            let version = version(&connection).map_err(sql)?;
            if found == "ok" && version == VERSION {
                return check_schema(&self.path, &connection);
            }
            let found = if version == VERSION { found } else { wrong_version(version) };
            Err(StoreError::Damaged { path: self.path.clone(), reason: found.replace('\n', " ") })
        })
    }

    /// Each time that the database was made anew since it was opened.
    pub(crate) fn rebuilt(&self) -> Vec<Rebuilt> {
        lock(&self.rebuilt).clone()
    }

    /// Has somebody told when it is made anew, from whichever thread met the damage.
    pub(crate) fn on_rebuilt(&self, hearer: Hearer) {
        // There is one who hears.
        let _ = self.hearer.set(hearer);
    }

    /// Does it once more on the database made anew, if damage shows.
    pub(super) fn mending<T>(
        &self,
        mut work: impl FnMut() -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let before = lock(&self.rebuilt).len();
        match work() {
            Err(StoreError::Damaged { reason, path }) => {
                if !self.rebuild(before, &reason)? {
                    return Err(StoreError::Damaged { path, reason });
                }
                work()
            }
            other => other,
        }
    }

    /// Makes it anew, unless somebody did since there were `before`; false if that was too often.
    fn rebuild(&self, before: usize, reason: &str) -> Result<bool, StoreError> {
        let mut writer = lock(&self.writer);
        let _elsewhere = lock(&self.elsewhere);
        let mut readers: Vec<_> = self.readers.iter().map(lock).collect();
        let times = lock(&self.rebuilt).len();
        if times != before || times >= MOST_REBUILT {
            return Ok(times != before);
        }
        // Each closes the one before: closed after the files were moved, the last one would remove
        // the new database's log.
        let closed = || {
            Connection::open_in_memory().map_err(|error| StoreError::database(&self.path, error))
        };
        *writer = closed()?;
        for reader in &mut readers {
            **reader = closed()?;
        }
        let mut wal = lock(&self.wal);
        *wal = None;
        let rebuilt = salvage::rebuild(&self.layout, reason.to_owned());
        // Whatever came of that, there is a database.
        let opened = connections(&self.layout, None, &self.log_pages, &self.log_is_long)?;
        *writer = opened.writer;
        for (reader, opened) in readers.iter_mut().zip(opened.readers) {
            **reader = opened;
        }
        *wal = Some(Arc::new(opened.wal));
        drop(wal);
        *lock(&self.totals) = opened.totals;
        let rebuilt = told(rebuilt?, &self.path);
        lock(&self.rebuilt).push(rebuilt.clone());
        drop((readers, writer));
        if let Some(hearer) = self.hearer.get() {
            hearer(&rebuilt);
        }
        Ok(true)
    }
}

/// Logs it.
pub(super) fn told(rebuilt: Rebuilt, path: &Path) -> Rebuilt {
    tracing::error!("the database {} was damaged: {rebuilt}", path.display());
    rebuilt
}

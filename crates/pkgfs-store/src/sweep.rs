//! What opening removes: all that only a process which is gone could have finished.
//!
//! That is partial files, staging trees that no copy is under way in, directories that
//! were retired, and blobs marked unsettled that no content refers to. Everything is
//! found by name or by index; no blobs are walked.

use std::{collections::BTreeSet, fs, io, path::Path};

use pkgfs_manifest::BlobDigest;

use crate::{
    RegistrationId, RegistrationState, Store, StoreError, blobs::forget_unreferenced,
    columns::Digest, database::lock, sys,
};

impl Store {
    /// `retired`: listings that were replaced, too, since nobody can have their files open.
    pub(crate) fn sweep(&self, retired: bool) -> Result<(), StoreError> {
        self.sweep_partial()?;
        self.sweep_staging()?;
        self.sweep_retired(retired)
    }

    fn sweep_partial(&self) -> Result<(), StoreError> {
        let dir = self.layout.partial();
        let listed = |e| StoreError::io("list", &dir, e);
        for entry in fs::read_dir(&dir).map_err(listed)? {
            let path = entry.map_err(listed)?.path();
            sys::remove_file(&path).map_err(|e| StoreError::io("remove", &path, e))?;
        }
        Ok(())
    }

    fn sweep_staging(&self) -> Result<(), StoreError> {
        let dir = self.layout.staging();
        let listed = |e| StoreError::io("list", &dir, e);
        for entry in fs::read_dir(&dir).map_err(listed)? {
            let entry = entry.map_err(listed)?;
            let id = entry.file_name().to_str().and_then(|name| name.parse().ok());
            if !id.map_or(Ok(false), |id| self.is_copying(RegistrationId(id)))? {
                protect_adopted(&entry.path())?;
                self.discard(&entry.path())?;
            }
        }
        Ok(())
    }

    fn is_copying(&self, id: RegistrationId) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM registrations WHERE id = ?1 AND state = ?2";
        self.database.read(|connection| {
            connection.prepare_cached(sql)?.exists((id, RegistrationState::Copying))
        })
    }

    fn sweep_retired(&self, retired: bool) -> Result<(), StoreError> {
        let placing = lock(&self.placing);
        let unsettled = self.database.write(|transaction| {
            if retired {
                transaction.execute(
                    "INSERT INTO unsettled (digest)
                     SELECT DISTINCT digest FROM contents
                     WHERE directory IN (SELECT id FROM directories WHERE retired = 1)
                     ON CONFLICT DO NOTHING",
                    [],
                )?;
                transaction.execute("DELETE FROM directories WHERE retired = 1", [])?;
            }
            let unsettled = transaction
                .prepare("SELECT digest FROM unsettled")?
                .query_map([], |row| row.get(0).map(|Digest(digest)| digest))?
                .collect::<rusqlite::Result<BTreeSet<BlobDigest>>>()?;
            forget_unreferenced(transaction, unsettled.iter().copied(), "TRUE")?;
            // What a killed process held for a directory to come is nobody's now.
            transaction.execute("UPDATE unsettled SET holds = 0 WHERE holds > 0", [])?;
            let referenced = transaction
                .prepare(
                    "DELETE FROM unsettled
                     WHERE EXISTS (SELECT 1 FROM contents WHERE digest = unsettled.digest)
                     RETURNING digest",
                )?
                .query_map([], |row| row.get(0).map(|Digest(digest)| digest))?
                .collect::<rusqlite::Result<BTreeSet<BlobDigest>>>()?;
            Ok(unsettled.difference(&referenced).copied().collect::<Vec<_>>())
        })?;
        drop(placing);
        self.unlink(&unsettled)
    }
}

/// Takes the write bits from what is a blob, too, in a tree that goes: its sealing was cut short at
/// the very end.
fn protect_adopted(path: &Path) -> Result<(), StoreError> {
    let failed = |e| StoreError::io("protect", path, e);
    let data = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        data => data.map_err(failed)?,
    };
    if data.is_dir() {
        // What cannot be looked into can hold no blob: they were read.
        for entry in fs::read_dir(path).into_iter().flatten() {
            protect_adopted(&entry.map_err(failed)?.path())?;
        }
    } else if data.is_file() && !sys::is_alone_at(path, &data).map_err(failed)? {
        sys::protect(path).map_err(failed)?;
    }
    Ok(())
}

//! Private trees for rez's own copies, one a registration.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::atomic::Ordering,
};

use crate::{RegistrationId, Store, StoreError, sys};

impl Store {
    /// Where the tree of a registration's copy goes. Making it is the caller's part.
    #[must_use]
    pub fn staging_dir(&self, id: RegistrationId) -> PathBuf {
        self.layout.staging_of(id)
    }

    /// Makes the empty tree for a registration's copy, with these permission bits (its
    /// owner always gets in), and gives its path.
    ///
    /// # Errors
    /// When there is one already, or it cannot be made.
    pub fn make_staging(&self, id: RegistrationId, mode: u16) -> Result<PathBuf, StoreError> {
        let path = self.layout.staging_of(id);
        sys::make_dir_with(&path, mode).map_err(|error| StoreError::io("make", &path, error))?;
        Ok(path)
    }

    /// The registration whose copy a path relative to the store lies in, if any.
    #[must_use]
    pub fn staging_of(&self, below: &Path) -> Option<RegistrationId> {
        let staging = self.layout.staging();
        let staging = staging.strip_prefix(self.dir()).ok()?;
        let first = below.strip_prefix(staging).ok()?.components().next()?;
        let id = RegistrationId(first.as_os_str().to_str()?.parse().ok()?);
        (self.layout.staging_of(id).file_name() == Some(first.as_os_str())).then_some(id)
    }

    /// Moves a staging tree out of the way, to be deleted in a while. One that is not
    /// there is no error.
    ///
    /// # Errors
    /// When it cannot be moved.
    pub fn discard_staging(&self, id: RegistrationId) -> Result<(), StoreError> {
        self.discard(&self.layout.staging_of(id))
    }

    /// Whatever lies in `staging/` and is not named by a number is deleted at open.
    pub(crate) fn discard(&self, path: &std::path::Path) -> Result<(), StoreError> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let aside =
            self.layout.staging().join(format!("discarded-{}-{number}", std::process::id()));
        match fs::rename(path, &aside) {
            Ok(()) => self.caretaker.remove(aside),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(StoreError::io("move", path, error)),
        }
        Ok(())
    }
}

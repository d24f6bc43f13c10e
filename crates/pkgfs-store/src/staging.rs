//! Private trees for rez's own copies, one a registration.

use std::{fs, io, path::PathBuf, sync::atomic::Ordering};

use crate::{RegistrationId, Store, StoreError};

impl Store {
    /// Where the tree of a registration's copy goes. Making it is the caller's part.
    #[must_use]
    pub fn staging_dir(&self, id: RegistrationId) -> PathBuf {
        self.layout.staging_of(id)
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

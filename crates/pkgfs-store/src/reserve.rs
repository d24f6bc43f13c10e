//! Room kept back on the disk: where that is full, the database must still be able to write down
//! what goes.

use std::fs::{self, OpenOptions};

use crate::{Store, sys};

/// More than the log takes for what goes at a time.
const BYTES: u64 = 4 << 20;
/// A disk with less than this many times as much to spare is left alone.
const SPARE: u64 = 4;

impl Store {
    /// Keeps room back, where there is any.
    pub(crate) fn keep_reserve(&self) {
        let path = self.layout.reserve();
        let kept = fs::metadata(&path).is_ok_and(|data| data.len() == BYTES);
        if kept || self.usage().disk_available < SPARE * BYTES {
            return;
        }
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
        let kept = file.and_then(|file| sys::allocate(&file, BYTES));
        if let Err(error) = kept {
            tracing::debug!(%error, "no room is kept back on the store's disk");
            self.use_reserve();
        }
    }

    /// Gives back what was kept, if the disk has next to nothing else.
    pub(crate) fn use_reserve_if_needed(&self) {
        if self.usage().disk_available < BYTES {
            self.use_reserve();
        }
    }

    fn use_reserve(&self) {
        // Without it there is no more room than there is.
        let _ = fs::remove_file(self.layout.reserve());
    }
}

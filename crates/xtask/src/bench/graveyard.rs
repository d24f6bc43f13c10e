//! What was measured and is done with, kept until nothing is measured any more.
//!
//! ext4 does not give out the inode of a file that was removed in the last minutes, and searches
//! on: whoever creates thousands of files where thousands were just removed waits several times
//! as long (6,442 files: 1.8 s in a fresh file system, 3.8 s where a run before had removed its
//! own). So nothing that has many files is removed between runs.

use std::cell::Cell;
use std::fs;
use std::path::Path;

use anyhow::Result;
use tempfile::TempDir;

/// Files of this size are removed at once: they are few, and the disk is wanted.
const LARGE: u64 = 1 << 20;

/// A directory for it.
pub(super) struct Graveyard {
    directory: TempDir,
    buried: Cell<usize>,
}

impl Graveyard {
    pub(super) fn new() -> Result<Self> {
        // On the disk where all the rest takes place.
        let directory =
            tempfile::Builder::new().prefix("pkgfs-bench-done-").tempdir_in("/var/tmp")?;
        Ok(Self { directory, buried: Cell::new(0) })
    }

    /// Takes a directory away from where it is.
    pub(super) fn bury(&self, place: &Path) -> Result<()> {
        let grave = self.directory.path().join(self.buried.get().to_string());
        self.buried.set(self.buried.get() + 1);
        fs::rename(place, &grave)?;
        remove_large(&grave)
    }
}

fn remove_large(directory: &Path) -> Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        if metadata.is_dir() {
            remove_large(&entry.path())?;
        } else if metadata.len() >= LARGE {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

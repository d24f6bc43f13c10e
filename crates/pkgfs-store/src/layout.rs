//! Where each thing of a store lies. The one place that knows the names.

use std::path::{Path, PathBuf};

use pkgfs_manifest::BlobDigest;

use crate::RegistrationId;

/// Names at the top of a store.
pub(crate) const FORMAT: &str = "format";
pub(crate) const FORMAT_NEW: &str = "format.new";
pub(crate) const LOCK: &str = "lock";
pub(crate) const BLOBS: &str = "blobs";
pub(crate) const PARTIAL: &str = "partial";
pub(crate) const RESERVE: &str = "reserve";
pub(crate) const STAGING: &str = "staging";
pub(crate) const SYS: &str = "sys";
pub(crate) const DATABASE: &str = "pkgfs.sqlite";

/// How the names of files in `partial/` begin that go with the last who reads them.
pub(crate) const GOING: &str = "going-";

/// What a store that was never finished may hold. `lost+found` is there when a file
/// system of its own is mounted for the store.
pub(crate) const NAMES: [&str; 12] = [
    "lost+found",
    FORMAT_NEW,
    LOCK,
    BLOBS,
    PARTIAL,
    RESERVE,
    STAGING,
    SYS,
    DATABASE,
    "pkgfs.sqlite-wal",
    "pkgfs.sqlite-shm",
    "pkgfs.sqlite-journal",
];

/// The paths of one store.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    dir: PathBuf,
}

impl Layout {
    /// The layout below `dir`, an absolute path.
    pub(crate) fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn format(&self) -> PathBuf {
        self.dir.join(FORMAT)
    }

    pub(crate) fn format_new(&self) -> PathBuf {
        self.dir.join(FORMAT_NEW)
    }

    pub(crate) fn lock(&self) -> PathBuf {
        self.dir.join(LOCK)
    }

    pub(crate) fn blobs(&self) -> PathBuf {
        self.dir.join(BLOBS)
    }

    pub(crate) fn partial(&self) -> PathBuf {
        self.dir.join(PARTIAL)
    }

    /// Where a file is moved that goes with the last who reads it.
    pub(crate) fn going(&self, number: u64) -> PathBuf {
        self.partial().join(format!("{GOING}{number}"))
    }

    pub(crate) fn reserve(&self) -> PathBuf {
        self.dir.join(RESERVE)
    }

    pub(crate) fn staging(&self) -> PathBuf {
        self.dir.join(STAGING)
    }

    pub(crate) fn sys(&self) -> PathBuf {
        self.dir.join(SYS)
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.dir.join(DATABASE)
    }

    /// The last database that was damaged and replaced.
    pub(crate) fn damaged(&self) -> PathBuf {
        self.dir.join("damaged.sqlite")
    }

    /// The one that is to replace it, while it is being made.
    pub(crate) fn rebuilding(&self) -> PathBuf {
        self.dir.join("rebuilding.sqlite")
    }

    /// The same once it is complete, until it has replaced it.
    pub(crate) fn rebuilt(&self) -> PathBuf {
        self.dir.join("rebuilt.sqlite")
    }

    pub(crate) fn shm(&self) -> PathBuf {
        self.dir.join("pkgfs.sqlite-shm")
    }

    pub(crate) fn wal(&self) -> PathBuf {
        self.dir.join("pkgfs.sqlite-wal")
    }

    /// The directory that holds a blob: the first byte of its digest.
    pub(crate) fn blob_dir(&self, digest: &BlobDigest) -> PathBuf {
        self.blobs().join(format!("{:02x}", digest.as_bytes()[0]))
    }

    pub(crate) fn blob(&self, digest: &BlobDigest) -> PathBuf {
        self.blob_dir(digest).join(digest.to_string())
    }

    pub(crate) fn staging_of(&self, id: RegistrationId) -> PathBuf {
        self.staging().join(id.0.to_string())
    }
}

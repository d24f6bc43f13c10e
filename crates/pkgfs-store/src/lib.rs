//! The local store: what a machine keeps of the variants it has used.
//!
//! A store is one directory: blobs named by the digest of their bytes, one SQLite
//! database, and the private areas `partial/`, `staging/` and `sys/`. The database
//! holds registrations (which variants are shown, and where), directories (listings
//! of origin, each immutable once recorded), contents (which blob holds the bytes of
//! a file of a listing) and recency. `docs/format.md` describes all of it.
//!
//! Bytes come in through a [`Partial`] that someone fills, and become visible by
//! [`Store::commit`], many at a time: synced, renamed into place, and only then named
//! in the database.
//!
//! Invariants: a content in the database names a blob that is whole and durable; a
//! blob never changes and has one name; what was acknowledged outlives a kill at any
//! instant; opening walks no blobs.
//!
//! ```
//! # use pkgfs_store::{NewRegistration, RegistrationState, Store};
//! # let dir = tempfile::tempdir()?;
//! let store = Store::open(dir.path())?;
//! let numpy = store.register(NewRegistration {
//!     name: "numpy".into(),
//!     version_dir: "2.2.6".into(),
//!     h4: "8418".into(),
//!     stem: "a".into(),
//!     handle_key: "filesystem.variant /sw/pkg numpy 2.2.6".into(),
//!     json: "{}".into(),
//!     repository: "/sw/pkg".into(),
//!     root: Some("/sw/pkg/numpy/2.2.6".into()),
//!     state: RegistrationState::Served,
//! })?;
//! assert_eq!(store.registrations()?, [numpy]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod blobs;
mod caretaker;
mod columns;
mod commit;
mod contents;
mod database;
mod directories;
mod error;
mod evict;
mod layout;
mod open;
mod partial;
mod pins;
mod profiles;
mod reclaim;
mod registrations;
mod reserve;
mod salvage;
mod seals;
mod staging;
mod sweep;
mod sys;
mod usage;
mod verify;
mod way;

use std::{
    fs::File,
    path::{Path, PathBuf},
    sync::{Mutex, atomic::AtomicU64},
};

pub use commit::{Committed, Finished};
pub use contents::{FileKey, Xattr};
pub use directories::{Directory, DirectoryId, NewDirectory};
pub use error::StoreError;
pub use evict::Evicted;
pub use partial::Partial;
pub use profiles::Profile;
pub use reclaim::Reclaimed;
pub use registrations::{
    NewRegistration, Registered, RegisteredVersion, Registration, RegistrationId, RegistrationState,
};
pub use salvage::Rebuilt;
pub use usage::{Recorded, Usage};
pub use verify::{Scrub, Suspect, Verdict};
pub use way::{Turnable, turnable};

use caretaker::Caretaker;
use database::Database;
use layout::Layout;

/// An open file, for whoever is to have it without the store's knowing: a descriptor, or on Windows
/// a handle.
pub type Descriptor = sys::Descriptor;

/// What a user of the system is known by: a number, or on Windows a security identifier.
pub type UserId = sys::UserId;

/// An open store. One process at a time has it open; its threads share it.
pub struct Store {
    /// Before the database, so that it is stopped first.
    caretaker: Caretaker,
    database: Database,
    /// Held while files below `blobs/` come and go, before and longer than the
    /// database's writer: whoever finds a blob there can rely on it until released.
    placing: Mutex<()>,
    live: partial::Live,
    /// Number of the next file or directory that needs a name of its own.
    next: AtomicU64,
    layout: Layout,
    /// Locked while the store is open; the system unlocks it however we end.
    lock: File,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("dir", &self.dir()).finish_non_exhaustive()
    }
}

impl Store {
    /// The store's directory, an absolute path without links.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.layout.dir()
    }

    /// Each time that the database was found damaged and made anew since the store was opened.
    #[must_use]
    pub fn rebuilt(&self) -> Vec<Rebuilt> {
        self.database.rebuilt()
    }

    /// Has somebody told when that comes, on whichever thread met the damage. Numbers of listings
    /// may mean nothing any more from then on. Whoever is told first is told always.
    pub fn on_rebuilt(&self, hearer: impl Fn(&Rebuilt) + Send + Sync + 'static) {
        self.database.on_rebuilt(Box::new(hearer));
    }

    /// The directory for rez's own `.sys` files, which the store keeps and never reads.
    #[must_use]
    pub fn sys_dir(&self) -> PathBuf {
        self.layout.sys()
    }
}

//! Where things lie when nobody says: where the system keeps such things of users and of its own.

use std::path::{Path, PathBuf};

use crate::sys;

/// The store of this user: below `$XDG_CACHE_HOME`, or in `/var/cache/pkgfs` for root; on Windows
/// below `%LOCALAPPDATA%`.
#[must_use]
pub fn default_store() -> PathBuf {
    sys::default_store()
}

/// The log of the daemon of this store. Each store has its own: several daemons may run.
#[must_use]
pub fn log_path(store: &Path) -> PathBuf {
    let digest = blake3::hash(store.as_os_str().as_encoded_bytes()).to_hex();
    sys::log_directory().join(format!("daemon-{}.log", &digest[..12]))
}

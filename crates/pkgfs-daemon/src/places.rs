//! Where things lie when nobody says: by the XDG base directory specification for a
//! user, in `/var` for root.

use std::{
    env,
    path::{Path, PathBuf},
};

use rustix::process::geteuid;

/// `$XDG_CACHE_HOME/pkgfs/store`; for root without it `/var/cache/pkgfs`.
#[must_use]
pub fn default_store() -> PathBuf {
    match base("XDG_CACHE_HOME") {
        Some(base) => base.join("pkgfs/store"),
        None if geteuid().is_root() => PathBuf::from("/var/cache/pkgfs"),
        None => home().join(".cache/pkgfs/store"),
    }
}

/// The log of the daemon of this store, in `$XDG_STATE_HOME/pkgfs`; for root without
/// it in `/var/log/pkgfs`. Each store has its own: several daemons may run.
#[must_use]
pub fn log_path(store: &Path) -> PathBuf {
    let directory = match base("XDG_STATE_HOME") {
        Some(base) => base.join("pkgfs"),
        None if geteuid().is_root() => PathBuf::from("/var/log/pkgfs"),
        None => home().join(".local/state/pkgfs"),
    };
    let digest = blake3::hash(store.as_os_str().as_encoded_bytes()).to_hex();
    directory.join(format!("daemon-{}.log", &digest[..12]))
}

/// The specification wants relative paths in these variables ignored.
fn base(variable: &str) -> Option<PathBuf> {
    env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute())
}

pub(crate) fn home() -> PathBuf {
    env::home_dir().filter(|path| path.is_absolute()).unwrap_or_else(|| PathBuf::from("/"))
}

//! Where the index lies, and who may write there.

use std::{
    env, fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use rustix::process::geteuid;

/// `$XDG_CACHE_HOME/pkgfs/scan`, or `~/.cache/pkgfs/scan`; `None` where there is neither, and for root
/// in a home of somebody else (`sudo`): what root leaves there its owner could not replace.
#[must_use]
pub fn index_directory() -> Option<PathBuf> {
    let absolute = |path: &PathBuf| path.is_absolute();
    let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(absolute);
    let cache = cache.or_else(|| Some(env::home_dir().filter(absolute)?.join(".cache")))?;
    let directory = cache.join("pkgfs/scan");
    (!geteuid().is_root() || is_roots(&directory)).then_some(directory)
}

/// Whether the path lies, as far as it exists, in directories of root alone.
fn is_roots(path: &Path) -> bool {
    let mut existing = path.ancestors().filter_map(|path| fs::metadata(path).ok());
    existing.all(|metadata| metadata.uid() == 0)
}

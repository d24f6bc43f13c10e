//! Where the index lies, and who may write there.

use std::{env, path::PathBuf};

use crate::sys;

/// `$XDG_CACHE_HOME/pkgfs/scan`, or `~/.cache/pkgfs/scan` (on Windows below `AppData\Local`); `None` where there is neither, and for root
/// in a home of somebody else (`sudo`): what root leaves there its owner could not replace.
#[must_use]
pub fn index_directory() -> Option<PathBuf> {
    let absolute = |path: &PathBuf| path.is_absolute();
    let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(absolute);
    let cache =
        cache.or_else(|| Some(env::home_dir().filter(absolute)?.join(sys::CACHE_IN_HOME)))?;
    let directory = cache.join("pkgfs/scan");
    sys::may_keep_index(&directory).then_some(directory)
}

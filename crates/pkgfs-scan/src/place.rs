//! Where the index lies, and who may write there.

use std::path::PathBuf;

use crate::sys;

/// `$XDG_CACHE_HOME/pkgfs/scan`, or `~/.cache/pkgfs/scan`; on Windows `%LOCALAPPDATA%\pkgfs\scan`.
/// `None` where there is no such place, and for root in a home of somebody else (`sudo`): what root
/// leaves there its owner could not replace.
#[must_use]
pub fn index_directory() -> Option<PathBuf> {
    let directory = sys::cache_directory()?.join("pkgfs").join("scan");
    sys::may_keep_index(&directory).then_some(directory)
}

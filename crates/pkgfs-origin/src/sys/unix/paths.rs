//! Paths are compared byte by byte.

use std::path::Path;

/// What of `path` lies below `root`, or nothing where it is `root`.
pub(crate) fn below<'a>(path: &'a Path, root: &Path) -> Option<&'a Path> {
    path.strip_prefix(root).ok()
}

//! Is a directory on another machine's disk?

use std::{io, path::Path};

use pkgfs_win32::disk;

/// What to call what a directory lies on, if that is no disk of this machine.
pub(crate) fn network_file_system(dir: &Path) -> io::Result<Option<String>> {
    Ok(disk::is_remote(dir)?.then(|| "a network drive".to_owned()))
}

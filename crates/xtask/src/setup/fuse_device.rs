//! `/dev/fuse`, which must be there and open to ordinary users.
//!
//! Some machines ship it with mode 0600; an unprivileged mount then fails with EACCES before
//! fusermount3 is ever tried. Distributions ship 0666: the device itself checks who may mount.

use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;

use anyhow::{Context, Result, bail};

use super::debian;
use crate::process;

/// Checks that `/dev/fuse` is there and gives it the mode distributions give it.
pub(crate) fn open_to_everyone() -> Result<()> {
    let device = Path::new("/dev/fuse");
    let metadata = std::fs::metadata(device).context(
        "/dev/fuse is missing: load the kernel module (modprobe fuse), or start the container with --device /dev/fuse",
    )?;
    if !metadata.file_type().is_char_device() {
        bail!("/dev/fuse is not a device: remove it and load the kernel module (modprobe fuse)");
    }
    if metadata.permissions().mode() & 0o666 != 0o666 {
        process::run(debian::as_root("chmod").args(["0666", "/dev/fuse"]))?;
    }
    Ok(())
}

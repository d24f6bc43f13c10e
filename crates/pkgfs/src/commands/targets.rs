//! Which mount a command means.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use pkgfs_fuse::{MountInfo, mounts, resolve};
use rustix::process::geteuid;

/// The mount at, or above, this path.
pub(super) fn holding(path: &Path) -> anyhow::Result<Option<MountInfo>> {
    let all = mounts().context("cannot read /proc/self/mountinfo")?;
    let path = resolve(path).unwrap_or_else(|_| path.to_owned());
    Ok(all.into_iter().rfind(|mount| path.starts_with(&mount.mountpoint)))
}

/// The mount that is meant when none is named: the configured one, else the only one
/// that this user made.
pub(super) fn unnamed(configured: Option<PathBuf>) -> anyhow::Result<MountInfo> {
    if let Some(configured) = configured {
        let place = resolve(&configured).unwrap_or(configured);
        let found = mounts()?.into_iter().rfind(|mount| mount.mountpoint == place);
        return found.with_context(|| {
            format!("nothing is mounted at {}: mount it first (`pkgfs mount`)", place.display())
        });
    }
    let mut own: Vec<_> = mounts()
        .context("cannot read /proc/self/mountinfo")?
        .into_iter()
        .filter(|mount| mount.user_id() == Some(geteuid().as_raw()))
        .collect();
    match own.len() {
        0 => bail!("nothing is mounted: mount it first (`pkgfs mount MOUNTPOINT`)"),
        1 => Ok(own.remove(0)),
        _ => {
            let places: Vec<_> =
                own.iter().map(|mount| mount.mountpoint.display().to_string()).collect();
            bail!("there are several mounts, so name one: {}", places.join(", "))
        }
    }
}

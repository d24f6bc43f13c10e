//! Which mount, and which variants of it, a command means.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use pkgfs_daemon::{
    Target,
    mount_table::{self, MountInfo, mounts, resolve},
};
use pkgfs_rez::context;

use crate::{cli::FileFlag, config};

/// A payload's place below the mountpoint: name, version, hash and stem.
const PLACE: usize = 4;

/// The mount that the arguments name, else the one that is meant when none is named; and the
/// variants. A path in a mount names the mount, and the variant if there is more to it. A mere
/// name is a package's, unless a mountpoint in this folder is called so. Contexts are read here,
/// with this user's rights.
pub(super) fn read(
    arguments: &[PathBuf],
    file: &FileFlag,
) -> anyhow::Result<(MountInfo, Vec<Target>)> {
    let mut named: Option<MountInfo> = None;
    let mut targets = Vec::new();
    for argument in arguments {
        let text = argument.to_str().with_context(|| {
            format!("{} is not UTF-8, so it can be neither mount nor variant", argument.display())
        })?;
        if argument.extension().is_some_and(|extension| extension == "rxt") {
            targets.extend(variants_of_context(argument)?);
            continue;
        }
        let holding = match holding(argument)? {
            Some(mount) if !text.contains(std::path::is_separator) => {
                (resolve(argument)? == mount.mountpoint).then_some(mount)
            }
            other => other,
        };
        let Some(mount) = holding else {
            targets.push(Target::Text(text.to_owned()));
            continue;
        };
        let path = resolve(argument)?;
        let inside = path.strip_prefix(&mount.mountpoint).unwrap_or(Path::new(""));
        if !inside.as_os_str().is_empty() {
            let place = inside.components().take(PLACE);
            let place: Vec<_> = place.map(|part| part.as_os_str().to_string_lossy()).collect();
            // With a slash even a name alone is read as a path.
            targets.push(Target::Text(format!("./{}", place.join("/"))));
        }
        if let Some(other) = named.as_ref().filter(|other| other.mountpoint != mount.mountpoint) {
            let (one, two) = (other.mountpoint.display(), mount.mountpoint.display());
            bail!("two mounts are named, {one} and {two}: one command works on one");
        }
        named = Some(mount);
    }
    let mount = match named {
        Some(mount) => mount,
        None => unnamed(config::load_with(file)?.settings.mountpoint)?,
    };
    Ok((mount, targets))
}

/// The mount that is meant, where a command takes no variants.
pub(super) fn mount(given: Option<&PathBuf>, file: &FileFlag) -> anyhow::Result<MountInfo> {
    let (mount, targets) = read(given.map_or(&[], std::slice::from_ref), file)?;
    match given {
        Some(given) if !targets.is_empty() => {
            bail!("{} is not a mountpoint of pkgfs", given.display())
        }
        _ => Ok(mount),
    }
}

fn variants_of_context(path: &Path) -> anyhow::Result<Vec<Target>> {
    let text = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    // A bundle's packages lie beside its context.
    let absolute = |below: &str| {
        let location = path.parent()?.canonicalize().ok()?.join(below).canonicalize().ok()?;
        location.to_str().map(str::to_owned)
    };
    let handles = context::handles(&text, absolute)
        .with_context(|| format!("{} is no resolved context", path.display()))?;
    Ok(handles.into_iter().map(Target::Handle).collect())
}

/// The mount at, or above, this path.
fn holding(path: &Path) -> anyhow::Result<Option<MountInfo>> {
    let all = mounts().with_context(|| format!("cannot read {}", mount_table::NAME))?;
    let path = resolve(path).unwrap_or_else(|_| path.to_owned());
    Ok(all.into_iter().rfind(|mount| path.starts_with(&mount.mountpoint)))
}

/// The mount that is meant when none is named: the configured one, else the only one
/// that this user made.
fn unnamed(configured: Option<PathBuf>) -> anyhow::Result<MountInfo> {
    if let Some(configured) = configured {
        let place = resolve(&configured).unwrap_or(configured);
        let found = mounts()?.into_iter().rfind(|mount| mount.mountpoint == place);
        return found.with_context(|| {
            format!("nothing is mounted at {}: mount it first (`pkgfs mount`)", place.display())
        });
    }
    let mut own: Vec<_> = mounts()
        .with_context(|| format!("cannot read {}", mount_table::NAME))?
        .into_iter()
        .filter(mount_table::is_own)
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

//! macOS: macFUSE's own program to mount, and what its FUSE can do. Nothing here was ever run.

mod helper;
mod users;

use std::{
    fs::OpenOptions,
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::{fs::OpenOptionsExt, net::UnixDatagram},
    },
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use fuser::RenameFlags;
use nix::mount::MntFlags;
use pkgfs_darwin::mounts::{self, Mounted};
use rustix::{
    fs::{major, minor},
    io::{Errno, FdFlags, fcntl_setfd},
};

pub(crate) use helper::mount;
pub(crate) use users::users;

use crate::mount::{FSTYPE, MountError, MountInfo};

/// What is said of a mount whose daemon is dead.
pub(crate) const DEAD: Errno = Errno::NXIO;

/// The kernel wants every file opened.
pub(crate) const OPENS_MAY_BE_LEFT_OUT: bool = false;

/// What the sources of our mounts begin with: types of file systems are the drivers' to name.
const OURS: &str = "pkgfs#";

/// Every mount.
pub(crate) fn mounted() -> io::Result<Vec<MountInfo>> {
    Ok(mounts::mounted()?.into_iter().map(info).collect())
}

fn info(mount: Mounted) -> MountInfo {
    let own = mount.source.to_str().and_then(|source| source.strip_prefix(OURS));
    let (fstype, source) = match own {
        Some(store) => (FSTYPE.to_owned(), PathBuf::from(store)),
        None => (mount.kind, mount.source),
    };
    // The first half of a mount's number is its device's.
    let device = mount.id as i32;
    MountInfo {
        id: mount.id,
        mountpoint: mount.point,
        fstype,
        source,
        device: (major(device), minor(device)),
        options: format!("user_id={}", mount.owner),
    }
}

/// Unmounts. A mount that is in use cannot be taken out of the tree: it would have to be forced.
pub(crate) fn unmount(mountpoint: &Path, lazy: bool) -> Result<(), MountError> {
    nix::mount::unmount(mountpoint, MntFlags::empty()).map_err(|errno| {
        let mountpoint = mountpoint.to_owned();
        match errno {
            nix::Error::EBUSY if lazy => MountError::Refused {
                mountpoint,
                reason: "it is in use, and macOS has no --lazy".to_owned(),
            },
            nix::Error::EBUSY => MountError::Busy { mountpoint },
            nix::Error::EINVAL | nix::Error::ENOENT => MountError::NotMounted { mountpoint },
            nix::Error::EPERM => MountError::NotYours { mountpoint },
            errno => MountError::Refused { mountpoint, reason: errno.desc().to_owned() },
        }
    })
}

/// Whether the kernel lets this process hand it files to read from by itself: it takes none.
pub(crate) fn may_pass() -> bool {
    false
}

/// How many threads receive requests: fuser allows no more here.
pub(crate) fn threads(_wanted: usize) -> usize {
    1
}

/// Whether a rename takes the place of what has the name. fuser tells no flags of macFUSE's.
#[allow(clippy::unnecessary_wraps)]
pub(crate) fn replaces(_flags: RenameFlags) -> Option<bool> {
    Some(true)
}

/// Two ends of a socket that keeps what is sent at a time together.
pub(crate) fn conversation() -> io::Result<(UnixDatagram, OwnedFd)> {
    let (ours, theirs) = UnixDatagram::pair()?;
    Ok((ours, theirs.into()))
}

/// A file that has no name from its first moment on but one.
pub(crate) fn nameless_file(purpose: &str) -> io::Result<OwnedFd> {
    static MADE: AtomicU64 = AtomicU64::new(0);
    let number = MADE.fetch_add(1, Ordering::Relaxed);
    let name = format!("{purpose}-{}-{number}", std::process::id());
    let path = std::env::temp_dir().join(name);
    let mut options = OpenOptions::new();
    let file = options.read(true).write(true).create_new(true).mode(0o600).open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file.into())
}

/// Makes a descriptor, whatever it was, one of what another is of.
pub(crate) fn replace(descriptor: &mut OwnedFd, by: &OwnedFd) -> io::Result<()> {
    rustix::io::dup2(by, descriptor)?;
    Ok(fcntl_setfd(descriptor, FdFlags::CLOEXEC)?)
}

/// Takes a file back that the kernel was given under this number. It is given none.
pub(crate) fn take_back(_device: impl AsFd, _number: u32) -> io::Result<()> {
    Err(Errno::NOTSUP.into())
}

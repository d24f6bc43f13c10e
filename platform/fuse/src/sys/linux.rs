//! Linux: mount(2) or `fusermount3`, `/proc`, and all that its FUSE can do.
//!
//! A process that may (CAP_SYS_ADMIN) opens `/dev/fuse` and calls mount(2); any other
//! asks `fusermount3`, which hands the opened device back over a socket.

mod fusermount;
mod kernel;
mod mounts;
mod users;

use std::{
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixDatagram,
    },
    path::Path,
};

use fuser::RenameFlags;
use rustix::{
    fs::MemfdFlags,
    io::{DupFlags, Errno},
    net::{AddressFamily, SocketFlags, SocketType, socketpair},
};

pub(crate) use mounts::mounted;
pub(crate) use users::users;

use crate::mount::{MountError, MountRequest};

/// What is said of a mount whose daemon is dead.
pub(crate) const DEAD: Errno = Errno::NOTCONN;

/// The kernel can do without opening files.
pub(crate) const OPENS_MAY_BE_LEFT_OUT: bool = true;

pub(crate) fn mount(request: &MountRequest<'_>) -> Result<OwnedFd, MountError> {
    if kernel::may_mount() { kernel::mount(request) } else { fusermount::mount(request) }
}

pub(crate) fn unmount(mountpoint: &Path, lazy: bool) -> Result<(), MountError> {
    if kernel::may_mount() {
        kernel::unmount(mountpoint, lazy)
    } else {
        fusermount::unmount(mountpoint, lazy)
    }
}

/// Whether the kernel lets this process hand it files to read from by itself.
pub(crate) fn may_pass() -> bool {
    kernel::may_mount()
}

/// How many threads receive requests.
pub(crate) fn threads(wanted: usize) -> usize {
    wanted.max(1)
}

/// Whether a rename takes the place of what has the name; `None` if it is to do something else.
pub(crate) fn replaces(flags: RenameFlags) -> Option<bool> {
    let plain = !flags.contains(RenameFlags::RENAME_EXCHANGE);
    plain.then(|| !flags.contains(RenameFlags::RENAME_NOREPLACE))
}

/// Two ends of a socket that keeps what is sent at a time together.
pub(crate) fn conversation() -> io::Result<(UnixDatagram, OwnedFd)> {
    let (ours, theirs) =
        socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    Ok((ours.into(), theirs))
}

/// A file without a name.
pub(crate) fn nameless_file(purpose: &str) -> io::Result<OwnedFd> {
    Ok(rustix::fs::memfd_create(purpose, MemfdFlags::CLOEXEC)?)
}

/// Makes a descriptor, whatever it was, one of what another is of.
pub(crate) fn replace(descriptor: &mut OwnedFd, by: &OwnedFd) -> io::Result<()> {
    Ok(rustix::io::dup3(by, descriptor, DupFlags::CLOEXEC)?)
}

/// Takes a file back that the kernel was given under this number.
#[allow(unsafe_code)]
pub(crate) fn take_back(device: impl AsFd, number: u32) -> io::Result<()> {
    /// `FUSE_DEV_IOC_BACKING_CLOSE` (linux/fuse.h).
    const CLOSE: rustix::ioctl::Opcode = rustix::ioctl::opcode::write::<u32>(229, 2);
    // SAFETY: the request reads one number of 32 bits, and changes nothing of this process.
    let closed = unsafe {
        let close = rustix::ioctl::Setter::<CLOSE, u32>::new(number);
        rustix::ioctl::ioctl(device, close)
    };
    Ok(closed?)
}

//! macOS: where it does what Linux does in another way, or not at all. Nothing here was ever run.

use std::{
    ffi::{CStr, OsString},
    fs::File,
    io,
    os::{fd::OwnedFd, unix::net::UnixStream},
    path::{Path, PathBuf},
};

use pkgfs_manifest::FileState;
use rustix::{
    fs::{Dir, FileType, Mode, OFlags, Stat, fcntl_nocache, fstat, open, stat},
    io::{Errno, FdFlags, fcntl_setfd},
    net::{RecvFlags, SendFlags, sockopt::set_socket_nosigpipe},
};

use super::storage::status::{found, name_kind};
use crate::{NameKind, backend::Ask};

/// A directory of which nothing is read: `O_SEARCH` of macOS 11 (fcntl.h), which rustix lacks.
pub(super) const PLACE: OFlags =
    OFlags::from_bits_retain(0x4000_0000).union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// An extended attribute is not there.
pub(super) const NO_XATTR: Errno = Errno::NOATTR;

/// How bytes go into a socket; [`pair`] sees to it that no signal comes.
pub(super) const SEND: SendFlags = SendFlags::empty();

/// How they come out of it; see [`received`].
pub(super) const RECEIVE: RecvFlags = RecvFlags::empty();

/// Where the descriptors of this process are listed.
pub(super) const DESCRIPTORS: &str = "/dev/fd";

/// Two ends of a socket. Without the option a worker that just died would kill the daemon too.
pub(super) fn pair() -> io::Result<(UnixStream, UnixStream)> {
    let (one, other) = UnixStream::pair()?;
    set_socket_nosigpipe(&one, true)?;
    set_socket_nosigpipe(&other, true)?;
    Ok((one, other))
}

/// A file that came out of a socket. A program started just before this gets it, too: it cannot be
/// asked for otherwise.
pub(super) fn received(file: OwnedFd) -> File {
    _ = fcntl_setfd(&file, FdFlags::CLOEXEC);
    file.into()
}

/// The kernel does not end a process with its parent: it hears the end of its channel, if it is not
/// stuck.
pub(super) fn end_with_parent() {}

/// The running program, or what has replaced its file.
pub(crate) fn own_program() -> OsString {
    std::env::current_exe().unwrap_or_default().into()
}

/// Where something is mounted.
pub(super) fn mount_points() -> Vec<PathBuf> {
    let mounted = pkgfs_darwin::mounts::mounted().unwrap_or_default();
    mounted.into_iter().map(|mount| mount.point).collect()
}

/// Tells each entry of a directory, `.` and `..` too, and what it is as far as that is said.
pub(super) fn entries(dir: &OwnedFd, mut on: impl FnMut(&CStr, FileType)) -> io::Result<()> {
    for entry in Dir::read_from(dir)? {
        let entry = entry?;
        on(entry.file_name(), entry.file_type());
    }
    Ok(())
}

/// What a path leads to, and a place of it, if it is a directory: of nothing else can one be had
/// without reading it.
pub(super) fn look(path: &Path) -> io::Result<(Stat, Option<OwnedFd>)> {
    let told = stat(path)?;
    let is_dir = FileType::from_raw_mode(told.st_mode) == FileType::Directory;
    let place = is_dir.then(|| open(path, PLACE, Mode::empty())).transpose()?;
    Ok((told, place))
}

/// What an open file is, and its state. Nothing asks past the client's cache here.
pub(crate) fn state(file: &File, _: Ask) -> io::Result<(NameKind, FileState)> {
    let told = fstat(file)?;
    let kind = name_kind(FileType::from_raw_mode(told.st_mode)).unwrap_or(NameKind::Special);
    let attributes = found(&told).attributes;
    Ok((kind, FileState { size: attributes.size, mtime: attributes.mtime }))
}

/// What is read once is read from the store from then on: the client need not keep it. Whether it
/// can do without its cache.
pub(crate) fn read_past_the_cache(file: &File) -> bool {
    fcntl_nocache(file, true).is_ok()
}

pub(crate) fn read_through_the_cache(file: &File) -> io::Result<()> {
    Ok(fcntl_nocache(file, false)?)
}

//! Linux: `O_PATH`, `statx`, `/proc`.

use std::{
    ffi::{CStr, OsStr, OsString},
    fs::File,
    io,
    os::{
        fd::OwnedFd,
        unix::{ffi::OsStrExt, net::UnixStream},
    },
    path::{Path, PathBuf},
};

use pkgfs_manifest::FileState;
use rustix::{
    fs::{
        Advice, AtFlags, FileType, Mode, OFlags, RawDir, Stat, StatxFlags, fadvise, fcntl_getfl,
        fcntl_setfl, fstat, open, statx,
    },
    io::Errno,
    net::{RecvFlags, SendFlags},
    process::{Signal, set_parent_process_death_signal},
};

use super::storage::status::{moment, name_kind};
use crate::{NameKind, backend::Ask};

/// A directory of which nothing is read.
pub(super) const PLACE: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// Bytes of entries asked for at a time: each time is a round trip to storage.
const AT_ONCE: usize = 256 << 10;

/// An extended attribute is not there.
pub(super) const NO_XATTR: Errno = Errno::NODATA;

/// How bytes go into a socket. Else a worker that just died would kill the daemon too.
pub(super) const SEND: SendFlags = SendFlags::NOSIGNAL;

/// How they come out of it: no program that is started gets files that come along.
pub(super) const RECEIVE: RecvFlags = RecvFlags::CMSG_CLOEXEC;

/// Where the descriptors of this process are listed.
pub(super) const DESCRIPTORS: &str = "/proc/self/fd";

/// Two ends of a socket.
pub(super) fn pair() -> io::Result<(UnixStream, UnixStream)> {
    UnixStream::pair()
}

/// A file that came out of a socket.
pub(super) fn received(file: OwnedFd) -> File {
    file.into()
}

/// Has the kernel kill this process when the thread that started it ends (prctl(2)).
pub(super) fn end_with_parent() {
    _ = set_parent_process_death_signal(Some(Signal::KILL));
}

/// The running program, even after an upgrade replaced its file.
pub(crate) fn own_program() -> OsString {
    "/proc/self/exe".into()
}

/// Where something is mounted (`/proc/self/mountinfo`, proc(5)).
pub(super) fn mount_points() -> Vec<PathBuf> {
    let list = std::fs::read("/proc/self/mountinfo").unwrap_or_default();
    let lines = list.split(|byte| *byte == b'\n');
    let points = lines.filter_map(|line| line.split(|byte| *byte == b' ').nth(4));
    points.map(|point| OsStr::from_bytes(&unescaped(point)).into()).collect()
}

/// A blank, a tab, an end of line and a backslash stand there as three octal digits.
fn unescaped(field: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&byte, after)) = rest.split_first() {
        let digits =
            after.get(..3).filter(|digits| digits.iter().all(|d| (b'0'..=b'7').contains(d)));
        match (byte, digits) {
            (b'\\', Some(digits)) => {
                plain.push(
                    digits.iter().fold(0, |value: u8, digit| {
                        value.wrapping_mul(8).wrapping_add(digit - b'0')
                    }),
                );
                rest = &after[3..];
            }
            _ => {
                plain.push(byte);
                rest = after;
            }
        }
    }
    plain
}

/// Tells each entry of a directory, `.` and `..` too, and what it is as far as that is said.
pub(super) fn entries(dir: &OwnedFd, mut on: impl FnMut(&CStr, FileType)) -> io::Result<()> {
    let mut buffer = Vec::with_capacity(AT_ONCE);
    let mut dir = RawDir::new(dir, buffer.spare_capacity_mut());
    while let Some(entry) = dir.next() {
        let entry = entry?;
        on(entry.file_name(), entry.file_type());
    }
    Ok(())
}

/// What a path leads to, and a place of it; there is always one.
pub(super) fn look(path: &Path) -> io::Result<(Stat, Option<OwnedFd>)> {
    let place = open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    Ok((fstat(&place)?, Some(place)))
}

/// What an open file is, and its state. Size and mtime alone are asked for: a read
/// makes FUSE forget the access time, and asking for that would cost a round trip.
pub(crate) fn state(file: &File, ask: Ask) -> io::Result<(NameKind, FileState)> {
    let sync = match ask {
        Ask::Client => AtFlags::empty(),
        Ask::Storage => AtFlags::STATX_FORCE_SYNC,
    };
    let mask = StatxFlags::TYPE | StatxFlags::SIZE | StatxFlags::MTIME;
    let found = statx(file, c"", AtFlags::EMPTY_PATH | sync, mask)?;
    let mtime = moment(found.stx_mtime.tv_sec, found.stx_mtime.tv_nsec);
    let kind = name_kind(FileType::from_raw_mode(found.stx_mode.into()));
    let kind = kind.unwrap_or(NameKind::Special);
    Ok((kind, FileState { size: found.stx_size, mtime }))
}

/// What is read once is read from the store from then on: the client need not keep it,
/// nor guess ahead of reads that several readers share out. Whether it can do without its cache.
pub(crate) fn read_past_the_cache(file: &File) -> bool {
    let direct = fcntl_getfl(file).and_then(|flags| fcntl_setfl(file, flags | OFlags::DIRECT));
    if direct.is_err() {
        _ = fadvise(file, 0, None, Advice::Random);
    }
    direct.is_ok()
}

pub(crate) fn read_through_the_cache(file: &File) -> io::Result<()> {
    let flags = fcntl_getfl(file)?;
    Ok(fcntl_setfl(file, flags.difference(OFlags::DIRECT))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_mounted_is_found_with_blanks_in_its_name() {
        assert_eq!(unescaped(br"/net/a\040b\134c\"), br"/net/a b\c\");
        assert!(mount_points().iter().any(|point| point == Path::new("/proc")));
    }
}

//! The system's `stat` in the manifest's words.

use std::{fs::File, io};

use pkgfs_manifest::{Attributes, FileState, Kind, Special, Timestamp};
use rustix::fs::{AtFlags, FileType, Stat, StatxFlags, statx};

use crate::{
    NameKind,
    backend::{Ask, Found},
};

pub(super) fn found(stat: &Stat) -> Found {
    Found { kind: kind(stat), attributes: attributes(stat), device: stat.st_dev }
}

pub(super) fn attributes(stat: &Stat) -> Attributes {
    Attributes {
        size: stat.st_size as u64,
        mode: (stat.st_mode & 0o7777) as u16,
        uid: stat.st_uid,
        gid: stat.st_gid,
        mtime: moment(stat.st_mtime, stat.st_mtime_nsec as u32),
    }
}

/// What storage says of a time. A server may send more nanoseconds than a second has, and clients
/// pass that on: a listing would be refused for it.
fn moment(secs: i64, nanos: u32) -> Timestamp {
    Timestamp { secs, nanos: nanos.min(999_999_999) }
}

/// What an entry is, as far as its directory says.
pub(super) fn name_kind(kind: FileType) -> Option<NameKind> {
    match kind {
        FileType::Unknown => None,
        FileType::RegularFile => Some(NameKind::File),
        FileType::Directory => Some(NameKind::Directory),
        FileType::Symlink => Some(NameKind::Link),
        _ => Some(NameKind::Special),
    }
}

/// What an entry is, unless it is a link.
fn kind(stat: &Stat) -> Option<Kind> {
    Some(match FileType::from_raw_mode(stat.st_mode) {
        FileType::Symlink => return None,
        FileType::Directory => Kind::Directory,
        FileType::Fifo => Kind::Special(Special::Fifo),
        FileType::Socket => Kind::Special(Special::Socket),
        FileType::CharacterDevice => Kind::Special(Special::CharDevice(stat.st_rdev)),
        FileType::BlockDevice => Kind::Special(Special::BlockDevice(stat.st_rdev)),
        _ => Kind::File,
    })
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

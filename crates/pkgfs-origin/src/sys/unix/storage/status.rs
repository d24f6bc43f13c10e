//! The system's `stat` in the manifest's words.

use pkgfs_manifest::{Attributes, Kind, Special, Timestamp};
use rustix::fs::{FileType, Stat};

use crate::{NameKind, backend::Found};

// The types of numbers of devices differ between systems.
#[allow(clippy::unnecessary_cast)]
pub(crate) fn found(stat: &Stat) -> Found {
    Found { kind: kind(stat), attributes: attributes(stat), device: stat.st_dev as u64 }
}

// So do those of modes.
#[allow(clippy::unnecessary_cast)]
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
pub(crate) fn moment(secs: i64, nanos: u32) -> Timestamp {
    Timestamp { secs, nanos: nanos.min(999_999_999) }
}

/// What an entry is, as far as its directory says.
pub(crate) fn name_kind(kind: FileType) -> Option<NameKind> {
    match kind {
        FileType::Unknown => None,
        FileType::RegularFile => Some(NameKind::File),
        FileType::Directory => Some(NameKind::Directory),
        FileType::Symlink => Some(NameKind::Link),
        _ => Some(NameKind::Special),
    }
}

/// What an entry is, unless it is a link.
#[allow(clippy::unnecessary_cast)]
fn kind(stat: &Stat) -> Option<Kind> {
    Some(match FileType::from_raw_mode(stat.st_mode) {
        FileType::Symlink => return None,
        FileType::Directory => Kind::Directory,
        FileType::Fifo => Kind::Special(Special::Fifo),
        FileType::Socket => Kind::Special(Special::Socket),
        FileType::CharacterDevice => Kind::Special(Special::CharDevice(stat.st_rdev as u64)),
        FileType::BlockDevice => Kind::Special(Special::BlockDevice(stat.st_rdev as u64)),
        _ => Kind::File,
    })
}

//! Linux: `/proc`, and holes in files.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io,
    ops::Range,
    os::{fd::AsRawFd, unix::fs::PermissionsExt},
    path::{Path, PathBuf},
};

use pkgfs_manifest::Timestamp;
use rustix::fs::{AtFlags, CWD, FallocateFlags, utimensat};

use super::{Process, ProcessId, writable::timestamps};

/// Gives the room of a part of a file back, which is zeros then. Whole pages go.
pub(crate) fn punch(file: &File, bytes: Range<u64>) -> io::Result<()> {
    let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    let length = bytes.end.saturating_sub(bytes.start);
    Ok(rustix::fs::fallocate(file, flags, bytes.start, length)?)
}

/// The process that a thread, or a process, of this number belongs to.
pub(crate) fn of_thread(number: u32) -> Option<Process> {
    let status = fs::read(format!("/proc/{number}/status")).ok()?;
    let group = status.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(b"Tgid:"))?;
    of(std::str::from_utf8(group).ok()?.trim().parse().ok()?)
}

/// The process of this number.
pub(crate) fn of(number: u32) -> Option<Process> {
    let (parent, started) = parse(&fs::read(format!("/proc/{number}/stat")).ok()?)?;
    Some(Process { id: ProcessId { number, started }, parent })
}

/// Parent and start from `/proc/<pid>/stat` (proc(5)); the second field is the program's name in
/// parentheses, and may hold anything.
fn parse(stat: &[u8]) -> Option<(u32, u64)> {
    let after = stat.iter().rposition(|byte| *byte == b')')?;
    let mut fields = std::str::from_utf8(&stat[after + 1..]).ok()?.split_ascii_whitespace();
    let parent = fields.nth(1)?.parse().ok()?;
    Some((parent, fields.nth(17)?.parse().ok()?))
}

/// The environment of a process; empty where this user may not look into it, `None` for one that has
/// none.
pub(super) fn environment(process: ProcessId) -> Option<Vec<u8>> {
    match fs::read(format!("/proc/{}/environ", process.number)) {
        Ok(environment) if environment.is_empty() => None,
        Err(error) if error.kind() != io::ErrorKind::PermissionDenied => None,
        read => Some(read.unwrap_or_default()),
    }
}

/// Whether a process or thread of this number lives.
pub(crate) fn is_alive(number: u32) -> bool {
    Path::new(&format!("/proc/{number}")).exists()
}

/// Has this thread, and what it asks of the disk, stand back behind all others: the kernel derives
/// the place in the disk's queue from it, too.
pub(crate) fn stand_back() {
    let _ = rustix::process::nice(19);
}

/// Changes the length of a file: by its path, or through the descriptor that keeps one without.
pub(crate) fn set_len(path: &Path, kept: Option<&File>, size: u64) -> io::Result<()> {
    OpenOptions::new().write(true).open(through(path, kept))?.set_len(size)
}

/// Changes the permission bits in the same way.
pub(crate) fn set_mode(path: &Path, kept: Option<&File>, mode: u16) -> io::Result<()> {
    fs::set_permissions(through(path, kept), Permissions::from_mode(u32::from(mode)))
}

/// Changes the owner in the same way.
pub(crate) fn set_owner(
    path: &Path,
    kept: Option<&File>,
    uid: Option<u32>,
    gid: Option<u32>,
) -> io::Result<()> {
    match kept {
        Some(_) => std::os::unix::fs::chown(through(path, kept), uid, gid),
        None => std::os::unix::fs::lchown(path, uid, gid),
    }
}

/// Changes the times of last access and modification in the same way.
pub(crate) fn set_times(
    path: &Path,
    kept: Option<&File>,
    atime: Option<Timestamp>,
    mtime: Option<Timestamp>,
) -> io::Result<()> {
    let flags = if kept.is_some() { AtFlags::empty() } else { AtFlags::SYMLINK_NOFOLLOW };
    utimensat(CWD, through(path, kept), &timestamps(atime, mtime), flags)?;
    Ok(())
}

fn through(path: &Path, kept: Option<&File>) -> PathBuf {
    match kept {
        Some(file) => PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd())),
        None => path.to_owned(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{super::ancestors, *};

    #[test]
    fn a_name_with_parentheses_and_blanks_does_not_shift_the_fields() {
        let rest = "S 7 3 3 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4711 9 9";
        let stat = format!("12 (a) b (c) {rest}");
        assert_eq!(parse(stat.as_bytes()), Some((7, 4711)));
        assert_eq!(parse(b"12 (cut"), None);
    }

    #[test]
    fn a_thread_belongs_to_its_process() {
        let own = of(std::process::id()).unwrap();
        assert_eq!(own.parent, std::os::unix::process::parent_id());
        assert_eq!(ancestors(own.id, 9).first(), of(own.parent).map(|parent| parent.id).as_ref());
        let thread = std::thread::spawn(|| {
            let number = rustix::thread::gettid().as_raw_nonzero().get();
            of_thread(number.cast_unsigned())
        });
        assert_eq!(thread.join().unwrap(), Some(own));
    }
}

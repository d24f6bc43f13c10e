//! Files with parts that take no room.

use std::{fs::File, io, ops::Range, os::fd::AsRawFd};

/// Gives the room of a part of a file back, which is zeros then. Its ends must be multiples of the
/// file system's block (`F_PUNCHHOLE`, fcntl(2)).
///
/// # Errors
/// When the file system has no holes, or the ends are no such multiples.
#[allow(unsafe_code)]
pub fn punch(file: &File, bytes: Range<u64>) -> io::Result<()> {
    let offset = |at: u64| i64::try_from(at).map_err(|_| io::ErrorKind::InvalidInput);
    let hole = libc::fpunchhole_t {
        fp_flags: 0,
        reserved: 0,
        fp_offset: offset(bytes.start)?,
        fp_length: offset(bytes.end.saturating_sub(bytes.start))?,
    };
    // SAFETY: the descriptor is open, and the kernel only reads `hole`.
    match unsafe { libc::fcntl(file.as_raw_fd(), libc::F_PUNCHHOLE, &raw const hole) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

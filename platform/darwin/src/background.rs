//! Threads that stand back behind all others.

use std::io;

/// Has this thread, and what it asks of the disk, stand back behind all others (setpriority(2)).
///
/// # Errors
/// When the system refuses.
#[allow(unsafe_code)]
pub fn stand_back() -> io::Result<()> {
    // SAFETY: it takes numbers alone; nought is the calling thread.
    match unsafe { libc::setpriority(libc::PRIO_DARWIN_THREAD, 0, libc::PRIO_DARWIN_BG) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

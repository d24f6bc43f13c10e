//! The end of processes.

use std::{
    io,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    ptr,
};

/// A descriptor that can be read from, as far as poll(2) tells, when the process has ended that has
/// this number now.
///
/// # Errors
/// When there is no such process.
#[allow(unsafe_code)]
pub fn of(number: u32) -> io::Result<OwnedFd> {
    // SAFETY: it takes nothing.
    let queue = unsafe { libc::kqueue() };
    if queue < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it was just opened, and nobody else has it.
    let queue = unsafe { OwnedFd::from_raw_fd(queue) };
    let wanted = libc::kevent {
        ident: number as usize,
        filter: libc::EVFILT_PROC,
        flags: libc::EV_ADD,
        fflags: libc::NOTE_EXIT,
        data: 0,
        udata: ptr::null_mut(),
    };
    // SAFETY: one event is read, and none written.
    let added = unsafe {
        libc::kevent(queue.as_raw_fd(), &raw const wanted, 1, ptr::null_mut(), 0, ptr::null())
    };
    if added < 0 { Err(io::Error::last_os_error()) } else { Ok(queue) }
}

//! What other processes are, and the environment they were started with.

use std::{io, mem::MaybeUninit, ptr};

/// A process.
#[derive(Debug, Clone, Copy)]
pub struct Process {
    /// The number of the one that started it.
    pub parent: u32,
    /// When it was started, in microseconds since 1970.
    pub started: u64,
}

/// The process of this number; `None` for one that is not there or that this user may not look into.
#[must_use]
#[allow(unsafe_code)]
pub fn process(number: u32) -> Option<Process> {
    let number = i32::try_from(number).ok()?;
    let mut told = MaybeUninit::<libc::proc_bsdinfo>::uninit();
    let size = size_of::<libc::proc_bsdinfo>() as i32;
    // SAFETY: `told` has room for so many bytes.
    let written = unsafe {
        libc::proc_pidinfo(number, libc::PROC_PIDTBSDINFO, 0, told.as_mut_ptr().cast(), size)
    };
    // SAFETY: the system has written all of it.
    let told = (written == size).then(|| unsafe { told.assume_init() })?;
    let started = told.pbi_start_tvsec.saturating_mul(1_000_000) + told.pbi_start_tvusec;
    Some(Process { parent: told.pbi_ppid, started })
}

/// The environment that a process was started with, each variable ended by a zero.
///
/// # Errors
/// When it is not there, or this user may not look into it: the system does not say which.
#[allow(unsafe_code)]
pub fn environment(number: u32) -> io::Result<Vec<u8>> {
    let number = i32::try_from(number).map_err(io::Error::other)?;
    let mut place = [libc::CTL_KERN, libc::KERN_PROCARGS2, number];
    let mut length = 0;
    // SAFETY: `place` has three numbers; without room the system only tells how much it takes.
    let asked = unsafe {
        libc::sysctl(place.as_mut_ptr(), 3, ptr::null_mut(), &raw mut length, ptr::null_mut(), 0)
    };
    if asked != 0 {
        return Err(io::Error::last_os_error());
    }
    let mut bytes = vec![0_u8; length];
    let room = bytes.as_mut_ptr().cast();
    // SAFETY: as above; `bytes` has room for `length` bytes.
    let told =
        unsafe { libc::sysctl(place.as_mut_ptr(), 3, room, &raw mut length, ptr::null_mut(), 0) };
    if told != 0 {
        return Err(io::Error::last_os_error());
    }
    bytes.truncate(length);
    Ok(environment_in(&bytes).unwrap_or_default().to_vec())
}

/// A count of arguments, the program's path, zeros up to the next word, the arguments, and the
/// environment, each ended by a zero (sysctl(3), `KERN_PROCARGS2`).
fn environment_in(told: &[u8]) -> Option<&[u8]> {
    let (count, rest) = told.split_first_chunk()?;
    let path = rest.iter().position(|byte| *byte == 0)?;
    let first = path + rest[path..].iter().position(|byte| *byte != 0)?;
    let mut rest = &rest[first..];
    for _ in 0..i32::from_ne_bytes(*count) {
        let end = rest.iter().position(|byte| *byte == 0)?;
        rest = &rest[end + 1..];
    }
    Some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_stands_behind_the_arguments() {
        let told = [&2_i32.to_ne_bytes()[..], b"/bin/sh\0\0\0sh\0-c\0A=1\0B=2\0\0"].concat();
        assert_eq!(environment_in(&told), Some(&b"A=1\0B=2\0\0"[..]));
        assert_eq!(environment_in(b"cut"), None);
    }
}

//! What is mounted, as the kernel remembers it: no file system is asked.

use std::{
    ffi::{CStr, OsStr, c_char},
    io,
    os::unix::ffi::OsStrExt,
    path::PathBuf,
    ptr,
};

/// One mount.
#[derive(Debug, Clone)]
pub struct Mounted {
    /// Its number.
    pub id: u64,
    /// Where it is.
    pub point: PathBuf,
    /// What is mounted.
    pub source: PathBuf,
    /// The type of the file system.
    pub kind: String,
    /// The user that mounted it.
    pub owner: u32,
}

/// All of them, in the order they were made (getfsstat(2)).
///
/// # Errors
/// When the system does not tell.
#[allow(unsafe_code)]
pub fn mounted() -> io::Result<Vec<Mounted>> {
    loop {
        // SAFETY: without room it only counts.
        let count = unsafe { libc::getfsstat(ptr::null_mut(), 0, libc::MNT_NOWAIT) };
        let count = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
        // Others may come meanwhile; where all room is taken, there may be more.
        let room = count + 8;
        let mut found = Vec::<libc::statfs>::with_capacity(room);
        let bytes = room * size_of::<libc::statfs>();
        let bytes = i32::try_from(bytes).map_err(io::Error::other)?;
        // SAFETY: `found` has room for so many bytes.
        let told = unsafe { libc::getfsstat(found.as_mut_ptr(), bytes, libc::MNT_NOWAIT) };
        let told = usize::try_from(told).map_err(|_| io::Error::last_os_error())?;
        if told < room {
            // SAFETY: the kernel has written so many of them.
            unsafe { found.set_len(told) };
            return Ok(found.iter().map(of).collect());
        }
    }
}

fn of(found: &libc::statfs) -> Mounted {
    Mounted {
        id: number(found.f_fsid),
        point: path(&found.f_mntonname),
        source: path(&found.f_mntfromname),
        kind: path(&found.f_fstypename).to_string_lossy().into_owned(),
        owner: found.f_owner,
    }
}

/// The two halves of a number whose type says nothing of them.
#[allow(unsafe_code)]
fn number(id: libc::fsid_t) -> u64 {
    const { assert!(size_of::<libc::fsid_t>() == size_of::<u64>()) };
    // SAFETY: it is two numbers of 32 bits, and any bits are a number.
    unsafe { std::mem::transmute(id) }
}

fn path(text: &[c_char]) -> PathBuf {
    let bytes: Vec<u8> = text.iter().map(|byte| byte.cast_unsigned()).collect();
    let text = CStr::from_bytes_until_nul(&bytes).map_or(&bytes[..], CStr::to_bytes);
    OsStr::from_bytes(text).into()
}

//! The security descriptor of a file or directory: owner, group, and who may do what.

#![allow(unsafe_code)]

use std::{
    io,
    os::windows::io::{AsHandle, AsRawHandle},
};

use windows_sys::Win32::{
    Foundation::ERROR_INSUFFICIENT_BUFFER,
    Security::{
        DACL_SECURITY_INFORMATION, GROUP_SECURITY_INFORMATION, GetKernelObjectSecurity,
        OWNER_SECURITY_INFORMATION,
    },
};

use crate::wide::checked;

/// What is asked for. What is audited is nobody's business here, and needs a privilege.
const PARTS: u32 =
    OWNER_SECURITY_INFORMATION | GROUP_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION;

/// The descriptor in its self-relative form, as it stands on disk, with owner, group and
/// discretionary list. The file must be open with `READ_CONTROL`.
///
/// # Errors
/// When the file system has none, or does not tell.
pub fn descriptor(file: &impl AsHandle) -> io::Result<Vec<u8>> {
    let handle = file.as_handle().as_raw_handle();
    let mut bytes = vec![0; 512];
    loop {
        let (length, mut needed) = (bytes.len() as u32, 0);
        // SAFETY: the handle is open while `file` is borrowed, and `bytes` as long as is told.
        let told = checked(unsafe {
            let memory = bytes.as_mut_ptr().cast();
            GetKernelObjectSecurity(handle, PARTS, memory, length, &raw mut needed)
        });
        match told {
            Ok(()) => {
                // A self-relative descriptor tells how long it is by what it points to.
                bytes.truncate(needed as usize);
                return Ok(bytes);
            }
            Err(error)
                if needed > length
                    && error.raw_os_error() == Some(ERROR_INSUFFICIENT_BUFFER.cast_signed()) =>
            {
                bytes.resize(needed as usize, 0);
            }
            Err(error) => return Err(error),
        }
    }
}

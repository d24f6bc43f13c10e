//! What a process that was started as a worker says of itself and does first.

#![allow(unsafe_code)]

use std::os::windows::io::{AsHandle, AsRawHandle};

use windows_sys::Win32::{
    Storage::FileSystem::{FILE_TYPE_PIPE, GetFileType},
    System::Diagnostics::Debug::{
        SEM_FAILCRITICALERRORS, SEM_NOGPFAULTERRORBOX, SEM_NOOPENFILEERRORBOX, SetErrorMode,
    },
};

/// Whether a handle is the end of a pipe.
#[must_use]
pub fn is_pipe(file: &impl AsHandle) -> bool {
    // SAFETY: the handle is open while `file` is borrowed; one that is none is of no known type.
    unsafe { GetFileType(file.as_handle().as_raw_handle()) == FILE_TYPE_PIPE }
}

/// Has errors told to the program and never to a user by a box, which nobody may be there to close
/// ("SetErrorMode").
pub fn show_no_boxes() {
    // SAFETY: sets three bits of this process.
    unsafe {
        SetErrorMode(SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX | SEM_NOOPENFILEERRORBOX);
    }
}

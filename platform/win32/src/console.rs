//! The console that a program's output may go to.

#![allow(unsafe_code)]

use std::{
    io,
    os::windows::io::{AsHandle, AsRawHandle},
};

use windows_sys::Win32::System::Console::{
    CONSOLE_SCREEN_BUFFER_INFO, ENABLE_VIRTUAL_TERMINAL_PROCESSING, GetConsoleMode,
    GetConsoleScreenBufferInfo, SetConsoleMode,
};

use crate::wide::checked;

/// How many characters a line of it has; none where it is no console.
#[must_use]
pub fn width(output: &impl AsHandle) -> Option<usize> {
    let mut info = CONSOLE_SCREEN_BUFFER_INFO::default();
    // SAFETY: the handle is open while `output` is borrowed, and `info` is ours to be filled.
    checked(unsafe {
        GetConsoleScreenBufferInfo(output.as_handle().as_raw_handle(), &raw mut info)
    })
    .ok()?;
    usize::try_from(info.srWindow.Right - info.srWindow.Left + 1).ok()
}

/// Has it take the sequences of terminals for colours. An error where it is no console, or an old one.
///
/// # Errors
/// When it does not.
pub fn take_sequences(output: &impl AsHandle) -> io::Result<()> {
    let (handle, mut mode) = (output.as_handle().as_raw_handle(), 0);
    // SAFETY: the handle is open while `output` is borrowed, and `mode` is ours to be filled.
    unsafe {
        checked(GetConsoleMode(handle, &raw mut mode))?;
        checked(SetConsoleMode(handle, mode | ENABLE_VIRTUAL_TERMINAL_PROCESSING))
    }
}

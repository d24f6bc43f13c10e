//! What differs between systems: how files are kept private, read-only and apart, when they are on
//! the disk, and what the disk has to spare.
//!
//! Both sides have the same functions and say what is different where it is.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub(crate) use unix::*;
#[cfg(windows)]
pub(crate) use windows::*;

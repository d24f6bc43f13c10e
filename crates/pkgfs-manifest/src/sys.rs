//! What differs between systems: the bytes of names.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub(crate) use unix::{bytes_of, name_from};
#[cfg(windows)]
pub(crate) use windows::{bytes_of, name_from};

//! What differs between systems: how a view is mounted, what is mounted and who uses it, and what the
//! kernel can be asked for.
//!
//! Both sides have the same functions and say what is different where it is.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "macos")]
mod macos;

#[cfg(target_os = "linux")]
pub(crate) use linux::*;
#[cfg(target_os = "macos")]
pub(crate) use macos::*;

//! Modes, descriptors, and processes; `system` is where Unix systems differ.

mod files;
mod processes;
mod writable;

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "macos")]
mod macos;

#[cfg(target_os = "linux")]
use linux as system;
#[cfg(target_os = "macos")]
use macos as system;

pub(crate) use files::*;
pub(crate) use processes::*;
pub(crate) use system::*;
pub(crate) use writable::*;

//! Modes, descriptors and directories that are synced; `system` is where Unix systems differ.

mod disk;
mod opening;
mod protection;
mod way;

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "macos")]
mod macos;

#[cfg(target_os = "linux")]
use linux as system;
#[cfg(target_os = "macos")]
use macos as system;

pub(crate) use disk::*;
pub(crate) use opening::*;
pub(crate) use protection::*;
pub(crate) use system::*;
pub(crate) use way::turnable;

//! What Unix systems have in common; `system` is where they differ.

pub(crate) mod channel;
pub(crate) mod children;
pub(crate) mod mounts;
pub(crate) mod paths;
pub(crate) mod storage;

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "macos")]
mod macos;

#[cfg(target_os = "linux")]
use linux as system;
#[cfg(target_os = "macos")]
use macos as system;

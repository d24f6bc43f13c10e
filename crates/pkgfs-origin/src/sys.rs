//! What differs from one system to another: everything here exists on each, under the same name.
//!
//! `storage` reads files and directories, and says what the system's errors mean; `channel` carries
//! bytes and open files to the worker, and bytes back; `children` starts workers and ends them;
//! `mounts` tells file systems apart by their paths; `paths` compares these. Nothing else in this
//! crate names a system.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub(crate) use unix::{channel, children, mounts, paths, storage};
#[cfg(windows)]
pub(crate) use windows::{channel, children, mounts, paths, storage};

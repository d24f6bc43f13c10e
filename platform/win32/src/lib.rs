//! Calls of Windows that the standard library lacks, behind safe functions.
//!
//! A file is one thing that Windows can do. Nothing here knows what it is used for. All `unsafe` of
//! the Windows side outside `pkgfs-projfs` is here, each block with the promise it rests on.
#![cfg(windows)]

pub mod child;
pub mod child_pipe;
pub mod cloning;
pub mod console;
pub mod deletion;
mod descriptor;
pub mod detached;
pub mod disk;
pub mod file_security;
pub mod flags;
pub mod identity;
pub mod junction;
pub mod locking;
pub mod named_pipe;
pub mod ownership;
pub mod passing;
pub mod paths;
pub mod process;
pub mod shared_dir;
pub mod sparse;
mod wide;
pub mod worker;

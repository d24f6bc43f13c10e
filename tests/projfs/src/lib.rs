//! A stand-in for `projectedfslib.dll`: the 19 functions of the Windows Projected File System over the
//! volume of `pkgfs-projfs-engine`, for machines that have no such file system.
//!
//! A provider that loads it notices nothing: callbacks come from a pool, concurrently; they may pend
//! and be cancelled; buffers end. Programs reach the root by the protocol of the engine, at the address
//! that is written to the file which `PKGFS_PROJFS_STANDIN` names (see `docs/projfs-standin.md`).
#![cfg(windows)]
// Everything here is called from outside, by pointers that the documentation gives the meaning of.
#![allow(unsafe_code)]

mod buffers;
mod callbacks;
mod commands;
mod exports;
mod instance;
mod strings;

//! The view through the Windows Projected File System (ProjFS).
//!
//! ProjFS keeps what it was shown: a file that was looked at is a *placeholder* in an ordinary directory
//! of NTFS, one that was read is *hydrated* there. The provider here answers for what is not on disk yet
//! from a [`View`](pkgfs_view::View), and takes away what does not hold any more. What rez writes is
//! ordinary files, and what it did is replayed into the view.
//!
//! Everything but the calls themselves is plain Rust over two small traits (`projection`, `ground`) and
//! is tested on any host; Windows alone are `api` (the functions of `projectedfslib.dll`), `callbacks`
//! (what they call) and `instance`.
#![cfg_attr(not(windows), allow(dead_code, reason = "only Windows calls it; tests do on any host"))]

#[cfg(windows)]
mod api;
#[cfg(windows)]
mod callbacks;
mod codes;
mod commands;
mod copies;
mod enumeration;
mod error;
mod ground;
mod hydration;
#[cfg(windows)]
mod instance;
mod lanes;
mod levels;
mod mirror;
#[cfg(windows)]
mod mount;
mod names;
mod own;
mod path;
mod payload;
mod placeholder;
mod projection;
mod provider;
mod ranges;
mod record;
mod replay;
mod resolve;
#[cfg(test)]
mod scene;
mod security;

#[cfg(test)]
mod tests;
mod trees;
mod vetoes;

pub use codes::Win32;
pub use error::MountError;
#[cfg(windows)]
pub use mount::{Mode, Mount, MountOptions, RootState, clear, state_of};

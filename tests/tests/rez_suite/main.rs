//! An unmodified rez on the mount: its own package-cache tests, and its real commands.
//!
//! Each runs on a plain directory too, the control: it tells what rez does by itself, and that a
//! failure on the mount is the mount's. `cargo xtask setup` installs the two versions of rez.

#![allow(clippy::unwrap_used, missing_docs)]

mod cache;
mod commands;
mod package_cache;
mod rez;

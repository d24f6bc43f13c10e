//! Calls of macOS that neither the standard library nor rustix has, behind safe functions.
//!
//! A file is one thing that macOS can do. Nothing here knows what it is used for. All `unsafe` of
//! the macOS side is here, each block with the promise it rests on. None of it was ever run.
#![cfg(target_os = "macos")]

pub mod background;
pub mod ending;
pub mod holes;
pub mod mounts;
pub mod processes;

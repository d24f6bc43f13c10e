//! What a scan finds, held against what a real rez enumerates.
//!
//! Not on Windows: the rez that is asked is installed on the machine that builds.
#![cfg(unix)]
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "../../../pkgfs-rez/tests/rez/dice.rs"]
#[allow(dead_code, reason = "not every test rolls in every way")]
mod dice;
#[path = "../../../pkgfs-rez/tests/rez/fixtures.rs"]
mod fixtures;
mod generated;
mod oracle;
mod own_data;
mod pinned;
mod tree;
mod unused;

//! The crate's promises, held against a real rez.
//!
//! Every module makes cases by the thousand, lets the crate and rez answer, and wants one answer. A case
//! that fails is kept (`fixtures.rs`).
//!
//! Not on Windows: the rez that is asked is installed on the machine that builds.
#![cfg(unix)]
#![allow(clippy::unwrap_used, missing_docs)]

mod cachable;
mod definitions;
mod dice;
mod fixtures;
mod handles;
mod locks;
mod not_literal;
mod oracle;
mod requirements;
mod settings;
mod sources;
mod versions;

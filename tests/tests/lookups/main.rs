//! Look-ups through the mount, with rez itself as the oracle: what rez would cache is there, from
//! rez's root, under rez's name, and nothing else is.
//!
//! Each repository is compared twice: with a rez to be asked about definitions that are programs, and
//! without, where every literal definition must come out the same and every other is told.
#![allow(clippy::unwrap_used, missing_docs)]

mod comparison;
mod config;
mod generated;
mod installed;
mod names;
mod oracle;
mod real;
mod trouble;

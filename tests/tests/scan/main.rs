//! `pkgfs scan`: what it asks of storage, what it remembers, and what it says of what it cannot read.
#![allow(clippy::unwrap_used, missing_docs)]

mod economy;
mod index;
mod problems;
mod scanning;

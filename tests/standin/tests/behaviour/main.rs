//! The stand-in as its users see it: through a mount served by a process of its own.
#![allow(clippy::unwrap_used, missing_docs)]

mod counting;
mod fidelity;
mod freshness;
mod lifecycle;
mod misbehaving;
mod storage;
mod timing;

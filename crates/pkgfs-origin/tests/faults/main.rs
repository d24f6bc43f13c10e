//! What may happen to storage and to the worker, and what the client makes of it.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

mod changes;
mod deaths;
mod direct;
mod hangs;
#[path = "../harness/mod.rs"]
mod harness;
mod isolation;

//! What may happen to storage and to the worker, and what the client makes of it.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

mod changes;
mod deaths;
// File systems of this process (FUSE), and reads past the cache, which Windows is not asked for.
#[cfg(unix)]
mod direct;
#[cfg(unix)]
mod hangs;
#[path = "../harness/mod.rs"]
mod harness;
// Sockets, signals and `/proc`.
#[cfg(unix)]
mod isolation;
#[cfg(windows)]
mod isolation_on_windows;

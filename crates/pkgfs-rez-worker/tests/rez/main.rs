//! A real rez, asked through the worker: both versions that studios run.
// Wine has no Python, and what is left of processes is looked for in `/proc`.
#![cfg(unix)]
#![allow(clippy::unwrap_used, missing_docs)]

mod ahead;
mod answers;
mod processes;
mod requests;
mod scene;

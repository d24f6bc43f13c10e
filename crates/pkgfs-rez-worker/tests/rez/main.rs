//! A real rez, asked through the worker: both versions that studios run.
#![allow(clippy::unwrap_used, missing_docs)]

mod answers;
mod processes;
mod requests;
mod scene;

//! One file a subcommand.

pub(crate) mod change;
pub(crate) mod clean;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod daemon;
pub(crate) mod flush;
pub(crate) mod list;
pub(crate) mod man;
pub(crate) mod mount;
pub(crate) mod profile;
mod progress;
pub(crate) mod scan;
pub(crate) mod status;
mod targets;
pub(crate) mod unmount;
pub(crate) mod verify;
pub(crate) mod warm;

use std::future::Future;

use anyhow::Context;

/// Runs what talks to a daemon.
fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the command's event loop")?;
    runtime.block_on(work)
}

//! One file a subcommand.

pub(crate) mod change;
pub(crate) mod clean;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod daemon;
pub(crate) mod flush;
pub(crate) mod list;
#[cfg(windows)]
pub(crate) mod logon;
pub(crate) mod man;
pub(crate) mod mount;
pub(crate) mod profile;
mod progress;
pub(crate) mod scan;
#[cfg(windows)]
pub(crate) mod service;
pub(crate) mod status;
mod targets;
pub(crate) mod unmount;
pub(crate) mod upgrade;
pub(crate) mod verify;
pub(crate) mod warm;

use std::future::Future;

use anyhow::Context;

/// What a job comes to, unless Ctrl-C ends it first: the end of its connection ends it at the
/// daemon, too.
async fn unless_interrupted<T, E>(
    job: impl Future<Output = Result<T, E>>,
) -> anyhow::Result<Option<T>>
where
    anyhow::Error: From<E>,
{
    tokio::select! {
        ended = job => Ok(Some(ended?)),
        interrupted = tokio::signal::ctrl_c() => Ok(interrupted.map(|()| None)?),
    }
}

/// Runs what talks to a daemon.
fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the command's event loop")?;
    runtime.block_on(work)
}

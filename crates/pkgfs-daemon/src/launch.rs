//! Starting a daemon in the background, and knowing how that went.
//!
//! The command starts itself once more as `pkgfs daemon`, with the order on its
//! standard input and a pipe as its standard output, and waits for one line of JSON
//! there: [`Launch`]. The child's standard error is the log, so that a panic leaves a
//! trace. When it is ready it lets go of the pipe.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    path::PathBuf,
};

use serde::{Deserialize, Serialize};

use crate::{DaemonError, Failure, MountOrder, Mounted, log_file, places::log_path, sys};

/// The one line that a starting daemon says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Launch {
    /// The mount is there.
    Ready(Mounted),
    /// It is not, and the daemon has ended.
    Failed(Failure),
}

/// Why no daemon was started.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// The log cannot be made.
    #[error(transparent)]
    Daemon(#[from] DaemonError),
    /// The process cannot be started.
    #[error("cannot start the daemon: {0}; check that the pkgfs program can be executed")]
    Spawn(#[source] io::Error),
    /// The daemon was told what to do and said no.
    #[error(transparent)]
    Failed(#[from] Failure),
    /// It ended without a word.
    #[error("the daemon ended before it was ready ({status}): the log {} tells why", log.display())]
    Died {
        /// How it ended.
        status: String,
        /// Its log.
        log: PathBuf,
    },
}

/// Starts a daemon in the background and waits until it is ready.
///
/// # Errors
/// See [`LaunchError`]; no process is left then.
pub fn launch(order: &MountOrder) -> Result<Mounted, LaunchError> {
    let log = log_path(&order.settings.store);
    let errors =
        log_file::open(&log).map_err(|source| DaemonError::Log { path: log.clone(), source })?;
    let mut child = sys::launch(&["daemon"], errors).map_err(LaunchError::Spawn)?;
    let told = child.stdin.take().map(|mut stdin| {
        let order = serde_json::to_vec(order).map_err(io::Error::other)?;
        stdin.write_all(&order)
    });
    let mut line = String::new();
    if let Some(stdout) = child.stdout.take() {
        // A child that died shows as no line at all.
        let _ = BufReader::new(stdout).read_line(&mut line);
    }
    match serde_json::from_str(&line) {
        Ok(Launch::Ready(mounted)) => Ok(mounted),
        Ok(Launch::Failed(failure)) => {
            let _ = child.wait();
            Err(failure.into())
        }
        Err(_) => {
            let _ = child.kill();
            let status = match (told, child.wait()) {
                (Some(Err(error)), _) | (_, Err(error)) => error.to_string(),
                (_, Ok(status)) => status.to_string(),
            };
            Err(LaunchError::Died { status, log })
        }
    }
}

/// The child's side: reads the order, serves, and reports on standard output.
///
/// # Errors
/// What [`run`](crate::run) failed with, after it was reported.
pub fn started() -> Result<(), DaemonError> {
    let mut order = String::new();
    io::stdin()
        .read_to_string(&mut order)
        .map_err(|source| DaemonError::System { action: "read the order", source })?;
    let order: MountOrder = serde_json::from_str(&order).map_err(|error| DaemonError::System {
        action: "read the order on standard input (`pkgfs mount` gives it)",
        source: error.into(),
    })?;
    let result = crate::run(order, crate::Presence::Background, |mounted| {
        report(&Launch::Ready(mounted.clone()));
        if let Err(error) = sys::let_go() {
            tracing::warn!(%error, "standard input and output stay open");
        }
    });
    if let Err(error) = &result {
        report(&Launch::Failed(error.into()));
    }
    result
}

fn report(launch: &Launch) {
    let line = serde_json::to_string(launch).unwrap_or_default();
    let mut stdout = io::stdout();
    // Nobody may be listening any more.
    let _ = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
}

//! `pkgfs daemon` (hidden): the background half of `pkgfs mount`, and what takes over from one that
//! has died.

use std::process::ExitCode;

/// The error was reported to whoever started this, or stands in the log.
pub(crate) fn run(take_over: bool) -> ExitCode {
    let served = if take_over { pkgfs_daemon::take_over() } else { pkgfs_daemon::started() };
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

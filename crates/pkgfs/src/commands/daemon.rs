//! `pkgfs daemon` (hidden): the background half of `pkgfs mount`.

use std::process::ExitCode;

/// The error was reported to whoever started this.
pub(crate) fn run() -> ExitCode {
    match pkgfs_daemon::started() {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

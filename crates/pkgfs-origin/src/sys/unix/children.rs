//! Worker processes.

use std::{
    ffi::OsString,
    io,
    os::{fd::OwnedFd, unix::net::UnixStream},
    process::Stdio,
};

use super::channel::{Incoming, Outgoing};

/// A worker's process.
pub(crate) type Child = tokio::process::Child;

/// A worker that was just started, and our ends of its channel.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) child: Child,
    pub(crate) from: Incoming,
    pub(crate) to: Outgoing,
}

/// The running program, even after an upgrade replaced its file.
pub(crate) fn own_program() -> OsString {
    "/proc/self/exe".into()
}

/// Starts a worker, inside a tokio runtime. It dies with the *thread* that does this
/// (`PR_SET_PDEATHSIG`, prctl(2)).
pub(crate) fn start(command: &[OsString]) -> io::Result<Started> {
    let [program, arguments @ ..] = command else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let (socket, theirs) = UnixStream::pair()?;
    socket.set_nonblocking(true)?;
    let (from, to) = tokio::net::UnixStream::from_std(socket)?.into_split();
    // No output: a worker that is left behind must not keep a pipe of ours open. Its
    // own process group: an interrupt at the terminal is for the daemon to handle.
    let child = tokio::process::Command::new(program)
        .args(arguments)
        .stdin(OwnedFd::from(theirs))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()?;
    Ok(Started { child, from, to: Outgoing(to) })
}

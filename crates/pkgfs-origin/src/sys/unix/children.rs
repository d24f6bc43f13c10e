//! Worker processes.

use std::{ffi::OsString, io, os::fd::OwnedFd, process::Stdio};

use super::{
    channel::{Incoming, Outgoing},
    system,
};

pub(crate) use system::own_program;

/// A worker's process.
pub(crate) type Child = tokio::process::Child;

/// A worker that was just started, and our ends of its channel.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) child: Child,
    pub(crate) from: Incoming,
    pub(crate) to: Outgoing,
}

/// Starts a worker, inside a tokio runtime. It dies with the *thread* that does this
/// (`PR_SET_PDEATHSIG`, prctl(2)), on Linux.
pub(crate) fn start(command: &[OsString]) -> io::Result<Started> {
    let [program, arguments @ ..] = command else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let (socket, theirs) = system::pair()?;
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

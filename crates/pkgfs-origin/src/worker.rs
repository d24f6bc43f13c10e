//! The process that reads shared storage.
//!
//! It gets its requests on standard input, a socket, and knows nothing of the daemon
//! but that: no store, no lock, no mount, no other descriptor. Its threads take turns at
//! the socket, so that there is always one that answers pings and a hung storage is told
//! from a dead process. Each request is served by a thread of its own from a pool that
//! grows as needed; the client bounds how many there are.
//!
//! It ends when the daemon does: the socket ends, and the kernel kills it
//! (`PR_SET_PDEATHSIG`) should it be stopped just then.

mod connection;
mod service;

use std::{
    os::{
        fd::{AsFd, OwnedFd, RawFd},
        unix::net::UnixStream,
    },
    process::ExitCode,
    sync::Arc,
};

use rustix::{
    net::{SocketType, sockopt::socket_type},
    process::{Signal, set_parent_process_death_signal},
};

use crate::backend::Posix;
use connection::{Receiver, Sender};

/// Runs the worker: the whole of the program that
/// [`OriginSettings::command`](crate::OriginSettings::command) names.
#[must_use]
pub fn main() -> ExitCode {
    let stdin = std::io::stdin();
    if socket_type(&stdin).ok() != Some(SocketType::STREAM) {
        eprintln!("this command is run by pkgfs itself, to read shared storage; try `pkgfs mount`");
        return ExitCode::from(2);
    }
    let Ok(socket) = stdin.as_fd().try_clone_to_owned() else { return ExitCode::FAILURE };
    _ = set_parent_process_death_signal(Some(Signal::KILL));
    // A working directory would keep a mount busy.
    _ = std::env::set_current_dir("/");
    close_all_but(&socket);
    let socket = UnixStream::from(socket);
    let Ok(sender) = socket.try_clone().map(Sender::new) else { return ExitCode::FAILURE };
    service::serve(Arc::new(Posix), sender, Receiver::new(socket));
    // Threads that hang in storage are not waited for.
    std::process::exit(0)
}

/// Closes what a careless parent has left open for us.
fn close_all_but(keep: &OwnedFd) {
    use std::os::fd::AsRawFd;
    let Ok(open) = std::fs::read_dir("/proc/self/fd") else { return };
    let numbers = open.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    // Collected, since the directory being read is one of them.
    let numbers: Vec<RawFd> = numbers.collect();
    for number in numbers.into_iter().filter(|&fd| fd > 2 && fd != keep.as_raw_fd()) {
        _ = nix::unistd::close(number);
    }
}

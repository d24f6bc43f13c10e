//! `<store>/control.sock`: where it is and how to reach it.
//!
//! The address of a Unix socket holds 108 bytes (unix(7)) and a store's path may be
//! longer, so both ends go through a descriptor of the directory:
//! `/proc/self/fd/<n>/control.sock`.

use std::{
    io,
    os::fd::{AsRawFd, OwnedFd},
    path::{Path, PathBuf},
};

use rustix::fs::{Mode, OFlags};
use tokio::net::{UnixListener, UnixStream};

const NAME: &str = "control.sock";

/// The socket's path, for people.
pub(crate) fn path(store: &Path) -> PathBuf {
    store.join(NAME)
}

/// Listens. Only for the holder of the store's lock: what another left is replaced.
pub(crate) fn listen(store: &Path) -> io::Result<UnixListener> {
    let directory = open(store)?;
    let address = address(&directory);
    match std::fs::remove_file(&address) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    UnixListener::bind(address)
}

/// Connects to the daemon of this store.
pub(crate) async fn connect(store: &Path) -> io::Result<UnixStream> {
    let directory = open(store)?;
    UnixStream::connect(address(&directory)).await
}

/// Takes the socket away, so that nobody finds a daemon that is about to exit.
pub(crate) fn remove(store: &Path) {
    if let Err(error) = std::fs::remove_file(path(store)) {
        tracing::warn!(%error, "the control socket could not be removed");
    }
}

fn open(store: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::open(store, flags, Mode::empty())?)
}

fn address(directory: &OwnedFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}/{NAME}", directory.as_raw_fd()))
}

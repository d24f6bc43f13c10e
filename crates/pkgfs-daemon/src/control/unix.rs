//! Unix: `<store>/control.sock`, where it is and how to reach it.
//!
//! A store's path may be longer than the address of a socket: both ends go by a short one
//! ([`SocketDirectory`]).
//!
//! Nobody but its owner and root gets into a store. A daemon of root's that lets other users into
//! its mounts answers them at a second socket, in [`PUBLIC_SOCKETS`], where only root makes files.

use std::{
    fs::{DirBuilder, Permissions},
    io,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
};

use rustix::process::geteuid;
use tokio::net::{UnixListener, UnixStream, unix::SocketAddr};

use super::name_of;
use crate::sys::{PUBLIC_SOCKETS, SocketDirectory};

pub(crate) type Listener = UnixListener;
/// A client's end.
pub(crate) type Stream = UnixStream;
/// The daemon's end.
pub(crate) type Accepted = UnixStream;
pub(crate) type Address = SocketAddr;

/// The user at the other end; none if the kernel would not say.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(Option<u32>);

impl Peer {
    /// Who connected, as the kernel tells (SO_PEERCRED).
    pub(crate) fn of(stream: &UnixStream) -> Self {
        Self(stream.peer_cred().ok().map(|peer| peer.uid()))
    }

    /// The store's owner and root may, whatever the mode of the directories above.
    pub(crate) fn may_control(self) -> bool {
        self.0.is_some_and(|user| user == 0 || user == geteuid().as_raw())
    }
}

/// The process that listens at the other end, as the kernel tells.
pub(crate) fn daemon_pid(stream: &UnixStream) -> Option<u32> {
    stream.peer_cred().ok()?.pid()?.try_into().ok()
}

const NAME: &str = "control.sock";

/// The socket's path, for people.
pub(crate) fn path(store: &Path) -> PathBuf {
    store.join(NAME)
}

/// Listens. Only for the holder of the store's lock: what another left is replaced.
pub(crate) fn listen(store: &Path) -> io::Result<UnixListener> {
    let directory = SocketDirectory::open(store)?;
    let address = directory.address(NAME);
    match std::fs::remove_file(&address) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    UnixListener::bind(address)
}

/// Listens to everybody. For root, and the holder of the store's lock.
pub(crate) fn listen_to_all(store: &Path) -> io::Result<UnixListener> {
    match DirBuilder::new().mode(0o755).create(PUBLIC_SOCKETS) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let path = public(store);
    if let Some(turnable) = pkgfs_store::turnable(&path)? {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, turnable.to_string()));
    }
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&path)?;
    std::fs::set_permissions(&path, Permissions::from_mode(0o666))?;
    Ok(listener)
}

/// Takes the public socket away, if there is one.
pub(crate) fn remove_public(store: &Path) {
    match std::fs::remove_file(public(store)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(%error, "the public socket could not be removed");
        }
        _ => {}
    }
}

/// Connects to the daemon of this store: where it answers its owner, or else where it answers all.
pub(crate) async fn connect(store: &Path) -> io::Result<UnixStream> {
    let own = match SocketDirectory::open(store) {
        Ok(directory) => UnixStream::connect(directory.address(NAME)).await,
        Err(error) => Err(error),
    };
    match own {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            UnixStream::connect(public(store)).await.map_err(|_| error)
        }
        connected => connected,
    }
}

fn public(store: &Path) -> PathBuf {
    Path::new(PUBLIC_SOCKETS).join(format!("{}.sock", name_of(store)))
}

/// Takes the socket away, so that nobody finds a daemon that is about to exit.
pub(crate) fn remove(store: &Path) {
    if let Err(error) = std::fs::remove_file(path(store)) {
        tracing::warn!(%error, "the control socket could not be removed");
    }
}

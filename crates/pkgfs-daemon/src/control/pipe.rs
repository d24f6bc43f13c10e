//! Windows: `\\.\pipe\pkgfs-<digest>`, a named pipe for each store.
//!
//! The system keeps everybody away but the store's owner, itself and administrators; nobody comes over
//! the network. A daemon of the system's that lets other users into its mounts answers them at a second
//! pipe, which all may use and nobody else may serve.
//!
//! Who connects asks whose the pipe is before it says anything: names of pipes are anybody's who comes
//! first.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use axum::serve::Listener as Listens;
use pkgfs_win32::{
    named_pipe::{self, CLIENT_RIGHTS},
    ownership,
};
use tokio::{
    net::windows::named_pipe::{NamedPipeClient, NamedPipeServer},
    time::{Instant, sleep},
};

use super::name_of;

/// All instances of a pipe are in use (`ERROR_PIPE_BUSY`).
const BUSY: i32 = 231;
/// How long one that is in use is waited for.
const LONGEST: Duration = Duration::from_secs(5);
/// Between two attempts.
const AGAIN: Duration = Duration::from_millis(10);

/// A client's end.
pub(crate) type Stream = NamedPipeClient;
/// The daemon's end.
pub(crate) type Accepted = NamedPipeServer;

/// Where a client is: on this machine.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Address;

/// Who connected: somebody whom the system let in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer;

impl Peer {
    pub(crate) fn of(_stream: &NamedPipeServer) -> Self {
        Self
    }

    /// The pipe's descriptor lets nobody in who may not.
    pub(crate) fn may_control(self) -> bool {
        true
    }
}

/// A pipe that is served, with an instance that waits for the next client: while there is one, nobody
/// else can take the name.
pub(crate) struct Listener {
    name: String,
    security: String,
    waiting: NamedPipeServer,
}

impl Listener {
    fn new(name: String, security: String) -> io::Result<Self> {
        let waiting = named_pipe::serve(&name, &security, true)?;
        Ok(Self { name, security, waiting })
    }

    async fn connected(&mut self) -> io::Result<NamedPipeServer> {
        self.waiting.connect().await?;
        let next = named_pipe::serve(&self.name, &self.security, false)?;
        Ok(std::mem::replace(&mut self.waiting, next))
    }
}

impl Listens for Listener {
    type Io = NamedPipeServer;
    type Addr = Address;

    async fn accept(&mut self) -> (NamedPipeServer, Address) {
        loop {
            match self.connected().await {
                Ok(connected) => return (connected, Address),
                Err(error) => {
                    tracing::warn!(%error, "a connection to the control pipe failed");
                    // A client that went away at once leaves an instance that must be parted from it.
                    let _ = self.waiting.disconnect();
                    sleep(AGAIN).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<Address> {
        Ok(Address)
    }
}

/// The pipe's name, for people.
pub(crate) fn path(store: &Path) -> PathBuf {
    PathBuf::from(own(store))
}

/// Listens. Only for the holder of the store's lock.
pub(crate) fn listen(store: &Path) -> io::Result<Listener> {
    let user = ownership::own_user()?;
    let security = format!("O:{user}D:P(D;;GA;;;NU)(A;;GA;;;SY)(A;;GA;;;BA)(A;;GA;;;{user})");
    Listener::new(own(store), security)
}

/// Listens to everybody. For the system's own account, and the holder of the store's lock.
pub(crate) fn listen_to_all(store: &Path) -> io::Result<Listener> {
    let user = ownership::own_user()?;
    let security =
        format!("O:{user}D:P(D;;GA;;;NU)(A;;GA;;;SY)(A;;GA;;;{user})(A;;{CLIENT_RIGHTS:#x};;;AU)");
    Listener::new(public(store), security)
}

/// A pipe goes with its last instance.
pub(crate) fn remove(_store: &Path) {}

/// A pipe goes with its last instance.
pub(crate) fn remove_public(_store: &Path) {}

/// Connects to the daemon of this store: where it answers its owner, or else where it answers all.
pub(crate) async fn connect(store: &Path) -> io::Result<NamedPipeClient> {
    let denied = |error: &io::Error| error.kind() == io::ErrorKind::PermissionDenied;
    let pipe = match open(&own(store)).await {
        Err(error) if denied(&error) => open(&public(store)).await.map_err(|_| error)?,
        opened => opened?,
    };
    let owner = named_pipe::owner(&pipe)?;
    if owner == ownership::own_user()?
        || ownership::is_system(&owner)
        || ownership::owner(store).is_ok_and(|of_store| of_store == owner)
    {
        return Ok(pipe);
    }
    Err(io::Error::other(format!("the pipe that should be its daemon's belongs to {owner}")))
}

/// The process that serves the pipe, as the system tells.
pub(crate) fn daemon_pid(pipe: &NamedPipeClient) -> Option<u32> {
    named_pipe::server_process(pipe).ok()
}

async fn open(name: &str) -> io::Result<NamedPipeClient> {
    let until = Instant::now() + LONGEST;
    loop {
        match named_pipe::connect(name) {
            // The next instance is about to be made.
            Err(error) if error.raw_os_error() == Some(BUSY) && Instant::now() < until => {}
            opened => return opened,
        }
        sleep(AGAIN).await;
    }
}

fn own(store: &Path) -> String {
    format!(r"\\.\pipe\pkgfs-{}", name_of(&folded(store)))
}

fn public(store: &Path) -> String {
    format!(r"\\.\pipe\pkgfs-all-{}", name_of(&folded(store)))
}

/// However somebody spells the path of a store, it is one store.
fn folded(store: &Path) -> PathBuf {
    store.to_str().map_or_else(|| store.to_owned(), |path| PathBuf::from(path.to_lowercase()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn many_clients_are_heard_one_after_the_other() {
        let store = tempfile::tempdir().unwrap();
        let mut listener = listen(store.path()).unwrap();
        let server = tokio::spawn(async move {
            for _ in 0..20 {
                let (mut stream, _) = listener.accept().await;
                let mut asked = [0];
                stream.read_exact(&mut asked).await.unwrap();
                stream.write_all(&asked).await.unwrap();
            }
        });
        for number in 0..20 {
            let mut stream = connect(store.path()).await.unwrap();
            assert_eq!(daemon_pid(&stream), Some(std::process::id()));
            stream.write_all(&[number]).await.unwrap();
            let mut answer = [0];
            stream.read_exact(&mut answer).await.unwrap();
            assert_eq!(answer, [number]);
        }
        server.await.unwrap();
        assert_eq!(connect(store.path()).await.unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[tokio::test]
    async fn another_spelling_of_the_path_is_the_same_store() {
        let store = tempfile::tempdir().unwrap();
        let _listener = listen(store.path()).unwrap();
        let shouted = PathBuf::from(store.path().to_str().unwrap().to_uppercase());
        connect(&shouted).await.unwrap();
    }

    #[tokio::test]
    #[ignore = "Wine 8 passes over FILE_FLAG_FIRST_PIPE_INSTANCE; `cargo xtask test windows --real` runs it"]
    async fn nobody_takes_a_name_that_is_served() {
        let store = tempfile::tempdir().unwrap();
        let _listener = listen(store.path()).unwrap();
        assert!(listen(store.path()).is_err(), "somebody else took the name");
    }

    #[tokio::test]
    async fn what_all_may_use_can_be_used() {
        let store = tempfile::tempdir().unwrap();
        let _listener = listen_to_all(store.path()).unwrap();
        open(&public(store.path())).await.unwrap();
    }
}

//! The command's side of the control socket.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use serde::{Serialize, de::DeserializeOwned};
use tokio::net::UnixStream;

use crate::{
    DaemonStatus, Failure, FlushOrder, MountOrder, Mounted, UnmountOrder, Unmounted, control_socket,
};

/// Longest wait for an answer; a mount asks rez and shared storage, an unmount waits
/// for what is under way.
const DEADLINE: Duration = Duration::from_secs(120);

/// A connection to the daemon of a store, for one request.
#[derive(Debug)]
pub struct Client {
    store: PathBuf,
    stream: UnixStream,
}

/// Why the daemon did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No daemon serves this store.
    #[error("no pkgfs daemon serves the store {}: mount it first (`pkgfs mount MOUNTPOINT`)", store.display())]
    NoDaemon {
        /// The store.
        store: PathBuf,
    },
    /// The socket may not be used by this user.
    #[error("the store {} belongs to another user: only its owner and root may control its mounts", store.display())]
    NotYours {
        /// The store.
        store: PathBuf,
    },
    /// It did not answer.
    #[error("the pkgfs daemon of {} did not answer within {} s: its log tells why; SIGTERM ends it", store.display(), DEADLINE.as_secs())]
    Silent {
        /// The store.
        store: PathBuf,
    },
    /// It went away before it answered, or spoke another language.
    #[error("the pkgfs daemon of {} did not finish its answer ({reason}): try again", store.display())]
    Broken {
        /// The store.
        store: PathBuf,
        /// What was seen.
        reason: String,
    },
    /// It refused.
    #[error(transparent)]
    Refused(#[from] Failure),
}

impl Client {
    /// Connects.
    ///
    /// # Errors
    /// [`ClientError::NoDaemon`] where nothing listens.
    pub async fn connect(store: &Path) -> Result<Self, ClientError> {
        let owned = || store.to_owned();
        match control_socket::connect(store).await {
            Ok(stream) => Ok(Self { store: owned(), stream }),
            Err(error) => Err(match error.kind() {
                io::ErrorKind::NotFound
                | io::ErrorKind::NotADirectory
                | io::ErrorKind::ConnectionRefused => ClientError::NoDaemon { store: owned() },
                io::ErrorKind::PermissionDenied => ClientError::NotYours { store: owned() },
                _ => ClientError::Broken { store: owned(), reason: error.to_string() },
            }),
        }
    }

    /// The process at the other end, as the kernel tells.
    #[must_use]
    pub fn daemon_pid(&self) -> Option<i32> {
        self.stream.peer_cred().ok()?.pid()
    }

    /// The daemon's state.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn status(self) -> Result<DaemonStatus, ClientError> {
        self.ask(Method::GET, "/v1/status", &()).await
    }

    /// The registered variants.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn variants(self) -> Result<serde_json::Value, ClientError> {
        self.ask(Method::GET, "/v1/variants", &()).await
    }

    /// Mounts at one more place.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn mount(self, order: &MountOrder) -> Result<Mounted, ClientError> {
        self.ask(Method::POST, "/v1/mount", order).await
    }

    /// Unmounts one place.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn unmount(self, order: &UnmountOrder) -> Result<Unmounted, ClientError> {
        self.ask(Method::POST, "/v1/unmount", order).await
    }

    /// Forgets local bytes and listings.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn flush(self, order: &FlushOrder) -> Result<serde_json::Value, ClientError> {
        self.ask(Method::POST, "/v1/flush", order).await
    }

    async fn ask<T: DeserializeOwned>(
        self,
        method: Method,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, ClientError> {
        let Self { store, stream } = self;
        let broken = |reason: String| ClientError::Broken { store: store.clone(), reason };
        let body = match method {
            Method::GET => Vec::new(),
            _ => serde_json::to_vec(body).map_err(|error| broken(error.to_string()))?,
        };
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "pkgfs")
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| broken(error.to_string()))?;
        let exchange = async {
            let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
            let connection = tokio::spawn(connection);
            let answer = sender.send_request(request).await?;
            let good = answer.status().is_success();
            let bytes = answer.into_body().collect().await?.to_bytes();
            connection.abort();
            Ok::<_, hyper::Error>((good, bytes))
        };
        let (good, bytes) = tokio::time::timeout(DEADLINE, exchange)
            .await
            .map_err(|_| ClientError::Silent { store: store.clone() })?
            .map_err(|error| broken(error.to_string()))?;
        if good {
            return serde_json::from_slice(&bytes).map_err(|error| broken(error.to_string()));
        }
        match serde_json::from_slice::<Failure>(&bytes) {
            Ok(failure) => Err(failure.into()),
            Err(_) => Err(broken(String::from_utf8_lossy(&bytes).into_owned())),
        }
    }
}

//! The command's side of the control socket.

use std::{
    io,
    ops::ControlFlow,
    path::{Path, PathBuf},
    time::Duration,
};

use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request,
    body::{Bytes, Incoming},
    client::conn::http1,
};
use hyper_util::rt::TokioIo;
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    CleanOrder, CleanReport, DaemonStatus, Failure, FlushOrder, ListLine, MountOrder, Mounted,
    ProfileList, RemoveOrder, Report, TargetsOrder, UnmountOrder, Unmounted, UpgradeOrder,
    VerifyLine, VerifyOrder, WarmLine, WarmOrder, control, words,
};

/// Longest wait for an answer; a mount asks rez and shared storage, an unmount waits
/// for what is under way.
const DEADLINE: Duration = Duration::from_secs(120);

/// Longest wait for a state, which asks nothing of anybody: a daemon that takes longer hangs, or is
/// killed and cannot end, and who asks after all mounts wants to hear of the others.
const STATUS_DEADLINE: Duration = Duration::from_secs(10);

/// A connection to the daemon of a store, for one request.
#[derive(Debug)]
pub struct Client {
    store: PathBuf,
    stream: control::Stream,
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
    #[error("the store {} belongs to another user: only its owner and {} may control its mounts", store.display(), words::ADMINISTRATOR)]
    NotYours {
        /// The store.
        store: PathBuf,
    },
    /// It did not answer.
    #[error("the pkgfs daemon of {} did not answer within {} s: its log tells why; {}", store.display(), after.as_secs(), words::END_A_DAEMON)]
    Silent {
        /// The store.
        store: PathBuf,
        /// How long it was waited for.
        after: Duration,
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
        match control::connect(store).await {
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

    /// The process at the other end, as the system tells.
    #[must_use]
    pub fn daemon_pid(&self) -> Option<u32> {
        control::daemon_pid(&self.stream)
    }

    /// The daemon's state.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn status(self) -> Result<DaemonStatus, ClientError> {
        self.ask_within(STATUS_DEADLINE, Method::GET, "/v1/status", &()).await
    }

    /// Registered variants; `line` is called with each line of the answer.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn list(
        self,
        order: &TargetsOrder,
        line: impl FnMut(ListLine) -> ControlFlow<()>,
    ) -> Result<(), ClientError> {
        self.lines("/v1/list", order, line).await
    }

    /// Registers variants.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn add(self, order: &TargetsOrder) -> Result<Report, ClientError> {
        self.ask(Method::POST, "/v1/add", order).await
    }

    /// Removes variants.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn remove(self, order: &RemoveOrder) -> Result<Report, ClientError> {
        self.ask(Method::POST, "/v1/remove", order).await
    }

    /// Pins variants, or takes their pins back.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn pin(self, order: &TargetsOrder, pin: bool) -> Result<Report, ClientError> {
        self.ask(Method::POST, if pin { "/v1/pin" } else { "/v1/unpin" }, order).await
    }

    /// Takes away what nobody needs.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn clean(self, order: &CleanOrder) -> Result<CleanReport, ClientError> {
        self.ask(Method::POST, "/v1/clean", order).await
    }

    /// Fetches variants ahead; `line` is called with each line of the answer. Dropped, it ends
    /// the job.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn warm(
        self,
        order: &WarmOrder,
        line: impl FnMut(WarmLine),
    ) -> Result<(), ClientError> {
        self.lines("/v1/warm", order, all(line)).await
    }

    /// Compares all blobs with their names; `line` is called with each line of the answer. Dropped,
    /// it ends the check.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn verify(
        self,
        order: &VerifyOrder,
        line: impl FnMut(VerifyLine),
    ) -> Result<(), ClientError> {
        self.lines("/v1/verify", order, all(line)).await
    }

    async fn lines<T: DeserializeOwned>(
        self,
        path: &str,
        order: &impl Serialize,
        mut line: impl FnMut(T) -> ControlFlow<()>,
    ) -> Result<(), ClientError> {
        let store = self.store.clone();
        let broken = |reason: String| ClientError::Broken { store: store.clone(), reason };
        let (mut body, _connection) = self.send(Method::POST, path, order).await?;
        let mut text = Vec::new();
        loop {
            let frame = tokio::time::timeout(DEADLINE, body.frame())
                .await
                .map_err(|_| ClientError::Silent { store: store.clone(), after: DEADLINE })?;
            let Some(frame) = frame else { break };
            let frame = frame.map_err(|error| broken(error.to_string()))?;
            text.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
            while let Some(end) = text.iter().position(|byte| *byte == b'\n') {
                let whole: Vec<_> = text.drain(..=end).collect();
                let told = serde_json::from_slice(&whole);
                if line(told.map_err(|error| broken(error.to_string()))?).is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Launch profiles of variants.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn profiles(self, order: &TargetsOrder) -> Result<ProfileList, ClientError> {
        self.ask(Method::POST, "/v1/profiles", order).await
    }

    /// Takes launch profiles in.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn import_profiles(self, list: &ProfileList) -> Result<Report, ClientError> {
        self.ask(Method::POST, "/v1/profiles/import", list).await
    }

    /// Forgets launch profiles.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn clear_profiles(self, order: &TargetsOrder) -> Result<Report, ClientError> {
        self.ask(Method::POST, "/v1/profiles/clear", order).await
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

    /// Lets another program take over.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn upgrade(self, order: &UpgradeOrder) -> Result<serde_json::Value, ClientError> {
        self.ask(Method::POST, "/v1/upgrade", order).await
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
        self.ask_within(DEADLINE, method, path, body).await
    }

    async fn ask_within<T: DeserializeOwned>(
        self,
        deadline: Duration,
        method: Method,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, ClientError> {
        let store = self.store.clone();
        let broken = |reason: String| ClientError::Broken { store: store.clone(), reason };
        let exchange = async {
            let (body, _connection) = self.send(method, path, body).await?;
            let bytes = body.collect().await.map_err(|error| broken(error.to_string()))?.to_bytes();
            serde_json::from_slice(&bytes).map_err(|error| broken(error.to_string()))
        };
        let answer = tokio::time::timeout(deadline, exchange).await;
        answer.map_err(|_| ClientError::Silent { store: store.clone(), after: deadline })?
    }

    /// Sends a request: the body of a good answer, and the connection that it comes through.
    async fn send(
        self,
        method: Method,
        path: &str,
        body: &impl Serialize,
    ) -> Result<(Incoming, Connection), ClientError> {
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
            let connection = Connection(tokio::spawn(connection).abort_handle());
            Ok::<_, hyper::Error>((sender.send_request(request).await?, connection))
        };
        let answer = tokio::time::timeout(DEADLINE, exchange)
            .await
            .map_err(|_| ClientError::Silent { store: store.clone(), after: DEADLINE })?;
        let (answer, connection) = answer.map_err(|error| broken(error.to_string()))?;
        if answer.status().is_success() {
            return Ok((answer.into_body(), connection));
        }
        let bytes = answer.into_body().collect().await;
        let bytes = bytes.map_err(|error| broken(error.to_string()))?.to_bytes();
        match serde_json::from_slice::<Failure>(&bytes) {
            Ok(failure) => Err(failure.into()),
            Err(_) => Err(broken(String::from_utf8_lossy(&bytes).into_owned())),
        }
    }
}

/// Takes every line.
fn all<T>(mut line: impl FnMut(T)) -> impl FnMut(T) -> ControlFlow<()> {
    move |told| {
        line(told);
        ControlFlow::Continue(())
    }
}

/// Ends with its owner.
struct Connection(tokio::task::AbortHandle);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.abort();
    }
}

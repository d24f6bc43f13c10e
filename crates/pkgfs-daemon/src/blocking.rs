//! Work that asks the file system, on threads that may wait.

use crate::DaemonError;

/// Runs what asks the file system on a thread that may wait.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, DaemonError> + Send + 'static,
) -> Result<T, DaemonError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        Err(DaemonError::System { action: "finish", source: std::io::Error::other(error) })
    })
}

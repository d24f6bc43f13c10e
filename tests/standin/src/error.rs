//! What can go wrong with the stand-in itself, as opposed to the faults it plays.

use std::io;
use std::path::PathBuf;

/// A failure to mount, to steer or to end a stand-in.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The mirrored directory cannot be read.
    #[error("cannot mirror {path}: {error}; give an existing directory")]
    Source {
        /// The directory asked for.
        path: PathBuf,
        /// What the system answered.
        error: io::Error,
    },
    /// The kernel or fusermount3 refused the mount.
    #[error("cannot mount at {path}: {error}; check /dev/fuse and that the directory exists")]
    Mount {
        /// The mountpoint asked for.
        path: PathBuf,
        /// What the system answered.
        error: io::Error,
    },
    /// The control socket cannot be made or reached.
    #[error("cannot talk through {path}: {error}; check that the stand-in runs")]
    Control {
        /// The socket.
        path: PathBuf,
        /// What the system answered.
        error: io::Error,
    },
    /// The stand-in understood the connection but refused the request.
    #[error("the stand-in refused: {0}")]
    Refused(String),
    /// The stand-in's process did not start or ended before it was ready.
    #[error("{binary} did not start: {reason}; run `cargo build -p pkgfs-standin`")]
    Start {
        /// The program.
        binary: PathBuf,
        /// What it said, or what the system answered.
        reason: String,
    },
}

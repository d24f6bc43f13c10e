//! A stand-in for shared storage: a read-only mirror of a directory that costs what a network
//! file system costs, counts what it is asked, and fails on demand.
//!
//! The mirror mounts SOURCE at MOUNTPOINT through FUSE. Every request that an NFS client would
//! send over the wire is an [`Operation`]: it is counted when it arrives, waits for one of N
//! service slots, stays there for the set delay, and takes its bytes through a shared link of
//! the set bandwidth. The kernel keeps attributes, names and misses for fixed times, as an NFS
//! client does. Faults (hang, error, short read) are chosen per path and operation at run time
//! through a control socket.
//!
//! What costs nothing and is not counted, because an NFS client sends nothing for it: OPENDIR,
//! RELEASE, RELEASEDIR, FLUSH, FORGET, and the empty READDIR that ends a FUSE listing (NFS
//! carries the end in the answer before).
//!
//! Tests use [`StandinProcess`], which runs the mirror in a process of its own: a mount served
//! by the test's own process can deadlock it once an operation hangs. [`Standin`] is the same
//! mount inside the calling process.
//!
//! ```no_run
//! use pkgfs_standin::{Effect, Fault, Operation, Options, StandinProcess};
//!
//! # fn main() -> Result<(), pkgfs_standin::Error> {
//! let binary = StandinProcess::built_binary()?;
//! let options = Options { delay_us: 500, ..Options::default() };
//! let storage = StandinProcess::spawn(&binary, "/srv/packages", "/var/tmp/mnt", &options)?;
//! storage.control().fault(&Fault::new(Effect::Hang).on([Operation::Read]))?;
//! // … a reader now waits …
//! storage.control().release()?;
//! assert_eq!(storage.control().stats()?.operations.read, 1);
//! # Ok(())
//! # }
//! ```

mod client;
mod control;
mod cost;
mod counts;
mod directory;
mod error;
mod faults;
mod kernel_mount;
mod mirror;
mod nodes;
mod operation;
mod options;
mod process;
mod service;
mod source;
mod standin;

pub use client::Client;
pub use control::{Answer, Request};
pub use counts::{Stats, Tally, Trace, TracedOperation};
pub use error::Error;
pub use faults::{Effect, Fault, FaultErrno};
pub use operation::Operation;
pub use options::{MAX_READ, Options};
pub use process::StandinProcess;
pub use standin::Standin;

//! Linux: mounts that outlive their daemon, and a mount table that says when it changes.

mod holder;
mod succession;

use std::{fs::File, io, thread};

use rustix::event::{PollFd, PollFlags, poll};
use tokio::sync::mpsc;

use super::{Platform, Served, remove_mountpoint, serve};

pub(super) use holder::Keeper;
/// What `pkgfs holder` runs: the process that keeps mounts alive.
pub use holder::main as holder_main;
pub use succession::take_over;

/// Where it is read what is mounted, for messages.
pub(super) const MOUNT_TABLE: &str = "/proc/self/mountinfo";
/// What failed, where it could not be read.
pub(super) const READ: &str = "read /proc/self/mountinfo";
/// The same where it could not be followed.
pub(super) const WATCH: &str = "watch /proc/self/mountinfo";

/// A daemon can go on for another.
pub(super) const HANDS_OVER: bool = true;

/// Changes of what is mounted: the kernel wakes whoever polls its table (proc(5)).
pub(super) struct Changes(mpsc::Receiver<()>);

impl Changes {
    pub(super) fn follow() -> io::Result<Self> {
        let table = File::open(MOUNT_TABLE)?;
        // One message stands for any number of changes.
        let (changed, changes) = mpsc::channel(1);
        thread::Builder::new().name("mount-table".into()).spawn(move || {
            while wait_for_change(&table).is_ok() {
                if let Err(mpsc::error::TrySendError::Closed(())) = changed.try_send(()) {
                    break;
                }
            }
        })?;
        Ok(Self(changes))
    }

    /// Waits for one.
    pub(super) async fn next(&mut self) -> io::Result<()> {
        self.0.recv().await.ok_or_else(|| io::Error::other("it cannot be polled"))
    }
}

fn wait_for_change(table: &File) -> rustix::io::Result<()> {
    let mut polled = [PollFd::new(table, PollFlags::PRI)];
    rustix::io::retry_on_intr(|| poll(&mut polled, None)).map(drop)
}

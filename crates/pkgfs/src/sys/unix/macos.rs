//! macOS: queues of events in the place of descriptors of processes. Nothing here was ever run.

use rustix::fd::OwnedFd;

/// Why no other program can take over a mount.
pub(crate) const NO_HAND_OVER: Option<&str> = Some(
    "on macOS no other program can take over a mount in use: unmount it with this program \
     (`pkgfs unmount`), then mount it with the other",
);

/// A descriptor that can be read from when the process has ended that has this number now.
pub(super) fn end_of(pid: u32) -> Option<OwnedFd> {
    pkgfs_darwin::ending::of(pid).ok()
}

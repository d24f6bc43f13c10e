//! Linux: processes by descriptors.

use rustix::{
    fd::OwnedFd,
    process::{Pid, PidfdFlags, pidfd_open},
};

/// Why no other program can take over a mount.
pub(crate) const NO_HAND_OVER: Option<&str> = None;

/// A descriptor that can be read from when the process has ended that has this number now.
pub(super) fn end_of(pid: u32) -> Option<OwnedFd> {
    let pid = Pid::from_raw(pid.try_into().ok()?)?;
    pidfd_open(pid, PidfdFlags::empty()).ok()
}

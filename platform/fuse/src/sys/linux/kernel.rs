//! Mounting with mount(2), for a process that may.

use std::{
    ffi::CString,
    os::fd::{AsRawFd, OwnedFd},
    path::Path,
};

use rustix::{
    fs::{Mode, OFlags},
    io::Errno,
    mount::{MountFlags, UnmountFlags},
    process::{getegid, geteuid},
    thread::{CapabilitySet, capabilities},
};

use crate::mount::{FSTYPE, MountError, MountRequest};

/// May this process call mount(2)? In a user namespace it may appear to; the kernel's
/// refusal is then told as it is.
pub(super) fn may_mount() -> bool {
    capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::SYS_ADMIN))
}

pub(super) fn mount(request: &MountRequest<'_>) -> Result<OwnedFd, MountError> {
    let refused = |errno| MountError::Refused {
        mountpoint: request.mountpoint.to_owned(),
        reason: std::io::Error::from(errno).to_string(),
    };
    let device = rustix::fs::open("/dev/fuse", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())
        .map_err(|errno| match errno {
            Errno::NOENT | Errno::NODEV | Errno::NXIO => MountError::DeviceMissing,
            other => {
                MountError::DeviceForbidden { reason: std::io::Error::from(other).to_string() }
            }
        })?;
    let options = format!(
        "fd={},rootmode=40000,user_id={},group_id={},default_permissions{}",
        device.as_raw_fd(),
        geteuid().as_raw(),
        getegid().as_raw(),
        if request.allow_other { ",allow_other" } else { "" },
    );
    // By its descriptor: were a link put there meanwhile, the mount would go where it leads.
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let directory = rustix::fs::open(request.mountpoint, flags, Mode::empty()).map_err(refused)?;
    let target = format!("/proc/self/fd/{}", directory.as_raw_fd());
    let target = c_string(target.as_bytes(), request.mountpoint)?;
    let source = c_string(request.source.as_bytes(), request.mountpoint)?;
    let options = c_string(options.as_bytes(), request.mountpoint)?;
    rustix::mount::mount(
        source.as_c_str(),
        target.as_c_str(),
        FSTYPE,
        MountFlags::NOSUID | MountFlags::NODEV,
        options.as_c_str(),
    )
    .map_err(refused)?;
    Ok(device)
}

pub(super) fn unmount(mountpoint: &Path, lazy: bool) -> Result<(), MountError> {
    let detach = if lazy { UnmountFlags::DETACH } else { UnmountFlags::empty() };
    rustix::mount::unmount(mountpoint, detach | UnmountFlags::NOFOLLOW).map_err(|errno| {
        let mountpoint = mountpoint.to_owned();
        match errno {
            Errno::BUSY => MountError::Busy { mountpoint },
            Errno::INVAL | Errno::NOENT => MountError::NotMounted { mountpoint },
            _ => {
                MountError::Refused { mountpoint, reason: std::io::Error::from(errno).to_string() }
            }
        }
    })
}

fn c_string(bytes: &[u8], of: &Path) -> Result<CString, MountError> {
    CString::new(bytes).map_err(|_| MountError::Refused {
        mountpoint: of.to_owned(),
        reason: "a path cannot hold a NUL byte".to_owned(),
    })
}

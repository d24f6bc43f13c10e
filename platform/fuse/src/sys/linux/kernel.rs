//! Mounting with mount(2), for a process that may.

use std::os::fd::{AsRawFd, OwnedFd};

use rustix::{
    fs::{Mode, OFlags},
    io::Errno,
    mount::MountFlags,
    process::{getegid, geteuid},
};

use super::{FSTYPE, MountError, MountRequest, c_string};

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

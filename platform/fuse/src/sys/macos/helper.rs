//! Mounting through macFUSE's own program.
//!
//! It opens a device, sends its descriptor over the socket whose number stands in `_FUSE_COMMFD`,
//! and mounts. That ends when the kernel's first requests are answered, which only whoever has the
//! descriptor can do: so nobody waits for it here.

use std::{
    io::{self, IoSliceMut},
    mem::MaybeUninit,
    os::{fd::OwnedFd, unix::net::UnixStream},
    process::{Child, Command, Stdio},
    thread,
};

use rustix::{
    io::{FdFlags, fcntl_setfd},
    net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg},
};

use super::OURS;
use crate::mount::{MountError, MountRequest};

const HELPER: &str = "/Library/Filesystems/macfuse.fs/Contents/Resources/mount_macfuse";

pub(crate) fn mount(request: &MountRequest<'_>) -> Result<OwnedFd, MountError> {
    let refused =
        |reason: String| MountError::Refused { mountpoint: request.mountpoint.to_owned(), reason };
    let (ours, theirs) = UnixStream::pair().map_err(|error| refused(error.to_string()))?;
    if request.source.contains(',') {
        return Err(refused(format!("{} holds a comma, which ends options", request.source)));
    }
    let mut options = format!("nosuid,nodev,default_permissions,fsname={OURS}{}", request.source);
    if request.allow_other {
        options.push_str(",allow_other");
    }
    let own = std::env::current_exe().map_err(|error| refused(error.to_string()))?;
    let child = Command::new(HELPER)
        .args(["-o", &options])
        .arg(request.mountpoint)
        .env("_FUSE_COMMFD", "0")
        .env("_FUSE_COMMVERS", "2")
        .env("_FUSE_CALL_BY_LIB", "1")
        .env("_FUSE_DAEMON_PATH", own)
        .stdin(OwnedFd::from(theirs))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| refused(format!("{HELPER}: {error}; is macFUSE installed?")))?;
    match receive(&ours) {
        Ok(Some(device)) => {
            // It says there, too, how mounting went.
            thread::spawn(move || {
                if let Err(reason) = end_of(child) {
                    tracing::warn!(reason, "the mount is not complete");
                }
                drop(ours);
            });
            Ok(device)
        }
        _ => Err(refused(end_of(child).err().unwrap_or_else(|| "it sent no device".to_owned()))),
    }
}

/// Waits for the end of the program, and tells why it failed if it did.
fn end_of(child: Child) -> Result<(), String> {
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(said.lines().last().unwrap_or("mount_macfuse gave no reason").trim().to_owned())
}

/// Some bytes and the descriptor, or nothing if the program gave up.
fn receive(from: &UnixStream) -> io::Result<Option<OwnedFd>> {
    let mut byte = [0];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    rustix::io::retry_on_intr(|| {
        recvmsg(from, &mut [IoSliceMut::new(&mut byte)], &mut control, RecvFlags::empty())
    })?;
    let device = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    if let Some(device) = &device {
        fcntl_setfd(device, FdFlags::CLOEXEC)?;
    }
    Ok(device)
}

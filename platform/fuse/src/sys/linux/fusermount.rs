//! Mounting through the set-user-id helper `fusermount3`, for ordinary users.
//!
//! The helper opens the device, mounts, and sends the descriptor over the socket whose
//! number stands in `_FUSE_COMMFD` (libfuse, `util/fusermount.c`). The socket is given
//! as its standard input, so that no descriptor has to survive exec in our other
//! threads' children.

use std::{
    io::{self, IoSliceMut},
    mem::MaybeUninit,
    os::{fd::OwnedFd, unix::net::UnixStream},
    path::Path,
    process::{Command, Output, Stdio},
};

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

use crate::mount::{MountError, MountRequest};

const HELPER: &str = "fusermount3";

pub(super) fn mount(request: &MountRequest<'_>) -> Result<OwnedFd, MountError> {
    let refused = |error: io::Error| MountError::Refused {
        mountpoint: request.mountpoint.to_owned(),
        reason: error.to_string(),
    };
    let (ours, theirs) = UnixStream::pair().map_err(refused)?;
    // The helper splits options at commas; a backslash keeps one inside a value.
    let source = request.source.replace('\\', "\\\\").replace(',', "\\,");
    let mut options = format!("nosuid,nodev,default_permissions,subtype=pkgfs,fsname={source}");
    if request.allow_other {
        options.push_str(",allow_other");
    }
    let child = Command::new(HELPER)
        .args(["-o", &options, "--"])
        .arg(request.mountpoint)
        .env("_FUSE_COMMFD", "0")
        .env("LC_ALL", "C")
        .stdin(OwnedFd::from(theirs))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(missing_or(request.mountpoint))?;
    // `Command` is gone by now and with it our copy of the helper's end: should the
    // helper die, this reads the end of the stream.
    let device = receive(&ours);
    let output = child.wait_with_output().map_err(refused)?;
    match device {
        Ok(Some(device)) if output.status.success() => Ok(device),
        _ => Err(classify(request.mountpoint, &output)),
    }
}

pub(super) fn unmount(mountpoint: &Path, lazy: bool) -> Result<(), MountError> {
    let output = Command::new(HELPER)
        .arg("-u")
        .args(lazy.then_some("-z"))
        .arg("--")
        .arg(mountpoint)
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .output()
        .map_err(missing_or(mountpoint))?;
    if output.status.success() { Ok(()) } else { Err(classify(mountpoint, &output)) }
}

/// One byte and the descriptor, or nothing if the helper gave up.
fn receive(from: &UnixStream) -> io::Result<Option<OwnedFd>> {
    let mut byte = [0];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    rustix::io::retry_on_intr(|| {
        recvmsg(from, &mut [IoSliceMut::new(&mut byte)], &mut control, RecvFlags::CMSG_CLOEXEC)
    })?;
    Ok(control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    }))
}

fn missing_or(mountpoint: &Path) -> impl FnOnce(io::Error) -> MountError {
    let mountpoint = mountpoint.to_owned();
    |error| match error.kind() {
        io::ErrorKind::NotFound => MountError::FusermountMissing,
        _ => MountError::Refused { mountpoint, reason: format!("{HELPER}: {error}") },
    }
}

/// What the helper's words mean; they are libfuse's, fixed under `LC_ALL=C`.
fn classify(mountpoint: &Path, output: &Output) -> MountError {
    let said = String::from_utf8_lossy(&output.stderr);
    let mountpoint = mountpoint.to_owned();
    let has = |words: &str| said.contains(words);
    if has("user_allow_other") {
        MountError::AllowOtherForbidden
    } else if has("fuse device not found") {
        MountError::DeviceMissing
    } else if has("failed to open /dev/fuse") {
        MountError::DeviceForbidden { reason: said.trim().to_owned() }
    } else if has("no write access to mountpoint") {
        MountError::MountpointForbidden { path: mountpoint }
    } else if has("not found in") {
        MountError::NotMounted { mountpoint }
    } else if has("busy") {
        MountError::Busy { mountpoint }
    } else if has("not permitted") && has("umount") {
        MountError::NotYours { mountpoint }
    } else {
        let reason = said.lines().last().unwrap_or("fusermount3 gave no reason").trim().to_owned();
        MountError::Refused { mountpoint, reason }
    }
}

//! A Unix stream socket; open files go along with its bytes.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, IoSlice, IoSliceMut, Write},
    mem::MaybeUninit,
    os::{
        fd::{AsFd, AsRawFd, OwnedFd, RawFd},
        unix::net::UnixStream,
    },
};

use rustix::{
    io::retry_on_intr,
    net::{
        RecvAncillaryBuffer, RecvAncillaryMessage, SendAncillaryBuffer, SendAncillaryMessage,
        SocketType, recvmsg, sendmsg, sockopt::socket_type,
    },
};
use tokio::{
    io::Interest,
    net::unix::{OwnedReadHalf, OwnedWriteHalf},
};

use super::system;
use crate::protocol::MAX_FILES;

/// What the worker says.
pub(crate) type Incoming = OwnedReadHalf;

/// What is said to the worker.
#[derive(Debug)]
pub(crate) struct Outgoing(pub(super) OwnedWriteHalf);

impl Outgoing {
    /// Sends bytes, and files with the first of them.
    pub(crate) async fn send(&mut self, bytes: &[u8], mut files: &[File]) -> io::Result<()> {
        let socket: &tokio::net::UnixStream = self.0.as_ref();
        let mut rest = bytes;
        while !rest.is_empty() {
            let send = || send_some(socket, rest, files);
            let sent = socket.async_io(Interest::WRITABLE, send).await?;
            rest = &rest[sent..];
            files = &[];
        }
        Ok(())
    }
}

fn send_some(socket: &impl AsFd, bytes: &[u8], files: &[File]) -> io::Result<usize> {
    let files: Vec<_> = files.iter().map(AsFd::as_fd).collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FILES))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !files.is_empty() && !control.push(SendAncillaryMessage::ScmRights(&files)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    Ok(sendmsg(socket, &[IoSlice::new(bytes)], &mut control, system::SEND)?)
}

/// What the worker hears.
#[derive(Debug)]
pub(crate) struct Ear(UnixStream);

impl Ear {
    /// Reads some bytes, and the files that came with them; no bytes when nobody speaks any more.
    pub(crate) fn hear(
        &mut self,
        bytes: &mut [u8],
        files: &mut VecDeque<File>,
    ) -> io::Result<usize> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FILES))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let received = retry_on_intr(|| {
            let mut buffers = [IoSliceMut::new(bytes)];
            recvmsg(&self.0, &mut buffers, &mut control, system::RECEIVE)
        });
        let got = received?.bytes;
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(received) = message {
                files.extend(received.map(system::received));
            }
        }
        Ok(got)
    }
}

/// With what the worker speaks.
#[derive(Debug)]
pub(crate) struct Mouth(UnixStream);

impl Mouth {
    pub(crate) fn say(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }
}

/// The worker's ends, which it got as its standard input, and nothing else from then on; `None` in
/// a process that was not started as a worker.
///
/// Where the kernel does that, it kills the process when the daemon is gone, should it be stopped
/// just then.
pub(crate) fn given() -> io::Result<Option<(Ear, Mouth)>> {
    let stdin = io::stdin();
    if socket_type(&stdin).ok() != Some(SocketType::STREAM) {
        return Ok(None);
    }
    let socket = stdin.as_fd().try_clone_to_owned()?;
    system::end_with_parent();
    // A working directory would keep a mount busy.
    _ = std::env::set_current_dir("/");
    close_all_but(&socket);
    let socket = UnixStream::from(socket);
    Ok(Some((Ear(socket.try_clone()?), Mouth(socket))))
}

/// Closes what a careless parent has left open for us.
fn close_all_but(keep: &OwnedFd) {
    let Ok(open) = std::fs::read_dir(system::DESCRIPTORS) else { return };
    let numbers = open.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    // Collected, since the directory being read is one of them.
    let numbers: Vec<RawFd> = numbers.collect();
    for number in numbers.into_iter().filter(|&fd| fd > 2 && fd != keep.as_raw_fd()) {
        _ = nix::unistd::close(number);
    }
}

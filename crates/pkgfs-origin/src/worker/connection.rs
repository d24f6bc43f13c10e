//! The worker's end of the socket.

use std::{
    collections::VecDeque,
    io::{self, IoSliceMut, Write},
    mem::MaybeUninit,
    os::{fd::OwnedFd, unix::net::UnixStream},
    sync::{Mutex, PoisonError},
};

use rustix::{
    io::retry_on_intr,
    net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg},
};

use crate::{
    Operations,
    protocol::{Body, Envelope, MAX_DESCRIPTORS, frame, frame_length},
};

/// Bytes asked for at a time.
const CHUNK: usize = 64 << 10;

/// Takes batches, and the files that come with them.
pub(super) struct Receiver {
    socket: UnixStream,
    bytes: Vec<u8>,
    files: VecDeque<OwnedFd>,
}

impl Receiver {
    pub(super) fn new(socket: UnixStream) -> Self {
        Self { socket, bytes: Vec::new(), files: VecDeque::new() }
    }

    /// The next batch; `None` when the client is gone.
    pub(super) fn receive(&mut self) -> io::Result<Option<Vec<Envelope>>> {
        loop {
            if let Some((prefix, rest)) = self.bytes.split_first_chunk::<4>() {
                let length = frame_length(*prefix).ok_or(io::ErrorKind::InvalidData)?;
                if let Some(body) = rest.get(..length) {
                    let batch =
                        postcard::from_bytes(body).map_err(|_| io::ErrorKind::InvalidData)?;
                    self.bytes.drain(..4 + length);
                    return Ok(Some(batch));
                }
            }
            if !self.fill()? {
                return Ok(None);
            }
        }
    }

    /// The next file, in the order of the fetches.
    pub(super) fn take_file(&mut self) -> Option<OwnedFd> {
        self.files.pop_front()
    }

    fn fill(&mut self) -> io::Result<bool> {
        let held = self.bytes.len();
        self.bytes.resize(held + CHUNK, 0);
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let received = retry_on_intr(|| {
            let mut buffers = [IoSliceMut::new(&mut self.bytes[held..])];
            recvmsg(&self.socket, &mut buffers, &mut control, RecvFlags::CMSG_CLOEXEC)
        });
        let got = received.as_ref().map_or(0, |message| message.bytes);
        self.bytes.truncate(held + got);
        received?;
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(files) = message {
                self.files.extend(files);
            }
        }
        Ok(got > 0)
    }
}

/// Sends messages whole, from any thread.
pub(super) struct Sender(Mutex<UnixStream>);

impl Sender {
    pub(super) fn new(socket: UnixStream) -> Self {
        Self(Mutex::new(socket))
    }

    /// Sends a message. A client that is gone is noticed by who receives from it.
    pub(super) fn send(&self, id: u64, operations: Operations, body: &Body, raw: &[u8]) {
        let bytes = frame(&(id, operations, body), raw);
        let mut socket = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        _ = socket.write_all(&bytes);
    }
}

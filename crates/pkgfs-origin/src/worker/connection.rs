//! The worker's ends of the channel.

use std::{
    collections::VecDeque,
    fs::File,
    io,
    sync::{Mutex, PoisonError},
};

use crate::{
    Operations,
    protocol::{Body, Envelope, frame, frame_length},
    sys::channel::{Ear, Mouth},
};

/// Bytes asked for at a time.
const CHUNK: usize = 64 << 10;

/// Takes batches, and the files that come with them.
pub(super) struct Receiver {
    ear: Ear,
    bytes: Vec<u8>,
    files: VecDeque<File>,
}

impl Receiver {
    pub(super) fn new(ear: Ear) -> Self {
        Self { ear, bytes: Vec::new(), files: VecDeque::new() }
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
    pub(super) fn take_file(&mut self) -> Option<File> {
        self.files.pop_front()
    }

    fn fill(&mut self) -> io::Result<bool> {
        let held = self.bytes.len();
        self.bytes.resize(held + CHUNK, 0);
        let got = self.ear.hear(&mut self.bytes[held..], &mut self.files);
        self.bytes.truncate(held + got.as_ref().map_or(0, |got| *got));
        Ok(got? > 0)
    }
}

/// Sends messages whole, from any thread.
pub(super) struct Sender(Mutex<Mouth>);

impl Sender {
    pub(super) fn new(mouth: Mouth) -> Self {
        Self(Mutex::new(mouth))
    }

    /// Sends a message. A client that is gone is noticed by who receives from it.
    pub(super) fn send(&self, id: u64, operations: Operations, body: &Body, raw: &[u8]) {
        let bytes = frame(&(id, operations, body), raw);
        let mut mouth = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        _ = mouth.say(&bytes);
    }
}

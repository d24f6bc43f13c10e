//! The client's end of the socket: what goes to a worker and what comes from it.

use std::{
    io::{self, IoSlice},
    mem::MaybeUninit,
    os::fd::{AsFd, OwnedFd},
};

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use tokio::{
    io::{AsyncReadExt, Interest},
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::mpsc,
};

use super::supervisor::Event;
use crate::protocol::{MAX_DESCRIPTORS, Message, frame_length};

/// Bytes for the worker, and descriptors that go with the first of them.
pub(crate) type Outgoing = (Vec<u8>, Vec<OwnedFd>);

/// Tells the supervisor, if it is still there.
pub(crate) fn tell(events: &mpsc::WeakUnboundedSender<Event>, event: Event) {
    if let Some(events) = events.upgrade() {
        _ = events.send(event);
    }
}

/// Passes on what the worker says, until it says nothing more.
pub(crate) async fn listen(
    mut from: OwnedReadHalf,
    generation: u64,
    events: mpsc::WeakUnboundedSender<Event>,
) {
    while let Ok((message, raw)) = hear(&mut from).await {
        tell(&events, Event::Said(generation, message, raw));
    }
    tell(&events, Event::Closed(generation));
}

async fn hear(from: &mut OwnedReadHalf) -> io::Result<(Message, Vec<u8>)> {
    let mut prefix = [0; 4];
    from.read_exact(&mut prefix).await?;
    let length = frame_length(prefix).ok_or(io::ErrorKind::InvalidData)?;
    let mut bytes = vec![0; length];
    from.read_exact(&mut bytes).await?;
    let (message, raw) =
        postcard::take_from_bytes(&bytes).map_err(|_| io::ErrorKind::InvalidData)?;
    let raw = raw.to_vec();
    Ok((message, raw))
}

/// Sends what is to be sent, until the worker takes no more (its death is noticed by
/// [`listen`]).
pub(crate) async fn speak(to: OwnedWriteHalf, mut letters: mpsc::UnboundedReceiver<Outgoing>) {
    while let Some((bytes, files)) = letters.recv().await {
        let mut rest = &bytes[..];
        let mut files = &files[..];
        while !rest.is_empty() {
            let socket: &UnixStream = to.as_ref();
            match socket.async_io(Interest::WRITABLE, || send_some(socket, rest, files)).await {
                Ok(sent) => rest = &rest[sent..],
                Err(_) => return,
            }
            files = &[];
        }
    }
}

fn send_some(socket: &UnixStream, bytes: &[u8], files: &[OwnedFd]) -> io::Result<usize> {
    let files: Vec<_> = files.iter().map(AsFd::as_fd).collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !files.is_empty() && !control.push(SendAncillaryMessage::ScmRights(&files)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // Else a worker that just died would kill the daemon too.
    let flags = SendFlags::NOSIGNAL;
    Ok(sendmsg(socket, &[IoSlice::new(bytes)], &mut control, flags)?)
}

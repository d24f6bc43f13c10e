//! The client's ends of the channel: what goes to a worker and what comes from it.

use std::{fs::File, io};

use tokio::{io::AsyncReadExt, sync::mpsc};

use super::supervisor::Event;
use crate::{
    protocol::{Message, frame_length},
    sys::channel::{Incoming, Outgoing},
};

/// Bytes for the worker, and files that go with the first of them.
pub(crate) type Letter = (Vec<u8>, Vec<File>);

/// Tells the supervisor, if it is still there.
pub(crate) fn tell(events: &mpsc::WeakUnboundedSender<Event>, event: Event) {
    if let Some(events) = events.upgrade() {
        _ = events.send(event);
    }
}

/// Passes on what the worker says, until it says nothing more.
pub(crate) async fn listen(
    mut from: Incoming,
    generation: u64,
    events: mpsc::WeakUnboundedSender<Event>,
) {
    while let Ok((message, raw)) = hear(&mut from).await {
        tell(&events, Event::Said(generation, message, raw));
    }
    tell(&events, Event::Closed(generation));
}

async fn hear(from: &mut Incoming) -> io::Result<(Message, Vec<u8>)> {
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
pub(crate) async fn speak(mut to: Outgoing, mut letters: mpsc::UnboundedReceiver<Letter>) {
    while let Some((bytes, files)) = letters.recv().await {
        if to.send(&bytes, &files).await.is_err() {
            return;
        }
    }
}

//! Connections of everybody: few at a time, so that nobody takes the descriptors that files need.
//!
//! Who comes when all are taken waits; the store's owner and root have one of their own.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::serve::Listener;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Duration, Sleep, sleep},
};

use crate::{
    Settings, control,
    control::{Accepted, Address},
    sys,
};

/// Connections at a time.
const MOST: usize = 32;
/// How long one may last: whoever asks for nothing makes room for others.
const LONGEST: Duration = Duration::from_secs(30);

/// Listens to everybody, where everybody is let in: a system daemon with mounts for all users.
pub(crate) fn listen(settings: &Settings) -> Option<control::Listener> {
    if !settings.allow_other || !sys::is_privileged() {
        return None;
    }
    let listening = control::listen_to_all(&settings.store);
    let untold = |error| tracing::warn!(%error, "other users are told nothing: no public socket");
    listening.map_err(untold).ok()
}

/// A listener with a bound.
pub(crate) struct Bounded {
    listener: control::Listener,
    free: Arc<Semaphore>,
}

impl Bounded {
    pub(crate) fn new(listener: control::Listener) -> Self {
        Self { listener, free: Arc::new(Semaphore::new(MOST)) }
    }
}

impl Listener for Bounded {
    type Io = Connection;
    type Addr = Address;

    async fn accept(&mut self) -> (Connection, Address) {
        // The semaphore is never closed.
        let place = Arc::clone(&self.free).acquire_owned().await.ok();
        let (stream, address) = Listener::accept(&mut self.listener).await;
        (Connection { stream, end: Box::pin(sleep(LONGEST)), _place: place }, address)
    }

    fn local_addr(&self) -> io::Result<Address> {
        self.listener.local_addr()
    }
}

/// A connection that ends in time, and its place among those there may be.
pub(crate) struct Connection {
    stream: Accepted,
    end: Pin<Box<Sleep>>,
    _place: Option<OwnedSemaphorePermit>,
}

impl Connection {
    fn in_time(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        match self.end.as_mut().poll(context) {
            Poll::Ready(()) => Err(io::ErrorKind::TimedOut.into()),
            Poll::Pending => Ok(()),
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.in_time(context)?;
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.in_time(context)?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

//! Threads, channels between them, and atomics: the standard library's, or shuttle's.
//!
//! With the feature `shuttle` this crate runs in one thread under a scheduler that chooses who goes
//! on at each of these operations (`interleavings`). The same feature has `tokio` and `parking_lot`
//! mean shuttle's in all of this crate (`lib.rs`); what is shipped is the code that is checked.

use std::time::Duration;

#[cfg(feature = "shuttle")]
pub(crate) use shuttle::{
    sync::{atomic, mpsc},
    thread,
};
#[cfg(not(feature = "shuttle"))]
pub(crate) use std::{
    sync::{atomic, mpsc},
    thread,
};

/// The next message, if there is one within this time.
#[cfg(not(feature = "shuttle"))]
pub(crate) fn receive_within<T>(from: &mpsc::Receiver<T>, patience: Duration) -> Option<T> {
    from.recv_timeout(patience).ok()
}

/// The same where there is no time: it may be over whenever nothing is there.
#[cfg(feature = "shuttle")]
pub(crate) fn receive_within<T>(from: &mpsc::Receiver<T>, _: Duration) -> Option<T> {
    thread::yield_now();
    from.try_recv().ok()
}

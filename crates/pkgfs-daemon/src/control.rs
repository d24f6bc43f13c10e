//! Where a daemon is asked: a Unix socket in its store, or a named pipe.
//!
//! Both sides have the same items. Whoever may not control the daemon is kept away by the system
//! where it can do that, and refused by [`Peer::may_control`] otherwise.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
use unix as system;

#[cfg(windows)]
mod pipe;
#[cfg(windows)]
use pipe as system;

pub(crate) use system::{
    Accepted, Address, Listener, Peer, Stream, connect, daemon_pid, listen, listen_to_all, path,
    remove, remove_public,
};

use std::path::Path;

/// Digits of a store's digest in the names of what it is asked at.
const DIGITS: usize = 16;

/// A name for what belongs to a store, of digits only: its path may be long.
fn name_of(store: &Path) -> String {
    let digest = blake3::hash(store.as_os_str().as_encoded_bytes()).to_hex();
    digest[..DIGITS].to_owned()
}

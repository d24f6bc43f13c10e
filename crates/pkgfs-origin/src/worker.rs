//! The process that reads shared storage.
//!
//! It gets its requests through a channel, and knows nothing of the daemon
//! but that: no store, no lock, no mount, no other file. Its threads take turns at
//! the channel, so that there is always one that answers pings and a hung storage is told
//! from a dead process. Each request is served by a thread of its own from a pool that
//! grows as needed; the client bounds how many there are.
//!
//! It ends when the daemon does: the channel ends, and the system kills it
//! should it be stopped just then.

mod connection;
mod service;

use std::{process::ExitCode, sync::Arc};

use crate::{backend::Mounted, sys::channel};
use connection::{Receiver, Sender};

/// Runs the worker: the whole of the program that
/// [`OriginSettings::command`](crate::OriginSettings::command) names.
#[must_use]
pub fn main() -> ExitCode {
    let (ear, mouth) = match channel::given() {
        Ok(Some(ends)) => ends,
        Ok(None) => {
            eprintln!(
                "this command is run by pkgfs itself, to read shared storage; try `pkgfs mount`"
            );
            return ExitCode::from(2);
        }
        Err(_) => return ExitCode::FAILURE,
    };
    service::serve(Arc::new(Mounted), Sender::new(mouth), Receiver::new(ear));
    // Threads that hang in storage are not waited for.
    std::process::exit(0)
}

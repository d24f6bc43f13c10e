//! rez's protocol on the mount, step by step, as the system calls that rez 3.4.0 makes: what rez
//! itself does with it is tested by `rez_suite`, here every step is looked at.

#![allow(clippy::unwrap_used, missing_docs)]

mod actions;
mod copy_in;
mod hostile;
mod lock;
mod lock_file;
mod look_up;
mod modes;
mod open_elsewhere;
mod payloads;
mod pending;
mod posix;
mod refused;
mod removal;
mod renaming;
mod room;
mod stalled;
mod stems;
mod users;

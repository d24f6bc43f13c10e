//! Pipes between a program that waits for many things at once and a child that does not.
//!
//! Pipes without a name cannot be waited for with other things ("Anonymous Pipe Operations"), and a
//! thread that reads from one hangs as long as who should write. So these have a name: one that
//! nobody knows, of a single instance, both of whose ends are here.

use std::{
    fs::{File, OpenOptions},
    hash::{BuildHasher, RandomState},
    io,
    sync::atomic::{AtomicU64, Ordering},
};

use tokio::net::windows::named_pipe::{NamedPipeServer, PipeMode, ServerOptions};

/// Bytes that a pipe holds until they are read.
const HELD: u32 = 256 << 10;

/// Our end of a pipe, and the child's, which blocks.
pub type Ends = (NamedPipeServer, File);

/// A pipe that the child reads from. Inside a tokio runtime.
///
/// # Errors
/// When there can be none.
pub fn to_child() -> io::Result<Ends> {
    let (name, mut options) = named();
    let ours = options.access_outbound(true).access_inbound(false).create(&name)?;
    Ok((ours, OpenOptions::new().read(true).open(&name)?))
}

/// A pipe that the child writes to. Inside a tokio runtime.
///
/// # Errors
/// When there can be none.
pub fn from_child() -> io::Result<Ends> {
    let (name, mut options) = named();
    let ours = options.access_inbound(true).access_outbound(false).create(&name)?;
    Ok((ours, OpenOptions::new().write(true).open(&name)?))
}

fn named() -> (String, ServerOptions) {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    // What a map of the standard library is seeded with, nobody can guess.
    let chance = RandomState::new().hash_one(count);
    let name = format!(r"\\.\pipe\pkgfs-child-{}-{count}-{chance:016x}", std::process::id());
    let mut options = ServerOptions::new();
    options
        .pipe_mode(PipeMode::Byte)
        .in_buffer_size(HELD)
        .out_buffer_size(HELD)
        .first_pipe_instance(true)
        .max_instances(1)
        .reject_remote_clients(true);
    (name, options)
}

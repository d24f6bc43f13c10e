//! Pipes between a program that waits for many things at once and a child that does not.
//!
//! Pipes without a name cannot be waited for with other things ("Anonymous Pipe Operations"), and a
//! thread that reads from one hangs as long as who should write. So these have a name: one that
//! nobody knows, of a single instance, both of whose ends are here.

use std::{
    fs::{File, OpenOptions},
    hash::{BuildHasher, RandomState},
    io,
    pin::pin,
    sync::atomic::{AtomicU64, Ordering},
    task::{Context, Poll, Waker},
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
    connected(ours, OpenOptions::new().read(true).open(&name)?)
}

/// A pipe that the child writes to. Inside a tokio runtime.
///
/// # Errors
/// When there can be none.
pub fn from_child() -> io::Result<Ends> {
    let (name, mut options) = named();
    let ours = options.access_inbound(true).access_outbound(false).create(&name)?;
    connected(ours, OpenOptions::new().write(true).open(&name)?)
}

/// Tells our end that the other is there, which it knows of no sooner. Nothing is waited for: the
/// first look finds it.
fn connected(ours: NamedPipeServer, theirs: File) -> io::Result<Ends> {
    match pin!(ours.connect()).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(connected) => connected?,
        Poll::Pending => return Err(io::ErrorKind::NotConnected.into()),
    }
    Ok((ours, theirs))
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::{
        io::{Read, Write},
        thread,
        time::Duration,
    };

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn bytes_pass_to_a_child_and_an_end_does() {
        let (mut ours, mut theirs) = to_child().unwrap();
        let reading = thread::spawn(move || {
            let mut bytes = Vec::new();
            theirs.read_to_end(&mut bytes).unwrap();
            bytes
        });
        tokio::time::timeout(LONG, ours.write_all(&[7; 1_000_000])).await.unwrap().unwrap();
        drop(ours);
        // What is under way ends on the runtime.
        let join = tokio::task::spawn_blocking(|| reading.join().unwrap());
        assert_eq!(tokio::time::timeout(LONG, join).await.unwrap().unwrap(), [7; 1_000_000]);
    }

    #[tokio::test]
    async fn bytes_pass_from_a_child_and_an_end_does() {
        let (mut ours, mut theirs) = from_child().unwrap();
        let writing = thread::spawn(move || theirs.write_all(&[7; 1_000_000]).unwrap());
        let mut bytes = Vec::new();
        let read = ours.read_to_end(&mut bytes);
        // A pipe whose other end is closed is broken, to read from, too.
        let end = tokio::time::timeout(LONG, read).await.unwrap();
        assert!(end.is_ok() || end.unwrap_err().kind() == io::ErrorKind::BrokenPipe);
        assert_eq!(bytes, [7; 1_000_000]);
        writing.join().unwrap();
    }
}

//! Two named pipes of one instance each; open files are duplicated into the worker, and their
//! numbers go along with the bytes.
//!
//! The daemon's ends are asynchronous, so that nothing of it hangs with a worker. The worker's ends
//! block. They are two, since a pipe that blocks does one thing at a time, both ways.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, Write},
};

use pkgfs_win32::{child::Child, passing, worker};
use tokio::{io::AsyncWriteExt, net::windows::named_pipe::NamedPipeServer};

/// What the worker says.
pub(crate) type Incoming = NamedPipeServer;

/// What is said to the worker.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(super) pipe: NamedPipeServer,
    pub(super) child: Child,
}

impl Outgoing {
    /// Sends bytes, and files with the first of them.
    pub(crate) async fn send(&mut self, bytes: &[u8], files: &[File]) -> io::Result<()> {
        let head = passing::packet(&self.child, bytes.len(), files)?;
        self.pipe.write_all(&head).await?;
        self.pipe.write_all(bytes).await
    }
}

/// What the worker hears.
#[derive(Debug)]
pub(crate) struct Ear(passing::Receiver);

impl Ear {
    /// Reads some bytes, and the files that came with them; no bytes when nobody speaks any more.
    pub(crate) fn hear(
        &mut self,
        bytes: &mut [u8],
        files: &mut VecDeque<File>,
    ) -> io::Result<usize> {
        self.0.receive(bytes, files)
    }
}

/// With what the worker speaks.
#[derive(Debug)]
pub(crate) struct Mouth(File);

impl Mouth {
    pub(crate) fn say(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }
}

/// The worker's ends, which it got as its standard input and output, and nothing else; `None` in a
/// process that was not started as a worker.
///
/// The system kills the process when the daemon is gone (`pkgfs_win32::child`).
pub(crate) fn given() -> io::Result<Option<(Ear, Mouth)>> {
    worker::show_no_boxes();
    Ok(passing::given()?.map(|(ear, mouth)| (Ear(ear), Mouth(mouth))))
}

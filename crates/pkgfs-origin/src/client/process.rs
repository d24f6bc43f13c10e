//! Starting workers, and waiting for their end.
//!
//! Workers are started by one thread that lives as long as the origin: a worker dies
//! with the *thread* that started it (`PR_SET_PDEATHSIG`, prctl(2)), and the threads
//! of an async runtime come and go.

use std::{
    ffi::OsString,
    io,
    os::{fd::OwnedFd, unix::net::UnixStream},
    process::Stdio,
    sync::mpsc,
    thread,
};

use tokio::{process::Child, runtime::Handle};

use crate::OriginError;

/// A worker that was just started, and our end of its socket.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) child: Child,
    pub(crate) socket: UnixStream,
}

/// Starts workers on a thread of its own.
#[derive(Debug)]
pub(crate) struct Starter {
    wanted: mpsc::Sender<mpsc::Sender<io::Result<Started>>>,
    program: String,
}

impl Starter {
    pub(crate) fn new(command: Vec<OsString>) -> Result<Self, OriginError> {
        let program = command.first().map(|p| p.to_string_lossy().into_owned());
        let program = program.unwrap_or_else(|| "the worker (its command is empty)".to_owned());
        let runtime = Handle::current();
        let (wanted, asked) = mpsc::channel::<mpsc::Sender<_>>();
        let run = move || {
            let _runtime = runtime.enter();
            while let Ok(reply) = asked.recv() {
                _ = reply.send(start(&command));
            }
        };
        thread::Builder::new()
            .name("origin-starter".to_owned())
            .spawn(run)
            .map_err(|error| failed(&program, &error))?;
        Ok(Self { wanted, program })
    }

    /// Starts a worker; takes as long as a fork and an exec.
    pub(crate) fn start(&self) -> Result<Started, OriginError> {
        let (reply, started) = mpsc::channel();
        let gone = || io::Error::other("the thread that starts it is gone");
        self.wanted
            .send(reply)
            .map_err(|_| gone())
            .and_then(|()| started.recv().map_err(|_| gone())?)
            .map_err(|error| failed(&self.program, &error))
    }
}

fn failed(program: &str, error: &io::Error) -> OriginError {
    OriginError::Start { program: program.to_owned(), reason: error.to_string() }
}

fn start(command: &[OsString]) -> io::Result<Started> {
    let [program, arguments @ ..] = command else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let (socket, theirs) = UnixStream::pair()?;
    socket.set_nonblocking(true)?;
    // No output: a worker that is left behind must not keep a pipe of ours open. Its
    // own process group: an interrupt at the terminal is for the daemon to handle.
    let child = tokio::process::Command::new(program)
        .args(arguments)
        .stdin(OwnedFd::from(theirs))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()?;
    Ok(Started { child, socket })
}

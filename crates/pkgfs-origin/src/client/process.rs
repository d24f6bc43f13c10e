//! Starting workers.
//!
//! They are started by one thread that lives as long as the origin: on Linux a worker dies
//! with the *thread* that started it, and the threads of an async runtime come and go.

use std::{ffi::OsString, io, sync::mpsc, thread};

use tokio::runtime::Handle;

use crate::{
    OriginError,
    sys::children::{Started, start},
};

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

    /// Starts a worker; takes as long as the system takes to start a process.
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

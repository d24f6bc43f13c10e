//! Steering a stand-in from another process.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::control::{Answer, Request};
use crate::counts::{Stats, Trace};
use crate::error::Error;
use crate::faults::Fault;

/// No request takes this long, except a `forget` of something that hangs and is not released.
const PATIENCE: Duration = Duration::from_secs(60);

/// A client of a control socket. Each call is a connection of its own, so that calls from
/// several threads do not wait for each other.
#[derive(Clone, Debug)]
pub struct Client {
    socket: PathBuf,
}

impl Client {
    /// A client of the stand-in that listens at `socket`.
    pub fn new(socket: impl Into<PathBuf>) -> Self {
        Self { socket: socket.into() }
    }

    /// Sends one request.
    ///
    /// # Errors
    /// [`Error::Control`] when the stand-in does not answer, [`Error::Refused`] when it does
    /// not do it. The same holds for every method here.
    pub fn send(&self, request: &Request) -> Result<Answer, Error> {
        let answer = self.exchange(request);
        match answer.map_err(|error| Error::Control { path: self.socket.clone(), error })? {
            Answer::Refused(reason) => Err(Error::Refused(reason)),
            answer => Ok(answer),
        }
    }

    /// The counts and settings.
    pub fn stats(&self) -> Result<Stats, Error> {
        match self.send(&Request::Stats)? {
            Answer::Stats(stats) => Ok(*stats),
            _ => Err(unexpected("stats")),
        }
    }

    /// Zeroes the counts.
    pub fn reset(&self) -> Result<(), Error> {
        self.send(&Request::Reset).map(drop)
    }

    /// Sets the delay of each operation, in microseconds.
    pub fn set_delay_us(&self, delay_us: u64) -> Result<(), Error> {
        self.send(&Request::Set { delay_us: Some(delay_us), slots: None, bandwidth: None })
            .map(drop)
    }

    /// Sets how many operations are in service at a time.
    pub fn set_slots(&self, slots: usize) -> Result<(), Error> {
        self.send(&Request::Set { delay_us: None, slots: Some(slots), bandwidth: None }).map(drop)
    }

    /// Sets the bandwidth in bytes a second; `None` lifts the limit.
    pub fn set_bandwidth(&self, bandwidth: Option<u64>) -> Result<(), Error> {
        let bandwidth = Some(bandwidth.unwrap_or(0));
        self.send(&Request::Set { delay_us: None, slots: None, bandwidth }).map(drop)
    }

    /// Counts apart what happens at and below these paths, relative to the mount.
    pub fn watch<P: Into<PathBuf>>(&self, paths: impl IntoIterator<Item = P>) -> Result<(), Error> {
        let paths = paths.into_iter().map(Into::into).collect();
        self.send(&Request::Watch { paths }).map(drop)
    }

    /// Begins a trace afresh, or ends it.
    pub fn set_trace(&self, on: bool) -> Result<(), Error> {
        self.send(&Request::Trace { on: Some(on) }).map(drop)
    }

    /// What was traced so far.
    pub fn trace(&self) -> Result<Trace, Error> {
        match self.send(&Request::Trace { on: None })? {
            Answer::Trace(trace) => Ok(trace),
            _ => Err(unexpected("trace")),
        }
    }

    /// Adds a rule that makes operations fail.
    pub fn fault(&self, fault: &Fault) -> Result<(), Error> {
        self.send(&Request::Fault(fault.clone())).map(drop)
    }

    /// Removes every rule; what hangs goes on hanging until [`Self::release`].
    pub fn clear_faults(&self) -> Result<(), Error> {
        self.send(&Request::ClearFaults).map(drop)
    }

    /// Removes the rules that hang and lets go on what hangs; returns how many did.
    pub fn release(&self) -> Result<usize, Error> {
        match self.send(&Request::Release)? {
            Answer::Released(count) => Ok(count),
            _ => Err(unexpected("release")),
        }
    }

    /// Makes the kernel drop what it keeps of a path and what is below it, after a change of
    /// the source; `""` is everything.
    pub fn forget(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        self.send(&Request::Forget { path: path.as_ref().to_owned() }).map(drop)
    }

    fn exchange(&self, request: &Request) -> io::Result<Answer> {
        let connection = UnixStream::connect(&self.socket)?;
        connection.set_read_timeout(Some(PATIENCE))?;
        let mut line = serde_json::to_string(request)?;
        line.push('\n');
        (&connection).write_all(line.as_bytes())?;
        let mut answer = String::new();
        BufReader::new(&connection).read_line(&mut answer)?;
        Ok(serde_json::from_str(&answer)?)
    }
}

fn unexpected(command: &str) -> Error {
    Error::Refused(format!("{command} was answered with something else; rebuild pkgfs-standin"))
}

//! A stand-in in a process of its own, that ends with its owner.
//!
//! The child watches its standard input, a pipe whose other end only this process holds: when
//! the guard is dropped, or this process dies in any way, the child unmounts and exits.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, io, thread};

use crate::client::Client;
use crate::error::Error;
use crate::kernel_mount::KernelMount;
use crate::options::Options;

/// How long a child may take to unmount by itself before it is killed.
const GRACE: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(2);

/// A running stand-in; dropping it unmounts and leaves no process, also while operations hang.
#[derive(Debug)]
pub struct StandinProcess {
    child: Child,
    client: Client,
    mountpoint: PathBuf,
    mount: Option<KernelMount>,
    /// Holds the control socket.
    _directory: tempfile::TempDir,
}

impl StandinProcess {
    /// The program as cargo built it beside the running test or tool. It must have been built:
    /// cargo does so for this package's own tests, others run `cargo build -p pkgfs-standin`.
    ///
    /// # Errors
    /// [`Error::Start`] when it is not there.
    pub fn built_binary() -> Result<PathBuf, Error> {
        const NAME: &str = "pkgfs-standin";
        let missing = |reason| Error::Start { binary: PathBuf::from(NAME), reason };
        let program = env::current_exe().map_err(|error| missing(error.to_string()))?;
        let places = program.ancestors().skip(1).take(2);
        let found = places.map(|place| place.join(NAME)).find(|binary| binary.is_file());
        found.ok_or_else(|| missing(format!("not found beside {}", program.display())))
    }

    /// Starts `binary` and returns once the mount answers.
    ///
    /// # Errors
    /// [`Error::Start`] with what the program said when it does not get that far.
    pub fn spawn(
        binary: impl AsRef<Path>,
        source: impl AsRef<Path>,
        mountpoint: impl AsRef<Path>,
        options: &Options,
    ) -> Result<Self, Error> {
        let (binary, mountpoint) = (binary.as_ref(), mountpoint.as_ref());
        let start = |reason: String| Error::Start { binary: binary.to_owned(), reason };
        let failed = |error: io::Error| start(error.to_string());
        let directory =
            tempfile::Builder::new().prefix("pkgfs-standin-").tempdir().map_err(failed)?;
        let socket = directory.path().join("control");
        let mountpoint = mountpoint.canonicalize().map_err(failed)?;
        let mut command = Command::new(binary);
        command.arg(source.as_ref()).arg(&mountpoint).arg("--control").arg(&socket);
        command.arg("--exit-with-parent").args(options.to_flags());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(failed)?;
        if !says_ready(&mut child) {
            let mut said = String::new();
            child.stderr.take().and_then(|mut stderr| stderr.read_to_string(&mut said).ok());
            child.wait().map_err(failed)?;
            return Err(start(said.trim().to_owned()));
        }
        // Nobody reads the rest: a full pipe would block the child.
        if let Some(mut stderr) = child.stderr.take() {
            thread::spawn(move || io::copy(&mut stderr, &mut io::stderr()));
        }
        let mount = KernelMount::find(&mountpoint).map_err(failed)?;
        let client = Client::new(socket);
        Ok(Self { child, client, mountpoint, mount, _directory: directory })
    }

    /// The control of the stand-in.
    pub fn control(&self) -> &Client {
        &self.client
    }

    /// Where it is mounted.
    pub fn mountpoint(&self) -> &Path {
        &self.mountpoint
    }

    /// The process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    fn exits_within(&mut self, grace: Duration) -> bool {
        let deadline = Instant::now() + grace;
        while Instant::now() < deadline {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return true;
            }
            // A child's exit can be waited for without a deadline or polled with one.
            thread::sleep(POLL);
        }
        false
    }
}

impl Drop for StandinProcess {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        if !self.exits_within(GRACE) {
            self.child.kill().ok();
        }
        // Before waiting: a thread of the child that is stuck in the kernel behind an
        // unanswered request survives the kill.
        if let Some(mount) = &self.mount {
            mount.end().ok();
        }
        self.child.wait().ok();
    }
}

fn says_ready(child: &mut Child) -> bool {
    let mut line = String::new();
    let said = child.stdout.take().map(|stdout| BufReader::new(stdout).read_line(&mut line));
    matches!(said, Some(Ok(_))) && line.trim_end() == "ready"
}

//! Worker processes.

use std::{
    ffi::OsString,
    io,
    os::windows::io::AsHandle,
    path::{Path, PathBuf},
    thread,
};

use pkgfs_win32::{child, child_pipe};
use tokio::sync::oneshot;

use super::channel::{Incoming, Outgoing};

/// A worker's process.
#[derive(Debug)]
pub(crate) struct Child(child::Child);

impl Child {
    pub(crate) fn id(&self) -> Option<u32> {
        Some(self.0.id())
    }

    pub(crate) fn start_kill(&mut self) -> io::Result<()> {
        self.0.kill()
    }

    /// Waits for its end, on a thread of its own: a process that hangs in the system may keep that
    /// for ever, and must not keep the runtime. May be called anew.
    pub(crate) async fn wait(&mut self) -> io::Result<()> {
        let (ended, end) = oneshot::channel();
        let child = self.0.clone();
        thread::Builder::new().name("origin-end".to_owned()).spawn(move || {
            _ = ended.send(child.wait(None).map(drop));
        })?;
        end.await.map_err(|_| io::Error::other("the thread that waits is gone"))?
    }
}

/// A worker that was just started, and our ends of its channel.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) child: Child,
    pub(crate) from: Incoming,
    pub(crate) to: Outgoing,
}

/// The running program. Windows lets nobody replace its file while it runs, only rename it.
pub(crate) fn own_program() -> OsString {
    std::env::current_exe().unwrap_or_else(|_| PathBuf::from("pkgfs.exe")).into()
}

/// Starts a worker, inside a tokio runtime.
pub(crate) fn start(command: &[OsString]) -> io::Result<Started> {
    let [program, arguments @ ..] = command else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let (from, stdout) = child_pipe::from_child()?;
    let (to, stdin) = child_pipe::to_child()?;
    // A working directory cannot be removed, nor its drive.
    let directory = std::env::var_os("SystemRoot").unwrap_or_else(|| r"C:\".into());
    let child = child::Child::spawn(
        Path::new(program),
        arguments,
        Path::new(&directory),
        stdin.as_handle(),
        stdout.as_handle(),
    )?;
    let to = Outgoing { pipe: to, child: child.clone() };
    Ok(Started { child: Child(child), from, to })
}

//! A job.

use std::{
    env,
    ffi::OsString,
    io,
    os::windows::io::AsHandle,
    path::{Path, PathBuf},
    thread,
};

use pkgfs_win32::{child, child_pipe};
use tokio::{net::windows::named_pipe::NamedPipeServer, sync::oneshot};

use super::Started;
use crate::program::Manner;

pub(crate) type Questions = NamedPipeServer;
pub(crate) type Answers = NamedPipeServer;

/// How questions are kept apart here.
pub(crate) const MANNER: Manner = WITHOUT_FORK;

/// How they are where nothing can fork.
pub(crate) const WITHOUT_FORK: Manner = Manner::by_processes(concat!(
    include_str!("../program/jobs.py"),
    include_str!("../program/spawn.py")
));

/// A process and its job.
#[derive(Debug)]
pub(crate) struct Child(child::Child);

impl Child {
    // As where a process that was waited for has no number any more.
    #[allow(clippy::unnecessary_wraps)]
    pub(crate) fn id(&self) -> Option<u32> {
        Some(self.0.id())
    }

    /// Kills it with what it started.
    pub(crate) fn kill(&self) {
        // It may have ended by itself.
        let _ = self.0.kill();
    }

    /// Waits for its end, on a thread of its own: it may hang in the system for ever, and must not
    /// keep the runtime. May be called anew.
    pub(crate) async fn wait(&mut self) {
        let (ended, end) = oneshot::channel();
        let child = self.0.clone();
        let wait = move || {
            let _ = child.wait(None);
            let _ = ended.send(());
        };
        if thread::Builder::new().name("rez-end".to_owned()).spawn(wait).is_ok() {
            let _ = end.await;
        }
    }
}

/// Starts a program.
pub(crate) fn start<'a>(
    program: &str,
    arguments: impl Iterator<Item = &'a str>,
) -> io::Result<Started> {
    let program = looked_for(program)?;
    let arguments: Vec<OsString> = arguments.map(Into::into).collect();
    let (questions, stdin) = child_pipe::to_child()?;
    let (answers, stdout) = child_pipe::from_child()?;
    // A working directory cannot be removed, nor its drive.
    let directory = env::var_os("SystemRoot").unwrap_or_else(|| r"C:\".into());
    let directory = Path::new(&directory);
    let (stdin, stdout) = (stdin.as_handle(), stdout.as_handle());
    let child = child::Child::spawn(&program, &arguments, directory, stdin, stdout)?;
    Ok(Started { child: Child(child), questions, answers })
}

/// Where a program lies: a name alone is looked for on PATH, and never in a working directory.
fn looked_for(program: &str) -> io::Result<PathBuf> {
    let mut path = PathBuf::from(program);
    if path.extension().is_none_or(|ending| !ending.eq_ignore_ascii_case("exe")) {
        path.as_mut_os_string().push(".exe");
    }
    if path.is_absolute() {
        return Ok(path);
    }
    let missing = || io::Error::new(io::ErrorKind::NotFound, "there is no such program on PATH");
    if path.components().count() != 1 {
        return Err(missing());
    }
    let places = env::var_os("PATH").unwrap_or_default();
    let mut places = env::split_paths(&places).filter(|place| place.is_absolute());
    places
        .find_map(|place| Some(place.join(&path)).filter(|path| path.is_file()))
        .ok_or_else(missing)
}

//! Unix: configuration by the XDG base directory specification, processes by descriptors; `system` is
//! where Unix systems differ.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "macos")]
mod macos;

use std::{
    env, io,
    path::PathBuf,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fd::OwnedFd,
};

#[cfg(target_os = "linux")]
use linux as system;
#[cfg(target_os = "macos")]
use macos as system;
pub(crate) use system::NO_HAND_OVER;

/// What memory comes from.
pub type Allocator = pkgfs_fuse::ReadyBuffers;
/// It.
pub const ALLOCATOR: Allocator = pkgfs_fuse::ReadyBuffers;

/// Between the paths of a list in a variable.
pub(crate) const LIST_SEPARATOR: char = ':';

/// The directories that may hold the system's `pkgfs/config.toml`, the least important first.
pub(crate) fn system_configuration() -> Vec<PathBuf> {
    let mut found = vec![PathBuf::from("/etc")];
    let system = env::var_os("XDG_CONFIG_DIRS").filter(|dirs| !dirs.is_empty());
    let system = system.unwrap_or_else(|| "/etc/xdg".into());
    let mut system: Vec<_> = env::split_paths(&system).filter(|path| path.is_absolute()).collect();
    // The first of them is the most important.
    system.reverse();
    found.extend(system);
    found
}

/// The directory that may hold the user's.
pub(crate) fn user_configuration() -> Option<PathBuf> {
    let user = env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    user.or_else(|| Some(env::home_dir()?.join(".config")))
}

/// A directory that nobody wants to take away.
pub(crate) fn root_directory() -> PathBuf {
    PathBuf::from("/")
}

/// The width of the terminal at standard output, if it is one.
pub(crate) fn terminal_width() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    Some(usize::from(size.ws_col)).filter(|width| *width > 0)
}

/// A process whose end can be waited for; surely this one, whatever becomes of its number.
pub(crate) struct Process(OwnedFd);

impl Process {
    /// The process that has this number now; none if there is none.
    pub(crate) fn find(pid: u32) -> Option<Self> {
        system::end_of(pid).map(Self)
    }

    /// Waits for its end. False if it has not ended in this time.
    pub(crate) fn wait(&self, at_most: Duration) -> io::Result<bool> {
        let until = Instant::now() + at_most;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let timeout =
                Timespec { tv_sec: left.as_secs() as i64, tv_nsec: left.subsec_nanos().into() };
            let mut polled = [PollFd::new(&self.0, PollFlags::IN)];
            match poll(&mut polled, Some(&timeout)) {
                Err(rustix::io::Errno::INTR) => {}
                Ok(0) => return Ok(false),
                Ok(_) => return Ok(true),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

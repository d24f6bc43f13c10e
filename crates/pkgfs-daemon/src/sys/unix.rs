//! Unix: users by number, places by the XDG base directory specification, signals; `system` is where
//! Unix systems differ.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "macos")]
mod macos;

use std::{
    env,
    fs::{File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use rustix::{
    fs::OFlags,
    process::{Resource, Rlimit, getegid, geteuid, getrlimit, setrlimit},
};
use tokio::signal::unix::{Signal, SignalKind, signal};

#[cfg(target_os = "linux")]
use linux as system;
#[cfg(target_os = "macos")]
use macos as system;
pub(crate) use system::{PUBLIC_SOCKETS, SocketDirectory};

/// Who may do everything.
pub const ADMINISTRATOR: &str = "root";
/// How to end a daemon that does not answer.
pub const END_A_DAEMON: &str = "SIGTERM ends it";
/// Says where logs lie.
pub(crate) const LOG_VARIABLE: &str = "XDG_STATE_HOME";

/// `$XDG_CACHE_HOME/pkgfs/store`; for root without it `/var/cache/pkgfs`.
pub(crate) fn default_store() -> PathBuf {
    match base("XDG_CACHE_HOME") {
        Some(base) => base.join("pkgfs/store"),
        None if is_privileged() => PathBuf::from("/var/cache/pkgfs"),
        None => home().join(".cache/pkgfs/store"),
    }
}

/// `$XDG_STATE_HOME/pkgfs`; for root without it `/var/log/pkgfs`.
pub(crate) fn log_directory() -> PathBuf {
    match base("XDG_STATE_HOME") {
        Some(base) => base.join("pkgfs"),
        None if is_privileged() => PathBuf::from("/var/log/pkgfs"),
        None => home().join(".local/state/pkgfs"),
    }
}

/// The specification wants relative paths in these variables ignored.
fn base(variable: &str) -> Option<PathBuf> {
    env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute())
}

/// The home directory of this user.
pub(crate) fn home() -> PathBuf {
    env::home_dir().filter(|path| path.is_absolute()).unwrap_or_else(|| PathBuf::from("/"))
}

/// Whether this is a daemon of the system's.
pub(crate) fn is_privileged() -> bool {
    geteuid().is_root()
}

/// Whom files belong to: user and group.
pub(crate) fn owner() -> (u32, u32) {
    (geteuid().as_raw(), getegid().as_raw())
}

/// A directory that nobody wants to take away.
pub(crate) fn root_directory() -> PathBuf {
    PathBuf::from("/")
}

/// Opens a log for appending, for its owner alone, and not behind a link.
pub(crate) fn open_log(path: &Path) -> io::Result<File> {
    let no_link = OFlags::NOFOLLOW.bits().cast_signed();
    OpenOptions::new().append(true).create(true).mode(0o600).custom_flags(no_link).open(path)
}

/// Whether a log in the terminal may have colours.
pub(crate) fn takes_colours() -> bool {
    true
}

/// Each open file of the mount may hold a descriptor: take all that the system gives.
pub(crate) fn raise_descriptor_limit() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    if let Err(error) =
        setrlimit(Resource::Nofile, Rlimit { current: system::most_descriptors(maximum), maximum })
    {
        tracing::warn!(%error, "the limit of open files could not be raised");
    }
}

/// Starts this program once more, with pipes to it and its errors going to a file.
pub(crate) fn launch(arguments: &[&str], errors: File) -> io::Result<Child> {
    Command::new(system::own_program()?)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(errors)
        .spawn()
}

/// What is typed in a terminal ends this process no more.
pub(crate) fn leave_terminal() {
    // Already a leader only if started by hand; then there is nothing to leave.
    let _ = rustix::process::setsid();
}

/// Standard input and output become /dev/null.
pub(crate) fn let_go() -> io::Result<()> {
    let null = OpenOptions::new().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdin(&null).and(rustix::stdio::dup2_stdout(&null))?;
    Ok(())
}

/// The signals that end a daemon.
pub(crate) struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Stop {
    pub(crate) fn listen() -> io::Result<Self> {
        let (terminate, interrupt) = (SignalKind::terminate(), SignalKind::interrupt());
        Ok(Self { terminate: signal(terminate)?, interrupt: signal(interrupt)? })
    }

    pub(crate) async fn told(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

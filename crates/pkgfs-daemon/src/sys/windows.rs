//! Windows: places below the user's profile or the machine's, users by security identifiers, and
//! processes that inherit nothing.

use std::{
    env,
    fs::{File, OpenOptions},
    io::{self, IsTerminal},
    os::windows::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use pkgfs_win32::{console, detached, flags::FILE_FLAG_OPEN_REPARSE_POINT, ownership};
use tokio::{
    signal::windows::{CtrlBreak, CtrlC, CtrlClose, CtrlShutdown},
    signal::windows::{ctrl_break, ctrl_c, ctrl_close, ctrl_shutdown},
    sync::watch,
};

/// Who may do everything.
pub const ADMINISTRATOR: &str = "administrators";
/// How to end a daemon that does not answer.
pub const END_A_DAEMON: &str = "`taskkill /F` ends it, by the number in its log";
/// Says where logs lie.
pub(crate) const LOG_VARIABLE: &str = "LOCALAPPDATA";

/// The account that services run as ("LocalSystem Account").
const LOCAL_SYSTEM: &str = "S-1-5-18";

/// Tells a daemon that is a service to stop, as a signal does on a console.
static STOPPED: LazyLock<watch::Sender<bool>> = LazyLock::new(|| watch::Sender::new(false));

/// `%LOCALAPPDATA%\pkgfs\store`; for the system's own account `%ProgramData%\pkgfs\store`.
pub(crate) fn default_store() -> PathBuf {
    data_directory().join("store")
}

/// Beside the store that is meant when none is named.
pub(crate) fn log_directory() -> PathBuf {
    data_directory().join("log")
}

/// What pkgfs keeps for this user on this machine.
pub(crate) fn data_directory() -> PathBuf {
    match is_privileged() {
        true => machine_directory(),
        false => local_directory().join("pkgfs"),
    }
}

/// What pkgfs keeps for the machine.
pub fn machine_directory() -> PathBuf {
    base("ProgramData").unwrap_or_else(|| PathBuf::from(r"C:\ProgramData")).join("pkgfs")
}

fn local_directory() -> PathBuf {
    base("LOCALAPPDATA").unwrap_or_else(|| home().join(r"AppData\Local"))
}

fn base(variable: &str) -> Option<PathBuf> {
    env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute())
}

/// The home directory of this user.
pub(crate) fn home() -> PathBuf {
    env::home_dir().filter(|path| path.is_absolute()).unwrap_or_else(root_directory)
}

/// Whether this is a daemon of the system's: one that runs as a service.
pub(crate) fn is_privileged() -> bool {
    ownership::own_user().is_ok_and(|user| user == LOCAL_SYSTEM)
}

/// Users have no numbers here.
pub(crate) fn owner() -> (u32, u32) {
    (0, 0)
}

/// A directory that nobody wants to take away.
pub(crate) fn root_directory() -> PathBuf {
    base("SystemRoot").unwrap_or_else(|| PathBuf::from(r"C:\"))
}

/// Opens a log for appending, and not behind a link. Who may read it, its directory says, which is the
/// user's own.
pub(crate) fn open_log(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true).custom_flags(FILE_FLAG_OPEN_REPARSE_POINT);
    let file = options.open(path)?;
    if file.metadata()?.is_symlink() {
        return Err(io::Error::other("it is a link"));
    }
    Ok(file)
}

/// Whether a log in the terminal may have colours.
pub(crate) fn takes_colours() -> bool {
    let errors = io::stderr();
    errors.is_terminal() && console::take_sequences(&errors).is_ok()
}

/// There is no limit of open files to be raised.
pub(crate) fn raise_descriptor_limit() {}

/// Starts this program once more, with pipes to it and its errors going to a file.
pub(crate) fn launch(arguments: &[&str], errors: File) -> io::Result<detached::Started> {
    detached::start(&env::current_exe()?, arguments, &errors)
}

/// A daemon in the background is started without one.
pub(crate) fn leave_terminal() {}

/// Standard input and output become NUL.
pub(crate) fn let_go() -> io::Result<()> {
    detached::let_go_of_streams()
}

/// Tells a daemon in this process to stop: who manages services wants it to.
pub fn stop() {
    STOPPED.send_replace(true);
}

/// What ends a daemon: keys in its console, the end of that or of the session, or [`stop`].
pub(crate) struct Stop {
    keys: CtrlC,
    break_key: CtrlBreak,
    close: CtrlClose,
    shutdown: CtrlShutdown,
    stopped: watch::Receiver<bool>,
}

impl Stop {
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self {
            keys: ctrl_c()?,
            break_key: ctrl_break()?,
            close: ctrl_close()?,
            shutdown: ctrl_shutdown()?,
            stopped: STOPPED.subscribe(),
        })
    }

    pub(crate) async fn told(&mut self) {
        tokio::select! {
            _ = self.keys.recv() => {}
            _ = self.break_key.recv() => {}
            _ = self.close.recv() => {}
            _ = self.shutdown.recv() => {}
            // The sender lives for ever.
            _ = self.stopped.wait_for(|stopped| *stopped) => {}
        }
    }
}

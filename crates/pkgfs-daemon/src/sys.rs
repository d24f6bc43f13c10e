//! What the system does for any daemon, however its view is shown. Both sides have the same items.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
use unix as system;

#[cfg(windows)]
mod windows;
#[cfg(windows)]
use windows as system;

#[cfg(windows)]
pub(crate) use system::data_directory;
pub use system::{ADMINISTRATOR, END_A_DAEMON};
pub(crate) use system::{
    LOG_VARIABLE, Stop, default_store, home, is_privileged, launch, leave_terminal, let_go,
    log_directory, open_log, owner, raise_descriptor_limit, root_directory, takes_colours,
};
#[cfg(unix)]
pub(crate) use system::{PUBLIC_SOCKETS, SocketDirectory};
#[cfg(windows)]
pub use system::{machine_directory, stop};

//! What the system does for the command. Both sides have the same items.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
use unix as system;

#[cfg(windows)]
mod windows;
#[cfg(windows)]
use windows as system;

pub use system::{ALLOCATOR, Allocator};
pub(crate) use system::{
    LIST_SEPARATOR, NO_HAND_OVER, Process, root_directory, system_configuration, terminal_width,
    user_configuration,
};

//! The view through FUSE: mounting, and answering the kernel.

mod adapter;
mod connection;
mod errno;
mod held;
mod mode;
mod mount;
mod ready_buffers;
mod session;
mod shape;
mod sys;
mod users;

pub use connection::{Connection, Former};
pub use mode::{Mode, ModeError, ModeWanted, mode_for};
pub use mount::{
    FSTYPE, MountError, MountInfo, MountRequest, PathState, all_mounts, mount, mount_at, mounts,
    resolve, state_of, unmount,
};
pub use ready_buffers::ReadyBuffers;
pub use session::{Mount, SessionOptions};
pub use users::{How, User, users};

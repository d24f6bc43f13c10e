//! The life of a mount: one daemon for a store, started in the background by the
//! command, controlled over a socket of its own, ending by itself with its last mount.
//!
//! ```text
//! command ── launch ──spawns──▶ daemon ─┬─ startup   store, origin, rez's settings, view
//!    └────── client ──HTTP/1.1─▶ server ├─ mounts    which mountpoints live, and their ends
//!               control                 └─ shutdown  settle, stop, release the store
//! ```
//!
//! What depends on the system stands in three modules, each with a side for Unix and one for Windows:
//! `platform` (how a view is shown), `control` (where a daemon is asked) and `sys` (all else).
//!
//! Invariants: whoever has the store's lock owns its socket; a mountpoint directory
//! exists only while it is mounted (rez fills a writable empty directory with whole
//! copies); only the store's owner and root change anything.

mod api;
mod blocking;
mod client;
mod commands;
mod control;
mod daemon;
mod error;
mod launch;
mod log_file;
mod mounts;
mod places;
mod platform;
mod profiles;
mod public;
mod rez_settings;
mod server;
mod settings;
mod startup;
mod sys;

pub use api::{
    CleanOrder, DaemonStatus, Failure, FailureKind, FlushOrder, HandOver, ListLine, LiveMount,
    MountOrder, Mounted, RemoveOrder, TargetsOrder, UnmountOrder, Unmounted, UpgradeOrder,
    VerifyLine, VerifyOrder, WarmLine, WarmOrder,
};
pub use client::{Client, ClientError};
pub use daemon::{Presence, run};
pub use error::DaemonError;
pub use launch::{Launch, LaunchError, launch, started};
/// What `pkgfs origin-worker` runs: the process that reads shared storage.
pub use pkgfs_origin::worker::main as origin_worker;
pub use pkgfs_view::{
    Amount, CleanReport, ExchangedFile, ExchangedProfile, ProfileList, Report, Target,
    VerifyProgress, VerifyReport, WarmLimits, WarmProgress, WarmReport,
};
pub use places::{default_store, log_path};
pub use platform::{holder, mount_table, remove_mountpoint, take_over};
pub use rez_settings::{RezUnavailable, rez_settings};
pub use settings::{
    OriginKeys, ProfileKeys, RegistrationKeys, RezKeys, RoomKeys, ScrubKeys, Settings,
};
pub use startup::turnable;

/// What pkgfs keeps for the machine; and how who manages services ends the daemon in this process.
#[cfg(windows)]
pub use sys::{machine_directory, stop};

/// Says why a service does not serve: in its daemon's log, or in `service.log` beside it where it did
/// not come to that.
#[cfg(windows)]
pub fn service_failed(why: &str) {
    // Where the daemon's log was begun, it goes on there.
    let _ = log_file::start("info", Some(&sys::log_directory().join("service.log")));
    tracing::error!("the service does not serve: {why}");
}

/// What the system calls things, for messages.
pub mod words {
    pub use crate::sys::{ADMINISTRATOR, END_A_DAEMON};
}

use error::system_error;

//! The life of a mount: one daemon for a store, started in the background by the
//! command, controlled over a Unix socket, ending by itself with its last mount.
//!
//! ```text
//! command ── launch ──spawns──▶ daemon ─┬─ startup   store, origin, rez's settings, view
//!    └────── client ──HTTP/1.1─▶ server ├─ mounts    which mountpoints live, and their ends
//!            <store>/control.sock       └─ shutdown  settle, stop, release the store
//! ```
//!
//! Invariants: whoever has the store's lock owns its socket; a mountpoint directory
//! exists only while it is mounted (rez fills a writable empty directory with whole
//! copies); only the store's owner and root change anything.

mod api;
mod client;
mod commands;
mod control_socket;
mod daemon;
mod error;
mod holder;
mod launch;
mod log_file;
mod mountpoint;
mod mounts;
mod outside;
mod places;
mod profiles;
mod public;
mod rez_settings;
mod server;
mod settings;
mod startup;

pub use api::{
    CleanOrder, DaemonStatus, Failure, FailureKind, FlushOrder, ListLine, LiveMount, MountOrder,
    Mounted, RemoveOrder, TargetsOrder, UnmountOrder, Unmounted, UpgradeOrder, VerifyLine,
    VerifyOrder, WarmLine, WarmOrder,
};
pub use client::{Client, ClientError};
pub use daemon::{Presence, run, take_over};
pub use error::DaemonError;
pub use holder::HandOver;
/// What `pkgfs holder` runs: the process that keeps mounts alive.
pub use holder::main as holder;
pub use launch::{Launch, LaunchError, launch, started};
pub use mountpoint::remove_mountpoint;
/// What `pkgfs origin-worker` runs: the process that reads shared storage.
pub use pkgfs_origin::worker::main as origin_worker;
pub use pkgfs_view::{
    Amount, CleanReport, ExchangedFile, ExchangedProfile, ProfileList, Report, Target,
    VerifyProgress, VerifyReport, WarmLimits, WarmProgress, WarmReport,
};
pub use places::{default_store, log_path};
pub use rez_settings::{RezUnavailable, rez_settings};
pub use settings::{
    OriginKeys, ProfileKeys, RegistrationKeys, RezKeys, RoomKeys, ScrubKeys, Settings,
};
pub use startup::turnable;

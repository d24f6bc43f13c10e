//! What is said over the control socket, as JSON.
//!
//! | request | body | answer |
//! | --- | --- | --- |
//! | `GET /v1/status` | – | [`DaemonStatus`] |
//! | `GET /v1/variants` | – | as `POST /v1/list` of all |
//! | `POST /v1/list` | [`TargetsOrder`] | lines of [`ListLine`] |
//! | `POST /v1/add` | [`TargetsOrder`] | [`Report`] |
//! | `POST /v1/remove` | [`RemoveOrder`] | [`Report`] |
//! | `POST /v1/pin`, `POST /v1/unpin` | [`TargetsOrder`] | [`Report`] |
//! | `POST /v1/warm` | [`WarmOrder`] | [`WarmLine`]s, one a line, the last with the report |
//! | `POST /v1/profiles` | [`TargetsOrder`] | [`ProfileList`] |
//! | `POST /v1/profiles/import` | [`ProfileList`] | [`Report`] |
//! | `POST /v1/profiles/clear` | [`TargetsOrder`] | [`Report`] |
//! | `POST /v1/clean` | [`CleanOrder`] | [`CleanReport`] |
//! | `POST /v1/verify` | [`VerifyOrder`] | [`VerifyLine`]s, one a line, the last with the report |
//! | `POST /v1/mount` | [`MountOrder`] | [`Mounted`] |
//! | `POST /v1/unmount` | [`UnmountOrder`] | [`Unmounted`] |
//! | `POST /v1/upgrade` | [`UpgradeOrder`] | the process that ends now |
//! | `POST /v1/flush` | [`FlushOrder`] | what was flushed, kept and unknown |
//!
//! A target is a text (a URI, a path below the mountpoint, `name`, `name-version` or another
//! package request) or a handle, as the contexts of rez hold them.
//!
//! A refusal is a [`Failure`] under a status of 4xx or 5xx.

use std::path::PathBuf;

#[cfg(doc)]
use pkgfs_view::{CleanReport, ProfileList, Report};
use pkgfs_view::{Target, VerifyProgress, VerifyReport, WarmLimits, WarmProgress, WarmReport};
use serde::{Deserialize, Serialize};

use crate::Settings;

/// Mount the daemon's store at one more place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MountOrder {
    /// Where; absolute, links resolved.
    pub mountpoint: PathBuf,
    /// The settings that the caller expects to be in force.
    pub settings: Settings,
}

/// What a mount came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mounted {
    /// Where.
    pub mountpoint: PathBuf,
    /// It was mounted before; nothing was done.
    pub already: bool,
    /// The mount of a daemon that had died was taken away first.
    pub recovered: bool,
    /// The daemon's process id.
    pub pid: u32,
    /// The daemon's log.
    pub log: PathBuf,
    /// What the user should know, one line each.
    pub notes: Vec<String>,
}

/// Unmount one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnmountOrder {
    /// Which; absolute, links resolved.
    pub mountpoint: PathBuf,
    /// Detach it even if it is in use.
    pub lazy: bool,
}

/// What an unmount came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unmounted {
    /// Mounts that the daemon still serves, detached ones included. At 0 it exits.
    pub remaining: usize,
}

/// Let another program take over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpgradeOrder {
    /// Its file; absolute.
    pub program: PathBuf,
}

/// Forget local bytes and listings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlushOrder {
    /// Of these variants; empty is all.
    #[serde(default)]
    pub variants: Vec<Target>,
}

/// Do something to these variants.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetsOrder {
    /// Which; for a list, empty is all.
    #[serde(default)]
    pub targets: Vec<Target>,
}

/// One line of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ListLine<V = serde_json::Value> {
    /// Some of the registered variants, in the order of packages, each as `pkgfs list --json` tells
    /// it.
    Variants(Vec<V>),
    /// Targets that mean no registered variant, each with the reason; the last line.
    Unknown(Vec<String>),
    /// Why there is no more; the last line.
    Failed(String),
}

/// Remove these variants.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoveOrder {
    /// Which.
    pub targets: Vec<Target>,
    /// Pinned ones, too.
    #[serde(default)]
    pub force: bool,
}

/// Fetch these variants ahead.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WarmOrder {
    /// Which.
    pub targets: Vec<Target>,
    /// What is left out.
    #[serde(flatten)]
    pub limits: WarmLimits,
    /// Answer at once; otherwise the end of the connection ends the job.
    #[serde(default)]
    pub detached: bool,
}

/// One line of the answer to [`WarmOrder`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WarmLine {
    /// The job goes on by itself; the last line.
    Detached,
    /// How far it is.
    Progress(WarmProgress),
    /// What it came to; the last line.
    Report(Box<WarmReport>),
}

/// Take away what nobody needs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CleanOrder {
    /// Only tell of it.
    #[serde(default)]
    pub dry_run: bool,
}

/// Compare all blobs with their names. The end of the connection ends it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifyOrder {
    /// Fetch anew what was bad.
    #[serde(default)]
    pub repair: bool,
}

/// One line of the answer to [`VerifyOrder`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VerifyLine {
    /// How far it is.
    Progress(VerifyProgress),
    /// What it came to; the last line.
    Report(Box<VerifyReport>),
}

/// The state of a daemon.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DaemonStatus {
    /// Its version.
    pub version: String,
    /// Its process id.
    pub pid: u32,
    /// Its store.
    pub store: PathBuf,
    /// Its log.
    pub log: PathBuf,
    /// When it started, in seconds since 1970.
    pub started: u64,
    /// What it serves.
    pub mounts: Vec<LiveMount>,
    /// What happens when it dies.
    #[serde(default)]
    pub hand_over: HandOver,
    /// What is not as it should be since it started, one line each.
    pub notes: Vec<String>,
    /// The state of the view.
    pub view: serde_json::Value,
}

/// What happens when a daemon dies.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandOver {
    /// The process that starts another daemon when this one dies.
    pub holder: Option<u32>,
    /// How many daemons of this mount there were before.
    pub taken_over: u64,
    /// How the last of them ended.
    pub last_end: Option<String>,
}

/// One mount that a daemon serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveMount {
    /// Where.
    pub mountpoint: PathBuf,
    /// How files are opened: `cached`, `stateless` or `passthrough`.
    pub mode: String,
    /// Taken out of the tree, and served until the last file is closed.
    pub detached: bool,
}

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// For programs.
    pub kind: FailureKind,
    /// For people: one line with the remedy.
    pub message: String,
}

/// The kinds of failure that a caller handles differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// Another daemon holds the store.
    StoreInUse,
    /// The mount is in use.
    Busy,
    /// The daemon is about to exit.
    Stopping,
    /// The caller is neither the store's owner nor root.
    Forbidden,
    /// Nothing of this daemon is mounted there.
    NotMounted,
    /// Anything else.
    Other,
}

//! Why a root could not be served, or not be taken away.

use std::{io, path::PathBuf};

use crate::codes::Win32;

/// Why a root could not be served, or not be taken away.
#[derive(Debug, thiserror::Error)]
pub enum MountError {
    /// The library of ProjFS is not there.
    #[error(
        "Windows' Projected File System is not enabled ({source}); as an administrator run \
         `Enable-WindowsOptionalFeature -Online -FeatureName Client-ProjFS -NoRestart` in PowerShell, \
         on Windows and Windows Server alike, and mount again"
    )]
    FeatureMissing {
        /// What loading it said.
        source: io::Error,
    },
    /// The library lacks a function.
    #[error("projectedfslib.dll lacks {function}: Windows 10 version 1809 or later is needed")]
    Outdated {
        /// The function.
        function: &'static str,
    },
    /// Files of the mount are open.
    #[error("{}: in use: {}; close what uses it, or unmount with --lazy", mountpoint.display(), users.join(", "))]
    Busy {
        /// The mountpoint.
        mountpoint: PathBuf,
        /// Paths below it that are open.
        users: Vec<String>,
    },
    /// Nothing is mounted there.
    #[error("{}: not mounted", mountpoint.display())]
    NotMounted {
        /// The mountpoint.
        mountpoint: PathBuf,
    },
    /// The root is of another provider.
    #[error("{}: belongs to another provider of projected files; choose another mountpoint", mountpoint.display())]
    Foreign {
        /// The mountpoint.
        mountpoint: PathBuf,
    },
    /// ProjFS refused.
    #[error("{}: could not be {action}: {code}", mountpoint.display())]
    Refused {
        /// The mountpoint.
        mountpoint: PathBuf,
        /// What was tried, as a participle.
        action: &'static str,
        /// What ProjFS said.
        code: Win32,
    },
    /// A file of the mount's own failed.
    #[error("{}: could not {action}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// The view failed.
    #[error("{}: {source}", mountpoint.display())]
    View {
        /// The mountpoint.
        mountpoint: PathBuf,
        /// Why.
        source: pkgfs_view::ViewError,
    },
}

//! The ways in which the same files are read.

use serde::Serialize;

use super::user::User;

/// How a payload reaches who reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Way {
    /// From the local disk.
    Native,
    /// The same once more: what differs is noise.
    NativeAgain,
    /// From shared storage each time.
    Straight,
    /// From rez's own copy.
    Rez,
    /// Through `rclone mount --vfs-cache-mode full`.
    Rclone,
    /// Through root's mount of pkgfs: files are handed to the kernel.
    Passthrough,
    /// Through an ordinary user's own mount of pkgfs.
    Stateless,
    /// Through root's mount of pkgfs, told to answer opens and leave reading to the page cache.
    Cached,
}

impl Way {
    pub(super) const ALL: [Self; 8] = [
        Self::Native,
        Self::NativeAgain,
        Self::Straight,
        Self::Rez,
        Self::Rclone,
        Self::Passthrough,
        Self::Stateless,
        Self::Cached,
    ];

    /// pkgfs, in each mode.
    pub(super) const PKGFS: [Self; 3] = [Self::Passthrough, Self::Stateless, Self::Cached];

    /// The heading of its column.
    pub(super) fn heading(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::NativeAgain => "native again",
            Self::Straight => "straight",
            Self::Rez => "rez's copy",
            Self::Rclone => "rclone",
            Self::Passthrough => "passthrough",
            Self::Stateless => "stateless",
            Self::Cached => "cached",
        }
    }

    /// Whether it is somebody else's cache.
    pub(super) fn is_peer(self) -> bool {
        matches!(self, Self::Rez | Self::Rclone)
    }

    /// Who reads: only who made a stateless mount can enter it.
    pub(super) fn user(self) -> User {
        if self == Self::Stateless { User::Ordinary } else { User::Own }
    }

    /// The setting `mode` of pkgfs.
    pub(super) fn mode(self) -> Option<&'static str> {
        match self {
            Self::Passthrough => Some("passthrough"),
            Self::Stateless => Some("stateless"),
            Self::Cached => Some("cached"),
            _ => None,
        }
    }
}

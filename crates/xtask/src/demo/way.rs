//! The three ways in which rez-env can get at a package.

use serde::Serialize;

/// How a payload reaches the process that imports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Way {
    /// Read from shared storage each time.
    Straight,
    /// Copied whole by rez, then used.
    RezCache,
    /// Through a mount of pkgfs.
    Pkgfs,
}

impl Way {
    /// All, in the order of the table's columns.
    pub(super) const ALL: [Self; 3] = [Self::Straight, Self::RezCache, Self::Pkgfs];

    /// The heading of its column.
    pub(super) fn heading(self) -> &'static str {
        match self {
            Self::Straight => "no cache",
            Self::RezCache => "rez's cache",
            Self::Pkgfs => "pkgfs",
        }
    }
}

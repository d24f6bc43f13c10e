//! Who keeps a mount busy. What another user's processes hold is visible to root alone.

use std::{fmt, path::PathBuf};

use crate::{mount::MountInfo, sys};

/// A process that keeps a mount busy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Its process id.
    pub pid: u32,
    /// Its name, as the system keeps it (on Linux 15 bytes at most).
    pub name: String,
    /// In what way.
    pub how: How,
}

/// In what way a process keeps a mount busy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum How {
    /// Its working directory.
    WorkingDirectory(PathBuf),
    /// Its root directory.
    Root(PathBuf),
    /// The program that it runs.
    Program(PathBuf),
    /// A file that it has open.
    Open(PathBuf),
    /// A file that it has mapped.
    Mapped(PathBuf),
}

impl fmt::Display for How {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WorkingDirectory(path) => write!(f, "working directory {}", path.display()),
            Self::Root(path) => write!(f, "root directory {}", path.display()),
            Self::Program(path) => write!(f, "runs {}", path.display()),
            Self::Open(path) => write!(f, "has {} open", path.display()),
            Self::Mapped(path) => write!(f, "has {} mapped", path.display()),
        }
    }
}

impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ({})", self.pid, self.name, self.how)
    }
}

/// The processes that keep this mount busy, each with the first way found.
#[must_use]
pub fn users(mount: &MountInfo) -> Vec<User> {
    sys::users(mount)
}

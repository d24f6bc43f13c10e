//! What could not be read.

use std::path::PathBuf;

use crate::sys::Errno;

/// One thing that could not be read, and why. Everything else was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {}", shown(path), self.reason())]
pub struct Problem {
    /// What could not be read.
    pub path: PathBuf,
    /// What it is to the scan.
    pub part: Part,
    /// The system's error number.
    pub errno: i32,
}

/// What a problem keeps from being known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The whole repository, or what was not read of it when it vanished.
    Repository,
    /// A family.
    Family,
    /// One version, or whether it is one.
    Version,
}

impl Problem {
    pub(crate) fn new(path: PathBuf, part: Part, errno: Errno) -> Self {
        Self { path, part, errno: errno.raw_os_error() }
    }

    /// Whether it is that there is nothing at the path. Storage that does not answer is not that.
    #[must_use]
    pub fn is_absence(&self) -> bool {
        Errno::from_raw_os_error(self.errno) == Errno::NOENT
    }

    /// Why, without the path.
    #[must_use]
    pub fn reason(&self) -> String {
        reason(self.part, self.errno)
    }
}

fn reason(part: Part, errno: i32) -> String {
    let said = std::io::Error::from_raw_os_error(errno);
    match (part, Errno::from_raw_os_error(errno)) {
        (Part::Repository, Errno::NOENT) => "the repository does not exist".to_owned(),
        (Part::Repository, Errno::STALE) => {
            "the repository vanished while it was read; scan again".to_owned()
        }
        (Part::Repository, Errno::NOTDIR) => "a repository is a directory, not a file".to_owned(),
        (Part::Repository, _) => format!("cannot read the repository: {said}"),
        (Part::Family, Errno::NOTDIR) => {
            "a file where a package family would be a directory; passed over".to_owned()
        }
        (Part::Family, Errno::NOENT | Errno::STALE) => {
            "the package family vanished while it was read; scan again".to_owned()
        }
        (Part::Family, _) => format!("cannot read the package family: {said}"),
        (Part::Version, _) => format!("cannot tell what it is: {said}"),
    }
}

/// A path on one line.
fn shown(path: &std::path::Path) -> String {
    let mut line = String::new();
    for character in path.to_string_lossy().chars() {
        match character.is_control() {
            true => line.extend(character.escape_default()),
            false => line.push(character),
        }
    }
    line
}

//! The calls that rez and programs make on a cache, and those on which it stands.

use std::io;
use std::ops::Range;

use pkgfs_tests::{Scene, VariantHandle};

/// How a file is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Read,
    Mapped,
}

/// Ways to change a payload, all of which must fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attempt {
    Create,
    Write,
    Truncate,
    Unlink,
    Rename,
    MakeDirectory,
    RemoveDirectory,
    Touch,
    Mode,
    Link,
}

pub(crate) const ATTEMPTS: [Attempt; 10] = [
    Attempt::Create,
    Attempt::Write,
    Attempt::Truncate,
    Attempt::Unlink,
    Attempt::Rename,
    Attempt::MakeDirectory,
    Attempt::RemoveDirectory,
    Attempt::Touch,
    Attempt::Mode,
    Attempt::Link,
];

/// A cache. Paths are below it; errors are those that a program sees.
pub(crate) trait Files: Send + Sync {
    fn exists(&self, path: &str) -> io::Result<bool>;
    fn links(&self, path: &str) -> io::Result<u64>;
    /// Seconds.
    fn modified(&self, path: &str) -> io::Result<i64>;
    fn names(&self, path: &str) -> io::Result<Vec<String>>;
    fn read(&self, path: &str, part: Range<usize>, way: Way) -> io::Result<Vec<u8>>;
    fn make_directory(&self, path: &str) -> io::Result<()>;
    /// Makes a file, or empties it, writes it and closes it.
    fn write(&self, path: &str, bytes: &[u8]) -> io::Result<()>;
    fn link(&self, from: &str, to: &str) -> io::Result<()>;
    fn unlink(&self, path: &str) -> io::Result<()>;
    fn remove_directory(&self, path: &str) -> io::Result<()>;
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// `utimensat(path, NULL)`.
    fn touch(&self, path: &str) -> io::Result<()>;
    /// Tries to change the file at a path of a payload, in a directory of it.
    fn attempt(&self, attempt: Attempt, directory: &str, file: &str) -> io::Result<()>;
}

/// What was read, unless it ends before the part of the file that there is by its size.
pub(crate) fn whole(bytes: Vec<u8>, part: &Range<usize>) -> io::Result<Vec<u8>> {
    if bytes.len() == part.len() {
        return Ok(bytes);
    }
    Err(io::Error::other(format!("{} bytes instead of {}", bytes.len(), part.len())))
}

/// What histories are run on.
pub(crate) trait Subject: Files + Sized {
    fn start(scene: &Scene) -> Self;
    /// Ends, in good order or not, and is there again with what was kept.
    fn restart(&mut self, killed: bool);
    /// `pkgfs flush`: of a variant's payload, or of everything.
    fn flush(&self, variant: Option<&VariantHandle>);
    /// Nothing is left behind.
    fn end(self);
}

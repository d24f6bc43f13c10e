//! What the system's errors mean.

use std::{io, path::Path};

use rustix::io::Errno;

use crate::Cause;

/// The error number of what failed in a way that has none.
pub(crate) const FAILED: i32 = Errno::IO.raw_os_error();
/// That of a file which was not given.
pub(crate) const NO_FILE: i32 = Errno::BADF.raw_os_error();
/// That of an answer to another question.
pub(crate) const NONSENSE: i32 = Errno::PROTO.raw_os_error();

/// What a failed call on a path at origin means.
pub(crate) fn cause(error: &io::Error, _: &Path) -> Cause {
    match errno(error) {
        Errno::NOENT => Cause::NotFound,
        Errno::ACCESS | Errno::PERM => Cause::Denied,
        Errno::NOTDIR => Cause::NotADirectory,
        Errno::ISDIR => Cause::IsADirectory,
        // NFS: what was open is gone from the server.
        Errno::STALE => Cause::Changed,
        other => Cause::Io(other.raw_os_error()),
    }
}

/// Whether a name is no longer there.
pub(crate) fn is_gone(error: &io::Error) -> bool {
    errno(error) == Errno::NOENT
}

/// Whether a link dangles, to which this happened when it was followed.
pub(crate) fn leads_nowhere(error: &io::Error) -> bool {
    matches!(errno(error), Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::NAMETOOLONG)
}

/// Whether what was read as a link is none.
pub(crate) fn is_no_link(error: &io::Error) -> bool {
    errno(error) == Errno::INVAL
}

/// Whether storage cannot read past the client's cache at this place or length.
pub(crate) fn refuses_direct(error: &io::Error) -> bool {
    errno(error) == Errno::INVAL
}

fn errno(error: &io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::IO)
}

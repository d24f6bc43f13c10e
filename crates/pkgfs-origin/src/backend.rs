//! A kind of storage, as the worker sees it: blocking calls, one per request.
//!
//! A backend may block for ever; that is what the worker process is for. It tells an
//! [`Observer`] what it does on storage and how it gets on, so that a long copy is
//! not taken for a hang. `tests/conformance.rs` says what every backend must do.

mod found;
mod mounted;

use std::{
    fs::File,
    ops::Range,
    path::{Path, PathBuf},
    time::Duration,
};

use pkgfs_manifest::{FileState, Listing};

pub use crate::counters::Operation;
use crate::{Failure, Fetched, LinkBounds, NameKind, Rest, Stat};
pub(crate) use found::{Ask, Found, Named};
pub use mounted::Mounted;

/// The names in a directory and what they are.
pub type Names = Vec<(Box<[u8]>, NameKind)>;

/// Extended attributes: names and values.
pub type Xattrs = Vec<(Box<[u8]>, Box<[u8]>)>;

/// Bytes of a file that somebody waits for.
#[derive(Debug, Default)]
pub struct Wishes {
    /// Those that were not told before.
    pub bytes: Vec<Range<u64>>,
    /// The same of those that somebody is known to come to, and of nothing near them.
    pub foreseen: Vec<Range<u64>>,
    /// The whole file is wanted.
    pub all: bool,
    /// How many wishes there were.
    pub heard: u64,
    /// How often there was reason to look at them.
    pub calls: u64,
}

/// Watches one request being served, from any thread.
pub trait Observer: Sync {
    /// An operation on storage is about to be made, or (reads) was made.
    fn count(&self, operation: Operation);
    /// The request gets on.
    fn alive(&self) {}
    /// For a fetch: these bytes are in place and belong to the state that was asked for.
    fn placed(&self, bytes: &[Range<u64>]);
    /// Something about storage that its owner should know, in one line.
    fn tell(&self, note: String) {
        _ = note;
    }
    /// Whether the request may be dropped.
    fn is_cancelled(&self) -> bool;
    /// A file of storage is done with. Closing it may be one more round trip, which need
    /// not hold up the answer.
    fn done_with(&self, file: File) {
        drop(file);
    }
    /// How long nobody has waited for anything, of this request or another: what nobody
    /// waits for is best done then.
    fn quiet(&self) -> Duration {
        Duration::MAX
    }
    /// Whether this request may do now what nobody waits for: one at a time may. Its turn ends
    /// when it [`rests`](Self::rests).
    fn take_turn(&self) -> bool {
        true
    }
    /// Nobody waits for anything of this request, whose wishes up to this many are fulfilled,
    /// until there is another wish or it takes its turn.
    fn rests(&self, heard: u64) {
        _ = heard;
    }
    /// For a fetch: which bytes somebody waits for, each told once.
    fn wishes(&self) -> Wishes {
        Wishes::default()
    }
    /// Waits until [`Wishes::calls`] is no longer this, or for this long.
    fn wait(&self, calls: u64, patience: Duration) {
        // Without anybody to wish, there is nothing to wait for either.
        _ = (calls, patience);
    }
    /// Has all who [`wait`](Self::wait) look again.
    fn call(&self) {}
}

/// A kind of storage.
pub trait Backend: Send + Sync {
    /// One directory with the attributes of its entries, links as `bounds` say. That of an anchor, and
    /// what is shown in a link's place, is as it can be [reached](Self::reach).
    /// Entries that vanish meanwhile are left out.
    ///
    /// # Errors
    /// What storage answered.
    fn list(&self, dir: &Path, bounds: &LinkBounds, on: &dyn Observer) -> Result<Listing, Failure>;

    /// Names and kinds in a directory, in no order.
    ///
    /// # Errors
    /// What storage answered.
    fn names(&self, dir: &Path, on: &dyn Observer) -> Result<Names, Failure>;

    /// Attributes of what the path leads to, links followed.
    ///
    /// # Errors
    /// What storage answered.
    fn stat(&self, path: &Path, on: &dyn Observer) -> Result<Stat, Failure>;

    /// The same; of a directory with the owner, group and mode that it has for those who come through
    /// all directories above it.
    ///
    /// # Errors
    /// What storage answered.
    fn reach(&self, path: &Path, on: &dyn Observer) -> Result<Stat, Failure>;

    /// A file of at most `limit` bytes, whole, and the state that was.
    ///
    /// # Errors
    /// What storage answered; [`TooLarge`](crate::Cause::TooLarge);
    /// [`Changed`](crate::Cause::Changed) if it changed meanwhile.
    fn read(
        &self,
        path: &Path,
        limit: u64,
        on: &dyn Observer,
    ) -> Result<(Vec<u8>, FileState), Failure>;

    /// These bytes of a file, which it has.
    ///
    /// # Errors
    /// What storage answered; [`Changed`](crate::Cause::Changed) unless it is in the state
    /// `expected` before and after.
    fn read_at(
        &self,
        path: &Path,
        expected: FileState,
        bytes: Range<u64>,
        on: &dyn Observer,
    ) -> Result<Vec<u8>, Failure>;

    /// The path with every link in it resolved.
    ///
    /// # Errors
    /// What storage answered.
    fn canonical(&self, path: &Path, on: &dyn Observer) -> Result<PathBuf, Failure>;

    /// The `user.*` extended attributes of the path itself; none where storage has no
    /// such thing. With `acls`, the access list as [`ACL_XATTR`](crate::ACL_XATTR), too.
    ///
    /// # Errors
    /// What storage answered.
    fn xattrs(&self, path: &Path, acls: bool, on: &dyn Observer) -> Result<Xattrs, Failure>;

    /// Copies a file into `into` from offset 0, without ever making that shorter:
    /// what an earlier attempt told to be in place stays there. What nobody waits for follows
    /// as `rest` says; it may also come sooner.
    ///
    /// # Errors
    /// What storage answered; [`Changed`](crate::Cause::Changed) unless it is in the
    /// state `expected` from before the first byte to after the last.
    fn fetch(
        &self,
        path: &Path,
        expected: FileState,
        into: &File,
        rest: Rest,
        on: &dyn Observer,
    ) -> Result<Fetched, Failure>;
}

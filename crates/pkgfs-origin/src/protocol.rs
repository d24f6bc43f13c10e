//! What client and worker say to each other.
//!
//! Both directions of a channel carry frames: four bytes of length (little endian),
//! then that many bytes. A frame to the worker is a postcard-encoded
//! `Vec<Envelope>`: a batch. The files for its [`Request::Fetch`]es are sent
//! with the frame's first byte, in the order of the requests; so whoever has read a
//! frame has its files. A frame to the client is a postcard-encoded [`Message`]
//! followed by raw bytes (a listing, a file's content), which are neither copied nor
//! looked at before the caller takes them.
//!
//! Neither side trusts the shape of what it reads: a frame that is too long, cut, or
//! not what was expected ends the conversation.

use std::{ops::Range, path::PathBuf};

use pkgfs_manifest::{Attributes, BlobDigest, FileState};
use serde::{Deserialize, Serialize};

use crate::{
    Failure, LinkBounds, Operations,
    backend::{Names, Xattrs},
};

/// Longest frame either side accepts: a directory of a million long names fits.
pub(crate) const MAX_FRAME: usize = 512 << 20;
/// Most files that go with one frame (Linux takes 253).
pub(crate) const MAX_FILES: usize = 64;

/// A request and the number its answers carry.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Envelope {
    pub(crate) id: u64,
    pub(crate) request: Request,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Request {
    /// Answered by the dispatcher itself: shows that the process lives.
    Ping,
    /// Nobody waits for request `id` any more.
    Cancel,
    /// Somebody waits for these bytes of the file that request `id` fetches.
    Want {
        from: u64,
        to: u64,
    },
    /// Somebody will wait for these, and for nothing near them.
    Foresee {
        from: u64,
        to: u64,
    },
    /// Request `id` is to fetch the whole file, as soon as it can.
    WantAll,
    List {
        #[serde(with = "path_bytes")]
        dir: PathBuf,
        bounds: LinkBounds,
    },
    Stat(#[serde(with = "path_bytes")] PathBuf),
    Reach(#[serde(with = "path_bytes")] PathBuf),
    Read {
        #[serde(with = "path_bytes")]
        path: PathBuf,
        limit: u64,
    },
    ReadAt {
        #[serde(with = "path_bytes")]
        path: PathBuf,
        expected: FileState,
        from: u64,
        to: u64,
    },
    Names(#[serde(with = "path_bytes")] PathBuf),
    Canonical(#[serde(with = "path_bytes")] PathBuf),
    Xattrs {
        #[serde(with = "path_bytes")]
        path: PathBuf,
        /// With the access list.
        acls: bool,
    },
    Fetch {
        #[serde(with = "path_bytes")]
        path: PathBuf,
        expected: FileState,
        rest: Rest,
    },
}

/// Bytes of a file that are asked for at a time, and told of at least: as many as clients of
/// storage ask for in one operation.
pub const CHUNK: u64 = 1 << 20;

/// The extended attribute in which an access list of Windows is told: a self-relative security
/// descriptor with owner, group and discretionary list, under the name that NTFS drivers of Linux
/// have for it.
pub const ACL_XATTR: &str = "system.ntfs_acl";

/// What becomes of those bytes of a long file that nobody waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Rest {
    /// They are fetched from the beginning: the whole file is wanted.
    AtOnce,
    /// They follow when nobody has waited for anything of storage for a second, of one file at
    /// a time. Where storage is never that quiet, they begin to after 30 s.
    WhenQuiet,
    /// They are not fetched: the file becomes whole when all of it was asked for.
    Never,
}

/// Something the worker says.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Message {
    pub(crate) id: u64,
    /// What was done on origin for this request since the last message about it.
    pub(crate) operations: Operations,
    pub(crate) body: Body,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Body {
    Pong,
    /// The request is getting on.
    Alive,
    /// Something about storage that its owner should know: the worker has no log.
    Told(String),
    /// All that was asked for by the first so many wishes is in place, and nobody waits for what
    /// is left. Over with the next wish, or when the request is `Alive`.
    Resting(u64),
    /// These bytes of the file that is fetched are in place.
    Placed(Vec<Range<u64>>),
    Failed(Failure),
    /// The raw bytes are an encoded listing.
    Listing,
    Stat(Stat),
    /// The raw bytes are the content.
    Content(FileState),
    Names(Names),
    Canonical(#[serde(with = "path_bytes")] PathBuf),
    Xattrs(Xattrs),
    Fetched(Fetched),
}

/// What a name in a directory is, as far as the directory tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum NameKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Link,
    /// A fifo, socket or device.
    Special,
}

/// Attributes of what a path leads to, links followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stat {
    /// What it is; never a link.
    pub kind: NameKind,
    /// Its attributes.
    pub attributes: Attributes,
    /// The device that holds it, to compare with another file's.
    pub device: u64,
}

impl Stat {
    /// Whether it is a directory.
    #[must_use]
    pub fn is_dir(&self) -> bool {
        self.kind == NameKind::Directory
    }
}

/// A file that was copied whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fetched {
    /// Digest of the bytes copied.
    pub digest: BlobDigest,
    /// How many they are.
    pub size: u64,
}

/// Encodes a frame: its length, a head, and raw bytes after it.
pub(crate) fn frame<T: Serialize>(head: &T, raw: &[u8]) -> Vec<u8> {
    let mut bytes = postcard::to_extend(head, vec![0; 4])
        .expect("writing to a vector does not fail and every part has a known length");
    bytes.extend_from_slice(raw);
    let length = u32::try_from(bytes.len() - 4).unwrap_or(u32::MAX);
    bytes[..4].copy_from_slice(&length.to_le_bytes());
    bytes
}

/// The length a frame announces, if either side would accept it.
pub(crate) fn frame_length(prefix: [u8; 4]) -> Option<usize> {
    usize::try_from(u32::from_le_bytes(prefix)).ok().filter(|&length| length <= MAX_FRAME)
}

/// Paths as the bytes they are: they need not be UTF-8.
pub(crate) mod path_bytes {
    use std::path::{Path, PathBuf};

    use pkgfs_manifest::os_name;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    pub(crate) fn serialize<S: Serializer>(path: &Path, to: S) -> Result<S::Ok, S::Error> {
        os_name::path_bytes(path).serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<PathBuf, D::Error> {
        let path = os_name::path_from(Vec::deserialize(from)?);
        path.ok_or_else(|| D::Error::custom("no path on this system"))
    }
}

/// Several paths, as [`path_bytes`].
pub(crate) mod paths_bytes {
    use std::path::PathBuf;

    use pkgfs_manifest::os_name;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(crate) fn serialize<S: Serializer>(paths: &[PathBuf], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(paths.iter().map(|path| os_name::path_bytes(path)))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Vec<PathBuf>, D::Error> {
        let paths = Vec::<Vec<u8>>::deserialize(from)?.into_iter();
        let paths = paths.map(os_name::path_from);
        paths.collect::<Option<_>>().ok_or_else(|| D::Error::custom("no path on this system"))
    }
}

//! The kinds of request that cross the wire to shared storage.

use serde::{Deserialize, Serialize};

/// A kind of request that an NFS client would send to its server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Operation {
    /// A name in a directory, found or not.
    Lookup,
    /// The attributes of a file, directory or link.
    Getattr,
    /// The target of a link.
    Readlink,
    /// Opening a file.
    Open,
    /// A range of a file, at most [`crate::MAX_READ`] bytes.
    Read,
    /// A part of a directory with the attributes of its entries (READDIRPLUS).
    Readdir,
    /// The value or size of one extended attribute.
    Getxattr,
    /// The names of the extended attributes.
    Listxattr,
    /// Free and used space.
    Statfs,
}

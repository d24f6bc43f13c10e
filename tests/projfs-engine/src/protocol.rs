//! How programs reach a volume that a stand-in serves: one JSON value a line, each request answered
//! in order. A connection is a program: what it has open is closed with it.

use serde::{Deserialize, Serialize};

use crate::{
    Code, Wide, access::Descriptor, change::Status, listing::Entry, open::How, records::Times,
    volume::Switches,
};

/// The environment variable that names the file in which a stand-in writes its address.
pub const ADDRESS: &str = "PKGFS_PROJFS_STANDIN";

/// What a program asks. Paths are absolute.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Request {
    Open {
        path: Wide,
        how: How,
    },
    Read {
        handle: u64,
        offset: u64,
        length: u32,
    },
    Write {
        handle: u64,
        offset: u64,
        bytes: Vec<u8>,
    },
    SetLength {
        handle: u64,
        length: u64,
    },
    List {
        handle: u64,
        pattern: Option<Wide>,
        restart: bool,
        most: usize,
    },
    HeldStatus {
        handle: u64,
    },
    Close {
        handle: u64,
    },
    Status {
        path: Wide,
        follow: bool,
    },
    Security {
        path: Wide,
    },
    SetSecurity {
        path: Wide,
        security: Descriptor,
    },
    SetMetadata {
        path: Wide,
        attributes: Option<u32>,
        times: Option<Times>,
    },
    CreateDirectory {
        path: Wide,
    },
    CreateLink {
        path: Wide,
        target: Wide,
        directory: bool,
        junction: bool,
    },
    Delete {
        path: Wide,
        directory: bool,
        despite_attribute: bool,
    },
    Rename {
        from: Wide,
        to: Wide,
        replace: bool,
    },
    HardLink {
        existing: Wide,
        new: Wide,
    },
    /// What the provider was called for since this was last asked.
    Trace,
    Switches,
    Switch(Switches),
    /// The stand-in's state of an item.
    FileState {
        path: Wide,
    },
    /// What the provider said of an item's version: its content identifier.
    Content {
        path: Wide,
    },
}

/// What a stand-in answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Answer {
    Done,
    Handle(u64),
    Bytes(Vec<u8>),
    Entries(Vec<Entry>),
    Status(Status),
    Security(Descriptor),
    Trace(Vec<String>),
    Switches(Switches),
    State(u32),
    Failed(Code),
}

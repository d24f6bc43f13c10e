//! The recorded tree of a variant, as data.
//!
//! A variant is recorded one directory at a time: a [`Listing`] is what one
//! directory of the origin held when it was read, entries sorted by name, each with
//! the attributes origin gave it. Listings are immutable: a directory that changed
//! gets a new one. Nothing here does I/O.
//!
//! Invariant: decoding an encoded listing gives the same listing, and bytes that are
//! not a listing are an error, never a panic or a guess.

mod attributes;
mod digest;
mod listing;
pub mod os_name;
mod sys;

pub use attributes::{Attributes, FileState, Timestamp};
pub use digest::{BlobDigest, NotADigest};
pub use listing::{Entry, Kind, Listing, NotAListing, Special};

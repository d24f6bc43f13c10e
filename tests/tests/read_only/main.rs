//! Nobody changes a payload: not root, not its owner, not through any call.
//!
//! A table of attempts ([`attempts`]) is run on everything a payload consists of, by every user
//! that gets in, while another process ([`witness`]) reads and compares without pause: bytes that
//! somebody got into the page cache show only there. Afterwards every name, byte and attribute is
//! as before, through the mount, through a mount begun anew, and in the store.
//!
//! The same holds for a copy that rez itself made, from the moment it is whole ([`sealed`]), and
//! for the directories above, where rez alone has business ([`registry`]).

#![allow(clippy::unwrap_used, missing_docs)]

mod attempts;
mod content;
mod directories;
mod files;
mod modes;
mod names;
mod payload;
mod registry;
mod sealed;
mod store;
mod unwrapped;
mod witness;

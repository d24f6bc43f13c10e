//! What a volume with the Windows Projected File System (ProjFS) does, as Microsoft documents it.
//!
//! Wine has no filter driver, so tests under Wine have nothing that would call a provider. This
//! crate is that missing part: a directory on a real disk is a virtualization root, a [`Volume`] over
//! it answers opens, reads, listings and changes as NTFS with ProjFS would, and asks a [`Provider`]
//! for what is not there. The stand-in for `projectedfslib.dll` puts a real provider behind it and
//! serves programs through [`serve`]; without a provider the same volume shows what remains when the
//! provider has died. Nothing here is Windows code, so the rules are tested on any host.
//!
//! What is on disk is the truth: whatever lies in the root and is not known as a placeholder is a
//! full file or directory, also where somebody put it there behind the volume's back. Placeholders,
//! tombstones and links are known from a journal in [`records::sidecar`] beside the root.
//!
//! `docs/projfs-standin.md` says from which page each rule comes and what is not shown.

pub mod access;
pub mod change;
mod checks;
pub mod client;
pub mod codes;
mod data;
mod disk;
pub mod listing;
mod lookup;
pub mod notify;
pub mod open;
pub mod protocol;
pub mod provider;
pub mod records;
pub mod serve;
pub mod supply;
#[cfg(test)]
mod tests;
pub mod volume;
pub mod wide;

pub use codes::Code;
pub use listing::EntryBuffer;
pub use provider::Provider;
pub use volume::Volume;
pub use wide::Wide;

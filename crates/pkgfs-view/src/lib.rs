//! The virtual tree that platforms show: rez's package cache, whole from the start,
//! read-only, and filled as it is read.
//!
//! ```text
//! platform ── View ─┬─ registry      <name>/<version>/<h4>: what is registered
//!                   ├─ registering   two ways in: look-up, .sys/pending
//!                   ├─ payload       listings of variants, one directory at a time
//!                   ├─ hydration     bytes from origin, once
//!                   ├─ foresight     what is read next, guessed
//!                   ├─ profiles      what starts touch, learnt and fetched ahead
//!                   ├─ commanded     added, removed and pinned by command; targets, warming, cleaning
//!                   ├─ sealing       rez's own copies
//!                   └─ writable      .sys, and copies under way
//! ```
//!
//! Nothing here knows a platform: errors are [`ViewError`]s, files are [`NodeId`]s, and
//! how long an answer holds is a [`Keep`]. Invariant: no operation changes a payload,
//! and none takes "origin did not answer" for "does not exist".

// What is checked by shuttle is this crate itself, with shuttle's primitives for these (`sync`).
#[cfg(feature = "shuttle")]
extern crate shuttle_parking_lot as parking_lot;
#[cfg(feature = "shuttle")]
extern crate shuttle_tokio as tokio;

mod asked;
mod attributes;
mod caches;
mod checking;
mod cleaning;
mod commanded;
mod definitions;
mod error;
mod foresight;
#[doc(hidden)]
pub mod fuzzing;
mod handles;
mod hydration;
#[cfg(all(test, feature = "shuttle"))]
mod interleavings;
mod ledger;
mod lock;
mod maintenance;
mod node;
mod open_blobs;
mod payload;
mod problems;
mod profiles;
mod recency;
mod registering;
mod registry;
mod repositories;
mod room;
mod sealing;
mod spans;
mod status;
mod sync;
mod sys;
mod targets;
mod tombstones;
mod view;
mod warming;
mod whereabouts;
mod writable;

pub use attributes::{Caller, Found, Keep, Lookup, NodeAttributes, NodeKind};
pub use caches::{Caches, NOTICES_THREAD};
pub use checking::{BadBlob, CheckStatus, ScrubSettings, VerifyProgress, VerifyReport};
pub use cleaning::CleanReport;
pub use commanded::Report;
pub use error::ViewError;
pub use foresight::FetchedAhead;
pub use handles::HandleId;
pub use hydration::RestOfLargeFiles;
pub use ledger::Succession;
pub use maintenance::FlushReport;
pub use node::NodeId;
pub use pkgfs_manifest::Timestamp;
pub use problems::Problem;
pub use profiles::{
    ExchangedFile, ExchangedProfile, Opener, ProfileList, ProfileSettings, ProfileStatus,
};
pub use room::{RoomStatus, StoreLimits};
pub use status::{Amount, Registrations, VariantState, VariantStatus, ViewStatus};
pub use targets::Target;
pub use view::{DirectoryEntry, Listed, Place, Statistics, View, ViewSettings};
pub use warming::{WarmLimits, WarmProgress, WarmReport, Warming};
pub use whereabouts::RepositoryPlace;
pub use writable::Change;

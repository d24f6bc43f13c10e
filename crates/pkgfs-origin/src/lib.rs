//! Where bytes come from: shared storage that may be slow, fail, or never answer.
//!
//! A thread that waits for a hung network file system cannot be killed, and keeps its
//! process, its locks and its descriptors alive. So origin is read by a *worker
//! process*, which holds neither the store's lock nor the mount. [`Origin`] sends it
//! requests in batches through a channel, with the files it shall
//! fill; a worker that dies or stops answering is killed, left behind if it cannot
//! die, and replaced. What runs inside the worker is [`worker::main`], over a
//! [`backend::Backend`], one file per kind of storage.
//!
//! ```text
//! Origin ──submit──▶ supervisor ──batch + descriptors──▶ worker: dispatcher ──▶ threads ──▶ Backend
//!    ▲                   │ schedule: slots, deadlines              │ pong
//!    └──────answer───────┴◀──────────answers, progress─────────────┴──────────────┘
//! ```
//!
//! Invariants: "origin did not answer" is never told as "does not exist"; no request
//! waits without a deadline; a file is given whole and in the state that was asked
//! for, or the fetch fails.

pub mod backend;
mod client;
mod counters;
mod error;
#[doc(hidden)]
pub mod fuzzing;
mod links;
mod protocol;
mod settings;
mod sys;
pub mod worker;

#[cfg(feature = "played")]
pub use client::played::{Played, Request as PlayedRequest, What as PlayedWhat};
pub use client::{Fetch, Origin};
pub use counters::{Counters, Operations};
pub use error::{Cause, Failure, OriginError};
pub use links::LinkBounds;
pub use protocol::{ACL_XATTR, CHUNK, Fetched, NameKind, Rest, Stat};
pub use settings::OriginSettings;

//! Launch profiles: what starts touch is learnt, and fetched ahead of the next cold one.
//!
//! ```text
//! open, read ──▶ learning   one task: who touched it, in which launch
//!                 ├─ processes   which process, which context
//!                 ├─ launches    from first touch to rest
//!                 ├─ record      what a variant's launches in a context touched, merged
//!                 └─ leading     at a launch's first touch: lists and fetches what is recorded
//!                     ├─ run     one launch: in which order, how much may lie unread
//!                     └─ ahead   all launches: what is unread
//! ```
//!
//! A request does no more than to put a message into a bounded queue; with the queue full the
//! touch is not learnt. Profiles are written when a launch is over, by handle and context, so that
//! they outlive the variant's registration, and serve other machines ([`exchange`]).

mod ahead;
mod exchange;
mod launches;
mod leading;
mod learning;
mod record;
mod run;

use std::{
    ops::Range,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use pkgfs_store::{FileKey, RegistrationId};
use serde::Serialize;
use tokio::sync::{mpsc, oneshot};

pub use self::exchange::{ExchangedFile, ExchangedProfile, ProfileList};
pub(crate) use self::record::Record;
use self::{ahead::Ahead, run::Limits};
use crate::{FetchedAhead, View, hydration::SMALL};

/// Touches that wait to be learnt.
const QUEUE: usize = 4_096;
/// How long the end of all launches is waited for.
const LONGEST_END: Duration = Duration::from_secs(5);
/// Characters of a context's digest, hexadecimal.
pub(crate) const CONTEXT_LENGTH: usize = 32;

/// What is learnt, and how much may be fetched for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProfileSettings {
    /// Learn what starts touch.
    pub learn: bool,
    /// Bytes that may lie unread of what was fetched ahead of one launch; 0 fetches nothing.
    pub ahead_bytes: u64,
    /// Files that may.
    pub ahead_files: u64,
}

/// Who opens a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opener {
    /// Thread or process; 0 where it is not known.
    pub pid: u32,
    /// Each open of this platform is told of, also of files that its caches hold.
    pub all_told: bool,
    /// The platform has the file's bytes, and reads them by itself.
    pub has_bytes: bool,
}

/// How profiles do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ProfileStatus {
    /// Variants and contexts that there is one of.
    pub known: u64,
    /// Launches learnt since the start.
    pub learnt: u64,
    /// Variants that were fetched ahead by one since the start, a launch each.
    pub led: u64,
    /// What was fetched for it; part of what is told of all that was fetched ahead.
    pub ahead: FetchedAhead,
}

/// What the learning task is told.
enum Message {
    Touched {
        opener: Opener,
        registration: RegistrationId,
        file: FileKey,
    },
    Read {
        file: FileKey,
        bytes: Range<u64>,
    },
    /// Answered when all launches are over, and what they touched is written.
    End(oneshot::Sender<()>),
}

/// What is learnt and fetched ahead.
pub(crate) struct Profiles {
    settings: ProfileSettings,
    messages: mpsc::Sender<Message>,
    pub(crate) ahead: Ahead,
    learnt: AtomicU64,
    led: AtomicU64,
}

/// What the learning task reads.
pub(crate) struct Messages(mpsc::Receiver<Message>);

impl Profiles {
    pub(crate) fn new(settings: ProfileSettings, parallel: usize) -> (Self, Messages) {
        let (messages, told) = mpsc::channel(QUEUE);
        let ahead = Ahead::new(parallel);
        let (learnt, led) = (AtomicU64::new(0), AtomicU64::new(0));
        (Self { settings, messages, ahead, learnt, led }, Messages(told))
    }

    /// A file of a payload is opened.
    pub(crate) fn touched(&self, opener: Opener, registration: RegistrationId, file: FileKey) {
        if (self.settings.learn || self.fetches()) && opener.pid != 0 {
            // With the queue full it is not learnt.
            let _ = self.messages.try_send(Message::Touched { opener, registration, file });
        }
    }

    /// A part of a file of this size is read.
    pub(crate) fn read(&self, file: FileKey, size: u64, bytes: Range<u64>) {
        if size > SMALL && self.settings.learn {
            let _ = self.messages.try_send(Message::Read { file, bytes });
        }
    }

    /// Ends all launches, and waits until what they touched is written; not for long: the task may
    /// look at a process that hangs in the kernel, and nothing it learnt is worth an unmount.
    pub(crate) async fn end(&self) {
        let ending = async {
            let (sender, ended) = oneshot::channel();
            if self.messages.send(Message::End(sender)).await.is_ok() {
                // Without its task there is nothing to write.
                let _ = ended.await;
            }
        };
        if tokio::time::timeout(LONGEST_END, ending).await.is_err() {
            tracing::warn!("what launches touched was not written in time, and is not learnt");
        }
    }

    fn fetches(&self) -> bool {
        self.settings.ahead_bytes > 0 && self.settings.ahead_files > 0
    }

    fn limits(&self) -> Limits {
        Limits { bytes: self.settings.ahead_bytes, files: self.settings.ahead_files }
    }
}

impl View {
    /// How profiles do.
    pub(crate) fn profile_status(&self) -> ProfileStatus {
        ProfileStatus {
            known: self.store.profile_count().unwrap_or_default(),
            learnt: self.profiles.learnt.load(Ordering::Relaxed),
            led: self.profiles.led.load(Ordering::Relaxed),
            ahead: self.profiles.ahead.amount(),
        }
    }
}

//! Telling platforms what they must no longer believe.
//!
//! A platform that keeps names, attributes and bytes (the kernel's caches) registers
//! itself here. Notices are sent from a thread of their own, never from inside a
//! request: a notice may wait for a lock that the very request holds (fuse-notify on a
//! directory in the middle of a look-up).

use std::{
    convert::Infallible,
    sync::{Arc, Weak},
};

use parking_lot::Mutex;

use crate::{
    NodeId,
    sync::{mpsc, thread},
    view::blocking,
};

/// The caches of one platform mount.
pub trait Caches: Send + Sync {
    /// `name` in `parent` may have changed its meaning, with all that lies below it.
    fn forget_name(&self, parent: NodeId, name: &[u8]);

    /// The names in a directory may be others than they were.
    fn forget_listing(&self, directory: NodeId);

    /// What is kept of a file's bytes is not to be believed.
    fn forget_bytes(&self, file: NodeId);

    /// Blobs are to go from the store, or are gone: what is held of files that nobody has open is
    /// let go of, so that their room on the disk becomes free. What is kept of their bytes
    /// stays true. Must not wait for any request.
    fn let_go_of_blobs(&self);
}

/// The thread that sends notices has this name. It may wait in a platform for what this process is
/// to answer, and touches nothing but platforms.
pub const NOTICES_THREAD: &str = "notices";

enum Notice {
    Name(NodeId, Box<[u8]>),
    Listing(NodeId),
    Bytes(NodeId),
    Done(tokio::sync::oneshot::Sender<()>),
}

/// Sends notices to all platforms, in order.
pub(crate) struct Notices {
    queue: mpsc::Sender<Notice>,
    platforms: Arc<Mutex<Vec<Weak<dyn Caches>>>>,
}

impl Notices {
    pub(crate) fn start() -> std::io::Result<Self> {
        let (queue, notices) = mpsc::channel();
        let platforms = Arc::new(Mutex::new(Vec::<Weak<dyn Caches>>::new()));
        let told = Arc::clone(&platforms);
        thread::Builder::new().name(NOTICES_THREAD.into()).spawn(move || {
            for notice in notices {
                let mut known = told.lock().clone();
                known.retain(|platform| platform.strong_count() > 0);
                let live: Vec<_> = known.iter().filter_map(Weak::upgrade).collect();
                match notice {
                    Notice::Name(parent, name) => {
                        live.iter().for_each(|platform| platform.forget_name(parent, &name));
                    }
                    Notice::Listing(directory) => {
                        live.iter().for_each(|platform| platform.forget_listing(directory));
                    }
                    Notice::Bytes(file) => {
                        live.iter().for_each(|platform| platform.forget_bytes(file));
                    }
                    // Who asked may have stopped waiting.
                    Notice::Done(sender) => drop(sender.send(())),
                }
            }
        })?;
        Ok(Self { queue, platforms })
    }

    pub(crate) fn add(&self, platform: Weak<dyn Caches>) {
        let mut platforms = self.platforms.lock();
        platforms.retain(|known| known.strong_count() > 0);
        platforms.push(platform);
    }

    pub(crate) fn name(&self, parent: NodeId, name: &[u8]) {
        self.send(Notice::Name(parent, name.into()));
    }

    pub(crate) fn listing(&self, directory: NodeId) {
        self.send(Notice::Listing(directory));
    }

    pub(crate) fn bytes(&self, file: NodeId) {
        self.send(Notice::Bytes(file));
    }

    /// Has all platforms let go of files that nobody has open. At once and not in turn: a notice
    /// before it may wait for a request that waits for room.
    pub(crate) async fn let_go_of_blobs(&self) {
        let platforms = self.platforms.lock().clone();
        let let_go = move || {
            platforms.iter().filter_map(Weak::upgrade).for_each(|it| it.let_go_of_blobs());
            Ok::<_, Infallible>(())
        };
        let Ok(()) = blocking(let_go).await;
    }

    /// For whoever changes listings in places of its own.
    pub(crate) fn of_listings(&self) -> ListingNotices {
        ListingNotices(self.queue.clone())
    }

    /// Returns when all notices sent before have been delivered.
    pub(crate) async fn delivered(&self) {
        let (sender, done) = tokio::sync::oneshot::channel();
        self.send(Notice::Done(sender));
        let _ = done.await;
    }

    fn send(&self, notice: Notice) {
        // The thread ends only when `queue` is dropped.
        let _ = self.queue.send(notice);
    }
}

/// Sends notices of listings alone.
pub(crate) struct ListingNotices(mpsc::Sender<Notice>);

impl ListingNotices {
    pub(crate) fn send(&self, directory: NodeId) {
        // As above.
        let _ = self.0.send(Notice::Listing(directory));
    }
}

//! One running FUSE session.

use std::{io, sync::Arc, thread, time::Duration};

use fuser::{Config, Notifier, SessionACL};
use pkgfs_view::{Caches, NodeId, View};
use tokio::sync::watch;

use crate::{
    adapter::{Adapter, Gate, Listings, Serving},
    connection::{Connection, Former},
    held::Held,
    mode::Mode,
    shape::ino,
    sys,
};

/// The kernel has taken in an answer after this time.
const TAKEN_IN: Duration = Duration::from_secs(1);

/// How a session is run.
#[derive(Debug, Clone, Copy)]
pub struct SessionOptions {
    /// Threads that receive requests. None of them ever waits for origin.
    pub threads: usize,
    /// How payloads are served.
    pub mode: Mode,
}

/// A mounted view, served until the kernel closes the connection.
pub struct Mount {
    ended: watch::Receiver<bool>,
    mode: Mode,
    gate: Arc<Gate>,
    /// Kept for as long as the kernel may have to be told something.
    _caches: Arc<KernelCaches>,
}

impl Mount {
    /// Serves the view over a connection to the kernel.
    ///
    /// # Errors
    /// When the handshake with the kernel fails or no thread can be started.
    pub fn start(
        view: Arc<View>,
        connection: Connection,
        options: SessionOptions,
        runtime: tokio::runtime::Handle,
    ) -> io::Result<Self> {
        let mut config = Config::default();
        config.n_threads = Some(sys::threads(options.threads));
        // Who may enter is the kernel's to check, by the mount's own options.
        config.acl = SessionACL::All;
        let held = Arc::<Held>::default();
        let listings = Arc::<Listings>::default();
        let serving = Serving::new(options.mode, &connection)?;
        let gate = Arc::<Gate>::default();
        let adapter = Adapter {
            view: Arc::clone(&view),
            serving: Arc::clone(&serving),
            runtime: runtime.clone(),
            held: Arc::clone(&held),
            listings: Arc::clone(&listings),
            gate: Arc::clone(&gate),
            refuses_resent: connection.former() == Former::DiedOfRequests,
        };
        let session = connection.session(adapter, config)?;
        let kernel = session.notifier();
        let caches =
            KernelCaches { kernel, held, serving, listings, runtime, view: Arc::clone(&view) };
        let caches = Arc::new(caches);
        view.add_caches(Arc::downgrade(&caches) as _);
        let (sender, ended) = watch::channel(false);
        thread::Builder::new().name("session".into()).spawn(move || {
            if let Err(error) = session.run() {
                tracing::warn!(%error, "the session ended with an error");
            }
            sender.send_replace(true);
        })?;
        Ok(Self { ended, mode: options.mode, gate, _caches: caches })
    }

    /// Becomes true when the kernel has closed the connection: the mount is gone and
    /// nobody has a file of it open.
    #[must_use]
    pub fn ended(&self) -> watch::Receiver<bool> {
        self.ended.clone()
    }

    /// Answers no new request from now on, and waits until those under way are answered, but no
    /// longer than `at_most`: for a process that is to end, with another that takes over.
    pub fn let_lie(&self, at_most: Duration) {
        self.gate.close(at_most);
    }

    /// How files are served, for `status`.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode
    }
}

/// The kernel's caches of one mount.
struct KernelCaches {
    kernel: Notifier,
    held: Arc<Held>,
    serving: Arc<Serving>,
    listings: Arc<Listings>,
    runtime: tokio::runtime::Handle,
    view: Arc<View>,
}

impl KernelCaches {
    fn told(outcome: io::Result<()>) {
        match outcome {
            Ok(()) => {}
            // It did not have it, or is gone.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => tracing::debug!(%error, "the kernel did not take a notice"),
        }
    }
}

impl Caches for KernelCaches {
    fn forget_name(&self, parent: NodeId, name: &[u8]) {
        use std::os::unix::ffi::OsStrExt;
        self.serving.close_idle();
        self.held.wait(ino(parent));
        Self::told(self.kernel.inval_entry(ino(parent), std::ffi::OsStr::from_bytes(name)));
    }
    fn forget_bytes(&self, file: NodeId) {
        Self::told(self.kernel.inval_inode(ino(file), 0, 0));
    }

    fn let_go_of_blobs(&self) {
        self.serving.let_go_of_blobs(&self.view);
    }

    fn forget_listing(&self, directory: NodeId) {
        // Unlike for a name, the kernel takes no lock for this, and so does not wait for an answer
        // that was given before and that it has not taken in yet: it is told once more.
        Self::told(self.kernel.inval_inode(ino(directory), 0, 0));
        if self.listings.asked_within(ino(directory), TAKEN_IN) {
            let kernel = self.kernel.clone();
            self.runtime.spawn(async move {
                tokio::time::sleep(TAKEN_IN).await;
                let again = move || Self::told(kernel.inval_inode(ino(directory), 0, 0));
                // Whoever closes the session ends this, too.
                let _ = tokio::task::spawn_blocking(again).await;
            });
        }
    }
}

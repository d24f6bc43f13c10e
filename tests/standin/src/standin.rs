//! A mounted stand-in inside the calling process.

use std::fs;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{io, thread};

use fuser::{BackgroundSession, Config, MountOption, Notifier, Session, SessionACL};

use crate::control::{self, Answer, Request};
use crate::cost::Cost;
use crate::counts::Stats;
use crate::error::Error;
use crate::kernel_mount::KernelMount;
use crate::mirror::Mirror;
use crate::options::{MAX_READ, Options};
use crate::service::Service;
use crate::source::Source;

/// Threads that take requests from the kernel. They only queue them, so two are enough.
const SESSION_THREADS: usize = 2;

/// What steers a mount: shared by the guard and the control connections.
pub(crate) struct Steering {
    source: Arc<Source>,
    service: Arc<Service>,
    notifier: Notifier,
    options: Options,
    read_ahead_kb: u32,
}

impl Steering {
    /// Does what a request asks.
    pub(crate) fn handle(&self, request: Request) -> io::Result<Answer> {
        match request {
            Request::Stats => return Ok(Answer::Stats(Box::new(self.stats()))),
            Request::Trace { on: Some(on) } => self.service.counts.set_trace(on),
            Request::Trace { on: None } => return Ok(Answer::Trace(self.service.counts.trace())),
            Request::Reset => self.service.reset(),
            Request::Watch { paths } => self.service.counts.watch(paths),
            Request::Set { delay_us, slots, bandwidth } => {
                if let Some(delay_us) = delay_us {
                    self.service.cost.set_delay_us(delay_us);
                }
                if let Some(bandwidth) = bandwidth {
                    self.service.cost.set_bandwidth(bandwidth);
                }
                if let Some(slots) = slots {
                    self.service.set_slots(slots);
                }
            }
            Request::Fault(fault) => self.service.faults.add(fault),
            Request::ClearFaults => self.service.faults.clear(),
            Request::Release => return Ok(Answer::Released(self.service.release())),
            Request::Forget { path } => self.forget(&path)?,
        }
        Ok(Answer::Done)
    }

    fn stats(&self) -> Stats {
        let (operations, faulted) = self.service.counts.all();
        let load = self.service.load();
        Stats {
            operations,
            watched: self.service.counts.watched(),
            in_service: load.in_service,
            max_in_service: load.max_in_service,
            queued: load.queued,
            hung: load.hung,
            faulted,
            delay_us: self.service.cost.delay_us(),
            slots: load.slots,
            bandwidth: self.service.cost.bandwidth(),
            attr_ttl_ms: self.options.attr_ttl_ms,
            entry_ttl_ms: self.options.entry_ttl_ms,
            negative_ttl_ms: self.options.negative_ttl_ms,
            read_ahead_kb: self.read_ahead_kb,
            max_read: MAX_READ,
        }
    }

    /// Makes the kernel drop what it keeps of a path and everything below it: attributes, data
    /// and the name itself, found or not. Waits where an operation on it is under way.
    fn forget(&self, path: &Path) -> io::Result<()> {
        let nodes = &self.source.nodes;
        for (ino, below) in nodes.below(path) {
            self.notifier.inval_inode(ino, 0, 0)?;
            self.forget_name(&below)?;
        }
        self.forget_name(path)
    }

    fn forget_name(&self, path: &Path) -> io::Result<()> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Ok(());
        };
        for directory in self.source.nodes.at(parent) {
            self.notifier.inval_entry(directory, name)?;
        }
        Ok(())
    }
}

/// A mounted stand-in; dropping it unmounts. Whatever still waits then is answered EIO.
///
/// A process that uses its own mount cannot be ended while an operation of its own hangs:
/// tests take [`crate::StandinProcess`].
pub struct Standin {
    steering: Arc<Steering>,
    mount: KernelMount,
    session: Option<BackgroundSession>,
    control: Option<(PathBuf, UnixListener)>,
}

impl Standin {
    /// Mounts `source` at the existing directory `mountpoint`.
    ///
    /// # Errors
    /// [`Error::Source`] when the source is no readable directory, [`Error::Mount`] when the
    /// mount is refused.
    pub fn mount(
        source: impl AsRef<Path>,
        mountpoint: impl AsRef<Path>,
        options: Options,
    ) -> Result<Self, Error> {
        let mountpoint = mountpoint.as_ref();
        let failed = |error| Error::Mount { path: mountpoint.to_owned(), error };
        let source = Arc::new(Source::new(source.as_ref())?);
        let cost = Cost::new(options.delay_us, options.bandwidth);
        let service = Service::new(cost, options.slots);
        let mirror = Mirror::new(Arc::clone(&source), Arc::clone(&service), options.clone());
        let at = mountpoint.canonicalize().map_err(failed)?;
        let session = Session::new(mirror, &at, &config(&options)).map_err(failed)?;
        let notifier = session.notifier();
        let session = session.spawn().map_err(failed)?;
        let mount = KernelMount::find(&at).map_err(failed)?;
        let mount = mount.ok_or_else(|| failed(io::ErrorKind::NotConnected.into()))?;
        let read_ahead_kb = mount.set_read_ahead(options.read_ahead_kb).map_err(failed)?;
        let steering = Steering { source, service, notifier, options, read_ahead_kb };
        let steering = Arc::new(steering);
        Ok(Self { steering, mount, session: Some(session), control: None })
    }

    /// Does what a control request asks.
    ///
    /// # Errors
    /// When the kernel refuses an invalidation.
    pub fn handle(&self, request: Request) -> io::Result<Answer> {
        self.steering.handle(request)
    }

    /// Answers control connections at `socket` until the stand-in is dropped.
    ///
    /// # Errors
    /// [`Error::Control`] when the socket cannot be made.
    pub fn serve_control(&mut self, socket: impl Into<PathBuf>) -> Result<(), Error> {
        let socket = socket.into();
        let failed = |error| Error::Control { path: socket.clone(), error };
        let listener = UnixListener::bind(&socket).map_err(failed)?;
        let accepting = listener.try_clone().map_err(failed)?;
        let steering = Arc::downgrade(&self.steering);
        let serve = move || control::serve(&accepting, &steering);
        thread::Builder::new().name("standin-control".to_owned()).spawn(serve).map_err(failed)?;
        self.control = Some((socket, listener));
        Ok(())
    }

    /// Whether the mount was taken away by someone else.
    pub fn has_ended(&self) -> bool {
        self.session.as_ref().is_none_or(|session| session.guard.is_finished())
    }
}

impl Drop for Standin {
    fn drop(&mut self) {
        // First answer whoever waits: a hung look-up holds its directory's lock, and a `forget`
        // that waits for that lock would keep this process, and so the mount, alive for ever.
        self.steering.service.close();
        // Out of the tree before the session ends, so that nobody finds a dead mount.
        self.mount.end().ok();
        if let Some((socket, listener)) = self.control.take() {
            // Ends the thread that waits for connections.
            rustix::net::shutdown(&listener, rustix::net::Shutdown::Both).ok();
            fs::remove_file(socket).ok();
        }
        // The session ends by itself; its last request may be our own caller's, so it is not
        // waited for.
        drop(self.session.take());
    }
}

fn config(options: &Options) -> Config {
    let mut config = Config::default();
    config.mount_options = vec![
        MountOption::FSName("pkgfs-standin".to_owned()),
        MountOption::Subtype("pkgfs-standin".to_owned()),
        MountOption::RO,
        MountOption::NoSuid,
        MountOption::NoDev,
        MountOption::DefaultPermissions,
    ];
    config.acl = if options.allow_other { SessionACL::All } else { SessionACL::Owner };
    config.n_threads = Some(SESSION_THREADS);
    config
}

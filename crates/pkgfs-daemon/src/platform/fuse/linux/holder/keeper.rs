//! The daemon's side: gives the holder what it is to keep, and starts another if it dies.

use std::{
    collections::BTreeMap,
    io,
    os::fd::{AsFd, OwnedFd},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Weak},
    thread,
    time::Duration,
};

use pkgfs_fuse::{Connection, Former};
use pkgfs_view::Succession;
use rustix::{
    event::{PollFd, PollFlags, poll},
    fs::MemfdFlags,
    process::{PidfdFlags, getpid, pidfd_open},
};
use tokio::sync::Mutex;

use super::{
    FormerDaemon, MountToKeep,
    message::{Channel, Estate, HeldMount, Message},
};
use crate::{HandOver, Settings, log_file, places::log_path, startup::Surroundings};

/// Between two attempts to start a holder.
const AGAIN: Duration = Duration::from_secs(1);

/// What a daemon that takes over is given.
pub(crate) struct Inheritance {
    pub keeper: Arc<Keeper>,
    pub settings: Settings,
    pub surroundings: Surroundings,
    pub lock: OwnedFd,
    pub succession: Succession,
    pub mounts: Vec<MountToKeep>,
    pub former: FormerDaemon,
}

/// Everything that the holder is to keep, and the holder.
pub(crate) struct Keeper {
    kept: Mutex<Kept>,
}

struct Kept {
    holder: Option<Holder>,
    estate: Estate,
    /// The store's lock, and the two files of notes.
    files: Vec<OwnedFd>,
    mounts: BTreeMap<u64, (HeldMount, Vec<OwnedFd>)>,
    serving: bool,
    done: bool,
}

struct Holder {
    channel: Arc<Channel>,
    pid: Option<u32>,
    /// To be waited for when it is gone, if it is this process's own child.
    child: Option<Child>,
}

impl Keeper {
    /// Starts a holder for a store that this process has just locked; with the files that the view
    /// is to note in.
    pub(crate) fn start(
        settings: &Settings,
        surroundings: &Surroundings,
        lock: OwnedFd,
    ) -> io::Result<(Arc<Self>, Succession)> {
        let notes = |name| rustix::fs::memfd_create(name, MemfdFlags::CLOEXEC);
        let (registry, writable) = (notes("pkgfs-registry")?, notes("pkgfs-writable")?);
        let succession = Succession {
            life: 0,
            registry: registry.try_clone()?.into(),
            writable: writable.try_clone()?.into(),
        };
        let mut kept = Kept {
            holder: None,
            estate: Estate {
                version: env!("CARGO_PKG_VERSION").to_owned(),
                settings: settings.clone(),
                surroundings: surroundings.clone(),
                life: 0,
                former: FormerDaemon::None,
                taken_over: 0,
                last_end: None,
            },
            files: vec![lock, registry, writable],
            mounts: BTreeMap::new(),
            serving: false,
            done: false,
        };
        kept.start_holder()?;
        Ok((Self::watched(kept)?, succession))
    }

    /// What the holder hands on to a daemon that takes over, from standard input.
    pub(crate) fn inherit() -> io::Result<Inheritance> {
        let channel = Channel::new(io::stdin().as_fd().try_clone_to_owned()?);
        let cut_short = || io::Error::other("the holder was cut short; only it starts this");
        let Some((Message::Estate(estate), files)) = channel.receive()? else {
            return Err(cut_short());
        };
        let mut mounts = BTreeMap::new();
        loop {
            match channel.receive()? {
                Some((Message::Mounted(mount), files)) => {
                    mounts.insert(mount.number, (mount, files));
                }
                Some((Message::Complete, _)) => break,
                _ => return Err(cut_short()),
            }
        }
        let copies = |files: &[OwnedFd]| -> io::Result<Vec<OwnedFd>> {
            files.iter().map(OwnedFd::try_clone).collect()
        };
        let Ok([lock, registry, writable]) = <[OwnedFd; 3]>::try_from(copies(&files)?) else {
            return Err(cut_short());
        };
        let mut to_serve = Vec::new();
        for (mount, files) in mounts.values() {
            let Ok([device, open_files]) = <[OwnedFd; 2]>::try_from(copies(files)?) else {
                return Err(cut_short());
            };
            to_serve.push(MountToKeep { mount: mount.clone(), device, open_files });
        }
        let pid = rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get().cast_unsigned());
        let holder = Holder { channel: Arc::new(channel), pid, child: None };
        let other = estate.version != env!("CARGO_PKG_VERSION");
        let kept = Kept {
            holder: Some(holder),
            estate: *estate,
            files,
            mounts,
            serving: false,
            done: false,
        };
        let (settings, former) = (kept.estate.settings.clone(), kept.estate.former);
        let (surroundings, life) = (kept.estate.surroundings.clone(), kept.estate.life);
        let keeper = Self::watched(kept)?;
        if other {
            keeper.replace();
        }
        let succession = Succession { life, registry: registry.into(), writable: writable.into() };
        Ok(Inheritance {
            keeper,
            settings,
            surroundings,
            lock,
            succession,
            mounts: to_serve,
            former,
        })
    }

    fn watched(kept: Kept) -> io::Result<Arc<Self>> {
        let keeper = Arc::new(Self { kept: Mutex::new(kept) });
        let weak = Arc::downgrade(&keeper);
        thread::Builder::new().name("keeper".into()).spawn(move || watch(&weak))?;
        Ok(keeper)
    }

    /// Has a holder of an other version end; the watch starts one of this.
    fn replace(&self) {
        let kept = self.kept.blocking_lock();
        if let Some(holder) = &kept.holder {
            let _ = holder.channel.tell(&Message::Done, &[]);
        }
    }

    /// A mount is about to be served.
    pub(crate) fn mounted(
        &self,
        number: u64,
        mountpoint: &Path,
        id: Option<u64>,
        connection: &Connection,
    ) -> io::Result<()> {
        let (device, init, open_files) = connection.share()?;
        let mount = HeldMount { number, mountpoint: mountpoint.to_owned(), id, init };
        let mut kept = self.kept.blocking_lock();
        let files = vec![device, open_files];
        kept.tell(&Message::Mounted(mount.clone()), &files);
        kept.mounts.insert(number, (mount, files));
        Ok(())
    }

    /// A mount has ended.
    pub(crate) async fn unmounted(&self, number: u64) {
        let mut kept = self.kept.lock().await;
        if kept.mounts.remove(&number).is_some() {
            kept.tell(&Message::Unmounted(number), &[]);
        }
    }

    /// The kernel is answered.
    pub(crate) async fn serving(&self) {
        let mut kept = self.kept.lock().await;
        kept.serving = true;
        kept.tell(&Message::Serving, &[]);
    }

    /// The next daemon is this program. False when no holder could be told.
    pub(crate) async fn upgrade(&self, program: PathBuf) -> bool {
        self.kept.lock().await.tell(&Message::Upgrade(program), &[])
    }

    /// Nothing is to be kept any more.
    pub(crate) async fn done(&self) {
        let mut kept = self.kept.lock().await;
        kept.done = true;
        kept.tell(&Message::Done, &[]);
    }

    pub(crate) async fn status(&self) -> HandOver {
        let kept = self.kept.lock().await;
        HandOver {
            holder: kept.holder.as_ref().and_then(|holder| holder.pid),
            taken_over: kept.estate.taken_over,
            last_end: kept.estate.last_end.clone(),
        }
    }
}

impl Kept {
    /// Tells the holder; one that does not answer is as good as dead, which the watch sees to.
    fn tell(&self, message: &Message, files: &[OwnedFd]) -> bool {
        let Some(holder) = &self.holder else { return false };
        let told = holder.channel.tell(message, files);
        if let (Err(error), false) = (&told, self.done) {
            tracing::warn!(%error, "the process that holds the mount was not told of a change");
            let _ = rustix::net::shutdown(&*holder.channel, rustix::net::Shutdown::Both);
        }
        told.is_ok()
    }

    fn start_holder(&mut self) -> io::Result<()> {
        let (channel, theirs) = Channel::pair()?;
        let log = log_path(&self.estate.settings.store);
        let child = Command::new("/proc/self/exe")
            .arg("holder")
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::null())
            .stderr(log_file::open(&log)?)
            .spawn()?;
        self.estate.version = env!("CARGO_PKG_VERSION").to_owned();
        let mut files =
            self.files.iter().map(OwnedFd::try_clone).collect::<io::Result<Vec<_>>>()?;
        files.push(pidfd_open(getpid(), PidfdFlags::empty())?);
        channel.tell(&Message::Estate(Box::new(self.estate.clone())), &files)?;
        for (mount, files) in self.mounts.values() {
            channel.tell(&Message::Mounted(mount.clone()), files)?;
        }
        if self.serving {
            channel.tell(&Message::Serving, &[])?;
        }
        let pid = Some(child.id());
        self.holder = Some(Holder { channel: Arc::new(channel), pid, child: Some(child) });
        Ok(())
    }
}

/// Waits for the holder's end, and starts another.
fn watch(keeper: &Weak<Keeper>) {
    loop {
        let channel = keeper.upgrade().and_then(|keeper| {
            let kept = keeper.kept.blocking_lock();
            kept.holder.as_ref().map(|holder| Arc::clone(&holder.channel))
        });
        if let Some(channel) = channel {
            let mut events = [PollFd::new(&*channel, PollFlags::RDHUP)];
            let _ = rustix::io::retry_on_intr(|| poll(&mut events, None));
        }
        let Some(keeper) = keeper.upgrade() else { return };
        let mut kept = keeper.kept.blocking_lock();
        if let Some(mut child) = kept.holder.take().and_then(|holder| holder.child) {
            // One that hangs is no use.
            let _ = child.kill();
            let _ = child.wait();
        }
        if kept.done {
            return;
        }
        tracing::warn!("the process that holds the mount has ended; another is started");
        if let Err(error) = kept.start_holder() {
            tracing::error!(%error, "no process can be started that holds the mount");
            drop(kept);
            thread::sleep(AGAIN);
        }
    }
}

impl From<FormerDaemon> for Former {
    fn from(former: FormerDaemon) -> Self {
        match former {
            FormerDaemon::None => Self::None,
            FormerDaemon::Died => Self::Died,
            FormerDaemon::DiedOfRequests => Self::DiedOfRequests,
        }
    }
}

//! Keeping a mount when the process that serves it dies.
//!
//! ```text
//! daemon ── keeper ──socket──▶ holder        descriptors of /dev/fuse, of the store's lock, and of
//!    ✝                           │           the files in which the daemon notes what its numbers mean
//! successor ◀──all of it─────────┘
//! ```
//! The *holder* is a small process that does nothing but keep open what a mount needs to live, and
//! wait. When the daemon dies, by whatever cause, it starts another, which is given all of it and goes
//! on: the kernel sends it what was not answered, and programs that run from the mount notice a pause.
//! `pkgfs upgrade` goes the same way, with another program. A daemon that ends in good order says so,
//! and the holder ends, too. Daemons that die again and again ([`lives`]) are given up: the mounts are
//! taken away, and the log says so.
//!
//! Invariants: the holder opens nothing on the mount itself, which could keep it from ending; and the
//! store's lock is held by somebody at every moment.

mod keeper;
mod lives;
mod log;
mod message;
mod watched;

use std::{
    collections::BTreeMap,
    io,
    os::fd::{AsFd, OwnedFd},
    path::PathBuf,
    process::{Command, ExitCode, Stdio},
    thread,
    time::Instant,
};

use rustix::{
    net::sockopt::socket_peercred,
    process::{Pid, WaitOptions, waitpid},
};

use super::remove_mountpoint;
use crate::{control, places::log_path};

pub(crate) use keeper::{Inheritance, Keeper};
use lives::{Lives, Next};
use message::{Channel, Estate, Heard, HeldMount, Message};
pub(crate) use message::{FormerDaemon, MountToKeep};
use watched::Watched;

/// What the holder keeps.
struct Holder {
    daemon: Channel,
    watched: Watched,
    /// Its number, if it is this process's own child.
    child: Option<Pid>,
    /// When it began to serve.
    serving: Option<Instant>,
    estate: Estate,
    /// The store's lock, and the two files of notes.
    files: Vec<OwnedFd>,
    mounts: BTreeMap<u64, (HeldMount, Vec<OwnedFd>)>,
    lives: Lives,
    /// What is to be started next, if it is not this program.
    program: Option<PathBuf>,
}

/// What `pkgfs holder` runs, with a socket as its standard input.
#[must_use]
pub fn main() -> ExitCode {
    match Holder::take_on().and_then(Holder::hold) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the process that holds the mount ends");
            ExitCode::FAILURE
        }
    }
}

impl Holder {
    /// Takes what the daemon gives first.
    fn take_on() -> io::Result<Self> {
        let daemon = Channel::new(io::stdin().as_fd().try_clone_to_owned()?);
        let Some((Message::Estate(estate), mut files)) = daemon.receive()? else {
            return Err(io::Error::other("it was not told what to hold; `pkgfs mount` starts it"));
        };
        log::join(&log_path(&estate.settings.store));
        let ended = files.pop().ok_or(io::ErrorKind::InvalidData)?;
        let watched = Watched::new(socket_peercred(&daemon)?.pid, ended);
        daemon.acknowledge()?;
        Ok(Self {
            daemon,
            watched,
            child: None,
            serving: None,
            estate: *estate,
            files,
            mounts: BTreeMap::new(),
            lives: Lives::default(),
            program: None,
        })
    }

    /// Listens until the daemon says that it is done, or until none can be kept alive.
    fn hold(mut self) -> io::Result<()> {
        let mut hears = true;
        loop {
            let gone = self.watched.wait(hears.then_some(&self.daemon))?;
            // What it said last is heard first.
            while hears {
                match self.daemon.try_receive()? {
                    Heard::Nothing => break,
                    Heard::End => hears = false,
                    Heard::Message(Message::Done, _) => return self.daemon.acknowledge(),
                    Heard::Message(message, files) => self.heed(message, files)?,
                    // Of a daemon of another version.
                    Heard::Unknown => self.daemon.acknowledge()?,
                }
            }
            if gone {
                if !self.succeed()? {
                    return Ok(());
                }
                hears = true;
            }
        }
    }

    fn heed(&mut self, message: Message, files: Vec<OwnedFd>) -> io::Result<()> {
        match message {
            Message::Mounted(mount) => _ = self.mounts.insert(mount.number, (mount, files)),
            Message::Unmounted(number) => _ = self.mounts.remove(&number),
            Message::Serving => self.serving = Some(Instant::now()),
            Message::Upgrade(program) => {
                self.watched.is_ending();
                self.program = Some(program);
            }
            Message::Estate(_) | Message::Complete | Message::Done => {}
        }
        self.daemon.acknowledge()
    }

    /// The daemon is gone: starts the next. False when there is nothing left to do.
    fn succeed(&mut self) -> io::Result<bool> {
        let how = self.how_it_ended();
        if self.mounts.is_empty() {
            return Ok(false);
        }
        let planned = self.program.is_some() && self.serving.is_some();
        let served = self.serving.take().map(|since| since.elapsed());
        let former = if planned {
            self.lives.planned()
        } else {
            tracing::warn!("the daemon {how}; another takes over");
            match self.lives.died(served) {
                Next::Start { after, former } => {
                    thread::sleep(after);
                    former
                }
                Next::Stop { deaths } => {
                    self.give_up(deaths);
                    return Ok(false);
                }
            }
        };
        self.estate.life = self.estate.life.wrapping_add(1).max(1);
        self.estate.taken_over += 1;
        self.estate.last_end =
            Some(if planned { "was replaced by upgrade".to_owned() } else { how });
        self.estate.former = former;
        self.start()?;
        Ok(true)
    }

    /// Starts a daemon and gives it everything.
    fn start(&mut self) -> io::Result<()> {
        let (channel, theirs) = Channel::pair()?;
        // The running program, even when its file was replaced.
        let program = self.program.take().unwrap_or_else(|| "/proc/self/exe".into());
        let child = Command::new(&program)
            .args(["daemon", "--take-over"])
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::null())
            .spawn()
            .map_err(|error| {
                io::Error::new(error.kind(), format!("{}: {error}", program.display()))
            })?;
        let pid = Pid::from_child(&child);
        self.watched = Watched::child(pid)?;
        self.child = Some(pid);
        self.daemon = channel;
        // One that dies at once is noticed by its end.
        let given = self
            .daemon
            .send(&Message::Estate(Box::new(self.estate.clone())), &self.files)
            .and_then(|()| {
                let mut mounts = self.mounts.values();
                mounts.try_for_each(|(mount, files)| {
                    self.daemon.send(&Message::Mounted(mount.clone()), files)
                })
            })
            .and_then(|()| self.daemon.send(&Message::Complete, &[]));
        if let Err(error) = given {
            tracing::error!(%error, "what is held could not be handed on");
        }
        Ok(())
    }

    fn how_it_ended(&mut self) -> String {
        let child = self.child.take();
        // Without waiting: it is gone, or what is left of it is of no interest but must be cleared away.
        let ended = child.and_then(|pid| waitpid(Some(pid), WaitOptions::NOHANG).ok().flatten());
        if let (Some(pid), None) = (child, &ended) {
            let clear_away = move || waitpid(Some(pid), WaitOptions::empty());
            // Where no thread can be had it stays a line in the table of processes.
            let _ = thread::Builder::new().name("reaper".into()).spawn(clear_away);
        }
        match ended {
            Some((_, status)) => match (status.terminating_signal(), status.exit_status()) {
                (Some(signal), _) => format!("was killed by signal {signal}"),
                (_, Some(code)) => format!("ended with code {code}"),
                _ => "ended".to_owned(),
            },
            None => "died".to_owned(),
        }
    }

    /// Takes the mounts away: whoever has files open is told so by errors, and nobody waits.
    fn give_up(&self, deaths: u32) {
        let store = &self.estate.settings.store;
        tracing::error!(
            "{deaths} daemons of the store {} died one after the other as soon as they had started: its \
             mounts are taken away; see above for why, then mount again",
            store.display()
        );
        for (mount, _) in self.mounts.values() {
            if let Err(error) = pkgfs_fuse::unmount(&mount.mountpoint, true) {
                tracing::error!("{error}");
            }
            remove_mountpoint(&mount.mountpoint);
        }
        control::remove(store);
        control::remove_public(store);
    }
}

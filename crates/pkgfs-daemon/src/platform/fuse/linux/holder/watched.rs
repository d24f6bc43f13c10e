//! A daemon, watched until it is gone.
//!
//! The kernel tells of the end of the last of its threads. One of them may not come to that: a notice
//! waits in the kernel for the lock of a directory, which somebody holds who waits for an answer, and
//! that only the next daemon gives. So a daemon is gone, too, when nothing is left of it but the
//! thread that sends notices: it touches nothing of the store, and never comes back from the kernel.

use std::{
    fs, io,
    os::fd::{AsFd, OwnedFd},
    path::Path,
    time::Duration,
};

use pkgfs_view::NOTICES_THREAD;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    process::{Pid, PidfdFlags, pidfd_open},
};

/// Between two looks at what is left of a daemon that serves.
const SERVING: Duration = Duration::from_millis(500);
/// The same of one that is about to end.
const ENDING: Duration = Duration::from_millis(2);

pub(super) struct Watched {
    pid: Pid,
    /// Readable when all of its threads have ended.
    ended: OwnedFd,
    every: Duration,
}

impl Watched {
    /// A process, and a descriptor of it.
    pub(super) fn new(pid: Pid, ended: OwnedFd) -> Self {
        Self { pid, ended, every: SERVING }
    }

    /// A process that cannot have made way for another of its number yet.
    pub(super) fn child(pid: Pid) -> io::Result<Self> {
        Ok(Self::new(pid, pidfd_open(pid, PidfdFlags::empty())?))
    }

    /// It has said that it is about to end.
    pub(super) fn is_ending(&mut self) {
        self.every = ENDING;
    }

    /// Waits until it says something on its channel, where that is given, or may be gone. Tells
    /// whether it is gone.
    pub(super) fn wait(&self, channel: Option<&impl AsFd>) -> io::Result<bool> {
        let mut events = vec![PollFd::new(&self.ended, PollFlags::IN)];
        events.extend(channel.map(|channel| PollFd::new(channel, PollFlags::IN)));
        let every = Timespec::try_from(self.every).map_err(io::Error::other)?;
        match poll(&mut events, Some(&every)) {
            // Nothing was said for that long.
            Ok(0) => Ok(self.is_stuck()),
            Ok(_) => Ok(!events[0].revents().is_empty()),
            Err(Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether it has ended but for notices that wait for its successor.
    fn is_stuck(&self) -> bool {
        let pid = self.pid.as_raw_nonzero();
        let threads = Path::new("/proc").join(pid.to_string()).join("task");
        let ended = |status: &str| status.lines().any(|line| line.starts_with("State:\tZ"));
        let only_notices = || -> io::Result<bool> {
            let leader = fs::read_to_string(threads.join(pid.to_string()).join("status"))?;
            if !ended(&leader) {
                return Ok(false);
            }
            for thread in fs::read_dir(&threads)? {
                let status = fs::read_to_string(thread?.path().join("status"))?;
                let name = status.lines().find_map(|line| line.strip_prefix("Name:\t"));
                if !ended(&status) && name != Some(NOTICES_THREAD) {
                    return Ok(false);
                }
            }
            Ok(true)
        };
        // What cannot be read ends just now: the next look tells.
        only_notices().unwrap_or(false)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::{
        process::{Child, Command, Stdio},
        thread,
        time::Instant,
    };

    use super::*;

    const NOTHING: Option<&OwnedFd> = None;
    const LONG: Duration = Duration::from_secs(60);

    fn watched(daemon: &Child) -> Watched {
        let mut watched = Watched::child(Pid::from_child(daemon)).unwrap();
        watched.is_ending();
        watched
    }

    #[test]
    fn who_serves_is_not_gone_and_who_was_killed_is_at_once() {
        let mut serving = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let watched = watched(&serving);
        assert!(!watched.wait(NOTHING).unwrap());
        serving.kill().unwrap();
        let killed = Instant::now();
        while !watched.wait(NOTHING).unwrap() {
            assert!(killed.elapsed() < LONG);
        }
        serving.wait().unwrap();
    }

    /// A process whose first thread has ended, and another of this name has not.
    fn all_but_one_ended(thread: &str) -> Child {
        let program = format!(
            "import ctypes, threading\n\
             libc = ctypes.CDLL(None)\n\
             named = threading.Event()\n\
             def last():\n\
             \x20 libc.prctl(15, b'{thread}', 0, 0, 0)\n\
             \x20 named.set()\n\
             \x20 libc.pause()\n\
             threading.Thread(target=last, daemon=True).start()\n\
             named.wait()\n\
             libc.pthread_exit(None)\n"
        );
        let daemon = Command::new("python3").args(["-c", &program]).spawn().unwrap();
        let status = format!("/proc/{}/status", daemon.id());
        let started = Instant::now();
        while !fs::read_to_string(&status).unwrap().contains("State:\tZ") {
            assert!(started.elapsed() < LONG, "its first thread does not end");
            thread::sleep(Duration::from_millis(1));
        }
        daemon
    }

    #[test]
    fn who_has_nothing_left_but_notices_is_gone_and_who_has_more_is_not() {
        for (thread, gone) in [(NOTICES_THREAD, true), ("committer", false)] {
            let mut daemon = all_but_one_ended(thread);
            let watched = watched(&daemon);
            for _ in 0..5 {
                assert_eq!(watched.wait(NOTHING).unwrap(), gone, "{thread}");
            }
            daemon.kill().unwrap();
            daemon.wait().unwrap();
        }
    }
}

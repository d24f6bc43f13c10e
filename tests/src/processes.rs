//! Processes of a test: found by a mark in their environment, and waited for.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::process::{Pid, PidfdFlags, Signal};

/// The variable that marks all processes started for a mount.
pub(crate) const MARK: &str = "TEST_SCENE_OF_PKGFS";

/// Longer than anything here takes; a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(5);

/// Waits for what no descriptor tells of, and fails the test if it does not come.
pub fn eventually(what: &str, mut happened: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !happened() {
        assert!(Instant::now() < deadline, "it did not happen that {what}");
        thread::sleep(POLL);
    }
}

/// Ends a process with a signal and waits until the kernel has taken it apart.
pub fn ends(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(pid.cast_signed()).unwrap();
    let process = rustix::process::pidfd_open(pid, PidfdFlags::empty()).unwrap();
    rustix::process::pidfd_send_signal(&process, signal).unwrap();
    let mut exit = [PollFd::new(&process, PollFlags::IN)];
    let exited = rustix::event::poll(&mut exit, Some(&PATIENCE.try_into().unwrap())).unwrap();
    assert_eq!(exited, 1, "process {pid} does not end");
}

/// The processes that carry this mark: number and command line.
pub(crate) fn marked(mark: &Path) -> Vec<(u32, String)> {
    let entry = format!("{MARK}={}", mark.display());
    let processes = fs::read_dir("/proc").unwrap();
    let numbers = processes.filter_map(|name| name.ok()?.file_name().to_str()?.parse().ok());
    let ours = numbers.filter(|pid: &u32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|own| own == entry.as_bytes())
    });
    ours.map(|pid| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        (pid, String::from_utf8_lossy(&line).replace('\0', " "))
    })
    .collect()
}

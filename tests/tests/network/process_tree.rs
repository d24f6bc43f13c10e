//! A program that is stopped or ended together with all that it started.

use std::fs;
use std::process::{Child, Command};

use rustix::process::{Pid, Signal};

/// A child process; dropping it kills it and its descendants.
pub(crate) struct ProcessTree(Child);

impl ProcessTree {
    pub(crate) fn spawn(command: &mut Command) -> Self {
        Self(command.spawn().unwrap_or_else(|error| panic!("{command:?} cannot be run: {error}")))
    }

    /// Sends a signal to the process and then to its descendants: no more come then.
    pub(crate) fn signal(&self, signal: Signal) {
        let mut processes = vec![self.0.id()];
        while let Some(process) = processes.pop() {
            // Asked before the signal: the orphans of a killed one are somebody else's.
            let children = children(process);
            if let Some(pid) = Pid::from_raw(process.cast_signed()) {
                // One that has just ended needs none.
                rustix::process::kill_process(pid, signal).ok();
            }
            processes.extend(children);
        }
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.0.try_wait().unwrap().is_some()
    }

    /// Kills them all, and waits for the first of them.
    pub(crate) fn kill(&mut self) {
        // Stopped first, so that nothing is started between the look and the kill.
        if !self.has_ended() {
            self.signal(Signal::STOP);
            self.signal(Signal::KILL);
            self.0.wait().unwrap();
        }
    }
}

impl Drop for ProcessTree {
    fn drop(&mut self) {
        self.kill();
    }
}

fn children(parent: u32) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{parent}/task")).into_iter().flatten();
    let lists =
        tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("children")).ok());
    lists
        .flat_map(|list| list.split_whitespace().flat_map(str::parse).collect::<Vec<_>>())
        .collect()
}

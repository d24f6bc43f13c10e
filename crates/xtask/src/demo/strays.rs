//! Processes that outlive the command that started them.
//!
//! Asynchronous rez leaves `rez-pkg-cache --daemon` behind, and a mount has its daemon. Both
//! inherit an environment variable that only one demo's processes have, by which they are found in
//! `/proc`: waited for before the next measurement, and ended when the demo ends.

use std::fs;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use super::interrupt;

const PATIENCE: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(10);

/// The processes of one demo that carry one mark; those left are ended on drop.
pub(crate) struct Strays {
    variable: &'static str,
    mark: String,
}

impl Strays {
    /// A mark by `variable`, unique to this process.
    pub(crate) fn new(variable: &'static str) -> Self {
        Self {
            variable,
            mark: format!("{}-{}", std::process::id(), rustix::process::getuid().as_raw()),
        }
    }

    /// Marks a command, and so all that it starts.
    pub(crate) fn mark(&self, command: &mut Command) {
        command.env(self.variable, &self.mark);
    }

    /// Waits until no marked process runs.
    pub(crate) fn wait(&self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while !self.find().is_empty() {
            interrupt::check()?;
            if Instant::now() > deadline {
                bail!("rez's own daemon still runs after {} s", PATIENCE.as_secs());
            }
            thread::sleep(POLL);
        }
        Ok(())
    }

    fn find(&self) -> Vec<Pid> {
        let wanted = format!("{}={}", self.variable, self.mark);
        let Ok(entries) = fs::read_dir("/proc") else {
            return Vec::new();
        };
        entries
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
            .filter(|pid| {
                fs::read(format!("/proc/{pid}/environ")).is_ok_and(|environment| {
                    environment
                        .split(|byte| *byte == 0)
                        .any(|variable| variable == wanted.as_bytes())
                })
            })
            .filter_map(Pid::from_raw)
            .collect()
    }
}

impl Drop for Strays {
    fn drop(&mut self) {
        for signal in [Signal::TERM, Signal::KILL] {
            let strays = self.find();
            for pid in &strays {
                kill_process(*pid, signal).ok();
            }
            let deadline = Instant::now() + Duration::from_secs(2);
            while !self.find().is_empty() && Instant::now() < deadline {
                thread::sleep(POLL);
            }
        }
    }
}

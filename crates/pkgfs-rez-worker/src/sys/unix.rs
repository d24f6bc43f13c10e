//! A process group.

use std::{io, process::Stdio, time::Duration};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{ChildStdin, ChildStdout, Command};

use super::Started;
use crate::program::Manner;

pub(crate) type Questions = ChildStdin;
pub(crate) type Answers = ChildStdout;

/// How questions are kept apart here: a fork of a process that has rez loaded answers each.
pub(crate) const MANNER: Manner = Manner {
    program: concat!(
        include_str!("../program/answers.py"),
        include_str!("../program/orphans.py"),
        include_str!("../program/fork.py")
    ),
    argument: None,
    readiness: Duration::ZERO,
};

/// How they are where nothing can fork.
pub(crate) const WITHOUT_FORK: Manner = Manner::by_processes(concat!(
    include_str!("../program/orphans.py"),
    include_str!("../program/spawn.py")
));

/// A process and its group.
#[derive(Debug)]
pub(crate) struct Child(tokio::process::Child);

impl Child {
    pub(crate) fn id(&self) -> Option<u32> {
        self.0.id()
    }

    /// Kills it with what it started.
    pub(crate) fn kill(&self) {
        let group = self.0.id().and_then(|pid| i32::try_from(pid).ok());
        if let Some(group) = group.and_then(Pid::from_raw) {
            // It may have ended by itself.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }

    /// Waits for its end; may be called anew.
    pub(crate) async fn wait(&mut self) {
        let _ = self.0.wait().await;
    }
}

/// Starts a program.
pub(crate) fn start<'a>(
    program: &str,
    arguments: impl Iterator<Item = &'a str>,
) -> io::Result<Started> {
    // A group of its own: rez-python starts Python as a child, and both go together.
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .current_dir("/")
        .process_group(0)
        .kill_on_drop(true)
        .spawn()?;
    match (child.stdin.take(), child.stdout.take()) {
        (Some(questions), Some(answers)) => Ok(Started { child: Child(child), questions, answers }),
        _ => Err(io::Error::other("it has no pipes")),
    }
}

//! A mount namespace of one's own: what is mounted in it nobody else sees, as on another machine.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, ensure};

/// A namespace that begins with what is mounted now, and ends when this and all in it are gone.
pub(super) struct Namespace {
    holder: Child,
}

impl Namespace {
    /// Makes one.
    pub(super) fn make() -> Result<Self> {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "--"]);
        command.args(["sh", "-c", "echo ready; exec sleep infinity"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut holder = command.spawn().context("cannot start unshare")?;
        let told = holder.stdout.take().context("unshare has no output")?;
        let namespace = Self { holder };
        let mut line = String::new();
        BufReader::new(told).read_line(&mut line)?;
        ensure!(line.trim() == "ready", "run this as root: it makes mount namespaces");
        Ok(namespace)
    }

    /// The same command, run in it.
    pub(super) fn enter(&self, command: &Command) -> Command {
        let mut inside = Command::new("nsenter");
        inside.arg(format!("--mount=/proc/{}/ns/mnt", self.holder.id())).arg("--");
        inside.arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => inside.env(name, value),
                None => inside.env_remove(name),
            };
        }
        inside.current_dir("/");
        inside
    }

    /// What is mounted in it.
    pub(super) fn mounts(&self) -> PathBuf {
        format!("/proc/{}/mounts", self.holder.id()).into()
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // One that has ended already is as well.
        self.holder.kill().ok();
        self.holder.wait().ok();
    }
}

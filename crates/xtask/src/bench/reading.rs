//! What is read, and how long that takes in the program that reads.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use super::namespace::Namespace;
use super::programs::Programs;
use super::repository::PYTHON;
use super::user::User;
use crate::process;

const IMPORT: &str = include_str!("reading/import.py");
const LOAD: &str = include_str!("reading/load.py");

/// What was read, and how long that took.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Done {
    nanoseconds: u64,
    /// Files, names or modules.
    pub(super) files: u64,
    pub(super) bytes: u64,
    /// The files that an import opened, where they were asked for.
    #[serde(default)]
    opened: Vec<PathBuf>,
}

impl Done {
    #[allow(clippy::cast_precision_loss)]
    pub(super) fn seconds(&self) -> f64 {
        self.nanoseconds as f64 / 1e9
    }

    /// The same, where it is that of the longest.
    pub(super) fn longest(&self) -> Duration {
        Duration::from_nanos(self.nanoseconds)
    }
}

/// Runs the reader; its works are told in `reader/main.rs`.
pub(super) fn read(
    programs: &Programs,
    user: User,
    work: &str,
    path: &Path,
    number: Option<usize>,
) -> Result<Done> {
    let mut command = user.command(&programs.reader);
    command.arg(work).arg(path).args(number.map(|number| number.to_string()));
    answer(&mut command)
}

/// The same, begun; [`Reading::finish`] waits for its end.
pub(super) fn begin(
    programs: &Programs,
    user: User,
    work: &str,
    path: &Path,
    number: usize,
) -> Result<Reading> {
    let mut command = user.command(&programs.reader);
    command.arg(work).arg(path).arg(number.to_string()).stdin(Stdio::null());
    let child = command.stdout(Stdio::piped()).spawn().context("cannot start the reader")?;
    Ok(Reading(child))
}

/// A reader at work.
pub(super) struct Reading(Child);

impl Reading {
    /// Waits for its end.
    pub(super) fn finish(mut self) -> Result<Done> {
        let mut told = String::new();
        let mut pipe = self.0.stdout.take().context("the reader has no pipe")?;
        std::io::Read::read_to_string(&mut pipe, &mut told)?;
        serde_json::from_str(&told).context("the reader's answer cannot be understood")
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Loads every shared library below `root` into one process, as `import` does.
pub(super) fn load(user: User, root: &Path) -> Result<Done> {
    answer(user.command(PYTHON).args(["-c", LOAD]).arg(root))
}

fn answer(command: &mut Command) -> Result<Done> {
    let told = process::output(command)?;
    serde_json::from_str(&told).context("the reader's answer cannot be understood")
}

/// Imports a module that lies at `root`.
pub(super) fn import(user: User, root: &Path, module: &str) -> Result<Done> {
    Import::prepare(user, root, module, false)?.start()?.finish()
}

/// Sizes of the files below `root` that the import of a module opens.
pub(super) fn opened(root: &Path, module: &str) -> Result<BTreeMap<PathBuf, u64>> {
    let done = Import::prepare(User::Own, root, module, true)?.start()?.finish()?;
    let below = done.opened.into_iter().filter(|path| path.starts_with(root) && path.is_file());
    below.map(|path| Ok((path.clone(), path.metadata()?.len()))).collect()
}

/// A Python that is ready to import.
pub(super) struct Import {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Import {
    /// Starts it, and waits until it is ready.
    pub(super) fn prepare(user: User, root: &Path, module: &str, opened: bool) -> Result<Self> {
        let mut command = Self::command(user, root, module);
        command.args(opened.then_some("opened"));
        Self::spawn(command, module)
    }

    /// The same in a namespace, by whoever runs the benchmark.
    pub(super) fn inside(namespace: &Namespace, root: &Path, module: &str) -> Result<Self> {
        Self::spawn(namespace.enter(&Self::command(User::Own, root, module)), module)
    }

    fn command(user: User, root: &Path, module: &str) -> Command {
        let mut command = user.command(PYTHON);
        command.args(["-c", IMPORT, module]);
        command.env("PYTHONPATH", root).env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }

    fn spawn(mut command: Command, module: &str) -> Result<Self> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().context("cannot start Python")?;
        let pipes = child.stdin.take().zip(child.stdout.take()).context("Python has no pipes")?;
        let mut import = Self { child, stdin: pipes.0, stdout: BufReader::new(pipes.1) };
        if import.line()?.trim() != "ready" {
            bail!("Python is not ready to import {module}");
        }
        Ok(import)
    }

    /// Lets it import.
    pub(super) fn start(mut self) -> Result<Self> {
        self.stdin.write_all(b"\n")?;
        Ok(self)
    }

    /// Waits until it is done.
    pub(super) fn finish(mut self) -> Result<Done> {
        let told = self.line()?;
        self.child.wait()?;
        serde_json::from_str(&told).context("the import failed: Python tells why")
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.stdout.read_line(&mut line)?;
        Ok(line)
    }
}

impl Drop for Import {
    fn drop(&mut self) {
        // One that has ended already is as well.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

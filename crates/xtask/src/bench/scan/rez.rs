//! rez's own enumeration, and `pkgfs.scan_repo`, in a process that has imported rez already.

use std::cell::RefCell;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::setup;
use crate::workspace;

/// A running Python. It ends when its standard input does.
pub(super) struct Rez {
    child: RefCell<Child>,
    pipes: RefCell<(ChildStdin, BufReader<ChildStdout>)>,
}

impl Rez {
    /// Starts it with the modules in `path`, and indexes in `cache`.
    pub(super) fn start(install: &setup::rez::Install, path: &Path, cache: &Path) -> Result<Self> {
        let python = install.bin.parent().context("rez has no bin directory")?.join("python");
        let script = workspace::root().join("tests/rez/enumerate.py");
        let mut command = Command::new(&python);
        command.arg(script).arg("--serve").env("REZ_DISABLE_HOME_CONFIG", "1");
        command.env("PYTHONPATH", path).env("XDG_CACHE_HOME", cache);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", python.display()))?;
        let pipes = child.stdin.take().zip(child.stdout.take()).context("rez has no pipes")?;
        let pipes = RefCell::new((pipes.0, BufReader::new(pipes.1)));
        Ok(Self { child: RefCell::new(child), pipes })
    }

    /// Milliseconds for the enumeration alone.
    pub(super) fn bare(&self, repository: &Path) -> Result<f64> {
        self.ask("bare", repository)
    }

    /// Milliseconds for one that asks each package for its definition.
    pub(super) fn full(&self, repository: &Path) -> Result<f64> {
        self.ask("full", repository)
    }

    /// Milliseconds for `scan_repo`, which reads everything if it is to be `fresh`.
    pub(super) fn ours(&self, repository: &Path, fresh: bool) -> Result<f64> {
        self.ask(if fresh { "ours" } else { "ours again" }, repository)
    }

    fn ask(&self, what: &str, repository: &Path) -> Result<f64> {
        let (stdin, stdout) = &mut *self.pipes.borrow_mut();
        let asked = serde_json::json!([what, repository]);
        writeln!(stdin, "{asked}").context("rez has ended")?;
        let mut line = String::new();
        stdout.read_line(&mut line)?;
        match line.trim().parse::<f64>() {
            Ok(seconds) => Ok(seconds * 1e3),
            Err(_) => bail!("rez did not answer with a time: {line:?}"),
        }
    }
}

impl Drop for Rez {
    fn drop(&mut self) {
        // Nothing is asked any more; a process that has ended already is as well.
        self.child.borrow_mut().kill().ok();
        self.child.borrow_mut().wait().ok();
    }
}

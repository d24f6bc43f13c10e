//! The reference provider, which stands beside this program: the least that can show packages, to
//! prove the stand-in with.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use anyhow::{Context as _, bail};
use pkgfs_projfs_engine::protocol;

use crate::{
    Scene, Subject,
    subject::{Abilities, Running},
};

/// The reference provider.
pub struct Reference;

struct Process {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Subject for Reference {
    fn name(&self) -> &'static str {
        "reference"
    }

    fn abilities(&self) -> Abilities {
        Abilities { registers: false, plain: false }
    }

    fn start(&self, scene: &Scene) -> anyhow::Result<Box<dyn Running>> {
        let program = std::env::current_exe()?.with_file_name("projfs-reference.exe");
        let mut child = Command::new(&program)
            .args([scene.repository(), scene.root(), scene.store()])
            .env(protocol::ADDRESS, scene.address())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let orders = child.stdin.take().context("its input is piped")?;
        let answers = BufReader::new(child.stdout.take().context("its output is piped")?);
        let mut process = Process { child, orders, answers };
        process.expect("ready")?;
        Ok(Box::new(process))
    }
}

impl Process {
    fn expect(&mut self, word: &str) -> anyhow::Result<()> {
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        if line.trim() != word {
            self.child.kill().ok();
            self.child.wait().ok();
            bail!("the reference provider said {:?} where {word:?} was due", line.trim());
        }
        Ok(())
    }
}

impl Running for Process {
    fn stop(mut self: Box<Self>) -> anyhow::Result<()> {
        writeln!(self.orders, "stop")?;
        self.expect("stopped")?;
        let status = self.child.wait()?;
        if !status.success() {
            bail!("the reference provider ended with {status}");
        }
        Ok(())
    }

    fn kill(mut self: Box<Self>) {
        self.child.kill().ok();
        self.child.wait().ok();
    }

    fn flush(&mut self, package: &str) -> anyhow::Result<()> {
        writeln!(self.orders, "flush {package}")?;
        self.expect("flushed")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

//! pkgfs itself.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use pkgfs_projfs_engine::protocol;

use crate::{
    Scene, Subject,
    subject::{Abilities, Running},
};

/// How long a start or a stop may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// `pkgfs.exe`.
pub struct Pkgfs {
    /// Where it is.
    pub program: PathBuf,
}

struct Mounted {
    program: PathBuf,
    child: Child,
    store: PathBuf,
    root: PathBuf,
    settings: PathBuf,
    log: PathBuf,
}

impl Subject for Pkgfs {
    fn name(&self) -> &'static str {
        "pkgfs"
    }

    fn abilities(&self) -> Abilities {
        Abilities { registers: true, plain: false, digests: false }
    }

    fn start(&self, scene: &Scene) -> anyhow::Result<Box<dyn Running>> {
        // rez itself is not asked: what it would say is said here.
        let settings = scene.store().with_file_name("pkgfs.toml");
        let words = r#"["cmd", "/c", "echo {}"]"#;
        fs::write(&settings, format!("rez.config_command = {words}\n"))?;
        let log = scene.store().with_file_name("output");
        let output = File::create(&log)?;
        let child = Command::new(&self.program)
            .args(["mount", "--foreground"])
            .arg(scene.root())
            .arg("--store")
            .arg(scene.store())
            .arg("--repo")
            .arg(scene.repository())
            .arg("--config")
            .arg(&settings)
            .env(protocol::ADDRESS, scene.address())
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("cannot start {}", self.program.display()))?;
        let mut mounted = Mounted {
            program: self.program.clone(),
            child,
            store: scene.store(),
            root: scene.root(),
            settings,
            log,
        };
        mounted.wait_for_mount(&scene.address())?;
        Ok(Box::new(mounted))
    }
}

impl Mounted {
    fn wait_for_mount(&mut self, address: &Path) -> anyhow::Result<()> {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                bail!("pkgfs mount ended with {status}: {}", self.said());
            }
            let told = !self.said().trim().is_empty();
            let served = address.exists() || std::env::var_os(protocol::ADDRESS).is_none();
            if told && served {
                return Ok(());
            }
            if started.elapsed() > PATIENCE {
                bail!("pkgfs mount does not begin: {}", self.said());
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    fn run(&self, arguments: &[&str]) -> anyhow::Result<Output> {
        let mut command = Command::new(&self.program);
        command.args(arguments).arg("--store").arg(&self.store).arg("--config").arg(&self.settings);
        Ok(command.stdin(Stdio::null()).output()?)
    }
}

impl Running for Mounted {
    fn stop(mut self: Box<Self>) -> anyhow::Result<()> {
        let root = self.root.to_string_lossy().into_owned();
        let output = self.run(&["unmount", &root])?;
        if !output.status.success() {
            bail!("pkgfs unmount: {}", String::from_utf8_lossy(&output.stderr));
        }
        let started = Instant::now();
        while self.child.try_wait()?.is_none() {
            if started.elapsed() > PATIENCE {
                bail!("pkgfs does not end after unmount: {}", self.said());
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    fn kill(mut self: Box<Self>) {
        self.child.kill().ok();
        self.child.wait().ok();
    }

    fn flush(&mut self, package: &str) -> anyhow::Result<()> {
        let output = self.run(&["flush", package])?;
        if !output.status.success() {
            bail!("pkgfs flush: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(())
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

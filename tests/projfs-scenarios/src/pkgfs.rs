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
    scene::Drive,
    subject::{Abilities, Running},
};

/// Names a library to load in place of the system's.
const LIBRARY: &str = "PKGFS_PROJFS_LIBRARY";
/// What rez says of its settings: packages in temporary directories and on one device count, too.
const REZ: &str = r#"{"tmpdir": "C:\\nowhere", "local_packages_path": "C:\\nowhere", "package_cache_same_device": true}"#;
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
    root: PathBuf,
    settings: PathBuf,
    log: PathBuf,
}

impl Subject for Pkgfs {
    fn name(&self) -> &'static str {
        "pkgfs"
    }

    fn abilities(&self) -> Abilities {
        Abilities { registers: true, plain: false }
    }

    /// The rule of `docs/windows.md`: U+F000 and the character, for a dot or blank at the end and for the
    /// first letter of a device's name.
    fn shown(&self, name: &str) -> String {
        let escaped = |character: char| char::from_u32(0xF000 + u32::from(character));
        let stem = name.split('.').next().unwrap_or_default().to_uppercase();
        let device = match stem.as_bytes() {
            [b'C', b'O', b'M', b'1'..=b'9'] | [b'L', b'P', b'T', b'1'..=b'9'] => true,
            stem => matches!(stem, b"CON" | b"PRN" | b"AUX" | b"NUL"),
        };
        let last = name.chars().count().saturating_sub(1);
        name.chars()
            .enumerate()
            .map(|(at, character)| {
                let end = at == last && matches!(character, '.' | ' ');
                let reserved = end || (at == 0 && device);
                escaped(character).filter(|_| reserved).unwrap_or(character)
            })
            .collect()
    }

    fn start(&self, scene: &Scene) -> anyhow::Result<Box<dyn Running>> {
        // rez itself is not asked: what it would say is said here.
        let settings = scene.store().with_file_name("pkgfs.toml");
        let said = scene.store().with_file_name("rez.json");
        fs::write(&said, REZ).context("cannot write what rez says")?;
        let text = format!(
            "store = '{}'\nrez.config_command = ['cmd', '/c', 'type', '{}']\n",
            scene.store().display(),
            said.display(),
        );
        fs::write(&settings, text).context("cannot write the configuration")?;
        // One that was killed has left the address at which it served.
        fs::remove_file(scene.address()).ok();
        let log = scene.store().with_file_name("output");
        let output = File::create(&log).context("cannot make its log")?;
        let mut command = Command::new(&self.program);
        if scene.drive == Drive::Standin {
            let library = std::env::current_exe()?.with_file_name("projectedfslib.dll");
            command.env(LIBRARY, library).env(protocol::ADDRESS, scene.address());
        }
        let child = command
            .args(["mount", "--foreground"])
            .arg(scene.root())
            .arg("--store")
            .arg(scene.store())
            .arg("--repo")
            .arg(scene.repository())
            .arg("--config")
            .arg(&settings)
            .stdin(Stdio::null())
            .stdout(output.try_clone().context("cannot share its log")?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("cannot start {}", self.program.display()))?;
        let standin = (scene.drive == Drive::Standin).then(|| scene.address());
        let mut mounted =
            Mounted { program: self.program.clone(), child, root: scene.root(), settings, log };
        mounted.wait_for_mount(standin.as_deref())?;
        Ok(Box::new(mounted))
    }
}

impl Mounted {
    fn wait_for_mount(&mut self, standin: Option<&Path>) -> anyhow::Result<()> {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().context("cannot ask for its end")? {
                bail!("pkgfs mount ended with {status}: {}", self.said());
            }
            // Its log may have said something before.
            let told = self.said().contains(" is mounted ");
            let served = standin.is_none_or(Path::exists);
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
        command.args(arguments).arg("--config").arg(&self.settings);
        command.stdin(Stdio::null()).output().context("cannot run pkgfs")
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
        while self.child.try_wait().context("cannot wait for its end")?.is_none() {
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
        let output = self.run(&["flush", &self.root.to_string_lossy(), package])?;
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

//! A repository and a worker on a real rez, and the proof that no process is left of it.

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use pkgfs_rez_worker::{RezError, RezWorker, RezWorkerSettings, ToldPackage};
use tempfile::TempDir;

pub(crate) const VERSIONS: [&str; 2] = ["3.4.0", "2.112.0"];

/// The variable that marks all processes of a scene.
const MARK: &str = "TEST_WORKER_OF_PKGFS";
/// Longer than anything here takes; a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Scene {
    directory: TempDir,
    settings: RezWorkerSettings,
    pub(crate) worker: RezWorker,
}

impl Scene {
    /// A scene with `rez-python` of this version, and a second for each definition.
    pub(crate) fn new(version: &str) -> Self {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
        let python = workspace.join(format!(".work/rez-{version}/bin/rez/rez-python"));
        assert!(python.exists(), "{}: run `cargo xtask setup`", python.display());
        Self::with(&[python.to_str().unwrap()])
    }

    /// A scene that asks as systems do that cannot fork.
    pub(crate) fn without_fork(version: &str) -> Self {
        let mut scene = Self::new(version);
        scene.worker = RezWorker::without_fork(scene.settings.clone());
        scene
    }

    /// A scene with any command.
    pub(crate) fn with(command: &[&str]) -> Self {
        // Not below /tmp: rez holds repositories there for temporary.
        let directory =
            tempfile::Builder::new().prefix("pkgfs-worker-").tempdir_in("/var/tmp").unwrap();
        let home = directory.path().display();
        let environment = [
            "env".to_owned(),
            "-i".to_owned(),
            format!("PATH={}", std::env::var("PATH").unwrap()),
            format!("HOME={home}"),
            format!("{MARK}={home}"),
            "REZ_DISABLE_HOME_CONFIG=1".to_owned(),
            "REZ_DEFAULT_CACHABLE=true".to_owned(),
        ];
        let command = environment.into_iter().chain(command.iter().map(ToString::to_string));
        let settings =
            RezWorkerSettings { command: command.collect(), deadline: Duration::from_secs(1) };
        fs::create_dir(directory.path().join("repository")).unwrap();
        Self { directory, worker: RezWorker::new(settings.clone()), settings }
    }

    pub(crate) fn repository(&self) -> PathBuf {
        self.directory.path().join("repository")
    }

    pub(crate) fn location(&self) -> String {
        self.repository().to_str().unwrap().to_owned()
    }

    /// Writes a definition of version 1.
    pub(crate) fn define(&self, name: &str, definition: &str) {
        let directory = self.repository().join(name).join("1");
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("package.py"), definition).unwrap();
    }

    /// What rez says of a package that [`define`](Self::define) wrote.
    pub(crate) async fn ask(&self, name: &str) -> Result<Option<ToldPackage>, RezError> {
        self.worker.package(&self.location(), name, Some("1")).await
    }

    /// The same of a definition.
    pub(crate) async fn ask_of(&self, definition: &str) -> Result<ToldPackage, RezError> {
        self.define("asked", definition);
        Ok(self.ask("asked").await?.expect("it is not there"))
    }

    /// The command lines of processes that carry the scene's mark.
    pub(crate) fn processes(&self) -> Vec<(u32, String)> {
        let entry = format!("{MARK}={}", self.directory.path().display());
        let names = fs::read_dir("/proc").unwrap();
        let pids = names.filter_map(|name| name.ok()?.file_name().to_str()?.parse::<u32>().ok());
        let ours = pids.filter(|pid| {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|own| own == entry.as_bytes())
        });
        let line = |pid| fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        ours.map(|pid| (pid, String::from_utf8_lossy(&line(pid)).replace('\0', " "))).collect()
    }

    /// Ends the worker, and requires that nothing is left of it.
    pub(crate) async fn end(self) {
        self.worker.stop().await;
        // A machine under load may take longer than the worker waits before it looks away.
        let ended = async {
            while self.worker.status().left_behind > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, ended).await.expect("a process is left behind");
        eventually("no process is left", || self.processes().is_empty());
    }
}

pub(crate) fn eventually(what: &str, mut happened: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !happened() {
        assert!(Instant::now() < deadline, "it did not happen that {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

//! The package caches that rez is run on: a plain directory, or a mount of pkgfs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::rez::Rez;

/// A directory on the disk, not below the system's temporary directory: rez never caches from a
/// repository there.
pub(crate) fn directory() -> TempDir {
    tempfile::Builder::new().prefix("pkgfs-rez-").tempdir_in("/var/tmp").unwrap()
}

/// A plain directory as a cache.
pub(crate) fn plain(directory: &TempDir) -> PathBuf {
    let path = directory.path().join("cache");
    fs::create_dir(&path).unwrap();
    path
}

/// A mount of pkgfs; unmounted on drop, with its directory.
pub(crate) struct Mount {
    path: PathBuf,
    environment: Vec<(String, String)>,
    directory: TempDir,
}

impl Mount {
    /// Mounts with a configuration (TOML), serving look-ups from `repositories`, with rez's
    /// settings as this rez has them, `rez_settings` (name and JSON) on top.
    pub(crate) fn new(
        rez: &Rez,
        configuration: &str,
        repositories: &[&Path],
        rez_settings: &[(&str, String)],
    ) -> Self {
        let directory = directory();
        let at = |name: &str| directory.path().join(name);
        fs::write(at("pkgfs.toml"), configuration).unwrap();
        let mut environment = vec![
            ("PATH".to_owned(), rez.search_path()),
            ("HOME".to_owned(), at("home").display().to_string()),
            ("XDG_STATE_HOME".to_owned(), at("state").display().to_string()),
            ("XDG_CONFIG_HOME".to_owned(), at("config").display().to_string()),
        ];
        for (name, json) in rez_settings {
            environment.push((format!("REZ_{}_JSON", name.to_uppercase()), json.clone()));
        }
        let mount = Self { path: at("cache"), environment, directory };
        let at = |name: &str| mount.directory.path().join(name);
        let (configuration, store) = (at("pkgfs.toml"), at("store"));
        let mut arguments = vec![Path::new("mount"), &mount.path];
        arguments.extend([Path::new("--config"), &configuration, Path::new("--store"), &store]);
        for repository in repositories {
            arguments.extend([Path::new("--repo"), repository]);
        }
        mount.pkgfs(&arguments).unwrap();
        mount
    }

    /// Where rez's cache is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn pkgfs(&self, arguments: &[&Path]) -> Result<(), String> {
        // A file, not a pipe: the daemon may keep its standard error for as long as it lives.
        let log = self.directory.path().join("pkgfs.log");
        let status = Command::new(pkgfs())
            .args(arguments)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(&log).unwrap())
            .status()
            .unwrap();
        let said = fs::read_to_string(&log).unwrap_or_default();
        if status.success() { Ok(()) } else { Err(format!("pkgfs ended with {status}: {said}")) }
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let unmounted = self.pkgfs(&[Path::new("unmount"), &self.path, Path::new("--lazy")]);
        // A second panic would hide the first.
        if !std::thread::panicking() {
            unmounted.unwrap();
            assert!(!self.path.exists(), "unmount left {}", self.path.display());
        }
    }
}

/// The program as cargo built it beside this test: `cargo build --workspace --bins`.
fn pkgfs() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let program = test.ancestors().nth(2).unwrap().join("pkgfs");
    assert!(program.exists(), "no {}: run `cargo build -p pkgfs`", program.display());
    program
}

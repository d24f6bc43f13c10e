//! A directory with a repository in it, to be mounted.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use pkgfs_standin::StandinProcess;
use tempfile::TempDir;

use crate::{MountOptions, Mounted, Repository, programs};

/// A directory of one test, with a repository. It goes when it and its mounts are dropped.
pub struct Scene {
    ground: Arc<Ground>,
    repository: Repository,
    mounts: AtomicUsize,
}

/// What a scene and its mounts stand on. The order matters: the stand-in shows a directory.
pub(crate) struct Ground {
    standin: Option<StandinProcess>,
    directory: TempDir,
}

impl Scene {
    /// A scene with its repository on the local disk.
    #[must_use]
    pub fn new() -> Self {
        Self::with(None)
    }

    /// A scene with its repository behind a stand-in for shared storage.
    #[must_use]
    pub fn behind_standin(options: &pkgfs_standin::Options) -> Self {
        Self::with(Some(options))
    }

    fn with(standin: Option<&pkgfs_standin::Options>) -> Self {
        // Not below /tmp: rez holds repositories there for temporary.
        let directory = tempfile::Builder::new()
            .prefix("pkgfs-scene-")
            .permissions(fs::Permissions::from_mode(0o755))
            .tempdir_in("/var/tmp")
            .unwrap();
        let source = directory.path().join("repository");
        fs::create_dir(&source).unwrap();
        let mut location = source.clone();
        let standin = standin.map(|options| {
            location = directory.path().join("storage");
            fs::create_dir(&location).unwrap();
            let program = programs::built("pkgfs-standin");
            // Shared storage is there for every user, where the system lets us say so.
            let allow_other = options.allow_other || rustix::process::geteuid().is_root();
            let options = pkgfs_standin::Options { allow_other, ..options.clone() };
            StandinProcess::spawn(program, &source, &location, &options).unwrap()
        });
        let repository = Repository::new(source, location);
        let ground = Arc::new(Ground { standin, directory });
        Self { ground, repository, mounts: AtomicUsize::new(0) }
    }

    /// The repository.
    #[must_use]
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// The stand-in; the scene must have been made behind one.
    #[must_use]
    pub fn standin(&self) -> &StandinProcess {
        self.ground.standin.as_ref().expect("the scene is not behind a stand-in")
    }

    /// A name in the scene's directory.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.ground.path().join(name)
    }

    /// Mounts, with a fresh store and home.
    #[must_use]
    pub fn mount(&self, options: &MountOptions) -> Mounted {
        let number = self.mounts.fetch_add(1, Ordering::Relaxed);
        let place = self.path(&format!("mount-{number}"));
        Mounted::new(Arc::clone(&self.ground), self.repository.clone(), place, options)
    }
}

impl Default for Scene {
    fn default() -> Self {
        Self::new()
    }
}

impl Ground {
    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }
}

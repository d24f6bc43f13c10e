//! Where a scenario plays: a repository, a store and a root, in a directory of their own.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use pkgfs_projfs_engine::Wide;
use pkgfs_rez::VariantHandle;
use tempfile::TempDir;

use crate::{Driver, standin::StandinDriver};

/// Which driver a scene's programs use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drive {
    /// The stand-in.
    Standin,
    /// Windows.
    Win32,
}

/// A repository, a store and a root.
pub struct Scene {
    directory: Option<TempDir>,
    /// Which driver its programs use.
    pub drive: Drive,
}

impl Scene {
    /// An empty one, below `base` or where temporary files are.
    pub fn new(base: Option<&Path>, drive: Drive) -> anyhow::Result<Self> {
        let mut builder = tempfile::Builder::new();
        let builder = builder.prefix("projfs-");
        let directory = match base {
            Some(base) => builder.tempdir_in(base),
            None => builder.tempdir(),
        };
        let directory = directory.context("cannot make a directory for a scene")?;
        for part in ["repository", "store"] {
            fs::create_dir(directory.path().join(part)).context("cannot make its parts")?;
        }
        Ok(Self { directory: Some(directory), drive })
    }

    fn at(&self, part: &str) -> PathBuf {
        self.directory.as_ref().map(|directory| directory.path().join(part)).unwrap_or_default()
    }

    /// The packages.
    #[must_use]
    pub fn repository(&self) -> PathBuf {
        self.at("repository")
    }

    /// What the subject keeps.
    #[must_use]
    pub fn store(&self) -> PathBuf {
        self.at("store")
    }

    /// Where the cache shows.
    #[must_use]
    pub fn root(&self) -> PathBuf {
        self.at("root")
    }

    /// The file with the stand-in's address.
    #[must_use]
    pub fn address(&self) -> PathBuf {
        self.at("address")
    }

    /// A program.
    #[must_use]
    pub fn program(&self) -> Box<dyn Driver> {
        match self.drive {
            #[cfg(windows)]
            Drive::Win32 => Box::new(crate::win32::Win32Driver),
            _ => Box::new(StandinDriver::new(&self.address(), &self.root())),
        }
    }

    /// A package with these files: paths below its directory, with slashes, and bytes.
    pub fn package(
        &self,
        name: &str,
        version: &str,
        files: &[(&str, &[u8])],
    ) -> anyhow::Result<()> {
        let directory = self.repository().join(name).join(version);
        fs::create_dir_all(&directory).context("cannot make a package")?;
        let definition = format!("name = {name:?}\nversion = {version:?}\ncachable = True\n");
        fs::write(directory.join("package.py"), definition).context("cannot write a definition")?;
        for (path, bytes) in files {
            let path = directory.join(path);
            fs::create_dir_all(path.parent().context("a file is in a directory")?)?;
            fs::write(path, bytes).context("cannot write a file of a package")?;
        }
        Ok(())
    }

    /// A path below the root.
    #[must_use]
    pub fn path(&self, below: &str) -> Wide {
        Wide::from(self.root().to_string_lossy().as_ref()).join(&Wide::from(below))
    }

    /// rez's handle of a package without variants.
    #[must_use]
    pub fn handle(&self, name: &str, version: &str) -> VariantHandle {
        // rez's `canonical_path`: the real path, lower-cased where case is ignored.
        let location = fs::canonicalize(self.repository()).unwrap_or_else(|_| self.repository());
        let location = location.to_string_lossy();
        let plain = location.strip_prefix(r"\\?\").unwrap_or(&location);
        let location = if cfg!(windows) { plain.to_lowercase() } else { plain.to_owned() };
        VariantHandle {
            location,
            name: name.to_owned(),
            version: Some(version.to_owned()),
            index: None,
        }
    }

    /// The directory of a package's registrations.
    #[must_use]
    pub fn h4(&self, name: &str, version: &str) -> Wide {
        let h4 = self.handle(name, version).h4();
        self.path(&format!(r"{name}\{version}\{h4}"))
    }

    /// A package's payload, or a path below it.
    #[must_use]
    pub fn payload(&self, name: &str, version: &str, below: &str) -> Wide {
        let payload = self.h4(name, version).join(&Wide::from("a"));
        if below.is_empty() { payload } else { payload.join(&Wide::from(below)) }
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        if std::env::var_os("PROJFS_SCENES_KEEP").is_some()
            && let Some(directory) = self.directory.take()
        {
            eprintln!("kept {}", directory.keep().display());
        }
    }
}

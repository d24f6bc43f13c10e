//! The rez repository that the demo serves: real packages from PyPI, as a studio would lay them out.
//!
//! Made once below `.work/demo` and kept. Each wheel is unpacked by pip into the root of a plain
//! variant (`<name>/<version>/python-3.11/python`); `python` itself is a package without variants
//! whose payload is a wrapper around the interpreter of this machine, so that `rez-env` runs real
//! imports with it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::setup::python;
use crate::{process, workspace};

/// A package to be shown, and what is imported from it.
pub(super) struct Package {
    /// rez's name for it.
    pub(super) name: &'static str,
    /// The distribution's name on PyPI.
    distribution: &'static str,
    /// The version, the same in rez.
    pub(super) version: &'static str,
    /// The module whose import is the first result.
    pub(super) module: &'static str,
}

/// The packages shown.
pub(super) const PACKAGES: &[Package] = &[
    Package { name: "numpy", distribution: "numpy", version: "2.2.6", module: "numpy" },
    Package { name: "usd_core", distribution: "usd-core", version: "25.5.1", module: "pxr.Usd" },
    Package {
        name: "opentimelineio",
        distribution: "OpenTimelineIO",
        version: "0.17.0",
        module: "opentimelineio",
    },
];

/// The repository on the local disk, which the stand-in then serves as shared storage.
pub(super) struct Repository {
    /// Its directory.
    pub(super) path: PathBuf,
    python_version: String,
}

/// How much a tree holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub(super) struct Extent {
    /// Regular files.
    pub(super) files: u64,
    /// Their bytes.
    pub(super) bytes: u64,
}

impl std::iter::Sum for Extent {
    fn sum<I: Iterator<Item = Self>>(extents: I) -> Self {
        extents.fold(Self::default(), |sum, extent| Self {
            files: sum.files + extent.files,
            bytes: sum.bytes + extent.bytes,
        })
    }
}

impl Repository {
    /// Makes the repository, or finds it from an earlier run.
    pub(super) fn prepare() -> Result<Self> {
        let interpreter = python::interpreter()?;
        let version = process::output(
            process::command(&interpreter)
                .args(["-c", "import platform; print(platform.python_version())"]),
        )?;
        let repository = Self {
            path: workspace::work_dir().join("demo/repository"),
            python_version: version.trim().to_owned(),
        };
        repository.add_python(&interpreter)?;
        for package in PACKAGES {
            repository
                .add(package, &interpreter)
                .with_context(|| format!("cannot make the rez package {}", package.name))?;
        }
        Ok(repository)
    }

    /// Where a package's payload lies, relative to the repository.
    pub(super) fn root(&self, name: &str) -> PathBuf {
        match PACKAGES.iter().find(|package| package.name == name) {
            Some(package) => {
                Path::new(package.name).join(package.version).join(self.python_variant())
            }
            None => Path::new("python").join(&self.python_version),
        }
    }

    /// The paths of payloads, relative to the repository: what is below them is never read by rez
    /// itself. The definition of `python` lies in its root, so only its `bin` counts.
    pub(super) fn payloads(&self) -> Vec<PathBuf> {
        PACKAGES
            .iter()
            .map(|package| self.root(package.name))
            .chain([self.root("python").join("bin")])
            .collect()
    }

    /// How much a package's payload holds.
    pub(super) fn extent(&self, package: &Package) -> Result<Extent> {
        extent(&self.path.join(self.root(package.name)))
    }

    /// The length of a file of a package; nothing where it is none.
    pub(super) fn length(&self, package: &str, file: &str) -> Option<u64> {
        let metadata = fs::metadata(self.path.join(self.root(package)).join(file)).ok()?;
        metadata.is_file().then_some(metadata.len())
    }

    fn python_variant(&self) -> String {
        let mut parts = self.python_version.split('.');
        let major = parts.next().unwrap_or("3");
        let minor = parts.next().unwrap_or("0");
        format!("python-{major}.{minor}")
    }

    fn add_python(&self, interpreter: &Path) -> Result<()> {
        let root = self.path.join(self.root("python"));
        if root.join("package.py").exists() {
            return Ok(());
        }
        fs::create_dir_all(root.join("bin"))?;
        let wrapper = root.join("bin/python");
        let script = format!("#!/bin/sh\nexec {} \"$@\"\n", interpreter.display());
        fs::write(&wrapper, script)?;
        fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755))?;
        let definition = format!(
            "name = \"python\"\nversion = \"{}\"\ncachable = True\n\n\ndef commands():\n    env.PATH.prepend(\"{{root}}/bin\")\n",
            self.python_version
        );
        fs::write(root.join("package.py"), definition)?;
        Ok(())
    }

    fn add(&self, package: &Package, interpreter: &Path) -> Result<()> {
        let directory = self.path.join(package.name).join(package.version);
        let root = self.path.join(self.root(package.name));
        if directory.join("package.py").exists() && root.exists() {
            return Ok(());
        }
        if root.exists() {
            fs::remove_dir_all(&root)
                .with_context(|| format!("cannot remove the unfinished {}", root.display()))?;
        }
        process::run(
            process::command(interpreter)
                .args(["-m", "pip", "--quiet", "--disable-pip-version-check", "install"])
                .args(["--no-deps", "--only-binary", ":all:", "--root-user-action", "ignore"])
                .arg("--target")
                .arg(root.join("python"))
                .arg(format!("{}=={}", package.distribution, package.version)),
        )
        .context("pip cannot install it from PyPI: check that this machine reaches it")?;
        let definition = format!(
            "name = \"{}\"\nversion = \"{}\"\ncachable = True\nvariants = [[\"{}\"]]\n\n\ndef commands():\n    env.PYTHONPATH.append(\"{{root}}/python\")\n",
            package.name,
            package.version,
            self.python_variant()
        );
        // Written last: its presence says that the payload is whole.
        fs::write(directory.join("package.py"), definition)?;
        Ok(())
    }
}

/// How much a directory holds, links not followed; nothing where there is none.
pub(super) fn extent(directory: &Path) -> Result<Extent> {
    let mut found = Extent::default();
    let mut directories = vec![directory.to_path_buf()];
    while let Some(directory) = directories.pop() {
        let Ok(entries) = fs::read_dir(&directory) else {
            continue;
        };
        for entry in entries {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                directories.push(entry.path());
            } else if kind.is_file() {
                found.files += 1;
                found.bytes += entry.metadata()?.len();
            }
        }
    }
    Ok(found)
}

//! The rez repository that is read: real packages from PyPI, and made ones.
//!
//! Made once below `.work/bench` and kept. Python is Debian's, which ordinary users can run.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::load;
use crate::setup::python;
use crate::{process, workspace};

/// The interpreter that imports.
pub(super) const PYTHON: &str = "/usr/bin/python3";

/// A package of the repository.
#[derive(Clone, Debug)]
pub(super) struct Package {
    /// rez's name for it.
    pub(super) name: &'static str,
    /// What is installed from PyPI, each of the package's version; none where it is made.
    distributions: &'static [&'static str],
    pub(super) version: &'static str,
    /// What is imported from it; a made package has nothing.
    pub(super) module: Option<&'static str>,
}

const NUMPY: Package =
    Package { name: "numpy", distributions: &["numpy"], version: "2.2.6", module: Some("numpy") };
const USD: Package = Package {
    name: "usd_core",
    distributions: &["usd-core"],
    version: "25.5.1",
    module: Some("pxr.UsdGeom"),
};
const QT: Package = Package {
    name: "pyside6",
    distributions: &["PySide6-Essentials", "shiboken6"],
    version: "6.9.1",
    // Its QtWidgets needs libraries of a desktop.
    module: Some("PySide6.QtCore"),
};
const TIMELINE: Package = Package {
    name: "opentimelineio",
    distributions: &["OpenTimelineIO"],
    version: "0.18.1",
    module: Some("opentimelineio"),
};
const SMALL: Package = Package::made("small_files");
const LARGE: Package = Package::made("large_file");

/// How large the made packages are.
#[derive(Clone, Copy)]
struct Sizes {
    files: usize,
    bytes: u64,
    large: u64,
}

const FULL: Sizes = Sizes { files: 6_442, bytes: 50_000_000, large: 1 << 30 };
const QUICK: Sizes = Sizes { files: 200, bytes: 1_500_000, large: 16 << 20 };

/// The repository on the local disk.
pub(super) struct Repository {
    /// Its directory.
    pub(super) path: PathBuf,
    /// Files of which numpy is imported, and so on.
    pub(super) imports: Vec<Package>,
    sizes: Sizes,
}

impl Repository {
    /// Makes it, or finds it from an earlier run.
    pub(super) fn prepare(quick: bool) -> Result<Self> {
        let name = if quick { "repository-quick" } else { "repository" };
        let path = workspace::work_dir().join("bench").join(name);
        let imports = if quick { vec![NUMPY] } else { vec![NUMPY, USD, QT, TIMELINE] };
        let repository = Self { path, imports, sizes: if quick { QUICK } else { FULL } };
        for package in &repository.imports {
            repository.add(package, |root| install(package, root))?;
        }
        let Sizes { files, bytes, large } = repository.sizes;
        repository.add(&SMALL, |root| load::small_files(root, files, bytes))?;
        repository.add(&LARGE, |root| load::large_file(&root.join("large.bin"), large))?;
        Ok(repository)
    }

    /// The package of many small files.
    pub(super) fn small(&self) -> Package {
        SMALL
    }

    /// The package of one large file.
    pub(super) fn large(&self) -> Package {
        LARGE
    }

    /// Bytes of the large file.
    pub(super) fn large_bytes(&self) -> u64 {
        self.sizes.large
    }

    /// All.
    pub(super) fn packages(&self) -> Vec<Package> {
        self.imports.iter().cloned().chain([SMALL, LARGE]).collect()
    }

    /// A payload's root on the local disk.
    pub(super) fn root(&self, package: &Package) -> PathBuf {
        self.path.join(package.payload())
    }

    fn add(&self, package: &Package, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
        let root = self.root(package);
        if package.definition(&self.path).exists() {
            return Ok(());
        }
        if root.exists() {
            fs::remove_dir_all(&root)
                .with_context(|| format!("cannot remove the unfinished {}", root.display()))?;
        }
        fs::create_dir_all(&root)?;
        fill(&root).with_context(|| format!("cannot make the package {}", package.name))?;
        // Written last: its presence says that the payload is whole.
        package.define(&self.path)
    }
}

/// The one requirement of each variant: its root is a directory below the definition's.
const VARIANT: &str = "platform-linux";

impl Package {
    /// The payload's root, relative to the repository.
    pub(super) fn payload(&self) -> PathBuf {
        Path::new(self.name).join(self.version).join(VARIANT)
    }

    /// A package that is made elsewhere.
    pub(super) const fn made(name: &'static str) -> Self {
        Self { name, distributions: &[], version: "1.0.0", module: None }
    }

    /// Writes its definition into a repository.
    pub(super) fn define(&self, repository: &Path) -> Result<()> {
        let (name, version) = (self.name, self.version);
        let text = format!(
            "name = {name:?}\nversion = {version:?}\ncachable = True\nvariants = [[{VARIANT:?}]]\n"
        );
        Ok(fs::write(self.definition(repository), text)?)
    }

    fn definition(&self, repository: &Path) -> PathBuf {
        repository.join(self.name).join(self.version).join("package.py")
    }

    /// The variant's URI where the repository is found at `location`.
    pub(super) fn uri(&self, location: &Path) -> String {
        format!("{}/{}/{}/package.py[0]", location.display(), self.name, self.version)
    }
}

/// Installs what a package consists of and compiles its modules.
fn install(package: &Package, root: &Path) -> Result<()> {
    let version = ["-c", "import sys; print('%d.%d' % sys.version_info[:2])"];
    let version = process::output(process::command(PYTHON).args(version))?;
    process::run(
        process::command(python::interpreter()?)
            .args(["-m", "pip", "--quiet", "--disable-pip-version-check", "install"])
            .args(["--no-deps", "--no-compile", "--only-binary", ":all:"])
            .args(["--root-user-action", "ignore", "--python-version", version.trim(), "--target"])
            .arg(root)
            .args(package.distributions.iter().map(|it| format!("{it}=={}", package.version))),
    )
    .context("pip cannot install it from PyPI: check that this machine reaches it")?;
    // PySide6 has templates of Python files that are none.
    let compile = ["-m", "compileall", "-q", "-x", r"\.tmpl\.py$"];
    process::run(process::command(PYTHON).args(compile).arg(root))
}

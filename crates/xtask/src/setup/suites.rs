//! The suites for POSIX file systems that others wrote (`docs/posix.md`): two from crates.io, built
//! without debug information, the rest from Debian.

use anyhow::{Context as _, Result};

use super::debian;
use crate::{process, workspace};

/// Program and pinned release.
const CRATES: &[(&str, &str)] = &[("fsx", "fsx@0.3.2"), ("pjdfstest", "pjdfstest@0.2.2")];

/// Where Debian's Python is; others keep their own tests beside themselves.
const PYTHON: &str = "/usr/bin/python3";

/// Installs what is missing.
pub(crate) fn install() -> Result<()> {
    let version = "import sys; print('%d.%d' % sys.version_info[:2])";
    let version = process::output(process::command(PYTHON).args(["-c", version]))
        .with_context(|| format!("{PYTHON} is needed for its own tests"))?;
    let tests = format!("libpython{}-testsuite", version.trim());
    // pjdfstest links the first of these.
    debian::install(&["libacl1-dev", "stress-ng", &tests])?;
    let root = workspace::work_dir().join("posix");
    let there =
        |program: &str| process::on_path(program) || root.join("bin").join(program).exists();
    let missing: Vec<_> =
        CRATES.iter().filter(|(program, _)| !there(program)).map(|(_, release)| release).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let mut install = process::cargo(&["install", "--quiet", "--locked", "--debug", "--root"]);
    install.arg(&root).arg("--target-dir").arg(root.join("target")).args(missing);
    // A build of a few programs that are run for seconds.
    install.env("CARGO_PROFILE_DEV_DEBUG", "0").env("CARGO_INCREMENTAL", "0");
    process::run(&mut install)?;
    std::fs::remove_dir_all(root.join("target")).context("cannot remove what the build left")
}

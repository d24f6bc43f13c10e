//! Python virtual environments below `.work`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::process;

/// The real path of the Python that runs rez and the imports: version managers put shims on the
/// search path, and a shim is no interpreter to build a package on.
pub(crate) fn interpreter() -> Result<PathBuf> {
    let path = process::output(
        process::command("python3").args(["-c", "import sys; print(sys.executable)"]),
    )
    .context("python3 is needed: install it, or run `cargo xtask setup` as root")?;
    Ok(PathBuf::from(path.trim()))
}

/// Makes a virtual environment.
pub(crate) fn make_venv(path: &Path) -> Result<()> {
    process::run(process::command(interpreter()?).args(["-m", "venv"]).arg(path))
}

/// `pip` of a virtual environment, ready for its subcommand and quiet.
pub(crate) fn pip(venv: &Path) -> Command {
    let mut pip = process::command(venv.join("bin/python"));
    pip.args(["-m", "pip", "--quiet", "--disable-pip-version-check"]);
    pip
}

/// Runs `pip install` with `arguments`, telling a registry that does not answer from the rest.
pub(crate) fn pip_install(venv: &Path, arguments: &[&str]) -> Result<()> {
    process::run(pip(venv).arg("install").args(arguments)).with_context(|| {
        format!(
            "cannot install {} from PyPI: check that this machine reaches it (pip config list)",
            arguments.join(" ")
        )
    })
}

//! rez as production installs.
//!
//! A plain `pip install` of rez refuses to cache packages: rez only does so when its commands lie
//! in `bin/rez` beside a stamp `.rez_production_install` and run isolated (`python -E`), which is
//! what rez's own `install.py` arranges (read back by `rez/system.py: rez_bin_path`). The same is
//! done here on top of the wheel.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::python;
use crate::workspace;

/// The versions that studios run and pkgfs is tested with, oldest first. 2.112 has neither the
/// room checks (statfs) nor the synchronous mode of the newest.
pub(crate) const VERSIONS: &[&str] = &["2.112.0", "3.4.0"];

/// One installed rez.
pub(crate) struct Install {
    /// The directory of its commands, to be put on `PATH`.
    pub(crate) bin: PathBuf,
}

/// Installs a version of rez below `.work`, or finds it there.
pub(crate) fn install(version: &str) -> Result<Install> {
    let venv = workspace::work_dir().join(format!("rez-{version}"));
    let bin = venv.join("bin/rez");
    // The stamp is written last, so a half-made install is made anew.
    if !bin.join(".rez_production_install").exists() {
        if venv.exists() {
            fs::remove_dir_all(&venv)
                .with_context(|| format!("cannot remove the unfinished {}", venv.display()))?;
        }
        python::make_venv(&venv)?;
        python::pip_install(&venv, &[&format!("rez=={version}")])?;
        make_production(&venv, &bin, version)
            .with_context(|| format!("cannot turn {} into a production rez", venv.display()))?;
    }
    Ok(Install { bin })
}

/// Moves rez's commands from `bin` to `bin/rez`, isolated and stamped.
fn make_production(venv: &Path, bin: &Path, version: &str) -> Result<()> {
    let mut scripts = Vec::new();
    for entry in fs::read_dir(venv.join("bin"))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with("rez") || name.starts_with("_rez") {
            scripts.push((name, fs::read_to_string(entry.path())?));
            fs::remove_file(entry.path())?;
        }
    }
    fs::create_dir(bin)?;
    let interpreter = format!("#!{} -E\n", venv.join("bin/python").display());
    for (name, script) in scripts {
        let body = script.split_once('\n').map_or("", |(_, body)| body);
        let path = bin.join(name);
        fs::write(&path, format!("{interpreter}{body}"))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    }
    fs::write(bin.join(".rez_production_install"), version)?;
    Ok(())
}

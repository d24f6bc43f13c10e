//! rez's own copy of packages into its cache.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use serde::Deserialize;

use super::repository::Package;
use crate::{process, setup};

const COPY: &str = include_str!("rez/copy.py");

/// The newest rez that is installed.
pub(super) struct Rez {
    python: PathBuf,
}

/// One copied package.
#[derive(Deserialize)]
pub(super) struct Copied {
    /// What `add_variant` took.
    pub(super) seconds: f64,
    /// Where it is.
    pub(super) root: PathBuf,
}

impl Rez {
    pub(super) fn new(install: &setup::rez::Install) -> Result<Self> {
        let bin = install.bin.parent().context("rez has no bin directory")?;
        Ok(Self { python: bin.join("python") })
    }

    /// Copies packages of the repository at `location` into the cache at `cache`.
    pub(super) fn copy(
        &self,
        location: &Path,
        cache: &Path,
        packages: &[Package],
    ) -> Result<BTreeMap<String, Copied>> {
        fs::create_dir_all(cache)?;
        let mut command = Command::new(&self.python);
        command.args(["-c", COPY]).arg(location).arg(cache);
        command.args(packages.iter().map(|package| package.name));
        command.env("REZ_DISABLE_HOME_CONFIG", "1").env("REZ_PACKAGE_CACHE_SAME_DEVICE", "1");
        let told = process::output(&mut command).context("rez cannot copy")?;
        let told = told.lines().last().unwrap_or_default();
        serde_json::from_str(told).context("rez's copy cannot be understood")
    }
}

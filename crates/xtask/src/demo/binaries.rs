//! The programs that the demo runs, built as users run them: optimised.

use std::path::PathBuf;

use anyhow::Result;

use crate::process::{self, cargo};
use crate::workspace;

/// The built programs.
pub(super) struct Binaries {
    /// The product.
    pub(super) pkgfs: PathBuf,
    /// The stand-in for shared storage.
    pub(super) standin: PathBuf,
}

impl Binaries {
    /// Builds them, in the development profile where `debug`, without the product where it is not
    /// to be run.
    pub(super) fn build(debug: bool, with_pkgfs: bool) -> Result<Self> {
        let mut build = cargo(&["build", "--package", "pkgfs-standin"]);
        if with_pkgfs {
            build.args(["--package", "pkgfs"]);
        }
        if !debug {
            build.arg("--release");
        }
        process::run(&mut build)?;
        let directory = workspace::target_dir().join(if debug { "debug" } else { "release" });
        Ok(Self { pkgfs: directory.join("pkgfs"), standin: directory.join("pkgfs-standin") })
    }
}

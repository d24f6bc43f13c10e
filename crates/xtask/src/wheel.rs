//! `cargo xtask wheel`: the Python package `pkgfs` as a wheel.
//!
//! maturin builds `python/`; the wheel is for the stable ABI, so one serves every Python from 3.9 on.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;

use crate::setup::tools;
use crate::{process, workspace};

/// How to build it.
#[derive(Args)]
pub(crate) struct Options {
    /// Use the development build, which is made sooner and runs slower.
    #[arg(long)]
    debug: bool,
}

/// Builds the wheel and says where it is.
pub(crate) fn run(options: &Options) -> Result<()> {
    tools::install()?;
    println!("{}", build(options.debug)?.display());
    Ok(())
}

/// Builds the wheel, in place of an earlier one.
pub(crate) fn build(debug: bool) -> Result<PathBuf> {
    let wheels = workspace::target_dir().join("wheels");
    if wheels.exists() {
        std::fs::remove_dir_all(&wheels)
            .with_context(|| format!("cannot remove {}", wheels.display()))?;
    }
    let mut maturin = process::command("maturin");
    maturin.args(["build", "--manifest-path", "python/Cargo.toml", "--out"]).arg(&wheels);
    // pip installs a wheel of this machine's own kind whatever the libc it says it needs.
    maturin.args(["--compatibility", "linux", "--target-dir"]).arg(workspace::target_dir());
    if !debug {
        maturin.arg("--release");
    }
    process::run(maturin.env("PATH", tools::search_path()))?;
    let mut made = std::fs::read_dir(&wheels)?;
    let wheel = made.next().context("maturin has made no wheel")??;
    Ok(wheel.path())
}

//! The Windows target: linted and built on Linux, and its tests run under Wine, or on Windows itself.

use std::process::Command;

use anyhow::Result;
use clap::ValueEnum;

use crate::process::{self, cargo};
use crate::setup::{tools, windows as setup};

/// What is built.
pub(crate) const TARGET: &str = "x86_64-pc-windows-gnu";

/// The crates that are for Windows, too. The others are FUSE's, or Linux's tests.
const CRATES: &[&str] = &["pkgfs-manifest", "pkgfs-projfs", "pkgfs-win32"];

/// Another platform than this machine's own.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Platform {
    /// Windows, through ProjFS.
    Windows,
}

/// clippy with warnings as errors.
pub(crate) fn check() -> Result<()> {
    setup::compiler()?;
    let mut clippy = for_target("clippy");
    process::run(clippy.arg("--all-targets").args(["--", "-D", "warnings"]))
}

/// Builds everything and runs the tests under Wine.
pub(crate) fn test(nextest: &[String]) -> Result<()> {
    setup::run()?;
    process::run(for_target("build").arg("--bins"))?;
    let _server = setup::Server::start()?;
    let mut tests = for_target("nextest");
    process::run(tests.args(nextest).env("PATH", tools::search_path()))?;
    Ok(())
}

/// `cargo <task>` for all crates of the target.
fn for_target(task: &str) -> Command {
    let mut command = match task {
        "nextest" => cargo(&["nextest", "run"]),
        task => cargo(&[task]),
    };
    command
        .args(["--target", TARGET])
        .args(CRATES.iter().flat_map(|name| ["--package", name]))
        .env("CARGO_TARGET_X86_64_PC_WINDOWS_GNU_LINKER", "x86_64-w64-mingw32-gcc")
        .env("CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUNNER", setup::runner());
    command
}

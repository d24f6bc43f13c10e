//! The Windows target: linted and built on Linux, and its tests run under Wine, or on Windows itself.
//!
//! ```text
//! cargo xtask test windows          Linux: for x86_64-pc-windows-gnu, under Wine, with the stand-in
//!                                   for projectedfslib.dll beside the programs
//! cargo xtask test windows --real   Windows: for the machine's own target, with ProjFS itself
//! ```

use std::path::PathBuf;
#[cfg(unix)]
use std::process::Command;

use anyhow::Result;
use clap::ValueEnum;

use crate::process::{self, cargo};
use crate::workspace;
#[cfg(unix)]
use crate::{
    setup::{tools, windows as setup},
    test::at_once,
};

/// What is built on Linux.
#[cfg(unix)]
pub(crate) const TARGET: &str = "x86_64-pc-windows-gnu";

/// The crates that are for Windows, too. The others are FUSE's, or Linux's tests.
const CRATES: &[&str] = &[
    "pkgfs",
    "pkgfs-daemon",
    "pkgfs-manifest",
    "pkgfs-origin",
    "pkgfs-projfs",
    "pkgfs-projfs-engine",
    "pkgfs-rez",
    "pkgfs-rez-worker",
    "pkgfs-scan",
    "pkgfs-store",
    "pkgfs-view",
    "pkgfs-win32",
];

/// Those of them that have tests which Wine cannot pass, and no other that are ignored.
const NOT_UNDER_WINE: &[&str] = &["pkgfs-daemon", "pkgfs-win32"];

/// What shows the provider to programs: scenarios, and what stands in for ProjFS where there is none.
const SCENARIOS: &[&str] = &["pkgfs-projfs-scenarios", "pkgfs-projfs-standin"];

/// Who plays the scenarios under Wine, with which driver, and how many Wine makes impossible: it makes no
/// links, and no unpaired surrogates; its own listings do not know `<`, `>` and `"`.
#[cfg(unix)]
const SUBJECTS: [(&str, &str, &str); 3] =
    [("pkgfs", "standin", "4"), ("reference", "standin", "4"), ("copied", "win32", "5")];

/// Another platform than this machine's own.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Platform {
    /// Windows, through ProjFS.
    Windows,
}

/// What to run on Windows itself.
#[cfg(windows)]
#[derive(clap::Args)]
pub(crate) struct RealOptions {
    /// What is tested: this machine's own platform.
    #[arg(value_enum)]
    _platform: Platform,
    /// Nothing stands in for anything.
    #[arg(long, required = true)]
    real: bool,
    /// Words of the tests to run.
    #[arg(last = true)]
    pub(crate) filter: Vec<String>,
}

/// clippy with warnings as errors.
#[cfg(unix)]
pub(crate) fn check() -> Result<()> {
    setup::compiler()?;
    let mut clippy = for_target("clippy");
    process::run(clippy.arg("--all-targets").args(["--", "-D", "warnings"]))?;
    // This program, too, is built on Windows, for `--real`.
    let mut clippy = cargo(&["clippy", "--target", TARGET, "--package", "xtask", "--bin", "xtask"]);
    process::run(clippy.args(["--", "-D", "warnings"]))
}

/// Builds everything, and runs the tests and the scenarios under Wine.
#[cfg(unix)]
pub(crate) fn test(nextest: &[String]) -> Result<()> {
    setup::run()?;
    // The stand-in comes to lie beside the programs, which load it from there. Tests are built along:
    // features are settled once for all, and nothing is compiled twice.
    process::run(for_target("build").arg("--all-targets"))?;
    let _server = setup::Server::start()?;
    let retries = if nextest.is_empty() { "--retries=1" } else { "--retries=0" };
    let mut tests = for_target("nextest");
    let tests = tests.args(nextest).env("NEXTEST_TEST_THREADS", at_once());
    process::run(tests.arg(retries).env("PATH", tools::search_path()))?;
    if nextest.is_empty() {
        for (subject, driver, impossible) in SUBJECTS {
            let mut scenarios = process::command(setup::runner());
            scenarios.arg(program(Some(TARGET), "projfs-scenarios.exe"));
            scenarios.args(["--subject", subject, "--driver", driver, "--impossible", impossible]);
            // As on Linux, what fails once is a fault to be found, and the others' word counts none the less.
            scenarios.args(["--jobs", &at_once(), "--retries", "1"]);
            process::run(&mut scenarios)?;
        }
    }
    Ok(())
}

/// The same on Windows itself: natively, and the scenarios with real calls on real files.
pub(crate) fn test_real(filter: &[String]) -> Result<()> {
    let of = |names: &[&'static str]| -> Vec<&str> {
        names.iter().flat_map(|name| ["--package", name]).collect()
    };
    process::run(cargo(&["build"]).args(of(&["pkgfs", SCENARIOS[0]])))?;
    process::run(cargo(&["test"]).args(of(CRATES)).arg("--").args(filter))?;
    if filter.is_empty() {
        process::run(cargo(&["test", "--lib"]).args(of(NOT_UNDER_WINE)).args(["--", "--ignored"]))?;
    }
    let mut scenarios = process::command(program(None, "projfs-scenarios.exe"));
    process::run(scenarios.args(["--subject", "pkgfs", "--driver", "win32"]))
}

/// `cargo <task>` for all crates of the target.
#[cfg(unix)]
fn for_target(task: &str) -> Command {
    let mut command = match task {
        "nextest" => cargo(&["nextest", "run"]),
        task => cargo(&[task]),
    };
    command
        .args(["--target", TARGET])
        .args(CRATES.iter().chain(SCENARIOS).flat_map(|name| ["--package", name]))
        .env("CARGO_TARGET_X86_64_PC_WINDOWS_GNU_LINKER", "x86_64-w64-mingw32-gcc")
        .env("CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUNNER", setup::runner());
    command
}

/// A program that was built.
fn program(target: Option<&str>, name: &str) -> PathBuf {
    let built = workspace::target_dir();
    target.map_or(built.clone(), |target| built.join(target)).join("debug").join(name)
}
